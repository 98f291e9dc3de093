/* Cases out of seeds: the frame around the units. */
#include <string.h>

#include "units.h"

/* --- Chance ----------------------------------------------------------------------------------- */

static uint64_t draw(struct gen *g)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 7;
	g->random ^= g->random << 17;
	return g->random * 0x2545f4914f6cdd1dull;
}

uint32_t gen_below(struct gen *g, uint32_t n)
{
	return (uint32_t)((draw(g) >> 32) % n);
}

int32_t gen_number(struct gen *g)
{
	static const int32_t edges[] = {
		0,       1,       -1,   2,         3,         5,         7,      8,
		15,      16,      31,   32,        33,        63,        64,     127,
		128,     -128,    -129, 255,       256,       0x7fff,    0x8000, 0xffff,
		0x10000, -0x8000, 1000, 0x1000193, INT32_MAX, INT32_MIN, -2};
	uint32_t which = gen_below(g, 64);

	if (which < sizeof(edges) / sizeof(*edges))
		return edges[which];
	return (int32_t)(draw(g) >> 32) >> gen_below(g, 32);
}

/* Few registers, so that neighbours often share one. */
static int number_register(struct gen *g, bool written)
{
	static const int some[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 6};
	uint32_t n = g->in_function ? 10 : 9;

	if (gen_below(g, 2))
		return some[gen_below(g, 3)];
	for (;;) {
		int reg = some[gen_below(g, n)];
		if (!written || !g->in_loop || reg != SKEP_R9)
			return reg;
	}
}

int gen_src(struct gen *g)
{
	return number_register(g, false);
}

int gen_dst(struct gen *g)
{
	return number_register(g, true);
}

/* --- Instructions ---------------------------------------------------------------------------- */

void gen_put(struct gen *g, struct skep_insn insn)
{
	if (g->lab->n < MOST_INSNS)
		g->lab->insns[g->lab->n++] = insn;
}

void gen_put64(struct gen *g, int dst, int pseudo, uint64_t value)
{
	struct skep_insn both[2];

	skep_ld_imm64(both, dst, pseudo, value);
	gen_put(g, both[0]);
	gen_put(g, both[1]);
}

uint32_t gen_jump(struct gen *g, struct skep_insn insn)
{
	gen_put(g, insn);
	return g->lab->n - 1;
}

void gen_land(struct gen *g, uint32_t slot)
{
	g->lab->insns[slot].off = (int16_t)(g->lab->n - slot - 1);
}

static void set_number(struct gen *g, int reg)
{
	switch (gen_below(g, 4)) {
	case 0: gen_put64(g, reg, 0, draw(g) >> gen_below(g, 64)); break;
	case 1: gen_put(g, skep_alu32_imm(SKEP_MOV, reg, gen_number(g))); break;
	default: gen_put(g, skep_alu64_imm(SKEP_MOV, reg, gen_number(g))); break;
	}
}

void gen_reset(struct gen *g, bool with_r0)
{
	static const int kept[] = {SKEP_R7, SKEP_R8, SKEP_R9};

	for (int reg = with_r0 ? 0 : 1; reg <= 5; reg++)
		switch (gen_below(g, 3)) {
		case 0:
			gen_put(g, skep_ldx_mem(SKEP_DW, reg, SKEP_R10,
						-8 * (1 + (int)gen_below(g, STACK_WORDS))));
			break;
		case 1: gen_put(g, skep_alu64_reg(SKEP_MOV, reg, kept[gen_below(g, 3)])); break;
		default: gen_put(g, skep_alu64_imm(SKEP_MOV, reg, gen_number(g))); break;
		}
}

void gen_stack(struct gen *g)
{
	for (int off = -8; off >= -8 * STACK_WORDS; off -= 8)
		if (gen_below(g, 2))
			gen_put(g, skep_st_mem(SKEP_DW, SKEP_R10, off, gen_number(g)));
		else
			gen_put(g, skep_stx_mem(SKEP_DW, SKEP_R10, gen_src(g), off));
	for (int off = BUFFER_OFF; off < BUFFER_OFF + BUFFER_BYTES; off += 8)
		gen_put(g, skep_stx_mem(SKEP_DW, SKEP_R10, gen_src(g), off));
}

/* --- The program ----------------------------------------------------------------------------- */

void gen_sum(struct gen *g)
{
	for (int reg = 1; reg <= 9; reg++) {
		if (reg == SKEP_R6 && !g->in_function)
			continue;
		gen_put(g, skep_alu64_imm(SKEP_MUL, SKEP_R0, 31));
		gen_put(g, skep_alu64_reg(SKEP_ADD, SKEP_R0, reg));
	}
	for (int off = -8 * STACK_WORDS; off < 0; off += 8) {
		gen_put(g, skep_ldx_mem(SKEP_DW, SKEP_R1, SKEP_R10, off));
		gen_put(g, skep_alu64_imm(SKEP_MUL, SKEP_R0, 37));
		gen_put(g, skep_alu64_reg(SKEP_XOR, SKEP_R0, SKEP_R1));
	}
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R1, SKEP_R0));
	gen_put(g, skep_alu64_imm(SKEP_RSH, SKEP_R1, 32));
	gen_put(g, skep_alu64_reg(SKEP_XOR, SKEP_R0, SKEP_R1));
	gen_put(g, skep_exit());
}

static void put_main(struct gen *g)
{
	uint32_t n = 1 + gen_below(g, g->size->most_units);

	/* The context's address is in r6 alone: shrinking leaves these two as they are. */
	gen_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1));
	gen_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R1, 0));
	for (int reg = 0; reg <= 9; reg++)
		if (reg != SKEP_R6)
			set_number(g, reg);
	gen_stack(g);
	while (n--)
		gen_unit(g);
	gen_sum(g);
}

/* The functions that are called, behind the main program; and where they are, to the calls. */
static void put_functions(struct gen *g)
{
	for (uint32_t func = 0; func < N_FUNCS; func++) {
		uint32_t start = g->lab->n;
		bool called = false;

		for (uint32_t i = 0; i < g->n_calls; i++) {
			struct skep_insn *insn = &g->lab->insns[g->calls[i].at];

			if (g->calls[i].func != func)
				continue;
			insn->imm = (int32_t)(start - g->calls[i].at - 1);
			called = true;
		}
		if (called)
			gen_function(g, func);
	}
}

static void put_ip_header(struct gen *g)
{
	uint8_t *at = g->lab->packet;

	at[12] = 0x08;
	at[13] = 0x00;
	at[14] = 0x45;
	at[23] = gen_below(g, 2) ? 17 : 6;
}

static void make_input(struct gen *g)
{
	struct lab_case *lab = g->lab;

	lab->packet_bytes = 14 + gen_below(g, PACKET_BYTES - 14);
	for (uint32_t i = 0; i < lab->packet_bytes; i++)
		lab->packet[i] = (uint8_t)gen_below(g, 256);
	/* no type that would need a header behind it, unless there is one */
	lab->packet[12] = 0x88;
	lab->packet[13] = 0xb5;
	if (lab->packet_bytes >= 34 && gen_below(g, 2))
		put_ip_header(g);
	lab->skb.mark = (uint32_t)gen_number(g);
	lab->skb.priority = (uint32_t)gen_number(g);
	for (int i = 0; i < 5; i++)
		lab->skb.cb[i] = (uint32_t)gen_number(g);
}

void lab_generate(uint64_t seed, const struct lab_size *size, struct lab_case *ret)
{
	struct gen g = {.lab = ret, .size = size, .random = (seed + 1) * 0x9e3779b97f4a7c15ull};

	memset(ret, 0, sizeof(*ret));
	ret->seed = seed;
	ret->is_xdp = gen_below(&g, 3) == 0;
	make_input(&g);
	put_main(&g);
	put_functions(&g);
}

void lab_print(const struct lab_case *lab, struct skep_buf *out)
{
	skep_buf_printf(out, "seed %llu, %s, %u bytes of packet:\n", (unsigned long long)lab->seed,
			lab->is_xdp ? "xdp" : "sched_cls", lab->packet_bytes);
	for (uint32_t i = 0; i < lab->packet_bytes; i++)
		skep_buf_printf(out, "%02x%s", lab->packet[i], i % 32 == 31 ? "\n" : " ");
	skep_buf_puts(out, "\n");
	skep_disasm(lab->insns, lab->n, NULL, out);
}
