/*
 * Calls. BPF's registers are the argument registers of C, so a call is the run
 * into x5 and a call instruction; only r0 moves, as r1 lives where C returns.
 */
#include "jit/aarch64/emit.h"

static void call_c(struct jit_unit *u, uintptr_t function)
{
	a_mov(u, W64, A_RUN_ARG, A_RUN);
	a_call_c(u, function);
	a_mov(u, W64, A_R0, X0);
}

/* What was called may have ended the run: then everybody returns 0. */
static void obey_stop(struct jit_unit *u)
{
	a_access(u, A_LOAD, W32, X9, a_run(stop));
	a_cmp_imm(u, W32, X9, 0);
	skep_jit_a64_leave_if(u, CC_NE, u->func->leave_zero);
}

/* --- Looking up maps ------------------------------------------------------------------------- */

static void array_lookup(struct jit_unit *u, const struct skep_map *map)
{
	a_access(u, A_LOAD, W32, X9, X1, 0);
	a_mov_imm(u, A_R0, 0);
	a_mov_imm(u, X10, map->max_entries);
	a_alu(u, A_SUBS, W32, XZR, X9, X10);
	size_t outside = a_jump_ahead(u, CC_HS);
	a_mov_imm(u, X10, map->elem_size);
	a_mul(u, W64, X9, X9, X10);
	a_mov_imm(u, A_R0, (uintptr_t)map->values);
	a_alu(u, A_ADD, W64, A_R0, A_R0, X9);
	if (map->type == SKEP_MAP_PERCPU_ARRAY && map->cpu_stride) {
		a_access(u, A_LOAD, W32, X9, a_run(cpu));
		a_mov_imm(u, X10, map->cpu_stride);
		a_mul(u, W64, X9, X9, X10);
		a_alu(u, A_ADD, W64, A_R0, A_R0, X9);
	}
	a_land(u, outside);
}

/* Whether there was a shorter way than the helper. */
static bool map_lookup(struct jit_unit *u)
{
	struct jit_lookup how = skep_jit_lookup(u);
	if (how.array)
		array_lookup(u, how.array);
	else if (how.function)
		call_c(u, (uintptr_t)how.function);
	return how.array || how.function;
}

/* --- Helpers and functions ------------------------------------------------------------------- */

/* struct jit_tail_result comes back in x0 and x1. */
static void tail_call(struct jit_unit *u)
{
	call_c(u, (uintptr_t)skep_jit_tail_call);
	a_cmp_imm(u, W64, X1, 0);
	skep_jit_a64_leave_if(u, CC_NE, u->func->leave);
}

static bool special_call(struct jit_unit *u, enum jit_call call)
{
	switch (call) {
	case JIT_CALL_MAP_LOOKUP: return map_lookup(u);
	case JIT_CALL_TAIL: tail_call(u); return true;
	case JIT_CALL_CPU: a_access(u, A_LOAD, W32, A_R0, a_run(cpu)); return true;
	default: return false;
	}
}

A_RULE(call)
{
	if (rule->op == SKEP_CALL_HELPER && special_call(u, u->calls[insn->imm]))
		return;
	call_c(u, (uintptr_t)u->image->calls[insn->imm]->call);
	if (skep_jit_may_stop(u))
		obey_stop(u);
}

A_RULE(call_local)
{
	uint32_t func = skep_image_func_at(u->image, u->slot + 1 + (uint32_t)insn->imm);
	if (u->budget)
		skep_jit_a64_pay(u, skep_jit_price(u->image, func));
	a_mov(u, W64, A_RUN_ARG, A_RUN);
	a_call(u, u->funcs[func].entry);
	a_mov(u, W64, A_R0, X0);
	if (skep_jit_may_stop(u))
		obey_stop(u);
}

/* --- Packet loads of classic BPF ------------------------------------------------------------- */

A_RULE(packet_load)
{
	const struct a_rule by_imm = {.w = W32, .imm = true};
	enum a_reg off = skep_jit_a64_operand(u, insn, &by_imm);
	if (rule->imm)
		a_mov(u, W32, X0, off);
	else
		a_alu(u, A_ADD, W32, X0, off, a_of(insn->src));
	a_mov_imm(u, X1, (uint64_t)rule->op);
	call_c(u, (uintptr_t)skep_jit_packet_load);
	a_cmp_imm(u, W64, A_R0, 0);
	skep_jit_a64_leave_if(u, CC_LT, u->func->leave_zero);
}
