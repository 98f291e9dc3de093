/*
 * Functions of the program: called, and verified on their own.
 */
#include "verify/verifier.h"

int verify_first_state(struct verifier *v)
{
	verify_reg_pointer(verify_reg(v, SKEP_R1), REG_CTX, 0);
	return 0;
}
