/*
 * Random functions against the kernel.
 *
 * Each is built from a seed, run by the reference interpreter (interp.c) as
 * built, emitted, loaded and run by the kernel on the same inputs: results and
 * map contents must be equal, and the kernel must accept every one.
 *
 *	SKEP_IR_RANDOM=10000 SKEP_IR_SEED=1 test_ir_random
 *
 * A few random programs have more paths than the kernel is willing to walk
 * (E2BIG, after a million instructions): those are counted, and must be few.
 *
 * Run more than the default, or other seeds, in a TEST KERNEL only. Random
 * programs are a fuzzer of the kernel's verifier as well: Linux 6.18 oopsed in
 * __mark_chain_precision() on one in some 50,000 (seed 314575, with
 * SKEP_IR_CALLBACKS). That program had a callback of bpf_loop; callbacks are
 * therefore left out unless SKEP_IR_CALLBACKS is set. A message "verifier bug"
 * ends the test as a failure: the kernel is not to be trusted from there on.
 *
 * A failure prints the seed; SKEP_IR_RANDOM=1 with it repeats just that one,
 * and SKEP_SHOW=1 shows the IR and the code.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interp.h"

#define N_RUNS      4
#define N_VARS      4
#define MAX_VALUES  400
#define OUT_BYTES   512
#define N_ENTRIES   4
#define VALUE_BYTES 64

struct gen {
	struct module *m;
	struct skep_ir_func *f;
	uint64_t random;
	uint32_t out_map, array_map;
	uint32_t values[MAX_VALUES], n_values; /* set on every path to here */
	uint32_t vars[N_VARS];
	uint32_t slots[32], slot_bytes[32], n_slots;
	struct skep_ir_func *callees[3];
	uint32_t n_callees;
	struct skep_ir_func *callback;
	int depth, n_loops;
	int budget; /* statements left */
};

static uint32_t next(struct gen *g)
{
	g->random = g->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(g->random >> 33);
}

static uint32_t below(struct gen *g, uint32_t n)
{
	return next(g) % n;
}

static int64_t some_constant(struct gen *g)
{
	static const int64_t corners[] = {0,
					  1,
					  2,
					  3,
					  7,
					  8,
					  31,
					  32,
					  63,
					  64,
					  255,
					  256,
					  65535,
					  -1,
					  -2,
					  -8,
					  INT32_MAX,
					  INT32_MIN,
					  UINT32_MAX,
					  1ll << 32,
					  INT64_MAX,
					  INT64_MIN,
					  0x80000000ll,
					  0xfffffff0ll,
					  0x123456789abcdefll,
					  -0x123456789ll,
					  0xff00ff00ff00ll};

	if (below(g, 3) == 0)
		return (int64_t)((uint64_t)next(g) << 32 | next(g)) >> below(g, 63);
	return corners[below(g, sizeof(corners) / sizeof(*corners))];
}

static struct skep_opnd any(struct gen *g)
{
	uint32_t pick = below(g, 8);

	if (pick == 0)
		return I(some_constant(g));
	if (pick <= 2)
		return R(g->vars[below(g, N_VARS)]);
	/* Recent ones more often. */
	if (pick <= 5 && g->n_values > 6)
		return R(g->values[g->n_values - 1 - below(g, 6)]);
	return R(g->values[below(g, g->n_values)]);
}

static void keep(struct gen *g, uint32_t reg)
{
	if (g->n_values < MAX_VALUES)
		g->values[g->n_values++] = reg;
}

static uint32_t some_size(struct gen *g)
{
	return 1u << below(g, 4);
}

/* --- Statements ---------------------------------------------------------------------- */

static void gen_statements(struct gen *g, int n);

static void gen_value(struct gen *g)
{
	struct skep_ir_func *f = g->f;

	switch (below(g, 8)) {
	case 0: keep(g, skep_ir_neg(f, any(g))); break;
	case 1: keep(g, skep_ir_cmp(f, below(g, SKEP_IR_TEST + 1), any(g), any(g))); break;
	case 2: keep(g, skep_ir_extend(f, any(g), 1u << below(g, 3), below(g, 2))); break;
	case 3: keep(g, skep_ir_bswap(f, any(g), 2u << below(g, 3))); break;
	case 4: keep(g, skep_ir_mov(f, any(g))); break;
	default:
		keep(g, skep_ir_alu(f, below(g, SKEP_IR_SAR + 1), any(g),
				    below(g, 2) ? any(g) : I(some_constant(g))));
	}
}

static void gen_set(struct gen *g)
{
	struct skep_opnd value = any(g);

	if (below(g, 2))
		value = R(skep_ir_alu(g->f, below(g, SKEP_IR_SAR + 1), value, any(g)));
	skep_ir_set(g->f, g->vars[below(g, N_VARS)], value);
}

static void gen_slot(struct gen *g)
{
	static const uint32_t sizes[] = {1, 2, 4, 8, 12, 16, 24, 40, 64, 128, 200, 256, 600, 1000};
	uint32_t bytes = sizes[below(g, sizeof(sizes) / sizeof(*sizes))];

	if (g->n_slots == 32)
		return;
	g->slot_bytes[g->n_slots] = bytes;
	g->slots[g->n_slots] = skep_ir_slot(g->f, bytes, 8);
	skep_ir_zero(g->f, S(g->slots[g->n_slots], 0), 0, bytes, 8);
	g->n_slots++;
}

/* An address in a slot with room for @size, aligned to it; sometimes at a variable offset. */
static struct skep_opnd some_address(struct gen *g, uint32_t size, int32_t *off, bool atomic)
{
	uint32_t i = below(g, g->n_slots), room = g->slot_bytes[i];
	uint32_t base;

	if (room < size)
		i = 0, room = g->slot_bytes[0];
	*off = (int32_t)(below(g, room / size) * size);
	switch (below(g, 4)) {
	case 0: return R(skep_ir_addr(g->f, S(g->slots[i], 0), 0));
	case 1:
		if (room < 64 || atomic) /* the kernel wants atomics at known places */
			break;
		*off = 0;
		base = skep_ir_alu(g->f, SKEP_IR_AND, any(g), I(56));
		return R(skep_ir_alu(g->f, SKEP_IR_ADD, R(skep_ir_addr(g->f, S(g->slots[i], 0), 0)),
				     R(base)));
	case 2:
		base = (uint32_t)*off;
		*off = 0;
		return S(g->slots[i], base);
	}
	return S(g->slots[i], 0);
}

static void gen_memory(struct gen *g)
{
	uint32_t size = some_size(g), wide = size < 4 ? 8 : size;
	struct skep_opnd at, to;
	int32_t off, to_off;

	switch (below(g, 6)) {
	case 0:
	case 1:
		at = some_address(g, size, &off, false);
		skep_ir_store(g->f, size, at, off, any(g));
		break;
	case 2:
		at = some_address(g, wide, &off, true);
		skep_ir_atomic_add(g->f, wide, at, off, any(g));
		break;
	case 3:
		at = some_address(g, wide, &off, true);
		keep(g, skep_ir_xchg(g->f, wide, at, off, any(g)));
		break;
	case 4:
		at = some_address(g, 8, &off, false);
		to = some_address(g, 8, &to_off, false);
		skep_ir_copy(g->f, to, to_off, at, off, 8, 1u << below(g, 4));
		break;
	default:
		at = some_address(g, size, &off, false);
		keep(g, skep_ir_load(g->f, size, at, off));
	}
}

static void gen_if(struct gen *g)
{
	uint32_t n_values = g->n_values, n_slots = g->n_slots, mark = skep_ir_slot_mark(g->f);
	uint32_t a = skep_ir_block(g->f), b = skep_ir_block(g->f), join = skep_ir_block(g->f);
	uint32_t has_else = below(g, 2);
	struct skep_opnd x = any(g), y = any(g);

	if (below(g, 2)) {
		x = R(skep_ir_cmp(g->f, below(g, SKEP_IR_TEST + 1), x, y));
		skep_ir_branch(g->f, below(g, 2) ? SKEP_IR_NE : SKEP_IR_EQ, x, I(0), a,
			       has_else ? b : join);
	} else {
		skep_ir_branch(g->f, below(g, SKEP_IR_TEST + 1), x, y, a, has_else ? b : join);
	}
	for (uint32_t i = 0; i <= has_else; i++) {
		skep_ir_at(g->f, i ? b : a);
		gen_statements(g, 1 + (int)below(g, 4));
		skep_ir_slot_release(g->f, mark);
		g->n_values = n_values;
		g->n_slots = n_slots;
		if (below(g, 12) == 0)
			skep_ir_exit(g->f, g->f == g->callback ? I(1) : any(g));
		else
			skep_ir_jump(g->f, join);
	}
	skep_ir_at(g->f, join);
}

/* a && b through a variable, as front ends write it. */
static void gen_and(struct gen *g)
{
	struct skep_ir_func *f = g->f;
	uint32_t both = skep_ir_var(f), second = skep_ir_block(f), no = skep_ir_block(f);
	uint32_t join = skep_ir_block(f), then_block = skep_ir_block(f), end = skep_ir_block(f);

	skep_ir_branch(f, below(g, SKEP_IR_TEST + 1), any(g), any(g), second, no);
	skep_ir_at(f, second);
	skep_ir_set(f, both, R(skep_ir_cmp(f, below(g, SKEP_IR_TEST + 1), any(g), any(g))));
	skep_ir_jump(f, join);
	skep_ir_at(f, no);
	skep_ir_set(f, both, I(0));
	skep_ir_jump(f, join);
	skep_ir_at(f, join);
	if (below(g, 2))
		keep(g, both);
	skep_ir_branch(f, SKEP_IR_NE, R(both), I(0), then_block, end);
	skep_ir_at(f, then_block);
	gen_set(g);
	skep_ir_jump(f, end);
	skep_ir_at(f, end);
}

static void gen_loop(struct gen *g)
{
	struct skep_ir_func *f = g->f;
	uint32_t n_values = g->n_values, n_slots = g->n_slots, mark = skep_ir_slot_mark(f);
	uint32_t i = skep_ir_var(f), head = skep_ir_block(f), body = skep_ir_block(f);
	uint32_t out = skep_ir_block(f), times = 1 + below(g, g->m->ir->target.may_goto ? 5 : 3);

	skep_ir_set(f, i, I(0));
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	skep_ir_loop_guard(f, out);
	skep_ir_branch(f, SKEP_IR_ULT, R(i), I(times), body, out);
	skep_ir_at(f, body);
	keep(g, skep_ir_mov(f, R(i)));
	g->n_loops++;
	gen_statements(g, 1 + (int)below(g, 4));
	g->n_loops--;
	skep_ir_set(f, i, R(skep_ir_alu(f, SKEP_IR_ADD, R(i), I(1))));
	skep_ir_jump(f, head);
	skep_ir_slot_release(f, mark);
	g->n_values = n_values;
	g->n_slots = n_slots;
	skep_ir_at(f, out);
}

static void gen_lookup(struct gen *g)
{
	struct skep_ir_func *f = g->f;
	uint32_t mark = skep_ir_slot_mark(f), key = skep_ir_slot(f, 4, 4);
	uint32_t miss = skep_ir_block(f), value, loaded;
	int32_t off = (int32_t)below(g, VALUE_BYTES / 8) * 8;

	skep_ir_store(f, 4, S(key, 0), 0, R(skep_ir_alu(f, SKEP_IR_AND, any(g), I(7))));
	value = skep_ir_calln(f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(f, g->array_map)),
			      S(key, 0));
	skep_ir_branch_cold(f, SKEP_IR_EQ, R(value), I(0), miss);
	loaded = skep_ir_load(f, 8, R(value), off);
	skep_ir_store(f, 4, R(value), (off + 8) % VALUE_BYTES, any(g));
	skep_ir_atomic_add(f, 8, R(skep_ir_addr(f, R(value), 8)), off ? off - 8 : 0, R(loaded));
	skep_ir_set(f, g->vars[below(g, N_VARS)], R(loaded));
	skep_ir_jump(f, miss);
	skep_ir_slot_release(f, mark);
	skep_ir_at(f, miss);
}

static void gen_call(struct gen *g)
{
	struct skep_ir_func *f = g->f;
	uint32_t x;

	switch (below(g, 4)) {
	case 0:
		x = skep_ir_call(f, BPF_FUNC_ktime_get_ns, 0, NULL);
		keep(g, skep_ir_alu(f, SKEP_IR_SHR, R(x), I(63)));
		break;
	case 1:
		x = skep_ir_call(f, BPF_FUNC_get_smp_processor_id, 0, NULL);
		keep(g, skep_ir_alu(f, SKEP_IR_SHR, R(x), I(20)));
		break;
	case 2: skep_ir_call(f, BPF_FUNC_ktime_get_ns, 0, NULL); break;
	default:
		if (g->n_callees) {
			struct skep_ir_func *callee = g->callees[below(g, g->n_callees)];
			struct skep_opnd args[5];

			for (uint32_t i = 0; i < callee->n_params; i++)
				args[i] = any(g);
			keep(g, skep_ir_call_func(f, callee, callee->n_params, args));
		}
	}
}

static void gen_bpf_loop(struct gen *g)
{
	struct skep_ir_func *f = g->f;
	uint32_t ctx = skep_ir_slot(f, 16, 8);

	skep_ir_store(f, 8, S(ctx, 0), 0, any(g));
	skep_ir_store(f, 8, S(ctx, 0), 8, any(g));
	skep_ir_calln(f, BPF_FUNC_loop, I(1 + below(g, 4)), R(skep_ir_func_addr(f, g->callback)),
		      S(ctx, 0), I(0));
	keep(g, skep_ir_load(f, 8, S(ctx, 0), 0));
}

static void gen_map_value(struct gen *g)
{
	uint32_t at = skep_ir_map_value(g->f, g->out_map, below(g, 8) * 8);
	uint32_t size = some_size(g);

	if (below(g, 2))
		skep_ir_store(g->f, size, R(at), (int32_t)(below(g, 8) * size), any(g));
	else
		keep(g, skep_ir_load(g->f, size, R(at), (int32_t)(below(g, 8) * size)));
}

static void gen_statement(struct gen *g)
{
	bool nest = g->depth < (g->n_loops ? 3 : 4) && g->budget > 0;

	g->depth++;
	g->budget--;
	switch (below(g, 24)) {
	case 0: gen_slot(g); break;
	case 1:
	case 2:
	case 3:
	case 4: gen_memory(g); break;
	case 5:
	case 6: gen_call(g); break;
	case 7: gen_lookup(g); break;
	case 8: gen_map_value(g); break;
	case 9:
	case 10:
		if (nest)
			gen_if(g);
		break;
	case 11:
		/* Without may_goto the kernel walks through every iteration: keep that short. */
		if (nest && g->n_loops < (g->m->ir->target.may_goto ? 2 : 1))
			gen_loop(g);
		break;
	case 12: gen_and(g); break;
	case 13:
		if (g->callback && g->callback != g->f && g->n_loops == 0)
			gen_bpf_loop(g);
		break;
	case 14:
	case 15:
	case 16: gen_set(g); break;
	default: gen_value(g);
	}
	g->depth--;
}

static void gen_statements(struct gen *g, int n)
{
	while (n--)
		gen_statement(g);
}

/* --- Functions ----------------------------------------------------------------------- */

static void begin(struct gen *g, struct skep_ir_func *f)
{
	g->f = f;
	g->n_values = g->n_slots = 0;
	g->depth = g->n_loops = 0;
}

static void gen_vars(struct gen *g)
{
	for (uint32_t i = 0; i < N_VARS; i++) {
		g->vars[i] = skep_ir_var(g->f);
		skep_ir_set(g->f, g->vars[i], R(g->values[below(g, g->n_values)]));
	}
	g->slot_bytes[0] = 64;
	g->slots[0] = skep_ir_slot(g->f, 64, 8);
	skep_ir_zero(g->f, S(g->slots[0], 0), 0, 64, 8);
	g->n_slots = 1;
}

static struct skep_opnd checksum(struct gen *g)
{
	uint32_t sum = g->vars[0];

	for (uint32_t i = 1; i < N_VARS; i++)
		sum = skep_ir_alu(g->f, SKEP_IR_XOR, R(sum), R(g->vars[i]));
	for (uint32_t i = 0; i < g->n_values; i++)
		sum = skep_ir_alu(g->f, i % 2 ? SKEP_IR_ADD : SKEP_IR_XOR, R(sum), R(g->values[i]));
	return R(sum);
}

static void gen_callee(struct gen *g)
{
	struct skep_ir_func *f = skep_ir_subprog(g->m->f, "callee", 1 + below(g, 5));

	begin(g, f);
	for (uint32_t i = 0; i < f->n_params; i++)
		keep(g, skep_ir_param(f, i));
	gen_vars(g);
	g->budget = 10;
	gen_statements(g, 2 + (int)below(g, 6));
	skep_ir_exit(f, checksum(g));
	g->callees[g->n_callees++] = f;
}

/* A callback over a context of two words. */
static void gen_callback(struct gen *g)
{
	struct skep_ir_func *f = skep_ir_subprog(g->m->f, "call.back", 2);
	uint32_t ctx = skep_ir_param(f, 1);

	begin(g, f);
	g->callback = f;
	keep(g, skep_ir_param(f, 0));
	keep(g, skep_ir_load(f, 8, R(ctx), 0));
	keep(g, skep_ir_load(f, 8, R(ctx), 8));
	gen_vars(g);
	g->budget = 5;
	gen_statements(g, 1 + (int)below(g, 4));
	skep_ir_store(f, 8, R(ctx), 0, checksum(g));
	skep_ir_exit(f, R(skep_ir_cmp(f, SKEP_IR_SLT, any(g), I(-100))));
}

static void gen_program(struct gen *g)
{
	struct skep_ir_func *f = g->m->f;
	uint32_t n_live = below(g, 3) ? below(g, 6) : below(g, 60);

	for (uint32_t n = below(g, 3) ? 0 : 1 + below(g, 2); n; n--)
		gen_callee(g);
	if (below(g, 4) == 0 && getenv("SKEP_IR_CALLBACKS"))
		gen_callback(g);
	begin(g, f);
	for (uint32_t i = 0; i < N_INPUTS; i++)
		keep(g, skep_ir_load(f, 8, R(skep_ir_param(f, 0)), (int32_t)(8 * i)));
	gen_vars(g);
	for (uint32_t i = 0; i < n_live; i++)
		gen_value(g);
	g->budget = 60;
	gen_statements(g, 10 + (int)below(g, 30));
	for (uint32_t i = 0; i < g->n_values && i < OUT_BYTES / 8; i++)
		skep_ir_store(f, 8, R(skep_ir_map_value(f, g->out_map, i * 8)), 0,
			      R(g->values[g->n_values - 1 - i]));
	skep_ir_exit(f, checksum(g));
}

/* --- Comparison ---------------------------------------------------------------------- */

struct figures {
	uint64_t n_insns, n_steps;
	uint32_t n_scratch, n_spilling, n_subprogs, n_too_complex;
};

struct expected {
	uint32_t result[N_RUNS];
	uint8_t out[OUT_BYTES], array[N_ENTRIES * VALUE_BYTES];
};

static void make_inputs(struct gen *g, uint64_t inputs[N_RUNS][N_INPUTS])
{
	for (int run = 0; run < N_RUNS; run++)
		for (int i = 0; i < N_INPUTS; i++)
			inputs[run][i] = (uint64_t)some_constant(g);
}

static uint64_t expect(struct gen *g, uint64_t inputs[N_RUNS][N_INPUTS], struct expected *e)
{
	struct interp in = {.maps = {e->out, e->array},
			    .value_size = {OUT_BYTES, VALUE_BYTES},
			    .n_entries = {1, N_ENTRIES}};

	for (int run = 0; run < N_RUNS; run++) {
		const uint64_t args[] = {(uint64_t)(uintptr_t)inputs[run]};

		e->result[run] = (uint32_t)interp_run(&in, g->m->f, args);
	}
	return in.n_steps;
}

static void compare(struct module *m, uint64_t inputs[N_RUNS][N_INPUTS], const struct expected *e)
{
	uint8_t out[OUT_BYTES], value[VALUE_BYTES];

	for (int run = 0; run < N_RUNS; run++)
		assert_int_equal(module_run(m, inputs[run]), e->result[run]);
	assert_int_equal(map_lookup(m->map_fds[0], &(uint32_t){0}, out), 0);
	assert_memory_equal(out, e->out, OUT_BYTES);
	for (uint32_t i = 0; i < N_ENTRIES; i++) {
		assert_int_equal(map_lookup(m->map_fds[1], &i, value), 0);
		assert_memory_equal(value, e->array + i * VALUE_BYTES, VALUE_BYTES);
	}
}

static void count(struct figures *fig, const struct module *m)
{
	bool spills = false;

	for (const struct skep_ir_func *f = m->ir->first; f; f = f->next)
		for (uint32_t i = 0; i < f->n_slots; i++)
			spills |= f->slots[i].is_spill;
	fig->n_insns += m->object.progs[0].n_insns;
	fig->n_spilling += spills;
	fig->n_scratch += m->object.n_maps > 2;
	fig->n_subprogs += m->object.progs[0].n_funcs > 1;
}

static void show(const struct module *m)
{
	struct skep_buf text = {0};

	skep_ir_print(m->ir, &text);
	fprintf(stderr, "%s\n", text.data);
	skep_buf_done(&text);
}

static void one(uint64_t seed, struct figures *fig)
{
	struct expected e = {0};
	uint64_t inputs[N_RUNS][N_INPUTS];
	struct module m;
	struct gen g = {.m = &m, .random = seed * 2654435761u + 99};

	next(&g);
	module_init(&m, seed % 2 ? &newest : &oldest);
	g.out_map = module_add_map(&m, BPF_MAP_TYPE_ARRAY, 4, OUT_BYTES, 1);
	g.array_map = module_add_map(&m, BPF_MAP_TYPE_ARRAY, 4, VALUE_BYTES, N_ENTRIES);
	gen_program(&g);
	make_inputs(&g, inputs);
	if (getenv("SKEP_SHOW"))
		show(&m);
	fig->n_steps += expect(&g, inputs, &e);
	if (!module_make_unless_complex(&m)) {
		fig->n_too_complex++;
		module_done(&m);
		return;
	}
	if (getenv("SKEP_SHOW")) {
		char *code = module_code(&m);

		show(&m);
		fprintf(stderr, "%s\n", code);
		free(code);
	}
	count(fig, &m);
	compare(&m, inputs, &e);
	module_done(&m);
}

static uint64_t seed_now;

static void say_seed(void)
{
	fprintf(stderr, "last seed: SKEP_IR_SEED=%llu\n", (unsigned long long)seed_now);
}

static void test_random(void **state)
{
	const char *count_text = getenv("SKEP_IR_RANDOM"), *seed_text = getenv("SKEP_IR_SEED");
	uint64_t n = count_text ? strtoull(count_text, NULL, 0) : 500;
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
	struct figures fig = {0};

	for (uint64_t i = 0; i < n; i++) {
		seed_now = seed + i;
		one(seed_now, &fig);
	}
	assert_true(fig.n_too_complex <= n / 200);
	printf("%llu programs (%u of them too complex for the kernel): %llu instructions each, %u "
	       "with spills, %u with scratch, "
	       "%u with subprograms; %llu steps interpreted\n",
	       (unsigned long long)n, fig.n_too_complex, (unsigned long long)(fig.n_insns / n),
	       fig.n_spilling, fig.n_scratch, fig.n_subprogs, (unsigned long long)fig.n_steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	atexit(say_seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
