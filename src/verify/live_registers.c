/*
 * Which registers are read again.
 */
#include "verify/verifier.h"

int verify_live_registers(struct verifier *v)
{
	return 0;
}
