/*
 * Jump threading: a block that ends in a jump to a block that only asks a
 * question asks it itself, and if it knows the answer, goes there directly.
 *
 * `a && b` used as a condition comes from front ends as a variable set to 0 or
 * 1 in several blocks and tested where they meet; after this pass and fold.c
 * the variable is mostly gone.
 */
#include "ir/ir.h"

/* The block is nothing but a two-way question. */
static const struct inst *question(const struct skep_ir_func *f, uint32_t id)
{
	const struct inst *first = f->blocks[id]->first;

	return first && first->op == OP_BRANCH ? first : NULL;
}

static void ask_here(struct inst *jump, const struct inst *branch)
{
	jump->op = OP_BRANCH;
	jump->sub = branch->sub;
	jump->a = branch->a;
	jump->b = branch->b;
	jump->then_block = branch->then_block;
	jump->else_block = branch->else_block;
}

void skep_ir_thread(struct skep_ir_func *f)
{
	for (uint32_t i = 0; i < f->n_order; i++) {
		struct inst *end = f->blocks[f->order[i]]->last;
		const struct inst *branch;

		if (end->op != OP_JUMP)
			continue;
		branch = question(f, end->then_block);
		if (branch)
			ask_here(end, branch);
	}
}
