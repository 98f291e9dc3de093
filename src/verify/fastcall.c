/*
 * Quick calls: helpers and kernel functions that are a few instructions in place of a call, and
 * leave all registers alone but r0 and those that they take.
 *
 *	*(u64 *)(r10 - 8) = r1
 *	*(u64 *)(r10 - 16) = r2
 *	call bpf_get_smp_processor_id
 *	r2 = *(u64 *)(r10 - 16)
 *	r1 = *(u64 *)(r10 - 8)
 *
 * For kernels that know nothing of this, compilers put spills around them, in slots below all
 * others that serve nothing else. Where that is so, they are taken out, and the function's stack
 * is the less deep for it. Where anything else touches these slots (another compiler, or hand), the
 * whole function's spills stay.
 *
 * A spill that a jump leads to is no part: the group could be come into from within.
 *
 * Source  behaviour of Linux 6.18, mark_fastcall_patterns(), check_fastcall_stack_contract(),
 *         remove_fastcall_spills_fills()
 */
#include "verify/flow.h"

#include <string.h>

#include "verify/call.h"

#define CALLER_SAVED 0x3fu /* r0 to r5 */
#define MOST_SPILLS  6

/* What a call changes, if it is quick. */
struct quick {
	unsigned changed; /* registers */
	bool in_place;    /* it is one here */
};

/* --- Which calls ----------------------------------------------------------------------------- */

#define TYPE(NAME) (1ull << PROG_TYPE_##NAME)

/* Other types have another helper of this name, which is called. */
static bool cpu_number_in_place(const struct verifier *v)
{
	const uint64_t types = TYPE(KPROBE) | TYPE(TRACEPOINT) | TYPE(PERF_EVENT) |
			       TYPE(RAW_TRACEPOINT) | TYPE(RAW_TRACEPOINT_WRITABLE) |
			       TYPE(TRACING) | TYPE(LSM) | TYPE(SCHED_CLS) | TYPE(SCHED_ACT) |
			       TYPE(XDP) | TYPE(LWT_IN) | TYPE(LWT_OUT) | TYPE(LWT_XMIT) |
			       TYPE(LWT_SEG6LOCAL);

	return types >> verify_type(v) & 1;
}

static unsigned argument_mask(unsigned n)
{
	return (2u << n) - 2;
}

static bool quick_helper(struct verifier *v, const struct skep_insn *insn, struct quick *ret)
{
	const struct skep_proto *proto = verify_helper_allowed(v, insn->imm);
	unsigned n = 0;

	if (!proto)
		return false;
	while (n < 5 && proto->args[n] != SKEP_ARG_NONE)
		n++;
	ret->changed = argument_mask(n) | (proto->ret != SKEP_RET_VOID);
	ret->in_place = insn->imm == HELPER_ID_get_smp_processor_id && cpu_number_in_place(v);
	return true;
}

static bool quick_kfunc(struct verifier *v, uint32_t at, struct quick *ret)
{
	const struct skep_insn *insn = &v->insns[at];
	const struct skep_btf *btf = v->program->kernel_btf;
	uint32_t proto = btf && !insn->off ? skep_btf_target(btf, (uint32_t)insn->imm) : 0;
	const char *name = verify_kfunc_name(v, at);

	if (!proto)
		return false;
	ret->changed =
		argument_mask(skep_btf_n_members(btf, proto)) | (skep_btf_target(btf, proto) != 0);
	ret->in_place = !strcmp(name, "bpf_cast_to_kern_ctx") || !strcmp(name, "bpf_rdonly_cast");
	return true;
}

static bool is_quick(struct verifier *v, uint32_t at, struct quick *ret)
{
	const struct skep_insn *insn = &v->insns[at];

	if (is_helper_call(insn))
		return quick_helper(v, insn, ret);
	return is_kfunc_call(insn) && quick_kfunc(v, at, ret);
}

/* --- Spills around them ---------------------------------------------------------------------- */

static bool is_spill(const struct skep_insn *insn)
{
	return insn->code == (SKEP_STX | SKEP_MEM | SKEP_DW) && insn->dst == SKEP_R10;
}

static bool is_fill(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LDX | SKEP_MEM | SKEP_DW) && insn->src == SKEP_R10;
}

/* Are the @i-th instructions before and behind the call at @at a spill to @off and its fill, of one
 * of @regs? */
static bool is_pair(const struct verifier *v, uint32_t at, uint32_t i, int off, unsigned regs)
{
	const struct skep_insn *spill = &v->insns[at - i], *fill = &v->insns[at + i];

	return !v->facts[at - i + 1].jump_target && !v->facts[at + i].jump_target &&
	       is_spill(spill) && is_fill(fill) && spill->src == fill->dst &&
	       regs >> spill->src & 1 && spill->off == off && fill->off == off;
}

static void mark_call(struct verifier *v, struct func_facts *func, uint32_t at, int lowest)
{
	struct quick quick;
	unsigned regs;
	uint32_t i;
	int off = lowest;

	if (!is_quick(v, at, &quick))
		return;
	regs = CALLER_SAVED & ~quick.changed;
	for (i = 1; i <= MOST_SPILLS && i <= at && at + i < v->n_insns; i++, off += SLOT_BYTES) {
		if (!is_pair(v, at, i, off, regs))
			break;
		regs &= ~(1u << v->insns[at - i].src);
		v->facts[at - i].fastcall_pattern = v->facts[at + i].fastcall_pattern = true;
	}
	if (i == 1)
		return;
	if (quick.in_place)
		v->facts[at].fastcall_spills = (uint8_t)(i - 1);
	else
		func->keep_fastcall_stack = true;
	if (off < func->fastcall_off)
		func->fastcall_off = (int16_t)off;
}

static int lowest_spill(const struct verifier *v, const struct func_facts *func)
{
	int lowest = 0;

	for (uint32_t at = func->start; at < func->end; at++)
		if (is_spill(&v->insns[at]) && v->insns[at].off < lowest)
			lowest = v->insns[at].off;
	return lowest;
}

int verify_fastcall(struct verifier *v)
{
	for (uint32_t f = 0; f < v->n_funcs; f++) {
		struct func_facts *func = &v->funcs[f];
		int lowest = lowest_spill(v, func);

		for (uint32_t at = func->start; at < func->end; at++)
			if (is_call(&v->insns[at]))
				mark_call(v, func, at, lowest);
	}
	return 0;
}

/* --- On the walk, and after it --------------------------------------------------------------- */

void verify_fastcall_access(struct verifier *v, const struct frame *frame, int32_t off)
{
	struct func_facts *func = &v->funcs[frame->func];

	if (func->fastcall_off <= off || v->facts[v->at].fastcall_pattern)
		return;
	func->fastcall_off = INT16_MIN;
	for (uint32_t at = func->start; at < func->end; at++) {
		v->facts[at].fastcall_pattern = false;
		v->facts[at].fastcall_spills = 0;
	}
}

static bool has_spills(const struct verifier *v, const struct func_facts *func)
{
	for (uint32_t at = func->start; at < func->end; at++)
		if (v->facts[at].fastcall_spills)
			return true;
	return false;
}

int verify_fastcall_stack(struct verifier *v)
{
	for (uint32_t f = 0; f < v->n_funcs; f++) {
		struct func_facts *func = &v->funcs[f];

		if (!func->keep_fastcall_stack && has_spills(v, func))
			func->stack_bytes = (uint32_t)-func->fastcall_off;
	}
	return 0;
}
