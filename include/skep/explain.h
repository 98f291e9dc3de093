/*
 * Why a program was refused, for the person who wrote it; and what an accepted one needs.
 *
 * The kernel's log tells what the verifier did, this tells what is wrong: where in the source, what
 * in plain words, the instructions that the bad value came along, values that would break it, and
 * what to write instead.
 */
#ifndef SKEP_EXPLAIN_H
#define SKEP_EXPLAIN_H

#include <stdint.h>

#include <skep/verify.h>

#include <skep/begin.h>

struct skep_arena;

#define SKEP_EXPLAIN_MOST_LINKS 12

/** A place in the source, as line_info tells it. */
struct skep_explain_place {
	const char *file, *text; /* NULL: the program has no lines */
	uint32_t line, column;   /* from 1; 0: not known */
	uint32_t slot;           /* of the instruction; UINT32_MAX: it is about none */
};

/** One instruction of the way that the bad value took. */
struct skep_explain_link {
	struct skep_explain_place place;
	const char *insn; /* as the disassembler has it: "r2 += r1" */
	const char *says; /* what it did to the value: "r2 is now 0..255" */
};

struct skep_explanation {
	const char *rule;   /* the rule's stable name, as in the report */
	const char *kernel; /* the kernel's own words; NULL: none */
	const char *what;   /* a sentence: "this reads 8 bytes behind the end of the packet" */
	const char *why;    /* more of it, with the numbers that are known; NULL: nothing to add */
	struct skep_explain_place place;
	struct skep_explain_link chain[SKEP_EXPLAIN_MOST_LINKS]; /* in the order they ran */
	uint32_t n_links;
	const char *counterexample; /* "with len = 300 it reads byte 312 of 64"; NULL: none */
	const char *hint;           /* what to change; NULL: not known */
	const char *code;           /* the code to write, lines of C; NULL: not clear */
};

/**
 * Explain the refusal that @report tells of.
 *
 * @program, @opts  as they were given to skep_verify(), still there
 * @arena           what @ret points to lives here
 * Return           0 | -EINVAL it was accepted | -ENOMEM
 * Cost             a second verification
 */
int skep_verify_explain(const struct skep_verify_program *program,
			const struct skep_verify_opts *opts,
			const struct skep_verify_report *report, struct skep_arena *arena,
			struct skep_explanation *ret);

#include <skep/end.h>

#endif
