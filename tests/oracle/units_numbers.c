/*
 * Numbers: where they come from, what is done to them, and how they are found to lie between
 * bounds. See programs_typed.h.
 */
#include <stddef.h>

#include <linux/bpf.h>

#include "typed.h"

#define N_OF(array) ((uint32_t)(sizeof(array) / sizeof(*(array))))

/* --- Arithmetic ------------------------------------------------------------------------------ */

static void put_byte_order(struct typed_gen *g, int reg)
{
	static const int codes[] = {SKEP_ALU | SKEP_END | SKEP_K, SKEP_ALU | SKEP_END | SKEP_X,
				    SKEP_ALU64 | SKEP_END | SKEP_K};

	typed_put(g,
		  skep_insn_raw(codes[typed_below(g, 3)], reg, 0, 0, 16 << (int)typed_below(g, 3)));
}

static void put_sign_extension(struct typed_gen *g, int dst, int src)
{
	int class = typed_below(g, 2) ? SKEP_ALU64 : SKEP_ALU;
	int bits = 8 << typed_below(g, class == SKEP_ALU64 ? 3 : 2);

	typed_put(g, skep_insn_raw(class | SKEP_MOV | SKEP_X, dst, src, bits, 0));
	typed_hold(g, dst, HOLDS_NUMBER, 0);
}

static void put_copy(struct typed_gen *g, int dst, int src)
{
	int class = typed_below(g, 3) ? SKEP_ALU64 : SKEP_ALU;

	typed_put(g, skep_insn_raw(class | SKEP_MOV | SKEP_X, dst, src, 0, 0));
	typed_hold(g, dst, HOLDS_NUMBER, 0);
	if (typed_below(g, 2))
		typed_put(g, skep_insn_raw((typed_below(g, 3) ? SKEP_ALU64 : SKEP_ALU) | SKEP_ADD,
					   dst, 0, 0, typed_number(g)));
}

static void put_operation(struct typed_gen *g, int dst)
{
	static const int ops[] = {SKEP_ADD, SKEP_SUB, SKEP_MUL,  SKEP_DIV, SKEP_OR,  SKEP_AND,
				  SKEP_LSH, SKEP_RSH, SKEP_NEG,  SKEP_MOD, SKEP_XOR, SKEP_ARSH,
				  SKEP_AND, SKEP_ADD, SKEP_ARSH, SKEP_RSH};
	int op = ops[typed_below(g, N_OF(ops))];
	int class = typed_below(g, 2) ? SKEP_ALU64 : SKEP_ALU;
	bool is_shift = op == SKEP_LSH || op == SKEP_RSH || op == SKEP_ARSH;
	bool is_division = op == SKEP_DIV || op == SKEP_MOD;
	int off = is_division ? (int)typed_below(g, 2) : 0, src = typed_find(g, HOLDS_NUMBER);
	int32_t imm = typed_number(g);

	if (is_shift)
		imm &= class == SKEP_ALU64 ? 63 : 31;
	if (is_division && !imm)
		imm = 3;
	if (op == SKEP_NEG)
		typed_put(g, skep_insn_raw(class | op, dst, 0, 0, 0));
	else if (typed_below(g, 3) || src < 0)
		typed_put(g, skep_insn_raw(class | op | SKEP_K, dst, 0, off, imm));
	else
		typed_put(g, skep_insn_raw(class | op | SKEP_X, dst, src, off, 0));
}

/* A number that is -1 or 0, as compilers make one of a sign, and what they choose by it. */
static void put_choice(struct typed_gen *g, int dst)
{
	bool wide = typed_below(g, 2);
	int class = wide ? SKEP_ALU64 : SKEP_ALU;
	static const int ops[] = {SKEP_AND, SKEP_OR};

	typed_put(g, skep_insn_raw(class | SKEP_ARSH, dst, 0, 0, wide ? 63 : 31));
	typed_put(g, skep_insn_raw(class | ops[typed_below(g, 2)], dst, 0, 0,
				   (int32_t)typed_below(g, 64)));
}

static void put_constant(struct typed_gen *g, int dst)
{
	uint64_t wide = (uint64_t)(uint32_t)typed_number(g) << 32 | (uint32_t)typed_number(g);

	if (!typed_below(g, 4))
		typed_put64(g, dst, 0, wide >> typed_below(g, 40));
	else
		typed_put(g, skep_insn_raw((typed_below(g, 2) ? SKEP_ALU64 : SKEP_ALU) | SKEP_MOV,
					   dst, 0, 0, typed_number(g)));
	typed_hold(g, dst, HOLDS_NUMBER, 0);
}

void typed_arithmetic(struct typed_gen *g)
{
	for (uint32_t n = 1 + typed_below(g, 3); n; n--) {
		int reg = typed_a_number(g);

		if (reg == SKEP_R9 && g->in_loop)
			return;
		switch (typed_below(g, 12)) {
		case 5: put_constant(g, typed_target(g, false, -1)); break;
		case 0: put_byte_order(g, reg); break;
		case 1: put_sign_extension(g, typed_target(g, false, -1), reg); break;
		case 2:
		case 3: put_copy(g, typed_target(g, false, reg), reg); break;
		case 4: put_choice(g, reg); break;
		default: put_operation(g, reg);
		}
	}
}

/* --- Numbers that nobody knows --------------------------------------------------------------- */

static void load_from_context(struct typed_gen *g, int dst, int ctx)
{
	static const uint16_t skb_fields[] = {
		offsetof(struct __sk_buff, len),      offsetof(struct __sk_buff, mark),
		offsetof(struct __sk_buff, priority), offsetof(struct __sk_buff, cb[0]),
		offsetof(struct __sk_buff, cb[1]),    offsetof(struct __sk_buff, hash),
	};
	static const uint16_t xdp_fields[] = {
		offsetof(struct xdp_md, ingress_ifindex),
		offsetof(struct xdp_md, rx_queue_index),
	};
	bool xdp = g->program->type == BPF_PROG_TYPE_XDP;
	int off = xdp ? xdp_fields[typed_below(g, N_OF(xdp_fields))]
		      : skb_fields[typed_below(g, N_OF(skb_fields))];

	typed_put(g, skep_ldx_mem(SKEP_W, dst, ctx, off));
}

static void load_from_memory(struct typed_gen *g, int dst, int base)
{
	static const int sizes[] = {SKEP_B, SKEP_H, SKEP_W, SKEP_DW};
	uint32_t which = typed_below(g, 4), bytes = 1u << which;
	uint32_t room = g->now.regs[base].room;
	bool extends = which < 3 && !typed_below(g, 3);

	while (bytes > room)
		bytes = 1u << --which;
	int off = (int)(typed_below(g, room / bytes) * bytes);
	typed_put(g, skep_insn_raw(SKEP_LDX | (extends && which < 3 ? SKEP_MEMSX : SKEP_MEM) |
					   sizes[which],
				   dst, base, off, 0));
}

void typed_unknown(struct typed_gen *g)
{
	int ctx = typed_find(g, HOLDS_CTX), memory = typed_find(g, HOLDS_MEMORY), dst;

	if (memory >= 0 && g->now.regs[memory].room && typed_below(g, 5)) {
		dst = typed_target(g, false, -1);
		load_from_memory(g, dst, memory);
	} else if (ctx >= 0 && typed_below(g, 5)) {
		dst = typed_target(g, false, -1);
		load_from_context(g, dst, ctx);
	} else {
		typed_put(g, skep_call(BPF_FUNC_get_prandom_u32));
		typed_called(g);
		return;
	}
	typed_hold(g, dst, HOLDS_NUMBER, 0);
}

/* --- Conditions ------------------------------------------------------------------------------ */

static int condition_op(struct typed_gen *g)
{
	static const int ops[] = {SKEP_JEQ, SKEP_JNE,  SKEP_JSET, SKEP_JGT,  SKEP_JGE, SKEP_JLT,
				  SKEP_JLE, SKEP_JSGT, SKEP_JSGE, SKEP_JSLT, SKEP_JSLE};

	return ops[typed_below(g, N_OF(ops))];
}

void typed_condition(struct typed_gen *g, struct way_out *out)
{
	int reg = typed_a_number(g), other = typed_find(g, HOLDS_NUMBER);
	int class = typed_below(g, 2) ? SKEP_JMP : SKEP_JMP32;

	/* A register compared with itself: one side is never come to, and what a verifier says of
	 * it then may be anything. */
	if (typed_below(g, 3) || other == reg)
		typed_jump(g, out,
			   skep_insn_raw(class | condition_op(g) | SKEP_K, reg, 0, 0,
					 typed_number(g)));
	else
		typed_jump(g, out,
			   skep_insn_raw(class | condition_op(g) | SKEP_X, reg, other, 0, 0));
}

/* --- Bounds ------------------------------------------------------------------------------------
 * Each way leaves a register in [0, max], if need be by a jump out. It returns which.
 */

typedef int way(struct typed_gen *g, int reg, uint32_t max, struct way_out *out);

static bool is_mask(uint32_t max)
{
	return !(max & (max + 1));
}

static int scratch(struct typed_gen *g, int but)
{
	int reg = typed_target(g, false, but);

	typed_hold(g, reg, HOLDS_NUMBER, 0);
	return reg;
}

static void copy(struct typed_gen *g, int dst, int src)
{
	typed_put(g, skep_alu64_reg(SKEP_MOV, dst, src));
}

static int by_mask(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	uint32_t mask = max;

	while (!is_mask(mask))
		mask--;
	typed_put(g, skep_insn_raw((typed_below(g, 2) ? SKEP_ALU64 : SKEP_ALU) | SKEP_AND, reg, 0,
				   0, (int32_t)(typed_below(g, 3) ? max : mask)));
	return reg;
}

static int by_unsigned(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	if (typed_below(g, 2))
		typed_jump(g, out, skep_jmp_imm(SKEP_JGT, reg, (int32_t)max, 0));
	else
		typed_jump(g, out, skep_jmp_imm(SKEP_JGE, reg, (int32_t)max + 1, 0));
	return reg;
}

static int by_32_bits(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	bool first = typed_below(g, 2);

	if (first)
		typed_put(g, skep_alu32_reg(SKEP_MOV, reg, reg));
	typed_jump(g, out, skep_insn_raw(SKEP_JMP32 | SKEP_JGT | SKEP_K, reg, 0, 0, (int32_t)max));
	if (!first)
		typed_put(g, skep_alu32_reg(SKEP_MOV, reg, reg));
	return reg;
}

static int by_sign(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	bool first = typed_below(g, 2);

	if (first)
		typed_jump(g, out, skep_jmp_imm(SKEP_JSLT, reg, 0, 0));
	typed_jump(g, out, skep_jmp_imm(SKEP_JSGT, reg, (int32_t)max, 0));
	if (!first)
		typed_jump(g, out, skep_jmp_imm(SKEP_JSLE, reg, -1, 0));
	return reg;
}

/* Signed, of a byte or half that was extended. */
static int by_small_sign(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int class = typed_below(g, 2) ? SKEP_ALU64 : SKEP_ALU;

	typed_put(g, skep_insn_raw(class | SKEP_MOV | SKEP_X, reg, reg, 8 << typed_below(g, 2), 0));
	if (class == SKEP_ALU64)
		return by_sign(g, reg, max, out);
	typed_jump(g, out, skep_insn_raw(SKEP_JMP32 | SKEP_JSLT, reg, 0, 0, 0));
	typed_jump(g, out, skep_insn_raw(SKEP_JMP32 | SKEP_JSGT, reg, 0, 0, (int32_t)max));
	return reg;
}

/* Of one of two that are the same number. */
static int by_copy(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int other = scratch(g, reg);

	copy(g, other, reg);
	by_unsigned(g, other, max, out);
	return typed_below(g, 3) ? reg : other;
}

/* Of one that is the other and a constant. */
static int by_distance(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int other = scratch(g, reg);
	int32_t more = 1 + (int32_t)typed_below(g, 64);
	int32_t by = typed_below(g, 2) ? more : -more;

	if (typed_below(g, 2))
		typed_put(g, skep_alu64_imm(SKEP_AND, reg, 0xff));
	else
		typed_put(g, skep_alu32_reg(SKEP_MOV, reg, reg));
	copy(g, other, reg);
	typed_put(g, skep_alu64_imm(SKEP_ADD, other, by));
	typed_jump(g, out, skep_jmp_imm(SKEP_JSGT, other, (int32_t)max + by, 0));
	return reg;
}

static int free_word(struct typed_gen *g)
{
	int word = (int)typed_below(g, TYPED_WORDS);

	for (int i = 0; i < TYPED_WORDS; i++, word = (word + 1) % TYPED_WORDS) {
		enum holds kind = g->now.words[word].kind;
		if (kind == HOLDS_NUMBER || (kind == HOLDS_NOTHING && !g->in_loop))
			return word;
	}
	return -1;
}

/* Of what was spilled before, or is then. */
static int by_spill(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int word = free_word(g), size = typed_below(g, 2) ? SKEP_DW : SKEP_W;
	bool first = typed_below(g, 2);
	int other = scratch(g, reg);

	if (word < 0)
		return by_unsigned(g, reg, max, out);
	if (size == SKEP_W && first)
		typed_put(g, skep_alu32_reg(SKEP_MOV, reg, reg));
	if (!first)
		by_unsigned(g, reg, max, out);
	g->now.words[word] = (struct holding){HOLDS_NUMBER, 0};
	if (size == SKEP_W)
		typed_put(g, skep_st_mem(SKEP_DW, SKEP_R10, -8 * (word + 1), 0));
	typed_put(g, skep_stx_mem(size, SKEP_R10, reg, -8 * (word + 1)));
	if (first)
		by_unsigned(g, reg, max, out);
	typed_put(g, skep_ldx_mem(size, other, SKEP_R10, -8 * (word + 1)));
	return other;
}

/* A part of what was spilled. */
static int by_narrow_fill(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int word = free_word(g);

	if (word < 0)
		return by_mask(g, reg, max, out);
	typed_put(g, skep_stx_mem(SKEP_DW, SKEP_R10, reg, -8 * (word + 1)));
	g->now.words[word] = (struct holding){HOLDS_NUMBER, 0};
	typed_put(g, skep_ldx_mem(typed_below(g, 2) ? SKEP_B : SKEP_H, reg, SKEP_R10,
				  -8 * (word + 1) + (typed_below(g, 3) ? 0 : 4)));
	return by_unsigned(g, reg, max, out);
}

static int by_register(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int limit = scratch(g, reg);

	typed_put(g, skep_alu64_imm(SKEP_MOV, limit, (int32_t)max));
	if (typed_below(g, 2))
		typed_jump(g, out, skep_jmp_reg(SKEP_JGT, reg, limit, 0));
	else
		typed_jump(g, out, skep_jmp_reg(SKEP_JLT, limit, reg, 0));
	return reg;
}

/* The limit is a number of which only its bounds are known. */
static int by_unknown_limit(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int limit = typed_a_number(g);

	if (limit == reg || (limit == SKEP_R9 && g->in_loop))
		return by_register(g, reg, max, out);
	by_mask(g, limit, max, out);
	typed_jump(g, out, skep_jmp_reg(SKEP_JGE, reg, limit, 0));
	return reg;
}

static int by_shift(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int bits = 0;

	while (max >> bits > 1)
		bits++;
	if (typed_below(g, 2))
		typed_put(g, skep_alu64_imm(SKEP_RSH, reg, bits ? 64 - bits : 63));
	else
		typed_put(g, skep_alu32_imm(SKEP_RSH, reg, bits ? 32 - bits : 31));
	return max ? reg : by_unsigned(g, reg, max, out);
}

static int by_bits(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	if (!is_mask(max))
		return by_unsigned(g, reg, max, out);
	typed_jump(g, out, skep_jmp_imm(SKEP_JSET, reg, (int32_t)~max, 0));
	return reg;
}

static int by_equality(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int class = typed_below(g, 3) ? SKEP_JMP : SKEP_JMP32;

	if (class == SKEP_JMP32)
		typed_put(g, skep_alu32_reg(SKEP_MOV, reg, reg));
	typed_jump(g, out,
		   skep_insn_raw(class | SKEP_JNE | SKEP_K, reg, 0, 0,
				 (int32_t)typed_below(g, max + 1)));
	return reg;
}

static int by_multiple(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	static const int32_t factors[] = {2, 3, 4, 8};
	int32_t factor = factors[typed_below(g, 4)];
	uint32_t times = max / (uint32_t)factor;

	by_unsigned(g, reg, times, out);
	typed_put(g, skep_insn_raw((typed_below(g, 2) ? SKEP_ALU64 : SKEP_ALU) | SKEP_MUL, reg, 0,
				   0, factor));
	return reg;
}

/* From max down. */
static int by_difference(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int other = scratch(g, reg), class = typed_below(g, 2) ? SKEP_ALU64 : SKEP_ALU;

	by_unsigned(g, reg, max, out);
	typed_put(g, skep_alu64_imm(SKEP_MOV, other, (int32_t)max));
	typed_put(g, skep_insn_raw(class | SKEP_SUB | SKEP_X, other, reg, 0, 0));
	return other;
}

/* One of two constants, by a condition on something else: paths that meet with different numbers,
 * the shape that marks of precision are for. */
static int by_paths(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	int dst = scratch(g, reg);

	typed_put(g, skep_alu64_imm(SKEP_MOV, dst, (int32_t)typed_below(g, max + 1)));
	typed_put(g,
		  skep_insn_raw(SKEP_JMP | condition_op(g) | SKEP_K, reg, 0, 1, typed_number(g)));
	typed_put(g, skep_alu64_imm(SKEP_MOV, dst, (int32_t)typed_below(g, max + 1)));
	return dst;
}

int typed_bound(struct typed_gen *g, int reg, uint32_t max, struct way_out *out)
{
	static way *const ways[] = {
		by_mask,     by_unsigned, by_32_bits,     by_sign,       by_small_sign,    by_copy,
		by_distance, by_spill,    by_narrow_fill, by_register,   by_unknown_limit, by_shift,
		by_bits,     by_equality, by_multiple,    by_difference, by_paths,         by_paths,
	};

	if (reg == SKEP_R9 && g->in_loop) {
		int other = scratch(g, reg);

		copy(g, other, reg);
		reg = other;
	}
	return ways[typed_below(g, N_OF(ways))](g, reg, max, out);
}
