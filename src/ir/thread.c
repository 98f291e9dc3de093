/*
 * Jump threading: a block that ends in a jump to a block that only asks a
 * question whose answer it knows, or is about to compute, asks it itself.
 *
 * `a && b` used as a condition comes from front ends as a variable set to 0 or
 * 1 in several blocks and tested where they meet; after this pass and fold.c
 * the variable is mostly gone.
 */
#include "ir/ir.h"

/* So far back we look for where the variable is set. */
#define MAX_LOOK_BACK 8

/* The block is nothing but a two-way question about a register. */
static const struct inst *question(const struct skep_ir_func *f, uint32_t id)
{
	const struct inst *first = f->blocks[id]->first;

	return first && first->op == OP_BRANCH && is_reg(first->a) ? first : NULL;
}

/*
 * Does the block that @end ends set the register to a constant or to the
 * result of a comparison? Otherwise asking twice only makes code longer.
 */
static bool knows(const struct inst *end, struct skep_opnd o)
{
	const struct inst *inst = end->prev;

	for (unsigned i = 0; inst && i < MAX_LOOK_BACK; i++, inst = inst->prev) {
		if (inst->dst != o.id)
			continue;
		if (inst->op != OP_MOV)
			return inst->op == OP_CMP;
		if (!is_reg(inst->a))
			return true;
		o = inst->a;
	}
	return false;
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
		if (branch && knows(end, branch->a))
			ask_here(end, branch);
	}
}
