/*
 * Which registers are read again before they are written: live. Of the others a state need not be
 * told apart from another.
 *
 *	out(i) = union of in(s) for all s that i leads to
 *	in(i)  = out(i) without what i writes, with what i reads
 *
 * until nothing changes; instructions are looked at after those they lead to, so that only loops
 * need more than a round. What is kept is in(i): what is live just before i.
 *
 * Each function is by itself: behind a call r0 is written and r1 to r5 are gone, before it r1 to r5
 * are read, or as many of them as a helper or kernel function takes. Calling instructions that the
 * walk will refuse read all.
 *
 * At level 2 the kernel's log begins with this, and so does ours.
 *
 * Source  behaviour of Linux 6.18, compute_live_registers()
 */
#include "verify/flow.h"

#include <string.h>

#include "verify/call.h"

#define ALL_REGS      UINT16_MAX
#define ARGUMENTS     0x3e /* r1 to r5 */
#define CLOBBERED     0x3f /* r0 to r5 */
#define FIRST_ARGS(n) ((uint16_t)((2u << (n)) - 2))
#define BIT_OF(regno) ((uint16_t)(1u << (regno)))

struct access_masks {
	uint16_t reads, writes;
};

/* --- What an instruction reads and writes ---------------------------------------------------- */

static struct access_masks of_load(const struct skep_insn *insn)
{
	if (is_load_imm64(insn))
		return (struct access_masks){0, BIT_OF(insn->dst)};
	return (struct access_masks){ALL_REGS, 0};
}

static struct access_masks of_atomic(const struct skep_insn *insn)
{
	uint16_t both = BIT_OF(insn->dst) | BIT_OF(insn->src);

	switch (insn->imm) {
	case SKEP_CMPXCHG: return (struct access_masks){both | BIT_OF(SKEP_R0), BIT_OF(SKEP_R0)};
	case SKEP_LOAD_ACQ: return (struct access_masks){BIT_OF(insn->src), BIT_OF(insn->dst)};
	case SKEP_STORE_REL: return (struct access_masks){both, 0};
	default: return (struct access_masks){both, insn->imm & SKEP_FETCH ? BIT_OF(insn->src) : 0};
	}
}

static uint16_t operands(const struct skep_insn *insn)
{
	return BIT_OF(insn->dst) | (insn->code & SKEP_X ? BIT_OF(insn->src) : 0);
}

static struct access_masks of_alu(const struct skep_insn *insn)
{
	switch (insn->code & 0xf0) {
	case SKEP_END: return (struct access_masks){BIT_OF(insn->dst), BIT_OF(insn->dst)};
	case SKEP_MOV:
		return (struct access_masks){insn->code & SKEP_X ? BIT_OF(insn->src) : 0,
					     BIT_OF(insn->dst)};
	default: return (struct access_masks){operands(insn), BIT_OF(insn->dst)};
	}
}

static uint16_t helper_arguments(struct verifier *v, int32_t id)
{
	const struct skep_proto *proto = verify_helper_allowed(v, id);
	unsigned n = 0;

	if (!proto)
		return ARGUMENTS;
	while (n < 5 && proto->args[n] != SKEP_ARG_NONE)
		n++;
	return FIRST_ARGS(n);
}

static uint16_t kfunc_arguments(struct verifier *v, const struct skep_insn *insn)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	uint32_t proto = btf && !insn->off ? skep_btf_target(btf, (uint32_t)insn->imm) : 0;

	return proto ? FIRST_ARGS(skep_btf_n_members(btf, proto)) : ARGUMENTS;
}

static uint16_t arguments(struct verifier *v, const struct skep_insn *insn)
{
	if (is_helper_call(insn))
		return helper_arguments(v, insn->imm);
	return is_kfunc_call(insn) ? kfunc_arguments(v, insn) : ARGUMENTS;
}

static struct access_masks of_jump(struct verifier *v, const struct skep_insn *insn)
{
	switch (insn->code & 0xf0) {
	case SKEP_JA:
	case SKEP_JCOND: return (struct access_masks){0, 0};
	case SKEP_EXIT: return (struct access_masks){BIT_OF(SKEP_R0), 0};
	case SKEP_CALL: return (struct access_masks){arguments(v, insn), CLOBBERED};
	default: return (struct access_masks){operands(insn), 0};
	}
}

static struct access_masks masks_of(struct verifier *v, const struct skep_insn *insn)
{
	uint16_t dst = BIT_OF(insn->dst), src = BIT_OF(insn->src);

	switch (insn->code & 7) {
	case SKEP_LD: return of_load(insn);
	case SKEP_LDX: return (struct access_masks){src, dst};
	case SKEP_ST: return (struct access_masks){dst, 0};
	case SKEP_STX:
		if ((insn->code & 0xe0) == SKEP_ATOMIC)
			return of_atomic(insn);
		return (struct access_masks){dst | src, 0};
	case SKEP_ALU:
	case SKEP_ALU64: return of_alu(insn);
	default: return of_jump(v, insn);
	}
}

/* --- What is live ---------------------------------------------------------------------------- */

static bool update(struct verifier *v, const struct access_masks *masks, uint32_t at)
{
	uint32_t next[2];
	unsigned n = flow_successors(v, at, next);
	uint16_t out = 0, in;

	for (unsigned i = 0; i < n; i++)
		out |= v->facts[next[i]].live_regs;
	in = (uint16_t)((out & ~masks[at].writes) | masks[at].reads);
	if (in == v->facts[at].live_regs)
		return false;
	v->facts[at].live_regs = in;
	return true;
}

/* One round; return whether it changed something. */
static bool all_once(struct verifier *v, const struct access_masks *masks)
{
	bool changed = false;

	for (uint32_t f = 0; f < v->n_funcs; f++)
		for (uint32_t i = v->funcs[f].order_start; i < v->funcs[f].order_end; i++)
			changed |= update(v, masks, v->order[i]);
	return changed;
}

/* What is to be looked at again, as something changed behind it. */
struct waiting {
	struct flow_graph graph;
	uint32_t *stack, n;
	bool *waits; /* of each instruction */
};

static void add(struct waiting *w, uint32_t at)
{
	if (w->waits[at])
		return;
	w->waits[at] = true;
	w->stack[w->n++] = at;
}

static void begin(struct verifier *v, struct waiting *w, struct skep_arena *arena)
{
	w->graph.n = v->n_insns;
	w->graph.next = skep_arena_alloc(arena, v->n_insns * sizeof(*w->graph.next));
	memset(w->graph.next, 0xff, v->n_insns * sizeof(*w->graph.next));
	w->stack = skep_arena_array(arena, uint32_t, v->n_insns);
	w->waits = skep_arena_array(arena, bool, v->n_insns);
	for (uint32_t i = v->funcs[v->n_funcs - 1].order_end; i-- > 0;) {
		flow_successors(v, v->order[i], w->graph.next[v->order[i]]);
		add(w, v->order[i]);
	}
	flow_find_preds(&w->graph, arena);
}

/* Loops within loops would need a round each: here who is looked at has a reason. */
static void settle(struct verifier *v, const struct access_masks *masks)
{
	struct waiting w = {0};
	struct skep_arena arena;

	skep_arena_init(&arena);
	begin(v, &w, &arena);
	while (w.n) {
		uint32_t at = w.stack[--w.n];

		w.waits[at] = false;
		if (!update(v, masks, at))
			continue;
		for (uint32_t i = w.graph.first_pred[at]; i < w.graph.first_pred[at + 1]; i++)
			add(&w, w.graph.preds[i]);
	}
	skep_arena_done(&arena);
}

/* --- In the log ------------------------------------------------------------------------------ */

static void log_insn(struct verifier *v, uint32_t at)
{
	const struct insn_facts *facts = &v->facts[at];

	if (facts->scc && facts->scc <= v->n_logged_sccs)
		verify_log(v, "%3u ", facts->scc);
	else
		verify_log(v, "    ");
	verify_log(v, "%3u: ", at);
	for (unsigned r = SKEP_R0; r < SKEP_R10; r++)
		verify_log(v, "%c", facts->live_regs >> r & 1 ? '0' + (int)r : '.');
	verify_log(v, " ");
	verify_log_insn(v, at);
}

static void log_all(struct verifier *v)
{
	verify_log(v, "Live regs before insn:\n");
	for (uint32_t at = 0; at < v->n_insns; at += is_load_imm64(&v->insns[at]) ? 2 : 1)
		log_insn(v, at);
}

int verify_live_registers(struct verifier *v)
{
	struct access_masks *masks = skep_xcalloc(v->n_insns, sizeof(*masks));

	for (uint32_t at = 0; at < v->n_insns; at++)
		masks[at] = masks_of(v, &v->insns[at]);
	bool changes = all_once(v, masks);
	changes = changes && all_once(v, masks);
	if (changes)
		settle(v, masks);
	free(masks);
	if (v->log && v->level & 2)
		log_all(v);
	return 0;
}
