/*
 * Dead code: instructions whose result nobody reads and that do nothing else.
 *
 * Counts readers of each register; an instruction that goes takes its own
 * reads with it, which may free the definitions of what it read. A register
 * set several times goes when its last reader does.
 */
#include "ir/ir.h"

struct dead {
	struct skep_ir_func *f;
	uint32_t *n_uses;
	bool again;
};

static void count(uint32_t *n_uses, struct inst *inst, int by)
{
	struct skep_opnd *uses[IR_MAX_USES];

	for (unsigned n = skep_ir_uses(inst, uses); n; n--)
		if (is_reg(*uses[n - 1]))
			n_uses[uses[n - 1]->id] += (uint32_t)by;
}

/* A register that only its own definition reads (a counter nobody asks for) is dead as well. */
static bool is_read(const struct dead *dead, struct inst *inst)
{
	struct skep_opnd *uses[IR_MAX_USES];
	uint32_t own = 0;

	for (unsigned n = skep_ir_uses(inst, uses); n; n--)
		own += is_reg(*uses[n - 1]) && uses[n - 1]->id == inst->dst;
	return dead->n_uses[inst->dst] > own;
}

static void sweep(struct dead *dead, struct block *block)
{
	for (struct inst *inst = block->last, *prev; inst; inst = prev) {
		prev = inst->prev;
		if (inst->dst == IR_NONE || is_read(dead, inst))
			continue;
		if (inst->op == OP_CALL)
			inst->dst = IR_NONE;
		if (!skep_ir_is(inst, PURE))
			continue;
		count(dead->n_uses, inst, -1);
		skep_ir_remove(block, inst);
		dead->again = true;
	}
}

/* Against the order of definitions, so that one round mostly suffices. */
void skep_ir_dead(struct skep_ir_func *f)
{
	struct dead dead = {f, skep_arena_array(f->work, uint32_t, f->n_regs), true};

	for (uint32_t i = 0; i < f->n_order; i++)
		for (struct inst *p = f->blocks[f->order[i]]->first; p; p = p->next)
			count(dead.n_uses, p, 1);
	for (unsigned round = 0; dead.again && round < 4; round++) {
		dead.again = false;
		for (uint32_t i = f->n_order; i; i--)
			sweep(&dead, f->blocks[f->order[i - 1]]);
	}
}
