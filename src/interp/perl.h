/* Subroutines of Perl, and statements of what is none: evals, files. See code.h. */
#ifndef SKEP_INTERP_PERL_H
#define SKEP_INTERP_PERL_H

#include "interp/code.h"

/** @addr has what it is in its lowest bits (enum skep_perl_kind). That an eval is one needs no
 *  memory: where the statement has gone only its file is not known. */
int skep_perl_read(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		   struct skep_interp_code *code);
uint32_t skep_perl_code_line(const struct skep_interp_code *code, uint32_t at);

/**
 * Which frames of @stack did a call of the interpreter's function begin with?
 *
 * @ret  as many as it has frames, SKEP_INTERP_FRAMES_MOST at most
 */
void skep_perl_entries(const struct skep_interp_stack *stack, bool *ret);

#endif
