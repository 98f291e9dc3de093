/*
 * Random programs for comparing engines, made of a stream of bytes: all the
 * arithmetic, jumps forward, loops that count down, accesses to 64 bytes of
 * stack, atomics, and the groups of instructions that compilers write and JITs
 * fuse. Whatever the bytes, the program ends and touches nothing else.
 */
#ifndef TESTS_JIT_GENERATE_H
#define TESTS_JIT_GENERATE_H

#include "state.h"

#define MOST_PENDING 8
#define COUNTER      SKEP_R9 /* of a loop; not written in it */

struct maker {
	const uint8_t *bytes;
	size_t n_bytes;
	struct code *code;
	bool in_loop;
	struct {
		uint32_t slot;
		int after; /* instructions from now where it lands */
	} pending[MOST_PENDING];
	int n_pending;
};

static inline uint32_t draw(struct maker *m, uint32_t below)
{
	if (!m->n_bytes)
		return 0;
	m->n_bytes--;
	return *m->bytes++ % below;
}

static inline int32_t draw_imm(struct maker *m)
{
	static const int32_t edges[] = {
		0,    1,   -1,   2,      3,         5,          7,       8,         15,
		16,   31,  32,   33,     63,        64,         127,     128,       -128,
		-129, 255, 256,  0x7fff, 0x8000,    0xffff,     0x10000, INT32_MAX, INT32_MIN,
		-2,   100, 1000, -1000,  0x1000193, 0x3fffffff, -0x8000, 0x40000000};
	uint32_t which = draw(m, 64);
	if (which < sizeof(edges) / sizeof(*edges))
		return edges[which];
	return (int32_t)(draw(m, 256) | draw(m, 256) << 8 | draw(m, 256) << 16 |
			 draw(m, 256) << 24);
}

static inline int draw_dst(struct maker *m)
{
	return (int)draw(m, m->in_loop ? N_SEEN - 1 : N_SEEN);
}

static inline void land(struct maker *m, bool all)
{
	for (int i = 0; i < m->n_pending;) {
		uint32_t slot = m->pending[i].slot;
		if (!all && m->pending[i].after-- > 0) {
			i++;
			continue;
		}
		m->code->insns[slot].off = (int16_t)(m->code->n - slot - 1);
		m->pending[i] = m->pending[--m->n_pending];
	}
}

static inline bool is_arithmetic(const struct row *row)
{
	int cls = row->code & 7;
	return row->name && (cls == SKEP_ALU || cls == SKEP_ALU64) && !row_has(row, "addr_space");
}

static inline bool is_test(const struct row *row)
{
	int cls = row->code & 7, op = row->code & 0xf0;
	return row->name && (cls == SKEP_JMP || cls == SKEP_JMP32) && op != SKEP_JA &&
	       op != SKEP_CALL && op != SKEP_EXIT && op != SKEP_JCOND;
}

static inline bool is_access(const struct row *row)
{
	int cls = row->code & 7, mode = row->code & 0xe0;
	return row->name && (cls == SKEP_LDX || cls == SKEP_ST || cls == SKEP_STX) && mode;
}

static inline const struct row *draw_row(struct maker *m, bool (*wanted)(const struct row *))
{
	uint32_t at = draw(m, 256) + draw(m, 256);
	for (;; at++)
		if (wanted(&rows[at % SKEP_OP_CNT]))
			return &rows[at % SKEP_OP_CNT];
}

static inline void put_arithmetic(struct maker *m)
{
	const struct row *row = draw_row(m, is_arithmetic);
	int dst = draw_dst(m), src = (int)draw(m, N_SEEN);
	put(m->code, row_insn(row, dst, src, 0, draw_imm(m)));
}

/* A load, store or atomic at r10 - 64 to r10. */
static inline void put_access(struct maker *m)
{
	const struct row *row = draw_row(m, is_access);
	bool loads = (row->code & 7) == SKEP_LDX || row_has(row, "load_acquire");
	int other = draw_dst(m), off = -8 * (1 + (int)draw(m, STACK_WORDS));
	put(m->code,
	    row_insn(row, loads ? other : SKEP_R10, loads ? SKEP_R10 : other, off, draw_imm(m)));
}

static inline void put_jump(struct maker *m)
{
	const struct row *row = draw_row(m, is_test);
	int dst = (int)draw(m, N_SEEN), src = (int)draw(m, N_SEEN), after = 1 + (int)draw(m, 3);
	if (m->n_pending == MOST_PENDING)
		return;
	m->pending[m->n_pending].slot = m->code->n;
	m->pending[m->n_pending++].after = after;
	put(m->code, row_insn(row, dst, src, 0, draw_imm(m)));
}

/* --- What compilers write -------------------------------------------------------------------- */

static inline void put_pair(struct maker *m)
{
	int a = draw_dst(m), b = (int)draw(m, N_SEEN), c = (int)draw(m, N_SEEN);
	int cls = draw(m, 2) ? SKEP_ALU64 : SKEP_ALU;
	static const int ops[] = {SKEP_ADD, SKEP_LSH, SKEP_RSH, SKEP_ARSH, SKEP_MUL, SKEP_ADD};
	int op = ops[draw(m, 6)];
	bool imm = draw(m, 2);
	bool shift = op != SKEP_ADD && op != SKEP_MUL;
	int32_t value = shift ? (int32_t)draw(m, 32) : draw_imm(m);
	put(m->code, skep_insn_raw(cls | SKEP_MOV | SKEP_X, a, b, 0, 0));
	put(m->code,
	    skep_insn_raw(cls | op | (imm ? SKEP_K : SKEP_X), a, imm ? 0 : c, 0, imm ? value : 0));
}

static inline void put_rotation(struct maker *m)
{
	int a = draw_dst(m), b = draw_dst(m);
	int cls = draw(m, 2) ? SKEP_ALU64 : SKEP_ALU, width = cls == SKEP_ALU64 ? 64 : 32;
	int by = 1 + (int)draw(m, (uint32_t)width - 1), right = (int)draw(m, 2);
	put(m->code, skep_insn_raw(cls | SKEP_MOV | SKEP_X, b, a, 0, 0));
	put(m->code, skep_insn_raw(cls | (right ? SKEP_RSH : SKEP_LSH), b, 0, 0, by));
	put(m->code, skep_insn_raw(cls | (right ? SKEP_LSH : SKEP_RSH), a, 0, 0, width - by));
	put(m->code, skep_insn_raw(cls | SKEP_OR | SKEP_X, a, b, 0, 0));
}

static inline void put_extension(struct maker *m)
{
	int a = draw_dst(m);
	put(m->code, skep_alu64_imm(SKEP_LSH, a, 32));
	put(m->code, skep_alu64_imm(draw(m, 2) ? SKEP_RSH : SKEP_ARSH, a, 32));
}

static inline struct skep_insn draw_mov(struct maker *m, int dst)
{
	int cls = draw(m, 2) ? SKEP_ALU64 : SKEP_ALU;
	if (draw(m, 2))
		return skep_insn_raw(cls | SKEP_MOV, dst, 0, 0, draw_imm(m));
	return skep_insn_raw(cls | SKEP_MOV | SKEP_X, dst, (int)draw(m, N_SEEN), 0, 0);
}

/* if … goto +1; a = b, perhaps after a = 1 */
static inline void put_choice(struct maker *m)
{
	const struct row *row = draw_row(m, is_test);
	int a = draw_dst(m), one = (int)draw(m, 2);
	bool sets = draw(m, 2);
	struct skep_insn mov = draw_mov(m, a);
	if (sets)
		put(m->code, skep_alu64_imm(SKEP_MOV, a, one));
	put(m->code, row_insn(row, (int)draw(m, N_SEEN), (int)draw(m, N_SEEN), 1, draw_imm(m)));
	put(m->code, sets ? skep_alu32_imm(SKEP_MOV, a, !one) : mov);
}

/* if a … b goto +1; a = b: the smaller or larger of two */
static inline void put_extreme(struct maker *m)
{
	const struct row *row = draw_row(m, is_test);
	int a = draw_dst(m), b = (int)draw(m, N_SEEN);
	bool swapped = draw(m, 2);
	put(m->code, skep_insn_raw(row->code | SKEP_X, swapped ? b : a, swapped ? a : b, 1, 0));
	put(m->code,
	    skep_insn_raw((draw(m, 2) ? SKEP_ALU64 : SKEP_ALU) | SKEP_MOV | SKEP_X, a, b, 0, 0));
}

/* if … goto +1; goto over an addition */
static inline void put_detour(struct maker *m)
{
	const struct row *row = draw_row(m, is_test);
	int a = draw_dst(m);
	put(m->code, row_insn(row, (int)draw(m, N_SEEN), (int)draw(m, N_SEEN), 1, draw_imm(m)));
	put(m->code, skep_insn_raw(SKEP_JMP | SKEP_JA, 0, 0, 1, 0));
	put(m->code, skep_alu64_imm(SKEP_ADD, a, 1));
}

static inline void put_shift_if_any(struct maker *m)
{
	int a = (int)draw(m, N_SEEN), b = draw_dst(m), n = 1 + (int)draw(m, 31);
	bool w64 = draw(m, 2);
	int cls = w64 ? SKEP_ALU64 : SKEP_ALU, jmp = w64 ? SKEP_JMP : SKEP_JMP32;
	put(m->code, skep_insn_raw(cls | SKEP_MOV | SKEP_X, b, a, 0, 0));
	put(m->code, skep_insn_raw(cls | SKEP_RSH, b, 0, 0, n));
	put(m->code, skep_insn_raw(jmp | SKEP_JGT, a, 0, 1, (int32_t)((1u << n) - 1)));
	put(m->code,
	    skep_insn_raw((draw(m, 2) ? SKEP_ALU64 : SKEP_ALU) | SKEP_MOV | SKEP_X, b, a, 0, 0));
}

/* b = a; b op= c; if … goto over; b = a, and perhaps a jump over more */
static inline void put_undone(struct maker *m)
{
	const struct row *alu = draw_row(m, is_arithmetic), *test = draw_row(m, is_test);
	int a = (int)draw(m, N_SEEN), b = draw_dst(m), more = (int)draw(m, 2);
	struct skep_insn mov =
		skep_insn_raw((draw(m, 2) ? SKEP_ALU64 : SKEP_ALU) | SKEP_MOV | SKEP_X, b, a, 0, 0);
	if (more)
		put(m->code, skep_jmp_imm(SKEP_JEQ, a, 0, 5)); /* to what is jumped over */
	put(m->code, mov);
	put(m->code, row_insn(alu, b, (int)draw(m, N_SEEN), 0, draw_imm(m)));
	put(m->code,
	    row_insn(test, (int)draw(m, N_SEEN), (int)draw(m, N_SEEN), more ? 3 : 1, draw_imm(m)));
	put(m->code, mov);
	if (!more)
		return;
	put(m->code, skep_ja(1));
	put(m->code, skep_alu64_imm(SKEP_ADD, b, 1));
}

/* An access at @b, which is on the stack, as is @a; neither is stored. Whether @b still is there.
 */
static inline bool put_access_at(struct maker *m, int b, int a)
{
	const struct row *row = draw_row(m, is_access);
	bool loads = (row->code & 7) == SKEP_LDX || row_has(row, "load_acquire");
	int other = draw_dst(m);
	while (!loads && (other == a || other == b))
		other = (other + 1) % (N_SEEN - 1);
	put(m->code, row_insn(row, loads ? other : b, loads ? b : other, 0, draw_imm(m)));
	return loads ? other != b : b != SKEP_R0 || !strstr(row->name, "CMPXCHG");
}

/* a = r10; b = a; b += c; accesses by b; what is left of b and a is the same everywhere */
static inline void put_sum_address(struct maker *m)
{
	int a = draw_dst(m), b = draw_dst(m), c = draw_dst(m);
	int at = -8 * (1 + (int)draw(m, STACK_WORDS));
	bool reg = draw(m, 2), there = true;
	if (a == b || a == c || b == c)
		return;
	put(m->code, skep_alu64_reg(SKEP_MOV, a, SKEP_R10));
	if (reg)
		put(m->code, skep_alu64_imm(SKEP_MOV, c, at));
	put(m->code, skep_alu64_reg(SKEP_MOV, b, a));
	put(m->code, reg ? skep_alu64_reg(SKEP_ADD, b, c) : skep_alu64_imm(SKEP_ADD, b, at));
	for (uint32_t n = draw(m, 6); n && there; n--)
		there = put_access_at(m, b, a);
	if (there && draw(m, 2))
		put(m->code, skep_alu64_reg(SKEP_SUB, b, SKEP_R10));
	else if (there)
		put(m->code, skep_alu64_imm(SKEP_MOV, b, 0));
	put(m->code, skep_alu64_imm(SKEP_MOV, a, 1));
}

static inline void put_some(struct maker *m);

static inline void put_loop(struct maker *m)
{
	if (m->in_loop)
		return;
	land(m, true);
	int cls = draw(m, 2) ? SKEP_ALU64 : SKEP_ALU;
	int jmp = cls == SKEP_ALU64 ? SKEP_JMP : SKEP_JMP32;
	put(m->code, skep_alu64_imm(SKEP_MOV, COUNTER, 1 + (int32_t)draw(m, 6)));
	uint32_t head = m->code->n;
	m->in_loop = true;
	for (uint32_t n = 1 + draw(m, 6); n; n--)
		put_some(m);
	land(m, true);
	m->in_loop = false;
	put(m->code, skep_insn_raw(cls | SKEP_ADD, COUNTER, 0, 0, -1));
	if (draw(m, 2))
		put(m->code, skep_insn_raw(cls | SKEP_MOV | SKEP_X, SKEP_R0, SKEP_R2, 0, 0));
	put(m->code, skep_insn_raw(jmp | SKEP_JNE, COUNTER, 0, (int)head - (int)m->code->n - 1, 0));
}

static inline void put_constant(struct maker *m)
{
	struct skep_insn both[2];
	uint64_t high = (uint64_t)(uint32_t)draw_imm(m) << 32;
	skep_ld_imm64(both, draw_dst(m), 0, high | (uint32_t)draw_imm(m));
	put(m->code, both[0]);
	put(m->code, both[1]);
}

static inline void put_some(struct maker *m)
{
	static void (*const kinds[])(struct maker * m) = {
		put_arithmetic, put_arithmetic, put_arithmetic,   put_arithmetic,  put_access,
		put_access,     put_jump,       put_jump,         put_pair,        put_rotation,
		put_extension,  put_choice,     put_shift_if_any, put_loop,        put_constant,
		put_extreme,    put_detour,     put_undone,       put_sum_address,
	};
	land(m, false);
	if (m->code->n < MOST_SLOTS - 150)
		kinds[draw(m, sizeof(kinds) / sizeof(*kinds))](m);
}

/** A program out of @bytes. */
static inline void make_program(const uint8_t *bytes, size_t n_bytes, struct code *code)
{
	struct maker m = {.bytes = bytes, .n_bytes = n_bytes, .code = code};
	code->n = 0;
	put_prologue(code);
	while (m.n_bytes && code->n < MOST_SLOTS - 150)
		put_some(&m);
	land(&m, true);
	put_epilogue(code);
}

#endif
