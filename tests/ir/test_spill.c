/*
 * Torture for the register allocator: far more values than registers.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ir/ir.h"

static const uint64_t inputs[N_INPUTS] = {3, 1, 4, 1, 5, 9, 2, 6};

static uint32_t input(struct module *m, uint32_t i)
{
	return skep_ir_load(m->f, 8, R(skep_ir_param(m->f, 0)), (int32_t)(8 * i));
}

/* @n values are made, a call is made after each, then all are used in a mixed order. */
static uint32_t across_calls(struct module *m, uint32_t n)
{
	uint32_t values[512], sum;

	for (uint32_t i = 0; i < n; i++) {
		values[i] = skep_ir_alu(m->f, SKEP_IR_MUL, R(input(m, i % N_INPUTS)), I(i + 1));
		skep_ir_call(m->f, BPF_FUNC_ktime_get_ns, 0, NULL);
	}
	sum = skep_ir_mov(m->f, I(0));
	for (uint32_t i = 0; i < n; i++)
		sum = skep_ir_alu(m->f, i % 3 ? SKEP_IR_ADD : SKEP_IR_XOR, R(sum),
				  R(values[i * 7 % n]));
	skep_ir_exit(m->f, R(sum));
	return n;
}

static uint32_t expect_across_calls(uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = i * 7 % n;
		uint64_t value = inputs[at % N_INPUTS] * (at + 1);

		sum = i % 3 ? sum + value : sum ^ value;
	}
	return (uint32_t)sum;
}

static void test_across_calls(void **state)
{
	static const uint32_t counts[] = {3, 5, 20, 61, 200, 500};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		for (int old = 0; old < 2; old++) {
			struct module m;

			module_init(&m, old ? &oldest : &newest);
			across_calls(&m, counts[i]);
			module_make(&m);
			assert_int_equal(module_run(&m, inputs), expect_across_calls(counts[i]));
			assert_true(m.object.progs[0].stack_bytes <= 512);
			module_done(&m);
		}
	}
}

/* Up to three values across calls and the context need no memory at all. */
static void test_no_spill(void **state)
{
	struct module m;

	module_init(&m, &newest);
	across_calls(&m, 3);
	module_make(&m);
	assert_int_equal(m.object.progs[0].stack_bytes, 0);
	module_done(&m);
}

/* Sixteen pointers to map values, null-checked, live across calls: spilled to the stack. */
static void test_pointers(void **state)
{
	struct module m;
	uint32_t map, values[16], key, out, sum;

	module_init(&m, &newest);
	map = module_add_map(&m, BPF_MAP_TYPE_ARRAY, 4, 8, 16);
	key = skep_ir_slot(m.f, 4, 4);
	out = skep_ir_block(m.f);
	for (uint32_t i = 0; i < 16; i++) {
		skep_ir_store(m.f, 4, S(key, 0), 0, I(i));
		values[i] = skep_ir_calln(m.f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(m.f, map)),
					  S(key, 0));
		skep_ir_branch_cold(m.f, SKEP_IR_EQ, R(values[i]), I(0), out);
	}
	sum = skep_ir_mov(m.f, I(0));
	for (uint32_t i = 0; i < 16; i++) {
		skep_ir_store(m.f, 8, R(values[i]), 0, I(i * i));
		skep_ir_call(m.f, BPF_FUNC_ktime_get_ns, 0, NULL);
		sum = skep_ir_alu(m.f, SKEP_IR_ADD, R(sum),
				  R(skep_ir_load(m.f, 8, R(values[i]), 0)));
	}
	skep_ir_exit(m.f, R(sum));
	skep_ir_at(m.f, out);
	skep_ir_exit(m.f, I(-1));
	module_make(&m);
	assert_int_equal(module_run(&m, inputs), 1240);
	module_done(&m);
}

/* A hundred pointers cannot be kept: a clear error, no broken program. */
static void test_too_many_pointers(void **state)
{
	struct module m;
	uint32_t map, values[100], key, out;

	module_init(&m, &newest);
	map = module_add_map(&m, BPF_MAP_TYPE_ARRAY, 4, 8, 16);
	key = skep_ir_slot(m.f, 4, 4);
	out = skep_ir_block(m.f);
	for (uint32_t i = 0; i < 100; i++) {
		skep_ir_store(m.f, 4, S(key, 0), 0, I(0));
		values[i] = skep_ir_calln(m.f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(m.f, map)),
					  S(key, 0));
		skep_ir_branch_cold(m.f, SKEP_IR_EQ, R(values[i]), I(0), out);
	}
	for (uint32_t i = 0; i < 100; i++)
		skep_ir_store(m.f, 8, R(values[i]), 0, I(0));
	skep_ir_jump(m.f, out);
	skep_ir_at(m.f, out);
	skep_ir_exit(m.f, I(0));
	assert_int_equal(skep_ir_emit(m.ir, &m.diag), -ENOSPC);
	assert_int_equal(m.diag.items[0].id, SKEP_DIAG_IR_STACK);
	module_done(&m);
}

/* A call's arguments in every other's place: moves in a cycle. */
static void test_moves(void **state)
{
	/* Sources of r1-r5, and what r1-r5 (holding 1-5) must hold afterwards is the same. */
	static const uint8_t cases[][5] = {
		{2, 1, 3, 4, 5}, {2, 3, 1, 5, 4}, {5, 4, 3, 2, 1}, {1, 1, 1, 1, 1},
		{2, 3, 4, 5, 1}, {3, 3, 2, 2, 1}, {6, 1, 2, 3, 4}, {5, 1, 2, 3, 4},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct moves moves = {.n = 5};
		struct code code = {0};
		int reg[11] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

		for (uint8_t r = 0; r < 5; r++) {
			moves.reg[r].dst = r + 1;
			moves.reg[r].src = cases[i][r];
			moves.reg[r].pending = true;
		}
		skep_ir_encode_moves(&code, &moves);
		skep_vec_foreach (struct skep_insn, insn, &code.insns)
			reg[insn->dst] = reg[insn->src];
		for (int r = 0; r < 5; r++)
			assert_int_equal(reg[r + 1], cases[i][r]);
		assert_true(code.insns.len <= 7);
		skep_vec_done(&code.insns);
	}
}

static void test_calendar(void **state)
{
	uint64_t bits[3] = {0};

	skep_ir_bits_set(bits, 60, 70);
	assert_int_equal(bits[0], 0xfull << 60);
	assert_int_equal(bits[1], 0x3f);
	assert_false(skep_ir_bits_busy(bits, 0, 60));
	assert_true(skep_ir_bits_busy(bits, 0, 61));
	assert_true(skep_ir_bits_busy(bits, 69, 192));
	assert_false(skep_ir_bits_busy(bits, 70, 192));
	skep_ir_bits_set(bits, 64, 192);
	assert_int_equal(bits[2], ~0ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_across_calls), cmocka_unit_test(test_no_spill),
		cmocka_unit_test(test_pointers),     cmocka_unit_test(test_too_many_pointers),
		cmocka_unit_test(test_moves),        cmocka_unit_test(test_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
