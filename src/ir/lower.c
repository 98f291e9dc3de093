/*
 * Lowering: after this pass every instruction has a form that encodes
 * directly, given registers.
 *
 *	ALU, CMP, BRANCH	a register; b register or a 32-bit constant
 *	NEG, EXT, BSWAP		a register
 *	LOAD, STORE, ATOMIC…	a register or slot, off within 16 bits
 *	STORE			b register or a 32-bit constant
 *	ATOMIC_ADD, XCHG	b register
 *	MOV, call arguments	anything; EXIT: register or constant
 *
 * Signed division becomes unsigned division where the target lacks it, loop guards
 * become counters where it lacks may_goto.
 */
#include "ir/ir.h"

struct lower {
	struct skep_ir_func *f;
	struct block *block;
	struct inst *at; /* what is made goes before it */
};

static struct inst *put_inst(struct lower *l, struct inst inst)
{
	struct inst *copy = skep_ir_inst_new(l->f, inst.op, l->at->span);

	copy->sub = inst.sub;
	copy->bytes = inst.bytes;
	copy->off = inst.off;
	copy->a = inst.a;
	copy->b = inst.b;
	skep_ir_insert_before(l->block, l->at, copy);
	return copy;
}

static uint32_t put(struct lower *l, struct inst inst)
{
	return put_inst(l, inst)->dst = skep_ir_reg_new(l->f);
}

static struct skep_opnd put_alu(struct lower *l, enum skep_ir_alu op, struct skep_opnd a,
				struct skep_opnd b)
{
	return R(put(l, (struct inst){.op = OP_ALU, .sub = op, .a = a, .b = b}));
}

static void to_reg(struct lower *l, struct skep_opnd *o)
{
	if (!is_reg(*o))
		*o = R(put(l, (struct inst){.op = OP_MOV, .a = *o}));
}

static void to_reg_or_s32(struct lower *l, struct skep_opnd *o)
{
	if (!is_imm(*o) || !fits_s32(o->imm))
		to_reg(l, o);
}

/* --- Signed division ---------------------------------------------------------------- */

/* Without a branch: m = a >> 63 is -1 for negative a and else 0, and (a ^ m) - m is -a or a. */
static struct skep_opnd put_sign(struct lower *l, struct skep_opnd a)
{
	return put_alu(l, SKEP_IR_SAR, a, I(63));
}

static struct skep_opnd put_negate_if(struct lower *l, struct skep_opnd a, struct skep_opnd sign)
{
	return put_alu(l, SKEP_IR_SUB, put_alu(l, SKEP_IR_XOR, a, sign), sign);
}

static struct skep_opnd put_magnitude(struct lower *l, struct skep_opnd b,
				      struct skep_opnd *ret_sign)
{
	if (is_imm(b)) {
		struct skep_opnd abs = I(b.imm < 0 ? 0 - (uint64_t)b.imm : (uint64_t)b.imm);

		*ret_sign = I(b.imm < 0 ? -1 : 0);
		to_reg_or_s32(l, &abs);
		return abs;
	}
	*ret_sign = put_sign(l, b);
	return put_negate_if(l, b, *ret_sign);
}

static void expand_signed_div(struct lower *l, struct inst *inst)
{
	bool is_div = inst->sub == SKEP_IR_SDIV;
	struct skep_opnd sign, sign_b, a, b, result;

	to_reg(l, &inst->a);
	sign = put_sign(l, inst->a);
	a = put_negate_if(l, inst->a, sign);
	b = put_magnitude(l, inst->b, &sign_b);
	result = put_alu(l, is_div ? SKEP_IR_UDIV : SKEP_IR_UMOD, a, b);
	if (is_div)
		sign = put_alu(l, SKEP_IR_XOR, sign, sign_b);
	inst->sub = SKEP_IR_SUB;
	inst->a = put_alu(l, SKEP_IR_XOR, result, sign);
	inst->b = sign;
}

/* --- The rest ------------------------------------------------------------------------ */

static void lower_alu(struct lower *l, struct inst *inst)
{
	if ((inst->sub == SKEP_IR_SDIV || inst->sub == SKEP_IR_SMOD) && !l->f->ir->target.isa_v4)
		expand_signed_div(l, inst);
	to_reg(l, &inst->a);
	/* A mask of 32 bits is a 32-bit AND, which zeroes the upper half. */
	if (!(inst->sub == SKEP_IR_AND && is_imm(inst->b) && inst->b.imm == (uint32_t)inst->b.imm))
		to_reg_or_s32(l, &inst->b);
}

static void lower_address(struct lower *l, struct inst *inst)
{
	assert(!is_imm(inst->a));
	if (is_slot(inst->a) || fits_s16(inst->off))
		return;
	inst->a = put_alu(l, SKEP_IR_ADD, inst->a, I(inst->off));
	inst->off = 0;
}

/* Kernels before 6.4 refuse to store constants into contexts. */
static bool is_context(const struct lower *l, struct skep_opnd base)
{
	return is_reg(base) && base.id == 0 && l->f->prog == l->f;
}

static void lower_store(struct lower *l, struct inst *inst)
{
	if (is_imm(inst->b) && inst->bytes < 8)
		inst->b.imm = (int32_t)inst->b.imm;
	if (is_context(l, inst->a))
		to_reg(l, &inst->b);
	else
		to_reg_or_s32(l, &inst->b);
}

/*
 * The counter starts at 0 when the function is entered: several visits of a
 * loop share it. The kernel follows each iteration, so it must not lose sight
 * of the counter.
 */
static void lower_guard(struct lower *l, struct inst *inst)
{
	struct block *entry = l->f->blocks[0];
	struct inst *add, *zero, *at = entry->first;
	uint32_t counter = skep_ir_reg_new(l->f);

	if (l->f->ir->target.may_goto) {
		l->f->has_guard = true;
		return;
	}
	while (at->op == OP_PARAM)
		at = at->next;
	zero = skep_ir_inst_new(l->f, OP_MOV, inst->span);
	zero->dst = counter;
	zero->a = I(0);
	zero->tracked = true;
	skep_ir_insert_before(entry, at, zero);
	add = skep_ir_inst_new(l->f, OP_ALU, inst->span);
	add->sub = SKEP_IR_ADD;
	add->dst = counter;
	add->a = R(counter);
	add->b = I(1);
	skep_ir_insert_before(l->block, inst, add);
	inst->op = OP_BRANCH;
	inst->sub = SKEP_IR_ULE;
	inst->a = R(counter);
	inst->b = I(l->f->ir->target.loop_limit);
	to_reg_or_s32(l, &inst->b);
}

/*
 * A slot belongs to this activation alone: nobody looks while we add or
 * exchange. Also, Linux (seen on 6.18) loses track of precision at an atomic
 * that fetches from the stack, and may then take a branch for decided.
 */
static void lower_private_atomic(struct lower *l, struct inst *inst)
{
	struct inst access = {.op = OP_LOAD, .bytes = inst->bytes, .a = inst->a, .off = inst->off};
	struct skep_opnd old = R(put(l, access));

	access.op = OP_STORE;
	access.b = inst->b;
	if (inst->op == OP_XCHG) {
		to_reg_or_s32(l, &access.b);
		put_inst(l, access);
		skep_ir_become_mov(inst, old);
		return;
	}
	inst->op = OP_STORE;
	to_reg_or_s32(l, &inst->b);
	inst->b = put_alu(l, SKEP_IR_ADD, old, inst->b);
}

static void lower_atomic(struct lower *l, struct inst *inst)
{
	if (is_slot(inst->a))
		lower_private_atomic(l, inst);
	else
		to_reg(l, &inst->b);
}

static void lower_inst(struct lower *l, struct inst *inst)
{
	if (skep_ir_is(inst, MEM))
		lower_address(l, inst);
	switch (inst->op) {
	case OP_ALU: lower_alu(l, inst); break;
	case OP_NEG:
	case OP_EXT:
	case OP_BSWAP: to_reg(l, &inst->a); break;
	case OP_CMP:
	case OP_BRANCH:
		to_reg(l, &inst->a);
		to_reg_or_s32(l, &inst->b);
		break;
	case OP_STORE: lower_store(l, inst); break;
	case OP_ATOMIC_ADD:
	case OP_XCHG: lower_atomic(l, inst); break;
	case OP_EXIT:
		if (is_slot(inst->a))
			to_reg(l, &inst->a);
		break;
	case OP_GUARD: lower_guard(l, inst); break;
	}
}

/*
 * A number that an address of the stack is added to becomes, for Linux (seen on
 * 6.18), an address in the stack of the program, whichever function it is in.
 * So in called functions it is the address that the number is added to.
 */
static void keep_address(struct skep_ir_func *f, struct block *block, struct inst *add,
			 const uint8_t *kinds)
{
	struct inst *mov;

	if (kinds[add->b.id] > kinds[add->a.id]) {
		struct skep_opnd a = add->a;

		add->a = add->b;
		add->b = a;
	}
	add->keeps_a = kinds[add->a.id] != KIND_SCALAR;
	if (!add->keeps_a || add->dst != add->b.id)
		return;
	/* The number's register cannot become the address's copy while it is still to be read. */
	mov = skep_ir_inst_new(f, OP_MOV, add->span);
	mov->dst = add->dst;
	add->dst = skep_ir_reg_new(f);
	mov->a = R(add->dst);
	skep_ir_insert_before(block, add->next, mov);
}

static void keep_addresses(struct skep_ir_func *f)
{
	const uint8_t *kinds = skep_ir_kinds(f);

	for (uint32_t i = 0; i < f->n_order; i++) {
		struct block *block = f->blocks[f->order[i]];

		for (struct inst *p = block->first, *next; p; p = next) {
			next = p->next;
			if (p->op == OP_ALU && p->sub == SKEP_IR_ADD && is_reg(p->b))
				keep_address(f, block, p, kinds);
		}
	}
}

void skep_ir_lower(struct skep_ir_func *f)
{
	struct lower l = {.f = f};

	for (uint32_t i = 0; i < f->n_order; i++) {
		l.block = f->blocks[f->order[i]];
		for (l.at = l.block->first; l.at; l.at = l.at->next)
			lower_inst(&l, l.at);
	}
	if (f->prog != f)
		keep_addresses(f);
}
