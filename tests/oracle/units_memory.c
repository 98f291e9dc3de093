/*
 * Memory: regions at constant and unknown offsets, packets, the stack. See programs_typed.h.
 */
#include <stddef.h>

#include <linux/bpf.h>

#include "typed.h"

#define N_OF(array) ((uint32_t)(sizeof(array) / sizeof(*(array))))

static const int sizes[] = {SKEP_B, SKEP_H, SKEP_W, SKEP_DW};

/* One in some twenty is one byte too far. */
static uint32_t slip(struct typed_gen *g)
{
	return !typed_below(g, 20);
}

/* --- One access ------------------------------------------------------------------------------ */

static void put_atomic(struct typed_gen *g, int base, int off, int size, int number)
{
	static const int ops[] = {SKEP_ADD,
				  SKEP_OR,
				  SKEP_AND,
				  SKEP_XOR,
				  SKEP_ADD | SKEP_FETCH,
				  SKEP_AND | SKEP_FETCH,
				  SKEP_XCHG,
				  SKEP_CMPXCHG,
				  SKEP_LOAD_ACQ,
				  SKEP_STORE_REL};
	int op = ops[typed_below(g, N_OF(ops))];

	if (op == SKEP_LOAD_ACQ) {
		typed_put(g, skep_atomic_op(size, op, number, base, off));
		return;
	}
	if (op == SKEP_CMPXCHG) {
		if (base == SKEP_R0)
			return;
		typed_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R0, typed_number(g)));
		typed_hold(g, SKEP_R0, HOLDS_NUMBER, 0);
	}
	typed_put(g, skep_atomic_op(size, op, base, number, off));
}

/* 1 << @which bytes at @base + @off. */
static void put_access(struct typed_gen *g, int base, int off, uint32_t which, bool atomic_ok)
{
	int number = typed_find(g, HOLDS_NUMBER), dst;

	if (number == SKEP_R9 && g->in_loop)
		number = -1;
	switch (typed_below(g, 5)) {
	case 0:
		if (atomic_ok && which >= 2 && number >= 0 && number != base) {
			put_atomic(g, base, off, sizes[which], number);
			return;
		}
		__attribute__((fallthrough));
	case 1:
		if (number >= 0) {
			typed_put(g, skep_stx_mem(sizes[which], base, number, off));
			return;
		}
		__attribute__((fallthrough));
	case 2: typed_put(g, skep_st_mem(sizes[which], base, off, typed_number(g))); return;
	default:
		dst = typed_target(g, false, base);
		typed_put(g, skep_insn_raw(SKEP_LDX | sizes[which] |
						   (which < 3 && !typed_below(g, 4) ? SKEP_MEMSX
										    : SKEP_MEM),
					   dst, base, off, 0));
		typed_hold(g, dst, HOLDS_NUMBER, 0);
	}
}

/* --- At an unknown offset -------------------------------------------------------------------- */

/* A copy of the pointer, and of it what may be read in full: @room bytes from @lowest on. */
struct window {
	int base, lowest;
	uint32_t room;
	bool atomic_ok;
};

/*
 *	number in [0, max]
 *	pointer += number              or: pointer += room; pointer -= number
 *	access to [pointer + off]      where off + max + bytes is the room, or near it
 */
static void put_at_unknown(struct typed_gen *g, const struct window *window)
{
	uint32_t which = typed_below(g, 4), bytes = 1u << which;
	struct way_out out = {0};
	int number = typed_a_number(g), pointer, base = window->base;
	bool down = !typed_below(g, 4) && base != SKEP_R10;

	/* the stack wants its accesses aligned */
	if (base == SKEP_R10 && typed_below(g, 4))
		which = 0, bytes = 1;
	if (window->room < bytes)
		return;
	uint32_t rest = window->room - bytes;
	uint32_t max = typed_below(g, rest + 1);
	uint32_t off = typed_below(g, 4) ? rest - max : typed_below(g, rest - max + 1);

	g->depth++;
	number = typed_bound(g, number, max + slip(g), &out);
	if (window->base != SKEP_R10 && g->now.regs[base].kind < HOLDS_MEMORY)
		goto end;
	pointer = typed_target(g, true, base);
	if (pointer == number)
		goto end;
	typed_put(g, skep_alu64_reg(SKEP_MOV, pointer, base));
	typed_hold(g, pointer, HOLDS_NOTHING, 0);
	if (down)
		typed_put(g, skep_alu64_imm(SKEP_ADD, pointer, (int32_t)max));
	typed_put(g, skep_insn_raw(SKEP_ALU64 | SKEP_X | (down ? SKEP_SUB : SKEP_ADD), pointer,
				   number, 0, 0));
	put_access(g, pointer, window->lowest + (int)off, which, false);
	if (typed_below(g, 2))
		put_access(g, pointer, window->lowest + (int)off, which, false);
end:
	g->depth--;
	typed_land(g, &out);
}

static void put_at_constant(struct typed_gen *g, const struct window *window)
{
	uint32_t which = typed_below(g, 4), bytes = 1u << which;

	if (window->room < bytes)
		return;
	uint32_t n = window->room / bytes;
	put_access(g, window->base, window->lowest + (int)((typed_below(g, n) + slip(g)) * bytes),
		   which, window->atomic_ok);
}

void typed_access(struct typed_gen *g)
{
	int memory = typed_find(g, HOLDS_MEMORY), packet = typed_find(g, HOLDS_PACKET);
	struct window window = {SKEP_R10, BUFFER_OFF, BUFFER_BYTES, true};

	if (packet >= 0 && typed_below(g, 3))
		window = (struct window){packet, 0, g->now.regs[packet].room, false};
	else if (memory >= 0 && (!g->buffer || typed_below(g, 4)))
		window = (struct window){memory, 0, g->now.regs[memory].room, true};
	else if (!g->buffer) {
		typed_unknown(g);
		return;
	}
	if (window.base == packet || !typed_below(g, 3))
		put_at_constant(g, &window);
	else
		put_at_unknown(g, &window);
}

/* --- The packet ------------------------------------------------------------------------------ */

static void put_end_check(struct typed_gen *g, int high, int end, struct way_out *out)
{
	switch (typed_below(g, 4)) {
	case 0: typed_jump(g, out, skep_jmp_reg(SKEP_JLT, end, high, 0)); break;
	case 1: /* the byte at `high` is there too, unless it is the end */
		typed_jump(g, out, skep_jmp_reg(SKEP_JGE, high, end, 0));
		break;
	case 2:
		typed_put(g, skep_jmp_reg(SKEP_JLE, high, end, 1));
		typed_jump(g, out, skep_ja(0));
		break;
	default: typed_jump(g, out, skep_jmp_reg(SKEP_JGT, high, end, 0));
	}
}

/* data, or data and a number that is not known; 0: the number may be too large for any packet. */
static bool put_packet_start(struct typed_gen *g, int start, struct way_out *out)
{
	int number = typed_find(g, HOLDS_NUMBER);

	if (number < 0 || number == start || typed_below(g, 2)) {
		if (!typed_below(g, 3))
			typed_put(g, skep_alu64_imm(SKEP_ADD, start, (int32_t)typed_below(g, 40)));
		return true;
	}
	typed_hold(g, start, HOLDS_PACKET, 0);
	number = typed_bound(g, number, typed_below(g, 64), out);
	if (g->now.regs[start].kind != HOLDS_PACKET || number == start)
		return false;
	typed_put(g, skep_alu64_reg(SKEP_ADD, start, number));
	return true;
}

/*
 *	start = data (and a bit)
 *	high = start + room; if high > data_end goto out
 *	… units, which may use start …
 */
void typed_packet(struct typed_gen *g)
{
	bool xdp = g->program->type == BPF_PROG_TYPE_XDP;
	int ctx = typed_find(g, HOLDS_CTX), start, end, high;
	uint32_t room = 1 + typed_below(g, 40);
	struct way_out out = {0};

	if (ctx < 0 || g->in_function)
		return;
	ctx = g->now.regs[SKEP_R6].kind == HOLDS_CTX ? SKEP_R6 : ctx;
	start = typed_target(g, true, ctx);
	typed_put(g, skep_ldx_mem(SKEP_W, start, ctx,
				  xdp ? (int)offsetof(struct xdp_md, data)
				      : (int)offsetof(struct __sk_buff, data)));
	typed_hold(g, start, HOLDS_NOTHING, 0);
	g->depth++;
	if (!put_packet_start(g, start, &out))
		goto done;
	do
		end = typed_target(g, true, start);
	while (end == ctx);
	typed_put(g, skep_ldx_mem(SKEP_W, end, ctx,
				  xdp ? (int)offsetof(struct xdp_md, data_end)
				      : (int)offsetof(struct __sk_buff, data_end)));
	typed_hold(g, end, HOLDS_NOTHING, 0);
	do
		high = typed_target(g, true, start);
	while (high == end);
	typed_put(g, skep_alu64_reg(SKEP_MOV, high, start));
	typed_put(g, skep_alu64_imm(SKEP_ADD, high, (int32_t)room));
	typed_hold(g, high, HOLDS_NOTHING, 0);
	typed_hold(g, start, HOLDS_NOTHING, 0);
	put_end_check(g, high, end, &out);
	typed_hold(g, start, HOLDS_PACKET, room + (slip(g) && slip(g)));
	typed_access(g);
	for (uint32_t n = typed_below(g, 3); n && g->depth < 3; n--)
		typed_unit(g);
done:
	g->depth--;
	typed_land(g, &out);
}

/* --- The stack's words ----------------------------------------------------------------------- */

void typed_spill(struct typed_gen *g)
{
	int word = (int)typed_below(g, TYPED_WORDS), reg = (int)typed_below(g, 10);
	struct holding *to = &g->now.words[word];
	struct holding from = g->now.regs[reg];
	int off = -8 * (word + 1);

	if (from.kind == HOLDS_NOTHING)
		reg = typed_a_number(g), from = g->now.regs[reg];
	if (g->in_loop && (to->kind != HOLDS_NUMBER || from.kind != HOLDS_NUMBER))
		return;
	if (from.kind != HOLDS_NUMBER || typed_below(g, 2) || to->kind != HOLDS_NUMBER) {
		typed_put(g, skep_stx_mem(SKEP_DW, SKEP_R10, reg, off));
		*to = from;
		return;
	}
	uint32_t which = typed_below(g, 3);
	int part = typed_below(g, 2) ? 0 : (int)typed_below(g, 8u >> which) << which;
	if (typed_below(g, 3))
		typed_put(g, skep_stx_mem(sizes[which], SKEP_R10, reg, off + part));
	else
		typed_put(g, skep_st_mem(sizes[which], SKEP_R10, off + part, typed_number(g)));
}

void typed_fill(struct typed_gen *g)
{
	int word = (int)typed_below(g, TYPED_WORDS), dst;
	struct holding from;

	for (int i = 0; i < TYPED_WORDS && !g->now.words[word].kind; i++)
		word = (word + 1) % TYPED_WORDS;
	from = g->now.words[word];
	if (from.kind == HOLDS_NOTHING) {
		typed_spill(g);
		return;
	}
	dst = typed_target(g, from.kind != HOLDS_NUMBER, -1);
	if (from.kind != HOLDS_NUMBER || typed_below(g, 2)) {
		typed_put(g, skep_ldx_mem(SKEP_DW, dst, SKEP_R10, -8 * (word + 1)));
	} else {
		uint32_t which = typed_below(g, 3);
		int part = typed_below(g, 2) ? 0 : (int)typed_below(g, 8u >> which) << which;
		typed_put(g, skep_insn_raw(SKEP_LDX | sizes[which] |
						   (typed_below(g, 3) ? SKEP_MEM : SKEP_MEMSX),
					   dst, SKEP_R10, -8 * (word + 1) + part, 0));
	}
	g->now.regs[dst] = from;
}

/* --- Pointers -------------------------------------------------------------------------------- */

/* A copy, perhaps further on. */
void typed_move_pointer(struct typed_gen *g)
{
	enum holds kind = typed_below(g, 2) ? HOLDS_MEMORY : HOLDS_PACKET;
	int from = typed_find(g, kind), to;
	uint32_t by;

	if (from < 0) {
		typed_fill(g);
		return;
	}
	to = typed_target(g, true, from);
	typed_put(g, skep_alu64_reg(SKEP_MOV, to, from));
	g->now.regs[to] = g->now.regs[from];
	by = typed_below(g, g->now.regs[from].room + 1);
	if (!by || typed_below(g, 2))
		return;
	typed_put(g, skep_alu64_imm(SKEP_ADD, to, (int32_t)by));
	g->now.regs[to].room -= by;
}

void typed_check_null(struct typed_gen *g)
{
	int reg = typed_find(g, HOLDS_NULLABLE);
	struct way_out out = {0};
	uint32_t room;

	if (reg < 0) {
		typed_lookup(g);
		return;
	}
	room = g->now.regs[reg].room;
	g->depth++;
	typed_jump(g, &out, skep_jmp_imm(SKEP_JEQ, reg, 0, 0));
	typed_hold(g, reg, HOLDS_MEMORY, room);
	typed_access(g);
	for (uint32_t n = typed_below(g, 3); n && g->depth < 3; n--)
		typed_unit(g);
	g->depth--;
	typed_land(g, &out);
}
