/*
 * Calls, by what they call.
 */
#include "verify/verifier.h"

int verify_call(struct verifier *v, const struct skep_insn *insn)
{
	return verify_refuse(v, NOT_YET, "call");
}
