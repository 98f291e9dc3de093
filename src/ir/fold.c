/*
 * Constants, copies, addresses, and compare-and-branch, in one walk in reverse
 * post-order.
 *
 * Registers are not SSA, but most are set once, and by the front ends'
 * contract a register is set on every path before it is read: what holds at
 * the only definition holds wherever it is read. For registers set more than
 * once a fact holds within a block until something it is made of changes;
 * `version` counts the changes.
 *
 * An instruction may be replaced by a cheaper one, and operands by what they
 * are copies of; nothing is moved and nothing removed (dead.c does that), so
 * loads stay in order with stores and calls.
 */
#include "ir/ir.h"

/* What is known of a register from the last definition of it that was seen. */
struct fact {
	struct inst *def;
	uint32_t block;        /* in which `def` stands */
	uint32_t ver_a, ver_b; /* versions of the operands of `def` then */
};

struct fold {
	struct skep_ir_func *f;
	struct fact *facts;
	uint32_t *version;
	uint32_t *n_defs;
	uint32_t block;
};

static uint32_t version_of(const struct fold *fold, struct skep_opnd o)
{
	return is_reg(o) ? fold->version[o.id] : 0;
}

/* Does @o, as read by the definition of @fact, still have the value that was read? */
static bool still(const struct fold *fold, const struct fact *fact, struct skep_opnd o,
		  uint32_t version)
{
	if (!is_reg(o) || fold->n_defs[o.id] == 1)
		return true;
	return fact->block == fold->block && fold->version[o.id] == version;
}

/* The instruction that made the value of @o, if that is known here. */
static const struct fact *fact_of(const struct fold *fold, struct skep_opnd o)
{
	const struct fact *fact;

	if (!is_reg(o))
		return NULL;
	fact = &fold->facts[o.id];
	if (!fact->def || (fold->n_defs[o.id] != 1 && fact->block != fold->block))
		return NULL;
	return fact;
}

static bool is_stable(const struct fold *fold, const struct fact *fact)
{
	return still(fold, fact, fact->def->a, fact->ver_a) &&
	       still(fold, fact, fact->def->b, fact->ver_b);
}

/* The definition of @o, or of what it is a copy of, if it is an @op whose operands may be used in
 * its stead. */
static struct inst *def_of(const struct fold *fold, struct skep_opnd o, enum op op)
{
	const struct fact *fact = fact_of(fold, o);

	while (fact && fact->def->op == OP_MOV && op != OP_MOV && is_stable(fold, fact))
		fact = fact_of(fold, fact->def->a);
	if (!fact || fact->def->op != op || !is_stable(fold, fact))
		return NULL;
	return fact->def;
}

static struct inst *alu_def_of(const struct fold *fold, struct skep_opnd o, enum skep_ir_alu op)
{
	struct inst *def = def_of(fold, o, OP_ALU);

	return def && def->sub == op ? def : NULL;
}

/* Which kinds of operand may stand in a place. */
enum allow { ALLOW_REG = 0, ALLOW_IMM = 1, ALLOW_SLOT = 2 };

/*
 * Is what @mov copies better read than its result? Not if combine.c can merge
 * the two: that would keep both alive where one is enough.
 */
static bool is_better(const struct fold *fold, const struct inst *mov, unsigned allow)
{
	if (is_reg(mov->a))
		return fold->n_defs[mov->dst] == 1 || !skep_ir_merges(mov);
	return allow & (is_imm(mov->a) ? ALLOW_IMM : ALLOW_SLOT);
}

static void resolve(const struct fold *fold, struct skep_opnd *o, unsigned allow)
{
	const struct inst *def;

	while ((def = def_of(fold, *o, OP_MOV)) && is_better(fold, def, allow))
		*o = def->a;
}

/* --- What is known of a value's size ------------------------------------------------- */

static unsigned width_of_alu(const struct inst *def)
{
	if (!is_imm(def->b))
		return 64;
	if (def->sub == SKEP_IR_AND && def->b.imm >= 0)
		return def->b.imm ? 64 - __builtin_clzll(def->b.imm) : 1;
	if (def->sub == SKEP_IR_SHR)
		return 64 - (def->b.imm & 63);
	return 64;
}

/* All bits from this one on are zero. */
static unsigned width_of(const struct fold *fold, struct skep_opnd o)
{
	const struct fact *fact = fact_of(fold, o);

	if (!fact)
		return 64;
	switch (fact->def->op) {
	case OP_CMP: return 1;
	case OP_BSWAP: return fact->def->bytes * 8;
	case OP_EXT:
	case OP_LOAD: return fact->def->is_signed ? 64 : fact->def->bytes * 8;
	case OP_ALU: return width_of_alu(fact->def);
	default: return 64;
	}
}

/* --- Values -------------------------------------------------------------------------- */

static void swap_opnds(struct inst *inst)
{
	struct skep_opnd a = inst->a;

	inst->a = inst->b;
	inst->b = a;
}

static bool power_of_two(int64_t value)
{
	return value > 0 && !(value & (value - 1));
}

/* x op constant that is x, 0 or a cheaper operation. */
static void fold_alu_identity(struct inst *inst)
{
	int64_t imm = inst->b.imm;

	switch (inst->sub) {
	case SKEP_IR_ADD:
	case SKEP_IR_OR:
	case SKEP_IR_XOR:
	case SKEP_IR_SHL:
	case SKEP_IR_SHR:
	case SKEP_IR_SAR:
		if (imm == 0)
			skep_ir_become_mov(inst, inst->a);
		break;
	case SKEP_IR_AND:
		if (imm == 0 || imm == -1)
			skep_ir_become_mov(inst, imm ? inst->a : I(0));
		break;
	case SKEP_IR_MUL:
	case SKEP_IR_UDIV:
		if (imm == 0 || imm == 1) {
			skep_ir_become_mov(inst, imm ? inst->a : I(0));
		} else if (power_of_two(imm)) {
			inst->sub = inst->sub == SKEP_IR_MUL ? SKEP_IR_SHL : SKEP_IR_SHR;
			inst->b.imm = __builtin_ctzll(imm);
		}
		break;
	case SKEP_IR_UMOD:
		if (imm == 0 || imm == 1) {
			skep_ir_become_mov(inst, imm ? I(0) : inst->a);
		} else if (power_of_two(imm)) {
			inst->sub = SKEP_IR_AND;
			inst->b.imm = imm - 1;
		}
		break;
	case SKEP_IR_SDIV:
		if (imm == 0 || imm == 1) {
			skep_ir_become_mov(inst, imm ? inst->a : I(0));
		} else if (imm == -1) {
			inst->op = OP_NEG;
			inst->b = I(0);
		}
		break;
	case SKEP_IR_SMOD:
		if (imm == 0 || imm == 1 || imm == -1)
			skep_ir_become_mov(inst, imm ? I(0) : inst->a);
		break;
	}
}

/* (x + c) + d is x + (c + d); the same of a slot's address. */
static void fold_add_chain(const struct fold *fold, struct inst *inst)
{
	const struct inst *def = alu_def_of(fold, inst->a, SKEP_IR_ADD);

	if (def && is_imm(def->b) && fits_s32(def->b.imm + inst->b.imm)) {
		inst->b.imm += def->b.imm;
		inst->a = def->a;
	}
	def = def_of(fold, inst->a, OP_MOV);
	if (def && is_slot(def->a))
		inst->a = def->a;
	if (is_slot(inst->a))
		skep_ir_become_mov(inst, S(inst->a.id, inst->a.imm + inst->b.imm));
}

static void fold_alu(const struct fold *fold, struct inst *inst)
{
	resolve(fold, &inst->a, ALLOW_IMM);
	resolve(fold, &inst->b, ALLOW_IMM);
	if (is_imm(inst->a) && is_imm(inst->b)) {
		skep_ir_become_mov(inst, I(skep_ir_eval_alu(inst->sub, inst->a.imm, inst->b.imm)));
		return;
	}
	if (is_imm(inst->a) && skep_ir_commutes(inst->sub))
		swap_opnds(inst);
	if (!is_imm(inst->b))
		return;
	if (inst->sub >= SKEP_IR_SHL)
		inst->b.imm &= 63;
	if (inst->sub == SKEP_IR_SUB && inst->b.imm != INT64_MIN) {
		inst->sub = SKEP_IR_ADD;
		inst->b.imm = -inst->b.imm;
	}
	if (inst->sub == SKEP_IR_ADD && fits_s32(inst->b.imm))
		fold_add_chain(fold, inst);
	if (inst->op == OP_ALU)
		fold_alu_identity(inst);
}

static void fold_unary(const struct fold *fold, struct inst *inst)
{
	uint64_t value;

	resolve(fold, &inst->a, ALLOW_IMM);
	if (!is_imm(inst->a)) {
		if (inst->op == OP_EXT && !inst->is_signed &&
		    width_of(fold, inst->a) <= inst->bytes * 8u)
			skep_ir_become_mov(inst, inst->a);
		return;
	}
	value = (uint64_t)inst->a.imm;
	if (inst->op == OP_NEG)
		value = 0 - value;
	else if (inst->op == OP_EXT)
		value = skep_ir_eval_extend(value, inst->bytes, inst->is_signed);
	else
		value = skep_ir_eval_bswap(value, inst->bytes);
	skep_ir_become_mov(inst, I(value));
}

/* --- Conditions ---------------------------------------------------------------------- */

/* Unsigned against 0 is always, never, or a question of equality. */
static void fold_cond_zero(struct inst *inst)
{
	if (inst->sub == SKEP_IR_UGT)
		inst->sub = SKEP_IR_NE;
	else if (inst->sub == SKEP_IR_ULE)
		inst->sub = SKEP_IR_EQ;
}

/* Constants to the right. Return whether the outcome is known, and which in @ret. */
static bool fold_cond(const struct fold *fold, struct inst *inst, bool *ret)
{
	resolve(fold, &inst->a, ALLOW_IMM);
	resolve(fold, &inst->b, ALLOW_IMM);
	if (is_imm(inst->a) && is_imm(inst->b)) {
		*ret = skep_ir_eval_cond(inst->sub, inst->a.imm, inst->b.imm);
		return true;
	}
	if (is_imm(inst->a)) {
		swap_opnds(inst);
		inst->sub = skep_ir_cond_swap(inst->sub);
	}
	if (!is_imm_of(inst->b, 0))
		return false;
	fold_cond_zero(inst);
	*ret = inst->sub == SKEP_IR_UGE;
	return inst->sub == SKEP_IR_UGE || inst->sub == SKEP_IR_ULT || inst->sub == SKEP_IR_TEST;
}

static void fold_cmp(const struct fold *fold, struct inst *inst)
{
	const struct inst *def;
	enum skep_ir_cond cond;
	bool outcome;

	if (fold_cond(fold, inst, &outcome)) {
		skep_ir_become_mov(inst, I(outcome));
		return;
	}
	if (!is_imm_of(inst->b, 0) || (inst->sub != SKEP_IR_EQ && inst->sub != SKEP_IR_NE))
		return;
	if (inst->sub == SKEP_IR_NE && width_of(fold, inst->a) == 1) {
		skep_ir_become_mov(inst, inst->a);
		return;
	}
	def = def_of(fold, inst->a, OP_CMP);
	if (def && inst->sub == SKEP_IR_EQ && skep_ir_cond_not(def->sub, &cond)) {
		inst->sub = cond;
		inst->a = def->a;
		inst->b = def->b;
	}
}

static void swap_targets(struct inst *inst)
{
	uint32_t then_block = inst->then_block;

	inst->then_block = inst->else_block;
	inst->else_block = then_block;
}

/* A branch on a comparison's or a mask's result being zero asks the comparison or mask itself. */
static bool fuse(const struct fold *fold, struct inst *inst)
{
	const struct inst *def = def_of(fold, inst->a, OP_CMP);
	bool is_cmp = def;

	if (!is_imm_of(inst->b, 0) || (inst->sub != SKEP_IR_EQ && inst->sub != SKEP_IR_NE))
		return false;
	if (!def)
		def = alu_def_of(fold, inst->a, SKEP_IR_AND);
	if (!def)
		return false;
	if (inst->sub == SKEP_IR_EQ)
		swap_targets(inst);
	inst->sub = is_cmp ? def->sub : SKEP_IR_TEST;
	inst->a = def->a;
	inst->b = def->b;
	return true;
}

static void fold_branch(const struct fold *fold, struct inst *inst)
{
	bool outcome;

	do {
		if (fold_cond(fold, inst, &outcome)) {
			skep_ir_become_jump(inst, outcome ? inst->then_block : inst->else_block);
			return;
		}
	} while (fuse(fold, inst));
}

/* --- Memory -------------------------------------------------------------------------- */

/* Constant parts of the address go into the offset. */
static void fold_address(const struct fold *fold, struct inst *inst)
{
	const struct inst *def;

	resolve(fold, &inst->a, ALLOW_SLOT);
	while (is_reg(inst->a) && (def = alu_def_of(fold, inst->a, SKEP_IR_ADD))) {
		if (!is_reg(def->a) || !is_imm(def->b) || !fits_s32(def->b.imm) ||
		    !fits_s16(inst->off + def->b.imm))
			return;
		inst->off += (int32_t)def->b.imm;
		inst->a = def->a;
		resolve(fold, &inst->a, ALLOW_SLOT);
	}
}

static void fold_inst(const struct fold *fold, struct inst *inst)
{
	switch (inst->op) {
	case OP_MOV: resolve(fold, &inst->a, ALLOW_IMM | ALLOW_SLOT); break;
	case OP_ALU: fold_alu(fold, inst); break;
	case OP_NEG:
	case OP_EXT:
	case OP_BSWAP: fold_unary(fold, inst); break;
	case OP_CMP: fold_cmp(fold, inst); break;
	case OP_LOAD: fold_address(fold, inst); break;
	case OP_STORE:
	case OP_ATOMIC_ADD:
	case OP_XCHG:
		fold_address(fold, inst);
		resolve(fold, &inst->b, ALLOW_IMM);
		break;
	case OP_BRANCH: fold_branch(fold, inst); break;
	case OP_EXIT: resolve(fold, &inst->a, ALLOW_IMM); break;
	case OP_CALL:
		for (unsigned i = 0; i < inst->n_args; i++)
			resolve(fold, &inst->args[i], ALLOW_IMM | ALLOW_SLOT);
		break;
	}
}

static void learn(struct fold *fold, struct inst *inst)
{
	struct fact *fact = &fold->facts[inst->dst];

	*fact = (struct fact){inst, fold->block, version_of(fold, inst->a),
			      version_of(fold, inst->b)};
	fold->version[inst->dst]++;
}

static void count_defs(struct fold *fold)
{
	const struct skep_ir_func *f = fold->f;

	for (uint32_t i = 0; i < f->n_order; i++)
		for (const struct inst *p = f->blocks[f->order[i]]->first; p; p = p->next)
			if (p->dst != IR_NONE)
				fold->n_defs[p->dst]++;
}

void skep_ir_fold(struct skep_ir_func *f)
{
	struct fold fold = {
		.f = f,
		.facts = skep_arena_array(f->work, struct fact, f->n_regs),
		.version = skep_arena_array(f->work, uint32_t, f->n_regs),
		.n_defs = skep_arena_array(f->work, uint32_t, f->n_regs),
	};

	count_defs(&fold);
	for (uint32_t i = 0; i < f->n_order; i++) {
		fold.block = f->order[i];
		for (struct inst *inst = f->blocks[fold.block]->first; inst; inst = inst->next) {
			fold_inst(&fold, inst);
			if (inst->dst != IR_NONE)
				learn(&fold, inst);
		}
	}
}
