/*
 * Arithmetic, moves and byte order. What BPF asks of 32-bit operations, an
 * upper half of 0, is what x86-64 does.
 */
#include "jit/x86_64/emit.h"

void skep_jit_x86_hidden(struct jit_unit *u, enum x_reg to, int32_t imm, enum x_width w)
{
	uint32_t mask = skep_jit_mask(u);
	x_mov_imm32(u, to, (uint32_t)imm ^ mask);
	x_alu_imm(u, X_XOR, W32, to, (int32_t)mask);
	if (w == W64)
		x_movsx(u, W32, W64, to, to);
}

void skep_jit_x86_constant(struct jit_unit *u, enum x_reg dst, uint64_t value)
{
	if (!u->blind) {
		x_mov_imm(u, dst, value);
		return;
	}
	uint64_t mask = skep_jit_mask(u) * 0x100000001u;
	x_mov_imm64(u, dst, value ^ mask);
	x_mov_imm64(u, R11, mask);
	x_alu(u, X_XOR, W64, dst, R11);
}

/* The second operand in a register: BPF's, or R10 with the hidden immediate. */
static enum x_reg operand(struct jit_unit *u, const struct skep_insn *insn,
			  const struct x_rule *rule)
{
	if (!rule->imm)
		return x_of(insn->src);
	skep_jit_x86_hidden(u, R10, insn->imm, rule->w);
	return R10;
}

X_RULE(alu)
{
	enum x_reg dst = x_of(insn->dst);
	/* and with what is not negative leaves nothing above */
	bool short_and = rule->op == X_AND && rule->imm && insn->imm >= 0;
	if (rule->imm && !u->blind)
		x_alu_imm(u, rule->op, short_and ? W32 : rule->w, dst, insn->imm);
	else
		x_alu(u, rule->op, rule->w, dst, operand(u, insn, rule));
}

X_RULE(mov)
{
	enum x_reg dst = x_of(insn->dst), src = x_of(insn->src);
	int64_t imm = insn->imm;
	if (rule->imm)
		skep_jit_x86_constant(u, dst, rule->w == W64 ? (uint64_t)imm : (uint32_t)imm);
	else if (dst != src || (rule->w == W32 && !x_is_narrow(u, u->slot, insn->src)))
		x_mov(u, rule->w, dst, src);
}

X_RULE(mov_signed)
{
	x_movsx(u, rule->op, rule->w, x_of(insn->dst), x_of(insn->src));
}

X_RULE(load_constant)
{
	uint64_t value = (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	skep_jit_x86_constant(u, x_of(insn->dst), value);
}

X_RULE(mul)
{
	enum x_reg dst = x_of(insn->dst);
	bool power = insn->imm > 0 && !(insn->imm & (insn->imm - 1));
	if (!rule->imm || u->blind)
		x_imul(u, rule->w, dst, operand(u, insn, rule));
	else if (power)
		x_shift_imm(u, X_SHL, rule->w, dst, __builtin_ctz((unsigned)insn->imm));
	else
		x_imul_imm(u, rule->w, dst, dst, insn->imm);
}

X_RULE(neg)
{
	x_unary(u, rule->op, rule->w, x_of(insn->dst));
}

/* --- Shifts ---------------------------------------------------------------------------------- */

/* Without BMI2 the count must be in cl, which is r4: everybody moves over. */
static void shift_by_cl(struct jit_unit *u, const struct skep_insn *insn, const struct x_rule *rule)
{
	enum x_reg dst = x_of(insn->dst), src = x_of(insn->src);
	if (src == RCX && dst != RCX) {
		x_shift_cl(u, rule->op, rule->w, dst);
		return;
	}
	x_mov(u, W64, R11, RCX);
	x_mov(u, W64, R10, dst);
	x_mov(u, W64, RCX, src);
	x_shift_cl(u, rule->op, rule->w, R10);
	x_mov(u, W64, RCX, R11);
	x_mov(u, W64, dst, R10);
}

X_RULE(shift)
{
	enum x_reg dst = x_of(insn->dst);
	int count = insn->imm & (rule->w == W64 ? 63 : 31);
	if (!rule->imm && u->features & SKEP_JIT_BMI2)
		x_shift_by(u, rule->op, rule->w, dst, dst, x_of(insn->src));
	else if (!rule->imm)
		shift_by_cl(u, insn, rule);
	else if (count)
		x_shift_imm(u, rule->op, rule->w, dst, count);
	else if (rule->w == W32)
		x_mov(u, W32, dst, dst);
}

/* --- Byte order ------------------------------------------------------------------------------ */

X_RULE(narrow)
{
	enum x_reg dst = x_of(insn->dst);
	if (rule->w != W64)
		x_movzx(u, rule->w, dst, dst);
}

X_RULE(swap)
{
	enum x_reg dst = x_of(insn->dst);
	if (rule->w != W16) {
		x_bswap(u, rule->w, dst);
		return;
	}
	x_shift_imm(u, X_ROL, W16, dst, 8);
	x_movzx(u, W16, dst, dst);
}
