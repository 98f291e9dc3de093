/*
 * Calls: maps' elements, helpers that take memory, references, functions, callbacks, and loops.
 * See programs_typed.h.
 */
#include <linux/bpf.h>

#include "typed.h"

static void put_mov(struct typed_gen *g, int dst, int32_t imm)
{
	typed_put(g, skep_alu64_imm(SKEP_MOV, dst, imm));
}

static void put_copy(struct typed_gen *g, int dst, int src)
{
	typed_put(g, skep_alu64_reg(SKEP_MOV, dst, src));
}

static void put_stack_address(struct typed_gen *g, int dst, int off)
{
	put_copy(g, dst, SKEP_R10);
	typed_put(g, skep_alu64_imm(SKEP_ADD, dst, off));
}

/* --- Elements of maps ------------------------------------------------------------------------ */

static void put_map_and_key(struct typed_gen *g, enum typed_map map)
{
	int number = typed_find(g, HOLDS_NUMBER);
	uint32_t n_keys = 2 * typed_maps[map].entries;

	if (number >= 0 && !typed_below(g, 3) && !(number == SKEP_R9 && g->in_loop))
		typed_put(g, skep_stx_mem(SKEP_W, SKEP_R10, number, KEY_OFF));
	else
		typed_put(g,
			  skep_st_mem(SKEP_W, SKEP_R10, KEY_OFF, (int32_t)typed_below(g, n_keys)));
	typed_map(g, SKEP_R1, map);
	put_stack_address(g, SKEP_R2, KEY_OFF);
}

static enum typed_map some_map(struct typed_gen *g)
{
	static const enum typed_map maps[] = {TYPED_ARRAY, TYPED_HASH, TYPED_ONE};

	return maps[typed_below(g, 3)];
}

void typed_lookup(struct typed_gen *g)
{
	enum typed_map map = some_map(g);
	uint32_t room = typed_maps[map].value_bytes;
	int dst;

	put_map_and_key(g, map);
	typed_put(g, skep_call(BPF_FUNC_map_lookup_elem));
	typed_called(g);
	typed_hold(g, SKEP_R0, HOLDS_NULLABLE, room);
	if (typed_below(g, 2)) {
		dst = typed_target(g, true, SKEP_R0);
		put_copy(g, dst, SKEP_R0);
		typed_hold(g, dst, HOLDS_NULLABLE, room);
		/* what is learned of one holds for the other */
		if (typed_below(g, 2))
			typed_hold(g, SKEP_R0, HOLDS_NOTHING, 0);
	}
	typed_check_null(g);
}

void typed_update(struct typed_gen *g)
{
	enum typed_map map = typed_below(g, 2) ? TYPED_HASH : TYPED_ARRAY;
	bool deletes = map == TYPED_HASH && !typed_below(g, 3);

	if (!deletes && map != TYPED_HASH && !g->buffer)
		return;
	if (!deletes && !g->buffer)
		deletes = true;
	put_map_and_key(g, map);
	if (!deletes) {
		/* 48 bytes of value end where the words begin to be set: an array's is taken from
		 * a value that is there */
		int memory = typed_find(g, HOLDS_MEMORY);

		if (map == TYPED_ARRAY && (memory < SKEP_R6 || g->now.regs[memory].room < 48))
			typed_map(g, SKEP_R1, TYPED_HASH);
		if (map == TYPED_ARRAY && memory >= SKEP_R6 && g->now.regs[memory].room >= 48)
			put_copy(g, SKEP_R3, memory);
		else
			put_stack_address(g, SKEP_R3, BUFFER_OFF);
		put_mov(g, SKEP_R4, (int32_t)typed_below(g, 3));
	}
	typed_put(g, skep_call(deletes ? BPF_FUNC_map_delete_elem : BPF_FUNC_map_update_elem));
	typed_called(g);
}

/* --- Memory and its size --------------------------------------------------------------------- */

/* A register that no argument is put into. */
static int find_kept(struct typed_gen *g, enum holds kind)
{
	for (int i = 0; i < 4; i++) {
		int reg = typed_find(g, kind);

		if (reg < 0 || reg == SKEP_R0 || reg >= SKEP_R6)
			return reg;
	}
	return -1;
}

static void forget(struct typed_gen *g, enum holds kind)
{
	for (int reg = 0; reg < 10; reg++)
		if (g->now.regs[reg].kind == kind)
			typed_hold(g, reg, HOLDS_NOTHING, 0);
	for (int word = 0; word < TYPED_WORDS; word++)
		if (g->now.words[word].kind == kind)
			g->now.words[word].kind = HOLDS_NOTHING;
}

/* The packet moves: what was found of it is nothing any more. */
static void put_packet_change(struct typed_gen *g)
{
	bool xdp = g->program->type == BPF_PROG_TYPE_XDP;
	int ctx = typed_find(g, HOLDS_CTX);

	if (ctx < 0 || g->in_loop || g->in_function)
		return;
	put_copy(g, SKEP_R1, ctx);
	put_mov(g, SKEP_R2, (int32_t)typed_below(g, 24) - (xdp ? 12 : 0));
	typed_put(g, skep_call(xdp ? BPF_FUNC_xdp_adjust_head : BPF_FUNC_skb_pull_data));
	typed_called(g);
	forget(g, HOLDS_PACKET);
	/* r1 held it, and holds nothing */
	if (ctx < SKEP_R6)
		typed_hold(g, ctx, HOLDS_NOTHING, 0);
}

/* load_bytes(ctx, off, memory, size): the size is a number between bounds. */
static void put_load_bytes(struct typed_gen *g)
{
	bool xdp = g->program->type == BPF_PROG_TYPE_XDP;
	int memory = find_kept(g, HOLDS_MEMORY), number = typed_a_number(g);
	uint32_t room = memory >= 0 ? g->now.regs[memory].room : BUFFER_BYTES;
	struct way_out out = {0};

	if (g->now.regs[SKEP_R6].kind != HOLDS_CTX || (memory < 0 && !g->buffer) || room < 2)
		return;
	g->depth++;
	number = typed_bound(g, number, typed_below(g, room), &out);
	if (memory >= 0 && g->now.regs[memory].kind != HOLDS_MEMORY)
		goto end;
	put_copy(g, SKEP_R4, number);
	/* nothing may be loaded by XDP's, not by the socket buffer's */
	if (typed_below(g, 3))
		typed_put(g, skep_alu64_imm(SKEP_ADD, SKEP_R4, 1));
	if (memory >= 0)
		put_copy(g, SKEP_R3, memory);
	else
		put_stack_address(g, SKEP_R3, BUFFER_OFF);
	put_mov(g, SKEP_R2, (int32_t)typed_below(g, 40));
	put_copy(g, SKEP_R1, SKEP_R6);
	typed_put(g, skep_call(xdp ? BPF_FUNC_xdp_load_bytes : BPF_FUNC_skb_load_bytes));
	typed_called(g);
end:
	g->depth--;
	typed_land(g, &out);
}

static void put_csum_diff(struct typed_gen *g)
{
	int memory = find_kept(g, HOLDS_MEMORY), number = typed_find(g, HOLDS_NUMBER);
	struct way_out out = {0};

	if (memory < 0 || number < 0 || g->now.regs[memory].room < 8)
		return;
	g->depth++;
	number = typed_bound(g, number, g->now.regs[memory].room / 4, &out);
	if (g->now.regs[memory].kind == HOLDS_MEMORY && number != SKEP_R1) {
		put_copy(g, SKEP_R2, number);
		typed_put(g, skep_alu64_imm(SKEP_LSH, SKEP_R2, 2));
		put_copy(g, SKEP_R1, memory);
		put_mov(g, SKEP_R3, 0);
		put_mov(g, SKEP_R4, 0);
		put_mov(g, SKEP_R5, 0);
		typed_put(g, skep_call(BPF_FUNC_csum_diff));
		typed_called(g);
	}
	g->depth--;
	typed_land(g, &out);
}

void typed_helper(struct typed_gen *g)
{
	switch (typed_below(g, 5)) {
	case 0: put_packet_change(g); return;
	case 1: put_csum_diff(g); return;
	default: put_load_bytes(g);
	}
}

/* --- References ------------------------------------------------------------------------------ */

static void put_units(struct typed_gen *g, uint32_t n)
{
	while (n--)
		typed_unit(g);
}

/* reserve; if there was room: units on the record; submit or discard. */
void typed_ringbuf(struct typed_gen *g)
{
	uint32_t bytes = 8 * (1 + typed_below(g, 4));
	struct way_out out = {0};
	int kept = SKEP_R7 + (int)typed_below(g, 3);

	if (g->in_loop || g->holds_ref || g->pinned >> kept & 1)
		return;
	typed_map(g, SKEP_R1, TYPED_RINGBUF);
	put_mov(g, SKEP_R2, (int32_t)bytes);
	put_mov(g, SKEP_R3, 0);
	typed_put(g, skep_call(BPF_FUNC_ringbuf_reserve));
	typed_called(g);
	put_copy(g, kept, SKEP_R0);
	typed_hold(g, SKEP_R0, HOLDS_NOTHING, 0);
	typed_hold(g, kept, HOLDS_NOTHING, 0);
	g->depth++;
	typed_jump(g, &out, skep_jmp_imm(SKEP_JEQ, kept, 0, 0));
	typed_hold(g, kept, HOLDS_MEMORY, bytes);
	g->pinned |= (uint16_t)(1u << kept);
	g->holds_ref = true;
	typed_access(g);
	put_units(g, typed_below(g, 3));
	put_copy(g, SKEP_R1, kept);
	put_mov(g, SKEP_R2, 0);
	typed_put(g, skep_call(typed_below(g, 2) ? BPF_FUNC_ringbuf_submit
						 : BPF_FUNC_ringbuf_discard));
	typed_called(g);
	typed_hold(g, SKEP_R0, HOLDS_NOTHING, 0);
	forget(g, HOLDS_MEMORY);
	g->holds_ref = false;
	g->pinned &= (uint16_t) ~(1u << kept);
	g->depth--;
	typed_land(g, &out);
}

static void put_dynptr_slice(struct typed_gen *g, uint32_t room)
{
	uint32_t bytes = 1 + typed_below(g, room);

	put_stack_address(g, SKEP_R1, DYNPTR_OFF);
	put_mov(g, SKEP_R2, (int32_t)typed_below(g, room - bytes + 1));
	put_mov(g, SKEP_R3, (int32_t)bytes);
	typed_put(g, skep_call(BPF_FUNC_dynptr_data));
	typed_called(g);
	typed_hold(g, SKEP_R0, HOLDS_NULLABLE, bytes);
	typed_check_null(g);
}

static void put_dynptr_read(struct typed_gen *g)
{
	if (!g->buffer)
		return;
	put_stack_address(g, SKEP_R1, BUFFER_OFF);
	put_mov(g, SKEP_R2, 1 + (int32_t)typed_below(g, BUFFER_BYTES));
	put_stack_address(g, SKEP_R3, DYNPTR_OFF);
	put_mov(g, SKEP_R4, (int32_t)typed_below(g, 20));
	put_mov(g, SKEP_R5, 0);
	typed_put(g, skep_call(BPF_FUNC_dynptr_read));
	typed_called(g);
}

void typed_dynptr(struct typed_gen *g)
{
	int memory = find_kept(g, HOLDS_MEMORY);
	uint32_t room;

	if (memory < 0 || g->holds_ref || g->in_function || g->now.regs[memory].room < 4)
		return;
	room = g->now.regs[memory].room;
	put_copy(g, SKEP_R1, memory);
	put_mov(g, SKEP_R2, (int32_t)room);
	put_mov(g, SKEP_R3, 0);
	put_stack_address(g, SKEP_R4, DYNPTR_OFF);
	typed_put(g, skep_call(BPF_FUNC_dynptr_from_mem));
	typed_called(g);
	if (typed_below(g, 3))
		put_dynptr_slice(g, room);
	else
		put_dynptr_read(g);
}

/* --- Functions ------------------------------------------------------------------------------- */

#define SHARED_BYTES 16 /* of memory that functions are given */

static bool note_call(struct typed_gen *g, enum typed_callee callee)
{
	if (g->n_calls == TYPED_MOST_CALLS)
		return false;
	g->calls[g->n_calls].at = g->program->n;
	g->calls[g->n_calls++].callee = callee;
	return true;
}

/* @reg = 16 bytes of memory: a value's, or the stack's. false: there are none */
static bool put_shared(struct typed_gen *g, int reg)
{
	int memory = find_kept(g, HOLDS_MEMORY);

	if (memory >= 0 && g->now.regs[memory].room >= SHARED_BYTES && typed_below(g, 2))
		put_copy(g, reg, memory);
	else if (g->buffer)
		put_stack_address(g, reg, BUFFER_OFF + (int)typed_below(g, 3) * 8);
	else
		return false;
	return true;
}

void typed_call(struct typed_gen *g)
{
	enum typed_callee callee = typed_below(g, 4) < 2 ? CALLEE_STATIC
				   : typed_below(g, 2)   ? CALLEE_NUMBERS
							 : CALLEE_MEMORY;
	int number = typed_a_number(g), memory_reg = callee == CALLEE_MEMORY ? SKEP_R1 : SKEP_R2;

	if (g->in_function || g->n_calls == TYPED_MOST_CALLS)
		return;
	put_copy(g, SKEP_R0, number);
	if (callee == CALLEE_NUMBERS) {
		put_mov(g, SKEP_R2, typed_number(g));
	} else if (!put_shared(g, memory_reg)) {
		if (callee == CALLEE_STATIC)
			return;
		put_mov(g, SKEP_R1, 0);
	}
	put_copy(g, callee == CALLEE_MEMORY ? SKEP_R2 : SKEP_R1, SKEP_R0);
	note_call(g, callee);
	typed_put(g, skep_insn_raw(SKEP_JMP | SKEP_CALL, 0, SKEP_CALL_LOCAL, 0, 0));
	typed_called(g);
}

void typed_callback(struct typed_gen *g)
{
	bool each = typed_below(g, 2);

	if (g->in_function || g->in_loop || g->n_calls == TYPED_MOST_CALLS || !g->buffer)
		return;
	if (each)
		typed_map(g, SKEP_R1, typed_below(g, 2) ? TYPED_ARRAY : TYPED_HASH);
	else
		put_mov(g, SKEP_R1, (int32_t)typed_below(g, 5));
	note_call(g, each ? CALLEE_EACH : CALLEE_LOOP);
	typed_put64(g, SKEP_R2, SKEP_PSEUDO_FUNC, 0);
	put_stack_address(g, SKEP_R3, BUFFER_OFF);
	put_mov(g, SKEP_R4, 0);
	typed_put(g, skep_call(each ? BPF_FUNC_for_each_map_elem : BPF_FUNC_loop));
	typed_called(g);
}

static void hold_arguments(struct typed_gen *g, enum typed_callee callee)
{
	g->now = (struct model){0};
	switch (callee) {
	case CALLEE_STATIC:
	case CALLEE_LOOP:
		typed_hold(g, SKEP_R1, HOLDS_NUMBER, 0);
		typed_hold(g, SKEP_R2, HOLDS_MEMORY, SHARED_BYTES);
		break;
	case CALLEE_NUMBERS:
		typed_hold(g, SKEP_R1, HOLDS_NUMBER, 0);
		typed_hold(g, SKEP_R2, HOLDS_NUMBER, 0);
		break;
	case CALLEE_MEMORY:
		typed_hold(g, SKEP_R1, HOLDS_NULLABLE, 8);
		typed_hold(g, SKEP_R2, HOLDS_NUMBER, 0);
		break;
	default: /* EACH: map, key, value, context */
		typed_hold(g, SKEP_R3, HOLDS_MEMORY, SHARED_BYTES);
		typed_hold(g, SKEP_R4, HOLDS_MEMORY, SHARED_BYTES);
	}
}

/* Arguments go where they outlive calls, as compilers do it. */
static void keep_arguments(struct typed_gen *g)
{
	for (int reg = SKEP_R1, to = SKEP_R6; reg <= SKEP_R4; reg++) {
		if (g->now.regs[reg].kind == HOLDS_NOTHING || typed_below(g, 3) == 0)
			continue;
		put_copy(g, to, reg);
		g->now.regs[to++] = g->now.regs[reg];
	}
}

void typed_function(struct typed_gen *g, enum typed_callee callee)
{
	bool called_back = callee == CALLEE_LOOP || callee == CALLEE_EACH;
	int number;

	g->in_function = true;
	g->in_loop = g->buffer = g->holds_ref = false;
	g->pinned = 0;
	g->depth = 1;
	hold_arguments(g, callee);
	keep_arguments(g);
	put_units(g, 1 + typed_below(g, 3));
	number = typed_find(g, HOLDS_NUMBER);
	if (number >= 0)
		put_copy(g, SKEP_R0, number);
	else
		put_mov(g, SKEP_R0, 0);
	if (called_back)
		typed_put(g, skep_alu64_imm(SKEP_AND, SKEP_R0, 1));
	typed_put(g, skep_exit());
}

/* --- Loops ----------------------------------------------------------------------------------- */

static void begin_loop(struct typed_gen *g)
{
	for (int reg = SKEP_R0; reg <= SKEP_R5; reg++)
		typed_hold(g, reg, HOLDS_NOTHING, 0);
	typed_hold(g, SKEP_R9, HOLDS_NUMBER, 0);
	g->in_loop = true;
	g->depth++;
}

static void end_loop(struct typed_gen *g)
{
	g->in_loop = false;
	g->depth--;
	for (int reg = SKEP_R0; reg <= SKEP_R5; reg++)
		typed_hold(g, reg, HOLDS_NOTHING, 0);
}

static void put_jump_back(struct typed_gen *g, struct skep_insn insn, uint32_t head)
{
	insn.off = (int16_t)((int)head - (int)g->program->n - 1);
	typed_put(g, insn);
}

static void put_loop_down(struct typed_gen *g, bool unknown)
{
	int number = typed_a_number(g);
	uint32_t head;

	if (unknown) {
		put_copy(g, SKEP_R9, number);
		typed_put(g, skep_alu64_imm(SKEP_AND, SKEP_R9, 3));
		typed_put(g, skep_alu64_imm(SKEP_ADD, SKEP_R9, 1));
	} else {
		put_mov(g, SKEP_R9, 1 + (int32_t)typed_below(g, 4));
	}
	begin_loop(g);
	head = g->program->n;
	put_units(g, 1 + typed_below(g, 2));
	typed_put(g, skep_alu64_imm(SKEP_ADD, SKEP_R9, -1));
	put_jump_back(g, skep_jmp_imm(unknown ? SKEP_JSGT : SKEP_JNE, SKEP_R9, 0, 0), head);
	end_loop(g);
}

static void put_loop_up(struct typed_gen *g, bool may_goto)
{
	uint32_t head;

	put_mov(g, SKEP_R9, 0);
	begin_loop(g);
	head = g->program->n;
	if (may_goto)
		typed_put(g, skep_insn_raw(SKEP_JMP | SKEP_JCOND, 0, 0, 0, 0));
	put_units(g, 1 + typed_below(g, 2));
	typed_put(g, skep_alu64_imm(SKEP_ADD, SKEP_R9, 1));
	put_jump_back(g, skep_jmp_imm(SKEP_JLT, SKEP_R9, 1 + (int32_t)typed_below(g, 5), 0), head);
	if (may_goto)
		g->program->insns[head].off = (int16_t)(g->program->n - head - 1);
	end_loop(g);
}

static void put_kfunc(struct typed_gen *g, uint32_t id)
{
	put_stack_address(g, SKEP_R1, ITER_OFF);
	typed_put(g, skep_insn_raw(SKEP_JMP | SKEP_CALL, 0, SKEP_CALL_KFUNC, 0, (int32_t)id));
	typed_called(g);
}

static void put_iterator(struct typed_gen *g)
{
	uint32_t head, end;

	put_mov(g, SKEP_R9, 0);
	put_mov(g, SKEP_R2, 0);
	put_mov(g, SKEP_R3, (int32_t)typed_below(g, 5));
	put_kfunc(g, g->kfuncs->iter_new);
	begin_loop(g);
	head = g->program->n;
	put_kfunc(g, g->kfuncs->iter_next);
	end = g->program->n;
	typed_put(g, skep_jmp_imm(SKEP_JEQ, SKEP_R0, 0, 0));
	typed_hold(g, SKEP_R0, HOLDS_NOTHING, 0);
	if (typed_below(g, 2)) {
		typed_put(g, skep_ldx_mem(SKEP_W, SKEP_R1, SKEP_R0, 0));
		typed_hold(g, SKEP_R1, HOLDS_NUMBER, 0);
	}
	put_units(g, 1 + typed_below(g, 2));
	put_jump_back(g, skep_ja(0), head);
	g->program->insns[end].off = (int16_t)(g->program->n - end - 1);
	put_kfunc(g, g->kfuncs->iter_destroy);
	end_loop(g);
}

void typed_loop(struct typed_gen *g)
{
	if (g->in_loop || g->pinned >> SKEP_R9 & 1)
		return;
	switch (typed_below(g, 6)) {
	case 0:
	case 1: put_loop_down(g, typed_below(g, 2)); return;
	case 2:
	case 3: put_loop_up(g, false); return;
	case 4: put_loop_up(g, true); return;
	default:
		if (g->kfuncs && !g->in_function)
			put_iterator(g);
	}
}
