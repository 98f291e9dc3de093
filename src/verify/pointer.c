/*
 * Numbers added to pointers.
 */
#include "verify/verifier.h"

int verify_pointer_alu(struct verifier *v, const struct skep_insn *insn, const struct reg *ptr,
		       const struct reg *off)
{
	struct reg *dst = verify_reg(v, insn->dst);
	bool minus = (insn->code & 0xf0) == SKEP_SUB;

	if ((insn->code & 7) != SKEP_ALU64 || !skep_tnum_is_const(off->value.bits))
		return verify_refuse(v, NOT_YET, "pointer arithmetic");
	*dst = *ptr;
	dst->off += (int32_t)(minus ? -off->value.bits.value : off->value.bits.value);
	return 0;
}
