/*
 * What decisions rest on.
 */
#include "verify/verifier.h"

int verify_push_step(struct verifier *v, uint32_t flags, uint64_t linked)
{
	return 0;
}

int verify_mark_precise(struct verifier *v, unsigned regno)
{
	return 0;
}
