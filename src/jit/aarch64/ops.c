/*
 * Arithmetic, memory and jumps. aarch64 agrees with BPF in more than x86-64
 * does: shift counts wrap, division by 0 gives 0, and operations on half a
 * register clear the other half.
 */
#include <skep/map.h>

#include "jit/aarch64/emit.h"

/* --- Arithmetic ------------------------------------------------------------------------------ */

/* @imm in @to, without its bits standing in the code if they are to be hidden. */
static void immediate(struct jit_unit *u, enum a_reg to, uint64_t imm)
{
	if (!u->blind) {
		a_mov_imm(u, to, imm);
		return;
	}
	uint64_t mask = skep_jit_mask(u) * 0x100000001u;
	a_mov_imm64(u, to, imm ^ mask);
	a_mov_imm64(u, X12, mask);
	a_alu(u, A_EOR, W64, to, to, X12);
}

enum a_reg skep_jit_a64_operand(struct jit_unit *u, const struct skep_insn *insn,
				const struct a_rule *rule)
{
	int64_t imm = insn->imm;
	if (!rule->imm)
		return a_of(insn->src);
	immediate(u, X9, rule->w == W32 ? (uint32_t)imm : (uint64_t)imm);
	return X9;
}

A_RULE(alu)
{
	enum a_reg dst = a_of(insn->dst);
	a_alu(u, rule->op, rule->w, dst, dst, skep_jit_a64_operand(u, insn, rule));
}

A_RULE(add)
{
	enum a_reg dst = a_of(insn->dst);
	int64_t imm = rule->op == A_SUB ? -(int64_t)insn->imm : insn->imm;
	if (rule->imm && !u->blind && a_fits_add(imm))
		a_add_imm(u, rule->w, dst, dst, imm);
	else
		skep_jit_a64_alu(u, insn, rule);
}

A_RULE(mov)
{
	enum a_reg dst = a_of(insn->dst);
	int64_t imm = insn->imm;
	if (rule->imm)
		immediate(u, dst, rule->w == W32 ? (uint32_t)imm : (uint64_t)imm);
	else
		a_mov(u, rule->w, dst, a_of(insn->src));
}

A_RULE(mov_signed)
{
	a_extend(u, true, rule->op, rule->w, a_of(insn->dst), a_of(insn->src));
}

A_RULE(load_constant)
{
	uint64_t value = (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	immediate(u, a_of(insn->dst), value);
}

A_RULE(mul)
{
	enum a_reg dst = a_of(insn->dst);
	a_mul(u, rule->w, dst, dst, skep_jit_a64_operand(u, insn, rule));
}

A_RULE(divide)
{
	enum a_reg dst = a_of(insn->dst), by = skep_jit_a64_operand(u, insn, rule);
	bool remainder = rule->op;
	a_div(u, rule->is_signed, rule->w, remainder ? X10 : dst, dst, by);
	if (remainder) /* by 0: dst - 0 * 0 */
		a_msub(u, rule->w, dst, X10, by, dst);
}

A_RULE(shift)
{
	enum a_reg dst = a_of(insn->dst);
	if (rule->imm)
		a_shift_imm(u, rule->op, rule->w, dst, dst, insn->imm & (rule->w == W64 ? 63 : 31));
	else
		a_shift(u, rule->op, rule->w, dst, dst, a_of(insn->src));
}

A_RULE(neg)
{
	a_alu(u, A_SUB, rule->w, a_of(insn->dst), XZR, a_of(insn->dst));
}

A_RULE(narrow)
{
	enum a_reg dst = a_of(insn->dst);
	if (rule->w != W64)
		a_extend(u, false, rule->w, W32, dst, dst);
}

A_RULE(swap)
{
	enum a_reg dst = a_of(insn->dst);
	a_rev(u, rule->w, dst, dst);
	if (rule->w == W16)
		a_extend(u, false, W16, W32, dst, dst);
}

/* From a program's pointer into the arena to the memory behind it, by its lower half, and back;
 * the arena's start, which is NULL, stays NULL.
 */
A_RULE(cast)
{
	const struct skep_map *arena = u->image->arena;
	enum a_reg dst = a_of(insn->dst), src = a_of(insn->src);
	if (!arena) {
		a_mov(u, W64, dst, src);
		return;
	}
	a_mov_imm(u, X9, skep_arena_base(arena));
	if (insn->imm == 1) {
		a_mov(u, W32, dst, src);
		a_alu(u, A_ADD, W64, dst, dst, X9);
		return;
	}
	a_alu(u, A_SUBS, W32, dst, src, X9);
	a_mov_imm(u, X10, skep_arena_user_start(arena) & ~(uint64_t)UINT32_MAX);
	a_csel(u, CC_NE, X10, X10, XZR);
	a_alu(u, A_ORR, W64, dst, dst, X10);
}

/* --- Memory ---------------------------------------------------------------------------------- */

static bool fits(enum a_width w, int32_t off)
{
	return off >= -256 && (off < 256 || (off % (1 << w) == 0 && off >> w < 4096));
}

static void access_at(struct jit_unit *u, const struct a_rule *rule, enum a_access op,
		      enum a_reg reg, enum a_reg base, int32_t off)
{
	if (fits(rule->w, off)) {
		a_access(u, op, rule->w, reg, base, off);
		return;
	}
	a_mov_imm(u, X10, (uint64_t)(int64_t)off);
	a_access_index(u, op, rule->w, reg, base, X10);
}

A_RULE(access)
{
	bool store = rule->op == A_STORE;
	enum a_reg dst = a_of(insn->dst), src = a_of(insn->src);
	access_at(u, rule, rule->op, store ? src : dst, store ? dst : src, insn->off);
}

A_RULE(store_imm)
{
	immediate(u, X9, (uint64_t)(int64_t)insn->imm);
	access_at(u, rule, A_STORE, X9, a_of(insn->dst), insn->off);
}

/* Atomics take a plain address: X11 if there is an offset. */
static enum a_reg address(struct jit_unit *u, enum a_reg base, int32_t off)
{
	if (!off)
		return base;
	if (a_fits_add(off)) {
		a_add_imm(u, W64, X11, base, off);
		return X11;
	}
	a_mov_imm(u, X11, (uint64_t)(int64_t)off);
	a_alu(u, A_ADD, W64, X11, X11, base);
	return X11;
}

A_RULE(load_acquire)
{
	enum a_reg at = address(u, a_of(insn->src), insn->off);
	a_load_acquire(u, rule->w, a_of(insn->dst), at);
}

A_RULE(store_release)
{
	enum a_reg at = address(u, a_of(insn->dst), insn->off);
	a_store_release(u, rule->w, a_of(insn->src), at);
}

/* X9 = what was there, once nobody came between. */
static void modify(struct jit_unit *u, const struct a_rule *rule, enum a_reg at, enum a_reg src)
{
	size_t again = u->len;
	a_load_exclusive(u, rule->w, X9, at);
	if (rule->op >= 0)
		a_alu(u, rule->op, rule->w, X10, X9, src);
	a_store_exclusive(u, rule->w, X12, rule->op >= 0 ? X10 : src, at);
	a_jump_nonzero(u, X12, again);
}

A_RULE(atomic)
{
	modify(u, rule, address(u, a_of(insn->dst), insn->off), a_of(insn->src));
}

/* With a result, nothing moves across it: loads after it are held by the barrier. */
A_RULE(fetch)
{
	modify(u, rule, address(u, a_of(insn->dst), insn->off), a_of(insn->src));
	a_barrier(u);
	a_mov(u, rule->w, a_of(insn->src), X9);
}

A_RULE(compare_exchange)
{
	enum a_reg at = address(u, a_of(insn->dst), insn->off);
	size_t again = u->len;
	a_load_exclusive(u, rule->w, X9, at);
	a_alu(u, A_SUBS, rule->w, XZR, X9, A_R0);
	size_t differs = a_jump_ahead(u, CC_NE);
	a_store_exclusive(u, rule->w, X12, a_of(insn->src), at);
	a_jump_nonzero(u, X12, again);
	a_land(u, differs);
	a_barrier(u);
	a_mov(u, rule->w, A_R0, X9);
}

/* --- Jumps ----------------------------------------------------------------------------------- */

static void plain_jump(struct jit_unit *u, uint32_t slot, enum a_cond cc)
{
	size_t to = u->at[skep_jit_target(u->image, slot)];
	if (cc == CC_ALWAYS) {
		a_jump(u, to);
	} else if (u->marks[slot] & JIT_NEAR) {
		a_jump_if(u, cc, to);
	} else {
		size_t stay = a_jump_ahead(u, a_not(cc));
		a_jump(u, to);
		a_land(u, stay);
	}
}

void skep_jit_a64_leave_if(struct jit_unit *u, enum a_cond cc, uint32_t to)
{
	size_t stay = a_jump_ahead(u, a_not(cc));
	a_jump(u, to);
	a_land(u, stay);
}

void skep_jit_a64_pay(struct jit_unit *u, uint32_t price)
{
	a_access(u, A_LOAD, W64, X9, a_run(budget));
	a_cmp_imm(u, W64, X9, 0);
	skep_jit_a64_leave_if(u, CC_EQ, u->func->leave_budget);
	a_mov_imm(u, X10, price);
	a_alu(u, A_SUBS, W64, X9, X9, X10);
	a_csel(u, CC_HS, X9, X9, XZR);
	a_access(u, A_STORE, W64, X9, a_run(budget));
}

static void jump_to(struct jit_unit *u, enum a_cond cc)
{
	int64_t to = skep_jit_target(u->image, u->slot);
	if (!u->budget || to > u->slot) {
		plain_jump(u, u->slot, cc);
		return;
	}
	size_t stay = cc == CC_ALWAYS ? 0 : a_jump_ahead(u, a_not(cc));
	skep_jit_a64_pay(u, (uint32_t)(u->slot + 1 - to));
	a_jump(u, u->at[to]);
	if (stay)
		a_land(u, stay);
}

A_RULE(jump)
{
	jump_to(u, CC_ALWAYS);
}

A_RULE(branch)
{
	enum a_reg dst = a_of(insn->dst);
	bool bits = (insn->code & 0xf0) == SKEP_JSET;
	if (rule->imm && !bits && !u->blind && a_fits_add(insn->imm))
		a_cmp_imm(u, rule->w, dst, insn->imm);
	else
		a_alu(u, bits ? A_ANDS : A_SUBS, rule->w, XZR, dst,
		      skep_jit_a64_operand(u, insn, rule));
	jump_to(u, rule->op);
}

A_RULE(may_goto)
{
	a_access(u, A_LOAD, W64, X9, SP, 8);
	a_cmp_imm(u, W64, X9, 0);
	jump_to(u, CC_EQ);
	a_access(u, A_LOAD, W64, X9, SP, 8);
	a_add_imm(u, W64, X9, X9, -1);
	a_access(u, A_STORE, W64, X9, SP, 8);
}
