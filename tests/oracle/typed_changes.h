/*
 * Changes to random programs: a few that make another program of one, and those that make it
 * smaller while something stays true of it.
 */
#ifndef SKEP_TESTS_ORACLE_TYPED_CHANGES_H
#define SKEP_TESTS_ORACLE_TYPED_CHANGES_H

#include "programs_typed.h"

/** One to three instructions are changed: registers, offsets, numbers, operations; left out, or
 *  exchanged. Functions still begin where they did. @random is nothing but the source of chance. */
void typed_mutate(struct typed_program *program, uint64_t random);

/** Leave out instructions as long as @still says yes. */
void typed_shrink(struct typed_program *program,
		  bool (*still)(void *ctx, const struct typed_program *program), void *ctx);

/**
 * May the verifier of Linux 6.18 die of it? It is known to, of loops in programs that have
 * functions called back (src/ir/enclose.c says why): so this says of all such programs.
 */
bool typed_is_harmful(const struct typed_program *program);

#endif
