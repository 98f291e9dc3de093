/*
 * What programs of users without privileges may not have at all, before any path is followed:
 *
 *	functions   of their own, or of the kernel
 *	loops       a jump back to where the program came from
 *
 * (What else they may not is where it is done: addresses must not leak, and what a processor does
 * ahead of its knowing is followed too; see speculation.c.)
 *
 * The first loop that is found is the one that is named, so the order of the search (flow.c) is the
 * kernel's.
 *
 * Source  behaviour of Linux 6.18, add_subprog_and_kfunc(), check_cfg()
 */
#include "verify/flow.h"

/* --- Functions ------------------------------------------------------------------------------- */

static bool has_functions(const struct verifier *v)
{
	for (uint32_t at = 0; at < v->n_insns; at += is_load_imm64(&v->insns[at]) ? 2 : 1) {
		const struct skep_insn *insn = &v->insns[at];

		if (is_function_address(insn) || is_local_call(insn) || is_kfunc_call(insn))
			return true;
	}
	return false;
}

/* --- Loops ------------------------------------------------------------------------------------ */

static int find_loops(struct verifier *v)
{
	uint32_t from, to;

	if (!flow_back_edge(v->insns, v->n_insns, 0, &from, &to))
		return 0;
	verify_log_line(v, from, "; ");
	verify_log_line(v, to, "; ");
	return verify_refuse(v, BACK_EDGE, from, to);
}

int verify_unprivileged(struct verifier *v)
{
	if (v->privileged)
		return 0;
	return has_functions(v) ? verify_refuse(v, UNPRIVILEGED_FUNCTIONS) : find_loops(v);
}
