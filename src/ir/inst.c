/*
 * Instructions as a data structure: making, linking, and asking what they read.
 *
 * Every pass goes through these few functions, so that the list's invariant
 * (only a block's last instruction is a terminator) has one place.
 */
#include <skep/isa.h>

#include "ir/ir.h"

const struct op_info skep_ir_ops[OP_CNT] = {
#define OP(name, text, flags) [OP_##name] = {text, flags},
#include "ir/ops.def"
#undef OP
};

static unsigned add_use(struct skep_opnd *opnd, struct skep_opnd **ret, unsigned n)
{
	if (!is_imm(*opnd))
		ret[n++] = opnd;
	return n;
}

unsigned skep_ir_uses(struct inst *inst, struct skep_opnd *ret[IR_MAX_USES])
{
	unsigned n = 0;

	if (inst->op == OP_CALL) {
		for (unsigned i = 0; i < inst->n_args; i++)
			n = add_use(&inst->args[i], ret, n);
		return n;
	}
	n = add_use(&inst->a, ret, n);
	return add_use(&inst->b, ret, n);
}

uint32_t skep_ir_opnd_reg(const struct skep_ir_func *f, const struct skep_opnd *opnd)
{
	if (is_reg(*opnd))
		return opnd->id;
	if (is_slot(*opnd) && f->slots[opnd->id].place == SLOT_SCRATCH)
		return f->frame_reg;
	return IR_NONE;
}

struct inst *skep_ir_inst_new(struct skep_ir_func *f, enum op op, struct skep_span span)
{
	struct inst *inst = skep_arena_new(f->ir->arena, struct inst);

	inst->op = op;
	inst->dst = IR_NONE;
	inst->span = span;
	return inst;
}

void skep_ir_append(struct block *block, struct inst *inst)
{
	inst->prev = block->last;
	inst->next = NULL;
	if (block->last)
		block->last->next = inst;
	else
		block->first = inst;
	block->last = inst;
	block->n_insts++;
}

void skep_ir_insert_before(struct block *block, struct inst *at, struct inst *inst)
{
	inst->prev = at->prev;
	inst->next = at;
	if (at->prev)
		at->prev->next = inst;
	else
		block->first = inst;
	at->prev = inst;
	block->n_insts++;
}

void skep_ir_remove(struct block *block, struct inst *inst)
{
	if (inst->prev)
		inst->prev->next = inst->next;
	else
		block->first = inst->next;
	if (inst->next)
		inst->next->prev = inst->prev;
	else
		block->last = inst->prev;
	block->n_insts--;
}

void skep_ir_become_mov(struct inst *inst, struct skep_opnd value)
{
	inst->op = OP_MOV;
	inst->a = value;
	inst->b = I(0);
}

void skep_ir_become_jump(struct inst *inst, uint32_t target)
{
	inst->op = OP_JUMP;
	inst->a = inst->b = I(0);
	inst->then_block = target;
}

uint32_t skep_ir_reg_new(struct skep_ir_func *f)
{
	return f->n_regs++;
}

uint32_t skep_ir_slot_add(struct skep_ir_func *f, const struct slot *slot)
{
	if (f->n_slots == f->cap_slots) {
		struct slot *more;

		f->cap_slots = f->cap_slots ? f->cap_slots * 2 : 8;
		more = skep_arena_array(f->ir->arena, struct slot, f->cap_slots);
		if (f->n_slots)
			memcpy(more, f->slots, f->n_slots * sizeof(*more));
		f->slots = more;
	}
	f->slots[f->n_slots] = *slot;
	return f->n_slots++;
}

bool skep_ir_commutes(enum skep_ir_alu op)
{
	return op == SKEP_IR_ADD || op == SKEP_IR_MUL || op == SKEP_IR_AND || op == SKEP_IR_OR ||
	       op == SKEP_IR_XOR;
}

bool skep_ir_late_b(const struct inst *inst)
{
	if (inst->op == OP_ALU)
		return !skep_ir_commutes(inst->sub) || inst->keeps_a;
	return skep_ir_is(inst, LATE_B);
}

unsigned skep_ir_succs(const struct block *block, uint32_t ret[2])
{
	const struct inst *end = block->last;

	switch (end->op) {
	case OP_JUMP: ret[0] = end->then_block; return 1;
	case OP_BRANCH:
	case OP_GUARD:
		ret[0] = end->then_block;
		ret[1] = end->else_block;
		return 2;
	default: return 0;
	}
}
