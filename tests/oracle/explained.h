/*
 * An explanation of a refusal, held against the kernel's log: it must be at the line of the source
 * that the log was at, with no more than 12 links. That line is
 *
 *	the last "; text @ file:line" before the words; the log names a line only once while it does
 *	not change, also where another path came between, so the line that the debug information has
 *	for the last instruction of the log will do as well
 *	references: where it was acquired ("alloc_insn=")
 *	too many instructions: any line that the log ends in, as all of a loop is at fault
 *	no instruction in the log (the program was refused before any was looked at): not counted
 */
#ifndef SKEP_TESTS_ORACLE_EXPLAINED_H
#define SKEP_TESTS_ORACLE_EXPLAINED_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/verify.h>

#include "verdict.h"

#define EXPLAINED_MOST_SLOTS 65536

/** What is compared of an explanation. */
struct explained {
	bool done;
	uint32_t line, n_links;
	char what[256], rule[48];
	uint32_t lines[EXPLAINED_MOST_SLOTS]; /* by the debug information, of each instruction */
};

struct explained_count {
	unsigned n, right; /* refusals with a line to compare */
};

/** Room for one that children see too; never given back. NULL: no memory */
struct explained *explained_new(void);
/** As skep_machine_opts.verified, with a struct explained: explains where the program is refused.
 */
void explained_verified(void *ctx, const struct skep_verify_program *program,
			const struct skep_verify_opts *opts, int err,
			const struct skep_verify_report *report);
/** Count it, if the kernel's log has a line, and print it as @name if it is at another. */
void explained_compare(const char *name, const struct verdict *kernel,
		       const struct explained *explained, struct explained_count *count);
void explained_print_count(const struct explained_count *count);

#endif
