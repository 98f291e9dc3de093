/*
 * Conditional jumps.
 */
#include "verify/verifier.h"

int verify_jump(struct verifier *v, const struct skep_insn *insn)
{
	bool wide = insn->code == (SKEP_JMP32 | SKEP_JA);

	if ((insn->code & 0xf0) == SKEP_JA) {
		v->next = (uint32_t)((int64_t)v->at + 1 + (wide ? insn->imm : insn->off));
		return 0;
	}
	return verify_fork(v, (uint32_t)((int64_t)v->at + 1 + insn->off), v->at, false)
		       ? 0
		       : verify_no_fork(v);
}
