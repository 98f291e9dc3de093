/* What a typed program holds, and its frame: see programs_typed.h. */
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include "typed.h"

#define N_OF(array) ((uint32_t)(sizeof(array) / sizeof(*(array))))

const struct typed_map_spec typed_maps[TYPED_MAPS] = {
	[TYPED_ARRAY] = {BPF_MAP_TYPE_ARRAY, 4, 48, 4},
	[TYPED_ONE] = {BPF_MAP_TYPE_ARRAY, 4, 40, 1},
	[TYPED_HASH] = {BPF_MAP_TYPE_HASH, 4, 16, 6},
	[TYPED_RINGBUF] = {BPF_MAP_TYPE_RINGBUF, 0, 0, 4096},
};

/* --- Types of functions ---------------------------------------------------------------------- */

#define KIND(kind) ((uint32_t)(kind) << 24)

enum {
	INT = 1,
	U64,
	POINTER,
	PROTO,
	FUNC_STATIC,
	PROTO_NUMBERS,
	FUNC_NUMBERS,
	PROTO_MEMORY,
	FUNC_MEMORY
};

/* static int f(void); int g(u64 a, u64 b); int h(u64 *p, u64 b) */
static const struct {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t header_bytes, types_off, types_bytes, names_off, names_bytes;
	uint32_t integer[4], u64[4], pointer[3], proto[3], func[3];
	uint32_t proto_numbers[7], func_numbers[3], proto_memory[7], func_memory[3];
	char names[19];
} types = {
	.magic = 0xeb9f,
	.version = 1,
	.header_bytes = 24,
	.types_bytes = 37 * 4,
	.names_off = 37 * 4,
	.names_bytes = 19,
	.integer = {1, KIND(1), 4, KIND(1) | 32},
	.u64 = {5, KIND(1), 8, 64},
	.pointer = {0, KIND(2), U64},
	.proto = {0, KIND(13), INT},
	.func = {9, KIND(12), PROTO},
	.proto_numbers = {0, KIND(13) | 2, INT, 11, U64, 13, U64},
	.func_numbers = {15, KIND(12) | 1, PROTO_NUMBERS},
	.proto_memory = {0, KIND(13) | 2, INT, 11, POINTER, 13, U64},
	.func_memory = {17, KIND(12) | 1, PROTO_MEMORY},
	.names = "\0int\0u64\0f\0a\0b\0g\0h",
};

const void *const typed_btf = &types;
const uint32_t typed_btf_bytes = 24 + 37 * 4 + 19;

static const uint32_t callee_types[CALLEES] = {
	[CALLEE_STATIC] = FUNC_STATIC, [CALLEE_NUMBERS] = FUNC_NUMBERS,
	[CALLEE_MEMORY] = FUNC_MEMORY, [CALLEE_LOOP] = FUNC_STATIC,
	[CALLEE_EACH] = FUNC_STATIC,
};

/* --- Chance ---------------------------------------------------------------------------------- */

static uint64_t draw(struct typed_gen *g)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 7;
	g->random ^= g->random << 17;
	return g->random * 0x2545f4914f6cdd1dull;
}

uint32_t typed_below(struct typed_gen *g, uint32_t n)
{
	return (uint32_t)((draw(g) >> 32) % n);
}

int32_t typed_number(struct typed_gen *g)
{
	static const int32_t edges[] = {0,    1,      -1,     2,         7,         8,
					15,   16,     31,     32,        63,        64,
					127,  128,    -128,   255,       256,       0x7fff,
					-2,   0xffff, 0x8000, INT32_MAX, INT32_MIN, INT32_MIN + 1,
					1000, -16};

	switch (typed_below(g, 4)) {
	case 0: return (int32_t)typed_below(g, 64);
	case 1: return (int32_t)(draw(g) >> 32) >> typed_below(g, 32);
	default: return edges[typed_below(g, N_OF(edges))];
	}
}

/* --- Instructions ---------------------------------------------------------------------------- */

void typed_put(struct typed_gen *g, struct skep_insn insn)
{
	if (g->program->n < TYPED_MOST_INSNS)
		g->program->insns[g->program->n++] = insn;
}

void typed_put64(struct typed_gen *g, int dst, int pseudo, uint64_t value)
{
	struct skep_insn both[2];

	skep_ld_imm64(both, dst, pseudo, value);
	typed_put(g, both[0]);
	typed_put(g, both[1]);
}

void typed_map(struct typed_gen *g, int reg, enum typed_map map)
{
	typed_put64(g, reg, SKEP_PSEUDO_MAP_FD, map);
}

/* --- What is held ---------------------------------------------------------------------------- */

void typed_hold(struct typed_gen *g, int reg, enum holds kind, uint32_t room)
{
	g->now.regs[reg] = (struct holding){kind, room};
}

void typed_called(struct typed_gen *g)
{
	for (int reg = SKEP_R1; reg <= SKEP_R5; reg++)
		typed_hold(g, reg, HOLDS_NOTHING, 0);
	typed_hold(g, SKEP_R0, HOLDS_NUMBER, 0);
}

int typed_find(struct typed_gen *g, enum holds kind)
{
	int first = (int)typed_below(g, 10);

	for (int i = 0; i < 10; i++) {
		int reg = (first + i) % 10;

		if (g->now.regs[reg].kind == kind)
			return reg;
	}
	return -1;
}

int typed_a_number(struct typed_gen *g)
{
	int reg = typed_find(g, HOLDS_NUMBER);

	if (reg >= 0)
		return reg;
	reg = typed_target(g, false, -1);
	typed_put(g, skep_alu64_imm(SKEP_MOV, reg, typed_number(g)));
	typed_hold(g, reg, HOLDS_NUMBER, 0);
	return reg;
}

/* In loops, r6 to r9 go on holding what they held at the head, and r9 counts. */
int typed_target(struct typed_gen *g, bool pointer, int but)
{
	for (;;) {
		int reg = (int)typed_below(g, 10);
		enum holds kind = g->now.regs[reg].kind;

		if (reg == but || kind == HOLDS_CTX || g->pinned >> reg & 1 ||
		    (reg == SKEP_R9 && g->in_loop))
			continue;
		if (reg >= SKEP_R6 && g->in_loop && (pointer || kind != HOLDS_NUMBER))
			continue;
		/* memory is worth keeping */
		if ((kind == HOLDS_MEMORY || kind == HOLDS_NULLABLE) && typed_below(g, 6))
			continue;
		return reg;
	}
}

static void merge(struct holding *to, const struct holding *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (to[i].kind != from[i].kind)
			to[i] = (struct holding){HOLDS_NOTHING, 0};
		else if (from[i].room < to[i].room)
			to[i].room = from[i].room;
	}
}

void typed_merge(struct model *into, const struct model *other)
{
	merge(into->regs, other->regs, SKEP_N_REGS);
	merge(into->words, other->words, TYPED_WORDS);
}

/* --- Jumps ----------------------------------------------------------------------------------- */

void typed_jump(struct typed_gen *g, struct way_out *out, struct skep_insn insn)
{
	if (out->n)
		typed_merge(&out->then, &g->now);
	else
		out->then = g->now;
	out->jumps[out->n++] = g->program->n;
	typed_put(g, insn);
}

void typed_land(struct typed_gen *g, struct way_out *out)
{
	if (!out->n)
		return;
	for (uint32_t i = 0; i < out->n; i++)
		if (out->jumps[i] < TYPED_MOST_INSNS)
			g->program->insns[out->jumps[i]].off =
				(int16_t)(g->program->n - out->jumps[i] - 1);
	typed_merge(&g->now, &out->then);
}

static void put_block(struct typed_gen *g)
{
	for (uint32_t n = 1 + typed_below(g, 2); n; n--)
		typed_unit(g);
}

static void put_if(struct typed_gen *g)
{
	struct way_out over = {0}, end = {0};
	struct model then;

	g->depth++;
	typed_condition(g, &over);
	put_block(g);
	if (typed_below(g, 2)) {
		typed_jump(g, &end, skep_ja(0));
		then = over.then;
		typed_land(g, &over);
		g->now = then;
		put_block(g);
		typed_land(g, &end);
	} else {
		typed_land(g, &over);
	}
	g->depth--;
}

/* --- Units ----------------------------------------------------------------------------------- */

typedef void unit(struct typed_gen *);

void typed_unit(struct typed_gen *g)
{
	static unit *const simple[] = {
		typed_arithmetic, typed_arithmetic, typed_unknown, typed_unknown,
		typed_access,     typed_access,     typed_access,  typed_access,
		typed_spill,      typed_fill,       typed_fill,    typed_move_pointer,
		typed_check_null, typed_lookup,     typed_packet,  put_if,
		put_if,
	};
	static unit *const rare[] = {typed_update, typed_helper, typed_helper, typed_ringbuf,
				     typed_dynptr, typed_call,   typed_call,   typed_callback,
				     typed_loop,   typed_loop,   typed_lookup, typed_packet};
	bool is_rare = !typed_below(g, 4) && g->depth < 2;
	unit *chosen =
		is_rare ? rare[typed_below(g, N_OF(rare))] : simple[typed_below(g, N_OF(simple))];

	if (g->program->n > TYPED_MOST_INSNS - 130)
		return;
	if (chosen == put_if && g->depth > 2)
		chosen = typed_access;
	chosen(g);
}

/* --- The program ----------------------------------------------------------------------------- */

static void put_beginning(struct typed_gen *g)
{
	typed_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1));
	typed_hold(g, SKEP_R6, HOLDS_CTX, 0);
	typed_hold(g, SKEP_R1, HOLDS_CTX, 0);
	g->buffer = typed_below(g, 2);
	for (int off = BUFFER_OFF; g->buffer && off < BUFFER_OFF + BUFFER_BYTES; off += 8)
		typed_put(g, skep_st_mem(SKEP_DW, SKEP_R10, off, typed_number(g)));
	if (typed_below(g, 2)) {
		typed_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R9, typed_number(g)));
		typed_hold(g, SKEP_R9, HOLDS_NUMBER, 0);
	}
	if (typed_below(g, 3)) {
		int reg = SKEP_R7 + (int)typed_below(g, 2);

		typed_put64(g, reg, SKEP_PSEUDO_MAP_VALUE, TYPED_ONE);
		typed_hold(g, reg, HOLDS_MEMORY, 40);
	}
}

static void put_end(struct typed_gen *g)
{
	int number = typed_find(g, HOLDS_NUMBER);

	if (number < 0 || typed_below(g, 2))
		typed_put(g, skep_alu64_imm(SKEP_MOV, SKEP_R0, 0));
	else
		typed_put(g, skep_alu64_reg(SKEP_MOV, SKEP_R0, number));
	typed_put(g, skep_exit());
}

static int by_start(const void *a, const void *b)
{
	const struct typed_func *of_a = a, *of_b = b;

	return of_a->start < of_b->start ? -1 : of_a->start > of_b->start;
}

/* Functions stand behind the main program; calls learn where. */
static void put_functions(struct typed_gen *g)
{
	struct typed_program *p = g->program;

	p->funcs[p->n_funcs++] = (struct typed_func){0, FUNC_STATIC};
	for (enum typed_callee callee = 0; callee < CALLEES; callee++) {
		uint32_t start = p->n;
		bool called = false;

		for (uint32_t i = 0; i < g->n_calls; i++)
			if (g->calls[i].callee == callee) {
				p->insns[g->calls[i].at].imm =
					(int32_t)(start - g->calls[i].at - 1);
				called = true;
			}
		if (!called)
			continue;
		p->funcs[p->n_funcs++] = (struct typed_func){start, callee_types[callee]};
		typed_function(g, callee);
	}
	qsort(p->funcs, p->n_funcs, sizeof(*p->funcs), by_start);
}

void typed_generate(uint64_t seed, const struct typed_kfuncs *kfuncs, struct typed_program *ret)
{
	struct typed_gen g = {
		.program = ret, .kfuncs = kfuncs, .random = (seed + 1) * 0x9e3779b97f4a7c15ull};
	uint32_t n;

	ret->seed = seed;
	ret->n = ret->n_funcs = 0;
	for (int i = 0; i < 3; i++)
		draw(&g);
	ret->type = typed_below(&g, 3) ? BPF_PROG_TYPE_SCHED_CLS : BPF_PROG_TYPE_XDP;
	put_beginning(&g);
	for (n = 3 + typed_below(&g, 7); n; n--)
		typed_unit(&g);
	put_end(&g);
	put_functions(&g);
}

void typed_print(const struct typed_program *program, struct skep_buf *out)
{
	skep_buf_printf(out, "seed %llu, %s:\n", (unsigned long long)program->seed,
			program->type == BPF_PROG_TYPE_XDP ? "xdp" : "sched_cls");
	skep_disasm(program->insns, program->n, NULL, out);
}
