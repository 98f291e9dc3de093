/*
 * How deep the stack gets.
 */
#include "verify/verifier.h"

int verify_stack_depth(struct verifier *v)
{
	return 0;
}
