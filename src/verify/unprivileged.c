/*
 * What programs of users without privileges may not have at all, before any path is followed:
 *
 *	functions   of their own, or of the kernel
 *	loops       a jump back to where the program came from
 *
 * (What else they may not is where it is done: addresses must not leak, and what a processor does
 * ahead of its knowing is followed too; see speculation.c.)
 *
 * Loops are found by a walk that goes as deep as it can, straight on before aside, from main's
 * first instruction: what is still on its path when a jump leads there is gone back to. The first
 * one found is the one that is named, so the order is the kernel's.
 *
 * Source  behaviour of Linux 6.18, add_subprog_and_kfunc(), check_cfg()
 */
#include "verify/flow.h"

#include <stdlib.h>

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

/* --- Loops ----------------------------------------------------------------------------------- */

struct descent {
	struct verifier *v;
	uint8_t *followed; /* of each instruction: 0 not come to; 1 + how many of its ways */
	uint32_t *path, depth;
};

#define ALL_FOLLOWED 4

static int refuse_loop(struct verifier *v, uint32_t from, uint32_t to)
{
	verify_log_line(v, from, "; ");
	verify_log_line(v, to, "; ");
	return verify_refuse(v, BACK_EDGE, from, to);
}

/* One way on from the last of the path, or back. */
static int descend(struct descent *d)
{
	uint32_t at = d->path[d->depth - 1], next[2];
	unsigned n = flow_successors(d->v, at, next), way = d->followed[at] - 1;

	if (way == n) {
		d->followed[at] = ALL_FOLLOWED;
		d->depth--;
		return 0;
	}
	d->followed[at]++;
	if (d->followed[next[way]] && d->followed[next[way]] != ALL_FOLLOWED)
		return refuse_loop(d->v, at, next[way]);
	if (!d->followed[next[way]]) {
		d->followed[next[way]] = 1;
		d->path[d->depth++] = next[way];
	}
	return 0;
}

static int find_loops(struct verifier *v)
{
	struct descent d = {
		.v = v,
		.followed = skep_xcalloc(v->n_insns, 1),
		.path = skep_xcalloc(v->n_insns, sizeof(*d.path)),
		.depth = 1,
	};
	int err = 0;

	d.followed[0] = 1;
	while (d.depth && !err)
		err = descend(&d);
	free(d.followed);
	free(d.path);
	return err;
}

int verify_unprivileged(struct verifier *v)
{
	if (v->privileged)
		return 0;
	return has_functions(v) ? verify_refuse(v, UNPRIVILEGED_FUNCTIONS) : find_loops(v);
}
