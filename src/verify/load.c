/*
 * Loads and stores.
 */
#include "verify/verifier.h"

int verify_load(struct verifier *v, const struct skep_insn *insn)
{
	return verify_refuse(v, NOT_YET, "load");
}

int verify_store(struct verifier *v, const struct skep_insn *insn)
{
	return verify_refuse(v, NOT_YET, "store");
}

int verify_atomic(struct verifier *v, const struct skep_insn *insn)
{
	return verify_refuse(v, NOT_YET, "atomic");
}

int verify_ld_abs(struct verifier *v, const struct skep_insn *insn)
{
	return verify_refuse(v, NOT_YET, "ld_abs");
}

int verify_load_variable(struct verifier *v, const struct skep_insn *insn)
{
	return verify_refuse(v, NOT_YET, "variable");
}
