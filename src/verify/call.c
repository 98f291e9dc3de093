/*
 * Calls, by what they call: a helper, a function of the program, a function of the kernel.
 *
 * While a lock is held only what is known to be quick may be called: what gives the lock back, and
 * the few kernel functions that lists and trees under it are for. Functions of the program are
 * looked at where they are called, so nothing is said of them here.
 *
 * Source  behaviour of Linux 6.18, do_check_insn()
 */
#include "verify/call.h"

static bool allowed_under_lock(struct verifier *v, const struct skep_insn *insn)
{
	switch (insn->src) {
	case CALL_OF_HELPER:
		return insn->imm == HELPER_ID_spin_unlock || insn->imm == HELPER_ID_kptr_xchg;
	case CALL_OF_KFUNC: return verify_kfunc_under_lock(v, insn);
	default: return true;
	}
}

int verify_call(struct verifier *v, const struct skep_insn *insn)
{
	if (v->state->n_locks && !allowed_under_lock(v, insn))
		return verify_refuse(v, CALL_UNDER_LOCK);
	switch (insn->src) {
	case CALL_OF_FUNCTION: return verify_call_local(v, insn);
	case CALL_OF_KFUNC: return verify_call_kfunc(v, insn);
	default: return verify_call_helper(v, insn);
	}
}

/* What a call may have left in r0 to r5. */
void verify_clobber(struct verifier *v)
{
	for (unsigned r = SKEP_R0; r <= SKEP_R5; r++) {
		*verify_reg(v, r) = verify_reg_unset;
		verify_note_reg(v, r);
	}
}
