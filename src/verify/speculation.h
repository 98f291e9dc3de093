/*
 * Pointer arithmetic of programs without privileges, as a CPU that guesses may run it.
 */
#ifndef SKEP_VERIFY_SPECULATION_H
#define SKEP_VERIFY_SPECULATION_H

#include "verify/verifier.h"

/* One addition or subtraction under way. */
struct speculation {
	const struct reg *off; /* the number */
	bool off_in_dst;       /* it was in the destination, the pointer in the source */
	bool to_left;          /* the pointer goes back */
	uint32_t limit, state; /* how far it may go, and how it is masked */
};

/** Before the destination (which is @ptr by now) is moved. Return 0 | -EACCES | -errno */
int verify_speculate_before(struct verifier *v, const struct skep_insn *insn, const struct reg *ptr,
			    struct speculation *window);
/** And after. */
int verify_speculate_after(struct verifier *v, const struct skep_insn *insn,
			   struct speculation *window);

#endif
