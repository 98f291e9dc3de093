/*
 * Encoding: lowered instructions with registers assigned become eBPF.
 *
 * Blocks follow one another in layout order; a jump to the next block is
 * left out. Distances are filled in when all blocks are placed. If a jump does
 * not reach (16 bits), the function is encoded again with long jumps for
 * those that are far: goto with 32 bits, and branches around it.
 */
#include <errno.h>

#include <skep/isa.h>

#include "ir/ir.h"

/* A jump over this distance in the first encoding is long in the second. */
#define FAR_INSNS 16000

struct jump {
	uint32_t insn, to; /* to: block */
	bool is_long;
};

struct encoder {
	struct skep_ir_func *f;
	struct code *code;
	SKEP_VEC(struct jump) jumps;
	uint32_t *start;        /* per block: its first instruction, */
	const uint32_t *before; /* and where that was in the first encoding (NULL: this is it) */
	uint32_t next;          /* block that follows, IR_NONE: none */
};

static const uint8_t jmp_ops[] = {
	[SKEP_IR_EQ] = SKEP_JEQ,   [SKEP_IR_NE] = SKEP_JNE,    [SKEP_IR_ULT] = SKEP_JLT,
	[SKEP_IR_ULE] = SKEP_JLE,  [SKEP_IR_UGT] = SKEP_JGT,   [SKEP_IR_UGE] = SKEP_JGE,
	[SKEP_IR_SLT] = SKEP_JSLT, [SKEP_IR_SLE] = SKEP_JSLE,  [SKEP_IR_SGT] = SKEP_JSGT,
	[SKEP_IR_SGE] = SKEP_JSGE, [SKEP_IR_TEST] = SKEP_JSET,
};
static const uint8_t alu_ops[] = {
	[SKEP_IR_ADD] = SKEP_ADD,  [SKEP_IR_SUB] = SKEP_SUB,  [SKEP_IR_MUL] = SKEP_MUL,
	[SKEP_IR_UDIV] = SKEP_DIV, [SKEP_IR_SDIV] = SKEP_DIV, [SKEP_IR_UMOD] = SKEP_MOD,
	[SKEP_IR_SMOD] = SKEP_MOD, [SKEP_IR_AND] = SKEP_AND,  [SKEP_IR_OR] = SKEP_OR,
	[SKEP_IR_XOR] = SKEP_XOR,  [SKEP_IR_SHL] = SKEP_LSH,  [SKEP_IR_SHR] = SKEP_RSH,
	[SKEP_IR_SAR] = SKEP_ARSH,
};

static void put(struct encoder *e, struct skep_insn insn)
{
	skep_vec_push(&e->code->insns, insn);
}

static void put_imm64(struct encoder *e, int dst, int pseudo, uint64_t value)
{
	struct skep_insn insns[2];

	skep_ld_imm64(insns, dst, pseudo, value);
	put(e, insns[0]);
	put(e, insns[1]);
}

static uint8_t reg_of(const struct encoder *e, uint32_t reg)
{
	assert(e->f->phys[reg] < SKEP_R10);
	return e->f->phys[reg];
}

static enum skep_size size_of(uint32_t bytes)
{
	return bytes == 1 ? SKEP_B : bytes == 2 ? SKEP_H : bytes == 4 ? SKEP_W : SKEP_DW;
}

/* --- Copies and addresses ------------------------------------------------------------ */

static void put_const(struct encoder *e, int dst, int64_t value)
{
	if (fits_s32(value))
		put(e, skep_alu64_imm(SKEP_MOV, dst, (int32_t)value));
	else if (value == (uint32_t)value)
		put(e, skep_alu32_imm(SKEP_MOV, dst, (int32_t)value));
	else
		put_imm64(e, dst, 0, (uint64_t)value);
}

static uint8_t slot_base(const struct encoder *e, const struct slot *slot)
{
	return slot->place == SLOT_STACK ? SKEP_R10 : reg_of(e, e->f->frame_reg);
}

static void put_move(struct encoder *e, int dst, int src)
{
	if (dst != src)
		put(e, skep_alu64_reg(SKEP_MOV, dst, src));
}

static void put_mov(struct encoder *e, int dst, struct skep_opnd value)
{
	const struct slot *slot;

	if (is_imm(value)) {
		put_const(e, dst, value.imm);
		return;
	}
	if (is_reg(value)) {
		put_move(e, dst, reg_of(e, value.id));
		return;
	}
	slot = &e->f->slots[value.id];
	put_move(e, dst, slot_base(e, slot));
	if (slot->off + value.imm)
		put(e, skep_alu64_imm(SKEP_ADD, dst, (int32_t)(slot->off + value.imm)));
}

/* --- Arithmetic ---------------------------------------------------------------------- */

static void put_alu_imm(struct encoder *e, const struct inst *inst, int dst)
{
	bool is_signed = inst->sub == SKEP_IR_SDIV || inst->sub == SKEP_IR_SMOD;
	struct skep_insn insn = skep_alu64_imm(alu_ops[inst->sub], dst, (int32_t)inst->b.imm);

	if (inst->sub == SKEP_IR_AND && !fits_s32(inst->b.imm))
		insn = inst->b.imm == UINT32_MAX
			       ? skep_alu32_reg(SKEP_MOV, dst, dst)
			       : skep_alu32_imm(SKEP_AND, dst, (int32_t)inst->b.imm);
	insn.off = is_signed;
	put(e, insn);
}

static void put_alu(struct encoder *e, const struct inst *inst)
{
	bool is_signed = inst->sub == SKEP_IR_SDIV || inst->sub == SKEP_IR_SMOD;
	int dst = reg_of(e, inst->dst), a = reg_of(e, inst->a.id), b;
	struct skep_insn insn;

	if (is_imm(inst->b)) {
		put_move(e, dst, a);
		put_alu_imm(e, inst, dst);
		return;
	}
	b = reg_of(e, inst->b.id);
	if (b == dst && a != dst) {
		assert(!skep_ir_late_b(inst));
		b = a;
	} else {
		put_move(e, dst, a);
	}
	insn = skep_alu64_reg(alu_ops[inst->sub], dst, b);
	insn.off = is_signed;
	put(e, insn);
}

static void put_extend(struct encoder *e, const struct inst *inst)
{
	int dst = reg_of(e, inst->dst), src = reg_of(e, inst->a.id);
	int bits = inst->bytes * 8;

	if (!inst->is_signed && inst->bytes == 4) {
		put(e, skep_alu32_reg(SKEP_MOV, dst, src));
	} else if (!inst->is_signed) {
		put_move(e, dst, src);
		put(e, skep_alu64_imm(SKEP_AND, dst, (1 << bits) - 1));
	} else if (e->f->ir->target.isa_v4) {
		put(e, skep_insn_raw(SKEP_ALU64 | SKEP_MOV | SKEP_X, dst, src, bits, 0));
	} else {
		put_move(e, dst, src);
		put(e, skep_alu64_imm(SKEP_LSH, dst, 64 - bits));
		put(e, skep_alu64_imm(SKEP_ARSH, dst, 64 - bits));
	}
}

/* "To the other byte order": which of the two encodings that is depends on ours. */
static void put_bswap(struct encoder *e, const struct inst *inst)
{
	int to_other = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? SKEP_X : SKEP_K;
	int dst = reg_of(e, inst->dst);

	put_move(e, dst, reg_of(e, inst->a.id));
	put(e, skep_insn_raw(SKEP_ALU | SKEP_END | to_other, dst, 0, 0, inst->bytes * 8));
}

static struct skep_insn jump_insn(const struct encoder *e, const struct inst *inst, int off)
{
	int op = jmp_ops[inst->sub], a = reg_of(e, inst->a.id);

	if (is_imm(inst->b))
		return skep_jmp_imm(op, a, (int32_t)inst->b.imm, off);
	return skep_jmp_reg(op, a, reg_of(e, inst->b.id), off);
}

static void put_cmp(struct encoder *e, const struct inst *inst)
{
	int dst = reg_of(e, inst->dst);

	put(e, skep_alu64_imm(SKEP_MOV, dst, 1));
	put(e, jump_insn(e, inst, 1));
	put(e, skep_alu64_imm(SKEP_MOV, dst, 0));
}

/* --- Memory -------------------------------------------------------------------------- */

struct address {
	uint8_t reg;
	int16_t off;
};

static struct address address_of(const struct encoder *e, const struct inst *inst)
{
	const struct slot *slot;
	int64_t off = inst->off;

	if (is_reg(inst->a))
		return (struct address){reg_of(e, inst->a.id), (int16_t)off};
	slot = &e->f->slots[inst->a.id];
	off += slot->off + inst->a.imm;
	assert(fits_s16(off));
	return (struct address){slot_base(e, slot), (int16_t)off};
}

static void put_load(struct encoder *e, const struct inst *inst)
{
	struct address at = address_of(e, inst);
	struct skep_insn insn =
		skep_ldx_mem(size_of(inst->bytes), reg_of(e, inst->dst), at.reg, at.off);

	if (inst->is_signed)
		insn.code = SKEP_LDX | SKEP_MEMSX | size_of(inst->bytes);
	put(e, insn);
}

static void put_store(struct encoder *e, const struct inst *inst)
{
	struct address at = address_of(e, inst);
	int size = size_of(inst->bytes);

	if (is_imm(inst->b))
		put(e, skep_st_mem(size, at.reg, at.off, (int32_t)inst->b.imm));
	else
		put(e, skep_stx_mem(size, at.reg, reg_of(e, inst->b.id), at.off));
}

static void put_xchg(struct encoder *e, const struct inst *inst)
{
	struct address at = address_of(e, inst);
	/* The old value must go somewhere: a result nobody reads has no register. */
	int value = reg_of(e, inst->b.id), dst = reg_of(e, inst->dst);

	put_move(e, dst, value);
	put(e, skep_atomic_op(size_of(inst->bytes), SKEP_XCHG, at.reg, dst, at.off));
}

static void put_atomic_add(struct encoder *e, const struct inst *inst)
{
	struct address at = address_of(e, inst);

	put(e,
	    skep_atomic_op(size_of(inst->bytes), SKEP_ADD, at.reg, reg_of(e, inst->b.id), at.off));
}

/* --- Calls and references ------------------------------------------------------------ */

static void put_args(struct encoder *e, const struct inst *inst)
{
	struct moves moves = {0};

	for (unsigned i = 0; i < inst->n_args; i++) {
		if (!is_reg(inst->args[i]))
			continue;
		moves.reg[moves.n].dst = (uint8_t)(SKEP_R1 + i);
		moves.reg[moves.n].src = reg_of(e, inst->args[i].id);
		moves.reg[moves.n++].pending = true;
	}
	skep_ir_encode_moves(e->code, &moves);
	for (unsigned i = 0; i < inst->n_args; i++)
		if (!is_reg(inst->args[i]))
			put_mov(e, SKEP_R1 + (int)i, inst->args[i]);
}

static void refer(struct encoder *e, const struct skep_ir_func *callee)
{
	struct func_ref ref = {(uint32_t)e->code->insns.len, callee};

	skep_vec_push(&e->code->refs, ref);
}

static void put_call(struct encoder *e, const struct inst *inst)
{
	put_args(e, inst);
	if (inst->callee)
		refer(e, inst->callee);
	put(e, skep_insn_raw(SKEP_JMP | SKEP_CALL, 0, inst->sub, 0, (int32_t)inst->a.imm));
	if (inst->dst != IR_NONE)
		put_move(e, reg_of(e, inst->dst), SKEP_R0);
}

static void put_map(struct encoder *e, const struct inst *inst)
{
	int pseudo = inst->op == OP_MAP ? SKEP_PSEUDO_MAP_IDX : SKEP_PSEUDO_MAP_IDX_VALUE;

	put_imm64(e, reg_of(e, inst->dst), pseudo,
		  (uint32_t)inst->a.imm | (uint64_t)(uint32_t)inst->off << 32);
}

/* --- Ends of blocks ------------------------------------------------------------------ */

static bool is_far(const struct encoder *e, uint32_t to)
{
	int64_t distance;

	if (!e->before)
		return false;
	distance = (int64_t)e->before[to] - (int64_t)e->code->insns.len;
	return distance > FAR_INSNS || distance < -FAR_INSNS;
}

static void note_jump(struct encoder *e, uint32_t to, bool is_long)
{
	struct jump jump = {(uint32_t)e->code->insns.len, to, is_long};

	skep_vec_push(&e->jumps, jump);
}

static void put_goto(struct encoder *e, uint32_t to)
{
	bool is_long = is_far(e, to);

	if (to == e->next)
		return;
	note_jump(e, to, is_long);
	put(e, is_long ? skep_insn_raw(SKEP_JMP32 | SKEP_JA, 0, 0, 0, 0) : skep_ja(0));
}

/* A branch to a far block is one to a long goto, stepped over otherwise. */
static void put_jump_to(struct encoder *e, struct skep_insn insn, uint32_t to)
{
	if (!is_far(e, to)) {
		note_jump(e, to, false);
		put(e, insn);
		return;
	}
	insn.off = 1;
	put(e, insn);
	put(e, skep_ja(1));
	note_jump(e, to, true);
	put(e, skep_insn_raw(SKEP_JMP32 | SKEP_JA, 0, 0, 0, 0));
}

static void put_branch(struct encoder *e, struct inst *inst)
{
	enum skep_ir_cond opposite;

	if (inst->then_block == e->next && skep_ir_cond_not(inst->sub, &opposite)) {
		struct inst inverse = *inst;

		inverse.sub = opposite;
		put_jump_to(e, jump_insn(e, &inverse, 0), inst->else_block);
		return;
	}
	put_jump_to(e, jump_insn(e, inst, 0), inst->then_block);
	put_goto(e, inst->else_block);
}

static void put_guard(struct encoder *e, const struct inst *inst)
{
	put_jump_to(e, skep_insn_raw(SKEP_JMP | SKEP_JCOND, 0, 0, 0, 0), inst->else_block);
	put_goto(e, inst->then_block);
}

static void put_exit(struct encoder *e, const struct inst *inst)
{
	put_mov(e, SKEP_R0, inst->a);
	put(e, skep_exit());
}

/* --- All of it ----------------------------------------------------------------------- */

static void put_inst(struct encoder *e, struct inst *inst)
{
	switch (inst->op) {
	case OP_PARAM: put_move(e, reg_of(e, inst->dst), SKEP_R1 + (int)inst->a.imm); break;
	case OP_MOV: put_mov(e, reg_of(e, inst->dst), inst->a); break;
	case OP_ALU: put_alu(e, inst); break;
	case OP_NEG:
		put_move(e, reg_of(e, inst->dst), reg_of(e, inst->a.id));
		put(e, skep_alu64_imm(SKEP_NEG, reg_of(e, inst->dst), 0));
		break;
	case OP_CMP: put_cmp(e, inst); break;
	case OP_EXT: put_extend(e, inst); break;
	case OP_BSWAP: put_bswap(e, inst); break;
	case OP_LOAD: put_load(e, inst); break;
	case OP_STORE: put_store(e, inst); break;
	case OP_ATOMIC_ADD: put_atomic_add(e, inst); break;
	case OP_XCHG: put_xchg(e, inst); break;
	case OP_MAP:
	case OP_MAP_VALUE: put_map(e, inst); break;
	case OP_FUNC_ADDR:
		refer(e, inst->callee);
		put_imm64(e, reg_of(e, inst->dst), SKEP_PSEUDO_FUNC, 0);
		break;
	case OP_CALL: put_call(e, inst); break;
	case OP_JUMP: put_goto(e, inst->then_block); break;
	case OP_BRANCH: put_branch(e, inst); break;
	case OP_GUARD: put_guard(e, inst); break;
	case OP_EXIT: put_exit(e, inst); break;
	}
}

static bool same_span(struct skep_span a, struct skep_span b)
{
	return a.off == b.off && a.len == b.len;
}

/* Neighbours from the same place share a line; each function begins with one. */
static void note_line(struct encoder *e, struct skep_span span)
{
	struct skep_object_line line = {(uint32_t)e->code->insns.len, span};

	if (!span.len)
		line.span = e->f->prog->desc.span;
	if (e->code->lines.len && same_span(skep_vec_last(&e->code->lines)->span, line.span))
		return;
	skep_vec_push(&e->code->lines, line);
}

static void put_block(struct encoder *e, const struct block *block)
{
	e->start[block->id] = (uint32_t)e->code->insns.len;
	for (struct inst *inst = block->first; inst; inst = inst->next) {
		size_t at = e->code->insns.len;

		note_line(e, inst->span);
		put_inst(e, inst);
		if (e->code->insns.len == at && skep_vec_last(&e->code->lines)->insn == at)
			e->code->lines.len--;
	}
}

/* Return 0 | -E2BIG */
static int patch_jumps(struct encoder *e)
{
	skep_vec_foreach (struct jump, jump, &e->jumps) {
		struct skep_insn *insn = &e->code->insns.data[jump->insn];
		int64_t distance = (int64_t)e->start[jump->to] - jump->insn - 1;

		if (!jump->is_long && !fits_s16(distance))
			return -E2BIG;
		if (jump->is_long)
			insn->imm = (int32_t)distance;
		else
			insn->off = (int16_t)distance;
	}
	return 0;
}

static int encode(struct encoder *e)
{
	struct skep_ir_func *f = e->f;

	e->start = skep_arena_array(f->work, uint32_t, f->n_blocks);
	e->jumps.len = 0;
	for (uint32_t i = 0; i < f->n_order; i++) {
		e->next = i + 1 < f->n_order ? f->order[i + 1] : IR_NONE;
		put_block(e, f->blocks[f->order[i]]);
	}
	return patch_jumps(e);
}

int skep_ir_encode(struct skep_ir_func *f, struct code *code, struct skep_diag *diag)
{
	struct encoder e = {.f = f, .code = code};
	int err = encode(&e);

	if (err && f->ir->target.isa_v4) {
		code->insns.len = code->lines.len = code->refs.len = 0;
		e.before = e.start;
		err = encode(&e);
	}
	skep_vec_done(&e.jumps);
	if (err)
		return skep_diag_fail(diag, err, SKEP_DIAG_IR_JUMP, f->prog->desc.span, f->name);
	return 0;
}
