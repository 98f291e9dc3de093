/* Subroutines of Perl, and statements of what is none: evals, files. See code.h. */
#ifndef SKEP_INTERP_PERL_H
#define SKEP_INTERP_PERL_H

#include "interp/code.h"

/** @addr has what it is in its lowest bits (enum skep_perl_kind). That an eval is one needs no
 *  memory: where the statement has gone only its file is not known. */
int skep_perl_read(const struct skep_interp_memory *memory, uint64_t addr, uint32_t check,
		   struct skep_interp_code *code);
uint32_t skep_perl_code_line(const struct skep_interp_code *code, uint32_t at);

/** What a frame is to the call of the interpreter's function that runs it. */
enum skep_perl_entry {
	SKEP_PERL_INNER,
	SKEP_PERL_CALLED,   /* it began with this one */
	SKEP_PERL_UNCAUGHT, /* likewise; if there was an eval in it, which has ended, that began one
			     * more, which still runs */
};
/** Tell of each frame of @stack. @ret  as many as it has, SKEP_INTERP_FRAMES_MOST at most */
void skep_perl_entries(const struct skep_interp_stack *stack, enum skep_perl_entry *ret);

#endif
