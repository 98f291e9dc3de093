/*
 * Division: BPF's never traps. By 0 the quotient is 0 and the remainder the
 * dividend; the least number by -1 wraps around.
 *
 * The processor divides rdx:rax and leaves quotient and remainder there, which
 * are r3 and r0 of BPF: both are kept aside, unless the result goes there.
 */
#include "jit/x86_64/emit.h"

static bool is_mod(const struct x_rule *rule)
{
	return rule->op == RDX;
}

/* Divide @dst by @by (neither rax nor rdx), which is no special case. */
static void plain_divide(struct jit_unit *u, const struct x_rule *rule, enum x_reg dst,
			 enum x_reg by)
{
	enum x_reg result = rule->op;
	if (dst != RAX)
		x_mov(u, W64, R10, RAX);
	if (dst != RDX)
		x_mov(u, W64, R9, RDX);
	if (dst != RAX)
		x_mov(u, rule->w, RAX, dst);
	if (rule->is_signed)
		x_sign_into_rdx(u, rule->w);
	else
		x_zero(u, RDX);
	x_unary(u, rule->is_signed ? X_IDIV : X_DIV, rule->w, by);
	if (dst != result)
		x_mov(u, W64, dst, result);
	if (dst != RAX)
		x_mov(u, W64, RAX, R10);
	if (dst != RDX)
		x_mov(u, W64, RDX, R9);
}

/* Before dividing by 0 or -1: dst / by is dst * by in both cases. */
static void special_signed(struct jit_unit *u, const struct x_rule *rule, enum x_reg dst,
			   enum x_reg by)
{
	if (!is_mod(rule)) {
		x_imul(u, rule->w, dst, by);
		return;
	}
	if (rule->w == W32)
		x_mov(u, W32, dst, dst);
	x_test(u, rule->w, by, by);
	size_t by_zero = x_jump_ahead(u, CC_E);
	x_zero(u, dst);
	x_land(u, by_zero);
}

static void special_unsigned(struct jit_unit *u, const struct x_rule *rule, enum x_reg dst)
{
	if (!is_mod(rule))
		x_zero(u, dst);
	else if (rule->w == W32)
		x_mov(u, W32, dst, dst);
}

static void divide_reg(struct jit_unit *u, const struct skep_insn *insn, const struct x_rule *rule)
{
	enum x_reg dst = x_of(insn->dst), by = x_of(insn->src);
	if (by == RAX || by == RDX) {
		x_mov(u, W64, R11, by);
		by = R11;
	}
	if (rule->is_signed) {
		x_lea(u, rule->w, R10, x_at(by, 1));
		x_alu_imm(u, X_CMP, rule->w, R10, 1);
	} else {
		x_test(u, rule->w, by, by);
	}
	size_t usual = x_jump_ahead(u, rule->is_signed ? CC_A : CC_NE);
	if (rule->is_signed)
		special_signed(u, rule, dst, by);
	else
		special_unsigned(u, rule, dst);
	size_t done = x_jump_ahead(u, CC_ALWAYS);
	x_land(u, usual);
	plain_divide(u, rule, dst, by);
	x_land(u, done);
}

/* --- By a constant --------------------------------------------------------------------------- */

/* By 1 and powers of two, unsigned. */
static void divide_by_power(struct jit_unit *u, const struct x_rule *rule, enum x_reg dst,
			    uint32_t by)
{
	int shift = __builtin_ctz(by);
	if (is_mod(rule))
		x_alu_imm(u, X_AND, W32, dst, (int32_t)(by - 1));
	else if (shift)
		x_shift_imm(u, X_SHR, rule->w, dst, shift);
	else if (rule->w == W32)
		x_mov(u, W32, dst, dst);
}

/* By -1, signed. */
static void divide_by_minus_one(struct jit_unit *u, const struct x_rule *rule, enum x_reg dst)
{
	if (is_mod(rule))
		x_zero(u, dst);
	else
		x_unary(u, X_NEG, rule->w, dst);
}

static bool is_power(const struct x_rule *rule, int32_t imm)
{
	/* The least number is a power of two where it is not extended by its sign. */
	uint32_t by = (uint32_t)imm;
	return by && !(by & (by - 1)) && (imm > 0 || rule->w == W32);
}

static void divide_imm(struct jit_unit *u, const struct skep_insn *insn, const struct x_rule *rule)
{
	enum x_reg dst = x_of(insn->dst);
	if (insn->imm == 0) {
		special_unsigned(u, rule, dst);
	} else if (insn->imm == -1 && rule->is_signed) {
		divide_by_minus_one(u, rule, dst);
	} else if (!rule->is_signed && !u->blind && is_power(rule, insn->imm)) {
		divide_by_power(u, rule, dst, (uint32_t)insn->imm);
	} else {
		if (u->blind)
			skep_jit_x86_hidden(u, R11, insn->imm, rule->w);
		else
			x_mov_imm(u, R11, (uint64_t)(int64_t)insn->imm);
		plain_divide(u, rule, dst, R11);
	}
}

X_RULE(divide)
{
	if (rule->imm)
		divide_imm(u, insn, rule);
	else
		divide_reg(u, insn, rule);
}
