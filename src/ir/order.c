/*
 * The order of blocks in the code: loops stay together, what is cold goes out
 * of line.
 *
 * Counts for each block the loops it is in (also the weight of its registers
 * for alloc.c), drops the guards of what is no loop, lets cfg.c order by that, then moves cold
 * blocks (those marked by the front end, and those reached from cold ones only) behind the others.
 * Not all to the very end: jumps reach 32 Ki instructions, so a long function
 * gets its cold blocks in several places.
 */
#include "ir/ir.h"

/* Cold blocks go out after so many IR instructions; each makes some two of eBPF. */
#define FLUSH_INSNS 8000

/* Everything that reaches @tail without passing @head is in the loop. */
static void mark_loop(struct skep_ir_func *f, uint32_t head, uint32_t tail, uint32_t *stamp,
		      uint32_t *stack)
{
	uint32_t depth = 0;

	if (stamp[head] != head + 1) {
		stamp[head] = head + 1;
		f->blocks[head]->depth++;
	}
	stack[depth++] = tail;
	while (depth) {
		struct block *block = f->blocks[stack[--depth]];

		if (stamp[block->id] == head + 1)
			continue;
		stamp[block->id] = head + 1;
		block->depth++;
		for (uint32_t i = 0; i < block->n_preds; i++)
			if (stamp[block->preds[i]] != head + 1)
				stack[depth++] = block->preds[i];
	}
}

static uint32_t count_edges(const struct skep_ir_func *f)
{
	uint32_t n = 1;

	for (uint32_t i = 0; i < f->n_order; i++)
		n += f->blocks[f->order[i]]->n_preds;
	return n;
}

static void count_loops(struct skep_ir_func *f)
{
	uint32_t *index = skep_arena_array(f->work, uint32_t, f->n_blocks);
	uint32_t *stamp = skep_arena_array(f->work, uint32_t, f->n_blocks);
	uint32_t *stack = skep_arena_array(f->work, uint32_t, count_edges(f));

	for (uint32_t i = 0; i < f->n_order; i++) {
		index[f->order[i]] = i;
		f->blocks[f->order[i]]->depth = 0;
	}
	for (uint32_t i = 0; i < f->n_order; i++) {
		const struct block *head = f->blocks[f->order[i]];

		for (uint32_t p = 0; p < head->n_preds; p++)
			if (index[head->preds[p]] >= i)
				mark_loop(f, head->id, head->preds[p], stamp, stack);
	}
}

/*
 * A loop that always leaves in its first round is none, and needs no guard. Nor
 * may it have one: Linux (seen on 6.18) takes a may_goto that it meets again,
 * as in a callback, for the head of a loop, and refuses a program in which it
 * then finds no way round.
 */
static void drop_idle_guards(struct skep_ir_func *f)
{
	for (uint32_t i = 0; i < f->n_order; i++) {
		struct block *block = f->blocks[f->order[i]];

		if (block->last->op == OP_GUARD && !block->depth)
			skep_ir_become_jump(block->last, block->last->then_block);
	}
}

static void spread_cold(struct skep_ir_func *f)
{
	for (uint32_t i = 1; i < f->n_order; i++) {
		struct block *block = f->blocks[f->order[i]];
		bool cold = true;

		for (uint32_t p = 0; p < block->n_preds; p++)
			cold = cold && f->blocks[block->preds[p]]->cold;
		block->cold = block->cold || cold;
	}
}

static void sink_cold(struct skep_ir_func *f)
{
	uint32_t *order = skep_arena_array(f->ir->arena, uint32_t, f->n_order);
	uint32_t *cold = skep_arena_array(f->work, uint32_t, f->n_order);
	uint32_t n = 0, n_cold = 0, n_insts = 0;

	for (uint32_t i = 0; i < f->n_order; i++) {
		const struct block *block = f->blocks[f->order[i]];

		n_insts += block->n_insts;
		if (block->cold) {
			cold[n_cold++] = block->id;
			continue;
		}
		order[n++] = block->id;
		if (n_insts > FLUSH_INSNS) {
			memcpy(order + n, cold, n_cold * sizeof(*cold));
			n += n_cold;
			n_cold = n_insts = 0;
		}
	}
	memcpy(order + n, cold, n_cold * sizeof(*cold));
	f->order = order;
}

/* Loops are counted in reverse post-order: cold blocks that an earlier call has moved behind the
 * others would look as if they led back. */
void skep_ir_order(struct skep_ir_func *f)
{
	skep_ir_cfg(f);
	count_loops(f);
	drop_idle_guards(f);
	skep_ir_cfg(f);
	spread_cold(f);
	sink_cold(f);
}
