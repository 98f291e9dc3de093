/*
 * Memory: loads, stores, atomics. x86-64 keeps loads and stores in such order
 * that acquiring and releasing need nothing more.
 */
#include <skep/map.h>

#include "jit/x86_64/emit.h"

static void load(struct jit_unit *u, const struct skep_insn *insn, const struct x_rule *rule,
		 struct x_mem from)
{
	if (rule->is_signed)
		x_load_signed(u, rule->w, x_of(insn->dst), from);
	else
		x_load(u, rule->w, x_of(insn->dst), from);
}

static void store(struct jit_unit *u, const struct skep_insn *insn, const struct x_rule *rule,
		  struct x_mem to)
{
	if (!rule->imm) {
		x_store(u, rule->w, to, x_of(insn->src));
	} else if (u->blind) {
		skep_jit_x86_hidden(u, R10, insn->imm, W64);
		x_store(u, rule->w, to, R10);
	} else {
		x_store_imm(u, rule->w, to, insn->imm);
	}
}

X_RULE(load)
{
	load(u, insn, rule, x_at(x_of(insn->src), insn->off));
}

X_RULE(store)
{
	store(u, insn, rule, x_at(x_of(insn->dst), insn->off));
}

void skep_jit_x86_access(struct jit_unit *u, uint32_t slot, struct x_mem base)
{
	const struct skep_insn *insn = jit_insn(u, slot);
	const struct x_rule *rule = skep_jit_x86_rule(u, slot);
	u->slot = slot;
	base.disp += insn->off;
	if ((insn->code & 7) == SKEP_LDX)
		load(u, insn, rule, base);
	else
		store(u, insn, rule, base);
}

X_RULE(atomic)
{
	x_lock_alu(u, rule->op, rule->w, x_at(x_of(insn->dst), insn->off), x_of(insn->src));
}

X_RULE(fetch)
{
	enum x_reg src = x_of(insn->src);
	x_lock_xadd(u, rule->w, x_at(x_of(insn->dst), insn->off), src);
}

/* or, and, xor have no form that gives back what was there: compare and exchange until nobody
 * came between. rax, which is r0, holds what was there.
 */
X_RULE(fetch_loop)
{
	enum x_reg at = x_of(insn->dst), src = x_of(insn->src);
	x_mov(u, W64, R11, RAX);
	struct x_mem memory = x_at(at == RAX ? R11 : at, insn->off);
	x_load(u, rule->w, RAX, memory);
	size_t again = u->len;
	x_mov(u, rule->w, R10, RAX);
	x_alu(u, rule->op, rule->w, R10, src == RAX ? R11 : src);
	x_lock_cmpxchg(u, rule->w, memory, R10);
	x_jump_back(u, CC_NE, again);
	if (src == RAX)
		return;
	x_mov(u, W64, src, RAX);
	x_mov(u, W64, RAX, R11);
}

X_RULE(exchange)
{
	x_xchg(u, rule->w, x_at(x_of(insn->dst), insn->off), x_of(insn->src));
}

X_RULE(compare_exchange)
{
	enum x_reg src = x_of(insn->src);
	x_lock_cmpxchg(u, rule->w, x_at(x_of(insn->dst), insn->off), src);
	if (rule->w == W32) /* rax is not written if they were equal */
		x_mov(u, W32, RAX, RAX);
}

/* From a program's pointer into the arena to the memory behind it: its lower half counts. */
static void cast_to_memory(struct jit_unit *u, enum x_reg dst, enum x_reg src, uint64_t base)
{
	x_mov_imm64(u, R11, base);
	x_mov(u, W32, dst, src);
	x_alu(u, X_ADD, W64, dst, R11);
}

/* And back, to the address that user space knows; its start, which is NULL, stays NULL. */
static void cast_to_user(struct jit_unit *u, enum x_reg dst, enum x_reg src, uint64_t base,
			 uint64_t upper)
{
	x_mov_imm64(u, R11, base);
	x_mov(u, W32, dst, src);
	x_alu(u, X_SUB, W32, dst, R11);
	x_mov_imm64(u, R10, upper);
	x_lea(u, W64, R11, x_sum(dst, R10));
	x_test(u, W32, dst, dst);
	x_cmov(u, CC_NE, dst, R11);
}

X_RULE(cast)
{
	const struct skep_map *arena = u->image->arena;
	enum x_reg dst = x_of(insn->dst), src = x_of(insn->src);
	if (!arena)
		x_mov(u, W64, dst, src);
	else if (insn->imm == 1)
		cast_to_memory(u, dst, src, skep_arena_base(arena));
	else
		cast_to_user(u, dst, src, skep_arena_base(arena),
			     skep_arena_user_start(arena) & ~(uint64_t)UINT32_MAX);
}
