/*
 * A helper that calls back a function with a loop stands in a loop itself.
 *
 * It is a loop that never goes round, for the kernel's sake (Linux 6.18, whose
 * verifier otherwise reads memory that it has freed, and dies of it in
 * __mark_chain_precision()):
 *
 *	head:	r1 = map, r2 = callback …
 *		call for_each_map_elem
 *		if 0 goto head			the kernel drops it once it has verified
 *
 * The verifier numbers the loops of each function (strongly connected parts of
 * its code). What it finds in one is recorded for that loop, as reached
 * through these calls, and worked out when all ways through the loop are
 * walked; from there it goes back through the parents of the states it
 * recorded. A state that no longer serves may be freed unless it belongs to a
 * loop with records. Now a callback is walked, and once more after its return,
 * for the next element, before the ways of the first time are through. So its
 * loop is entered again through the same calls and its records are kept
 * together, but the states between the two, behind the loop and before it, are
 * in no loop and may be freed: parents of states that are recorded.
 *
 * The outermost function whose instruction is in a loop counts. With the call
 * in a loop, whatever is walked in the callback belongs to that one.
 *
 * After the optimising passes, which would see through it.
 */
#include <linux/bpf.h>

#include "ir/ir.h"

static const int64_t calling_back[] = {
	BPF_FUNC_for_each_map_elem,
	BPF_FUNC_find_vma,
	BPF_FUNC_loop,
	BPF_FUNC_user_ringbuf_drain,
};

static bool calls_back(const struct inst *inst)
{
	if (inst->op != OP_CALL || inst->sub != SKEP_CALL_HELPER)
		return false;
	for (size_t i = 0; i < sizeof(calling_back) / sizeof(calling_back[0]); i++)
		if (calling_back[i] == inst->a.imm)
			return true;
	return false;
}

static bool has_own_loop(const struct skep_ir_func *f)
{
	uint32_t *index = skep_arena_array(f->work, uint32_t, f->n_blocks), succs[2];

	for (uint32_t i = 0; i < f->n_order; i++)
		index[f->order[i]] = i;
	for (uint32_t i = 0; i < f->n_order; i++)
		for (unsigned n = skep_ir_succs(f->blocks[f->order[i]], succs); n; n--)
			if (index[succs[n - 1]] <= i)
				return true;
	return false;
}

static bool callee_has_loop(const struct skep_ir_func *f)
{
	for (uint32_t i = 0; i < f->n_callees; i++)
		if (f->callees[i]->has_loop)
			return true;
	return false;
}

/* Made from nothing: to make it once more needs no register kept for it. */
static bool is_fresh(const struct inst *inst)
{
	return inst && skep_ir_is(inst, PURE) && inst->op != OP_PARAM && inst->op != OP_LOAD &&
	       !is_reg(inst->a) && !is_reg(inst->b);
}

static void move_to(struct skep_ir_func *f, struct block *from, struct inst *first,
		    struct inst *end, uint32_t to)
{
	for (struct inst *inst = first, *next; inst != end; inst = next) {
		next = inst->next;
		skep_ir_remove(from, inst);
		skep_ir_append(f->blocks[to], inst);
	}
}

/* Return the block of what is behind @call. */
static struct block *enclose(struct skep_ir_func *f, struct block *block, struct inst *call)
{
	uint32_t head = skep_ir_block(f), rest = skep_ir_block(f);
	struct inst *first = call, *enter, *zero, *again;

	while (is_fresh(first->prev))
		first = first->prev;
	f->blocks[head]->cold = f->blocks[rest]->cold = block->cold;
	move_to(f, block, call->next, NULL, rest);
	move_to(f, block, first, NULL, head);

	enter = skep_ir_inst_new(f, OP_JUMP, call->span);
	enter->then_block = head;
	skep_ir_append(block, enter);
	zero = skep_ir_inst_new(f, OP_MOV, call->span);
	zero->dst = skep_ir_reg_new(f);
	zero->a = I(0);
	skep_ir_append(f->blocks[head], zero);
	again = skep_ir_inst_new(f, OP_BRANCH, call->span);
	again->sub = SKEP_IR_NE;
	again->a = R(zero->dst);
	again->b = I(0);
	again->then_block = head;
	again->else_block = rest;
	skep_ir_append(f->blocks[head], again);
	return f->blocks[rest];
}

static void enclose_calls(struct skep_ir_func *f)
{
	uint32_t n = f->n_order;

	for (uint32_t i = 0; i < n; i++) {
		struct block *block = f->blocks[f->order[i]];

		for (struct inst *inst = block->first; inst;) {
			if (calls_back(inst)) {
				block = enclose(f, block, inst);
				inst = block->first;
			} else {
				inst = inst->next;
			}
		}
	}
	skep_ir_cfg(f);
}

void skep_ir_enclose(struct skep_ir_func *f)
{
	bool callee = callee_has_loop(f);

	f->has_loop = callee || has_own_loop(f);
	if (callee)
		enclose_calls(f);
}
