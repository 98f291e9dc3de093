/*
 * A refused program, told to the person who wrote the script: the verifier's
 * last words, the instruction they are about, the source it came from.
 */
#ifndef SKEP_LOAD_EXPLAIN_H
#define SKEP_LOAD_EXPLAIN_H

#include <skep/diag.h>
#include <skep/object.h>

/** What a verifier log says of the refusal. The text is borrowed from the log. */
struct load_verdict {
	const char *line; /* the kernel's own line; len 0: the log says nothing */
	size_t len;
	bool has_insn;
	uint32_t insn; /* which it is about */
};

/** Find the refusal in @log; any bytes are taken. */
struct load_verdict load_log_verdict(const char *log);
/** The source span @insn came from; len 0 if it has none. */
struct skep_span load_insn_span(const struct skep_object_prog *prog, uint32_t insn);
/** Report that the kernel refused @prog with @err, saying @log ("": nothing). Return @err */
int load_explain(const struct skep_object_prog *prog, const char *log, int err,
		 struct skep_diag *diag);

#endif
