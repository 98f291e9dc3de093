/*
 * Jumps. A comparison and its jump are one instruction in BPF and, fused, one
 * in the processor.
 */
#include "jit/x86_64/emit.h"

static bool is_short(const struct jit_unit *u, uint32_t slot)
{
	return u->marks[slot] & JIT_NEAR;
}

static void plain_jump(struct jit_unit *u, uint32_t slot, enum x_cond cc)
{
	size_t to = u->at[skep_jit_target(u->image, slot)];
	if (is_short(u, slot))
		x_jump_near(u, cc, to);
	else
		x_jump_far(u, cc, to);
}

/* Leave if nothing is left, else take @price off, down to 0. */
void skep_jit_x86_pay(struct jit_unit *u, uint32_t price)
{
	x_load(u, W64, R10, x_run(budget));
	x_test(u, W64, R10, R10);
	x_jump_far(u, CC_E, u->func->leave_budget);
	x_alu_imm(u, X_SUB, W64, R10, (int32_t)price);
	size_t enough = x_jump_ahead(u, CC_AE);
	x_zero(u, R10);
	x_land(u, enough);
	x_store(u, W64, x_run(budget), R10);
}

/* Backwards, with a budget: what the loop takes is paid before the next round. */
static void paid_jump(struct jit_unit *u, uint32_t slot, enum x_cond cc)
{
	int64_t to = skep_jit_target(u->image, slot);
	size_t stay = cc == CC_ALWAYS ? 0 : x_jump_ahead(u, x_not(cc));
	skep_jit_x86_pay(u, (uint32_t)(slot + 1 - to));
	x_jump_far(u, CC_ALWAYS, u->at[to]);
	if (stay)
		x_land(u, stay);
}

void skep_jit_x86_jump_to(struct jit_unit *u, uint32_t slot, enum x_cond cc)
{
	if (u->budget && skep_jit_target(u->image, slot) <= slot)
		paid_jump(u, slot, cc);
	else
		plain_jump(u, slot, cc);
}

X_RULE(jump)
{
	if (skep_jit_target(u->image, u->slot) != u->slot + 1)
		skep_jit_x86_jump_to(u, u->slot, CC_ALWAYS);
}

/* --- Comparisons ----------------------------------------------------------------------------- */

static void compare_imm(struct jit_unit *u, const struct skep_insn *insn, enum x_width w, bool bits)
{
	enum x_reg dst = x_of(insn->dst);
	if (bits)
		x_test_imm(u, w, dst, insn->imm);
	else if (!insn->imm)
		x_test(u, w, dst, dst);
	else
		x_alu_imm(u, X_CMP, w, dst, insn->imm);
}

static void compare_reg(struct jit_unit *u, const struct skep_insn *insn, enum x_width w,
			enum x_reg src, bool bits)
{
	if (bits)
		x_test(u, w, x_of(insn->dst), src);
	else
		x_alu(u, X_CMP, w, x_of(insn->dst), src);
}

static enum x_cond condition(int op)
{
	static const uint8_t conditions[16] = {
		[SKEP_JEQ >> 4] = CC_E,   [SKEP_JNE >> 4] = CC_NE,  [SKEP_JGT >> 4] = CC_A,
		[SKEP_JGE >> 4] = CC_AE,  [SKEP_JLT >> 4] = CC_B,   [SKEP_JLE >> 4] = CC_BE,
		[SKEP_JSGT >> 4] = CC_G,  [SKEP_JSGE >> 4] = CC_GE, [SKEP_JSLT >> 4] = CC_L,
		[SKEP_JSLE >> 4] = CC_LE, [SKEP_JSET >> 4] = CC_NE,
	};
	return conditions[op >> 4];
}

enum x_cond skep_jit_x86_compare(struct jit_unit *u, const struct skep_insn *insn)
{
	enum x_width w = (insn->code & 7) == SKEP_JMP ? W64 : W32;
	int op = insn->code & 0xf0;
	if (insn->code & SKEP_X) {
		compare_reg(u, insn, w, x_of(insn->src), op == SKEP_JSET);
	} else if (u->blind) {
		skep_jit_x86_hidden(u, R10, insn->imm, w);
		compare_reg(u, insn, w, R10, op == SKEP_JSET);
	} else {
		compare_imm(u, insn, w, op == SKEP_JSET);
	}
	return condition(op);
}

X_RULE(branch)
{
	skep_jit_x86_jump_to(u, u->slot, skep_jit_x86_compare(u, insn));
}

X_RULE(may_goto)
{
	struct x_mem rounds = x_at(RBP, -(int32_t)u->func->stack_bytes - 8);
	x_alu_mem_imm(u, X_CMP, W64, rounds, 0);
	skep_jit_x86_jump_to(u, u->slot, CC_E);
	x_alu_mem_imm(u, X_SUB, W64, rounds, 1);
}
