/*
 * Calls. BPF's registers are the argument registers of C, so a call is the run
 * into r9 and a call instruction. Look-ups in arrays, of which everything is
 * known when the program is loaded, are no call at all.
 */
#include "jit/x86_64/emit.h"

static void call_c(struct jit_unit *u, const void *function)
{
	x_mov(u, W64, X_RUN_ARG, X_RUN);
	x_call_c(u, function);
}

/* What is the JIT's own (JIT_ABI). */
static void call_own(struct jit_unit *u, const void *function)
{
	x_mov(u, W64, X_RUN_ARG, X_RUN);
	x_call_abs(u, function);
}

/* What was called may have ended the run: then everybody returns 0. */
static void obey_stop(struct jit_unit *u)
{
	x_alu_mem_imm(u, X_CMP, W32, x_run(stop), 0);
	x_jump_far(u, CC_NE, u->func->leave_zero);
}

/* --- Looking up maps ------------------------------------------------------------------------- */

static void scale(struct jit_unit *u, enum x_reg reg, uint32_t by)
{
	if (by & (by - 1))
		x_imul_imm(u, W64, reg, reg, (int32_t)by);
	else if (by > 1)
		x_shift_imm(u, X_SHL, W64, reg, __builtin_ctz(by));
}

/* rax = the copy that belongs to the CPU that the run is, of the first element */
static void first_element(struct jit_unit *u, const struct skep_map *map)
{
	x_mov_imm64(u, RAX, (uintptr_t)map->values);
	if (map->type != SKEP_MAP_PERCPU_ARRAY || !map->cpu_stride)
		return;
	x_load(u, W32, R10, x_run(cpu));
	x_mov_imm64(u, R9, map->cpu_stride);
	x_imul(u, W64, R10, R9);
	x_alu(u, X_ADD, W64, RAX, R10);
}

static void array_lookup(struct jit_unit *u, const struct skep_map *map)
{
	x_load(u, W32, R11, x_at(RSI, 0));
	x_zero(u, RAX);
	x_alu_imm(u, X_CMP, W32, R11, (int32_t)map->max_entries);
	size_t outside = x_jump_ahead(u, CC_AE);
	scale(u, R11, map->elem_size);
	first_element(u, map);
	x_alu(u, X_ADD, W64, RAX, R11);
	x_land(u, outside);
}

/* Whether there was a shorter way than the helper. */
static bool map_lookup(struct jit_unit *u)
{
	struct jit_lookup how = skep_jit_lookup(u);
	if (how.array)
		array_lookup(u, how.array);
	else if (how.function)
		x_call_c(u, (const void *)how.function);
	return how.array || how.function;
}

/* --- Helpers --------------------------------------------------------------------------------- */

static void tail_call(struct jit_unit *u)
{
	call_own(u, skep_jit_tail_call);
	x_test(u, W32, RDX, RDX);
	x_jump_far(u, CC_NE, u->func->leave);
}

static bool special_call(struct jit_unit *u, enum jit_call call)
{
	switch (call) {
	case JIT_CALL_MAP_LOOKUP: return map_lookup(u);
	case JIT_CALL_TAIL: tail_call(u); return true;
	case JIT_CALL_CPU: x_load(u, W32, RAX, x_run(cpu)); return true;
	default: return false;
	}
}

X_RULE(call)
{
	if (rule->op == SKEP_CALL_HELPER && special_call(u, u->calls[insn->imm]))
		return;
	call_c(u, (const void *)u->image->calls[insn->imm]->call);
	if (skep_jit_may_stop(u))
		obey_stop(u);
}

X_RULE(call_local)
{
	uint32_t func = skep_image_func_at(u->image, u->slot + 1 + (uint32_t)insn->imm);
	if (u->budget)
		skep_jit_x86_pay(u, skep_jit_price(u->image, func));
	x_mov(u, W64, X_RUN_ARG, X_RUN);
	x_call(u, u->funcs[func].entry);
	if (skep_jit_may_stop(u))
		obey_stop(u);
}

/* --- Packet loads of classic BPF ------------------------------------------------------------- */

X_RULE(packet_load)
{
	if (u->blind)
		skep_jit_x86_hidden(u, R10, insn->imm, W32);
	else
		x_mov_imm(u, R10, (uint32_t)insn->imm);
	if (!rule->imm)
		x_alu(u, X_ADD, W32, R10, x_of(insn->src));
	x_mov(u, W32, RDI, R10);
	x_mov_imm(u, RSI, (uint64_t)rule->op);
	call_own(u, skep_jit_packet_load);
	x_test(u, W64, RAX, RAX);
	x_jump_far(u, CC_L, u->func->leave_zero);
}
