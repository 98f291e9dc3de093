/*
 * The scratch: claimed, released, nested, and counted when there is none left.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static const uint64_t inputs[N_INPUTS] = {7, 5};

/* Puts the first input through @n slots of 300 bytes and returns it. */
static void build_user_of_scratch(struct skep_ir_func *f, uint32_t value, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t slot = skep_ir_slot(f, 300, 8);

		skep_ir_zero(f, S(slot, 0), 0, 300, 8);
		skep_ir_store(f, 8, S(slot, 0), 288, R(value));
		value = skep_ir_load(f, 8, S(slot, 0), 288);
	}
	skep_ir_exit(f, R(value));
}

static void build(struct module *m)
{
	uint32_t lost = module_add_map(m, BPF_MAP_TYPE_ARRAY, 4, 32, 1);

	skep_ir_set_scratch_loss(m->ir, lost, 16);
	build_user_of_scratch(m->f, skep_ir_load(m->f, 8, R(skep_ir_param(m->f, 0)), 0), 3);
	module_make(m);
}

static size_t n_cpus(void)
{
	return (size_t)get_nprocs_conf();
}

/* Write @busy into the busy word of level @level on every CPU. */
static void set_busy(struct module *m, uint32_t level, uint64_t busy)
{
	static uint64_t value[64 * 32768 / 8];
	uint32_t words = m->object.maps[1].value_size / 8;

	for (size_t cpu = 0; cpu < n_cpus(); cpu++)
		value[cpu * words] = busy;
	assert_int_equal(map_update(m->map_fds[1], &level, value), 0);
}

static uint64_t sum_busy(const struct module *m, uint32_t map, uint32_t level)
{
	static uint64_t value[64 * 32768 / 8];
	uint32_t words = m->object.maps[map].value_size / 8;
	uint64_t sum = 0;

	assert_int_equal(map_lookup(m->map_fds[map], &level, value), 0);
	for (size_t cpu = 0; cpu < n_cpus(); cpu++)
		sum += value[cpu * words];
	return sum;
}

static uint64_t losses(const struct module *m)
{
	uint64_t value[4];

	assert_int_equal(map_lookup(m->map_fds[0], &(uint32_t){0}, value), 0);
	return value[2];
}

static void test_released(void **state)
{
	struct module m;

	module_init(&m, &newest);
	build(&m);
	assert_int_equal(m.object.n_maps, 2);
	assert_int_equal(m.object.maps[1].type, BPF_MAP_TYPE_PERCPU_ARRAY);
	assert_int_equal(m.object.maps[1].max_entries, 4);
	for (int i = 0; i < 100; i++)
		assert_int_equal(module_run(&m, inputs), 7);
	for (uint32_t level = 0; level < 4; level++)
		assert_int_equal(sum_busy(&m, 1, level), 0);
	assert_int_equal(losses(&m), 0);
	module_done(&m);
}

static void test_next_level(void **state)
{
	struct module m;

	module_init(&m, &newest);
	build(&m);
	for (uint32_t taken = 0; taken < 3; taken++) {
		set_busy(&m, taken, 1);
		assert_int_equal(module_run(&m, inputs), 7);
		assert_int_equal(sum_busy(&m, 1, taken), n_cpus());
		assert_int_equal(sum_busy(&m, 1, taken + 1), 0);
	}
	assert_int_equal(losses(&m), 0);
	module_done(&m);
}

static void test_none_left(void **state)
{
	struct module m;

	module_init(&m, &newest);
	build(&m);
	for (uint32_t level = 0; level < 4; level++)
		set_busy(&m, level, 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(module_run(&m, inputs), 0);
	assert_int_equal(losses(&m), 5);
	for (uint32_t level = 0; level < 4; level++)
		assert_int_equal(sum_busy(&m, 1, level), n_cpus());
	set_busy(&m, 2, 0);
	assert_int_equal(module_run(&m, inputs), 7);
	module_done(&m);
}

/* A callback with scratch inside a program with scratch: the callback must not see its frame. */
static void test_callback(void **state)
{
	struct module m;
	struct skep_ir_func *callback;
	uint32_t ctx, slot, value;

	module_init(&m, &newest);
	callback = skep_ir_subprog(m.f, "callback", 2);
	slot = skep_ir_slot(callback, 600, 8);
	skep_ir_zero(callback, S(slot, 0), 0, 600, 8);
	value = skep_ir_load(callback, 8, R(skep_ir_param(callback, 1)), 0);
	skep_ir_store(callback, 8, S(slot, 0), 8, R(value));
	value = skep_ir_load(callback, 8, S(slot, 0), 8);
	skep_ir_store(callback, 8, R(skep_ir_param(callback, 1)), 0,
		      R(skep_ir_alu(callback, SKEP_IR_ADD, R(value), I(1))));
	skep_ir_exit(callback, I(0));

	slot = skep_ir_slot(m.f, 600, 8);
	skep_ir_zero(m.f, S(slot, 0), 0, 600, 8);
	skep_ir_store(m.f, 8, S(slot, 0), 8, I(1000));
	ctx = skep_ir_slot(m.f, 8, 8);
	skep_ir_store(m.f, 8, S(ctx, 0), 0, I(30));
	skep_ir_calln(m.f, BPF_FUNC_loop, I(10), R(skep_ir_func_addr(m.f, callback)), S(ctx, 0),
		      I(0));
	value = skep_ir_alu(m.f, SKEP_IR_ADD, R(skep_ir_load(m.f, 8, S(slot, 0), 8)),
			    R(skep_ir_load(m.f, 8, S(ctx, 0), 0)));
	skep_ir_exit(m.f, R(value));
	module_make(&m);
	assert_int_equal(m.object.maps[0].max_entries, 8);
	assert_int_equal(module_run(&m, inputs), 1040);
	for (uint32_t level = 0; level < 8; level++)
		assert_int_equal(sum_busy(&m, 0, level), 0);
	module_done(&m);
}

/* More than a per-CPU value can hold is an error that says so. */
static void test_too_much(void **state)
{
	struct module m;
	uint32_t slots[3];

	module_init(&m, &newest);
	for (int i = 0; i < 3; i++) {
		slots[i] = skep_ir_slot(m.f, 12000, 8);
		skep_ir_zero(m.f, S(slots[i], 0), 0, 12000, 8);
	}
	skep_ir_exit(m.f, R(skep_ir_load(m.f, 8, S(slots[0], 0), 0)));
	assert_int_equal(skep_ir_emit(m.ir, &m.diag), -ENOSPC);
	assert_int_equal(m.diag.items[0].id, SKEP_DIAG_IR_SCRATCH);
	assert_int_equal(m.object.n_progs, 0);
	module_done(&m);
}

/* Released slots share memory, so fifty of 200 bytes need no scratch. */
static void test_release_shares(void **state)
{
	struct module m;
	uint32_t sum;

	module_init(&m, &newest);
	sum = skep_ir_var(m.f);
	skep_ir_set(m.f, sum, I(0));
	for (int i = 0; i < 50; i++) {
		uint32_t mark = skep_ir_slot_mark(m.f), slot = skep_ir_slot(m.f, 200, 8);

		skep_ir_store(m.f, 8, S(slot, 0), 8, I(i));
		skep_ir_calln(m.f, BPF_FUNC_get_current_comm, S(slot, 16), I(16));
		skep_ir_set(m.f, sum,
			    R(skep_ir_alu(m.f, SKEP_IR_ADD, R(sum),
					  R(skep_ir_load(m.f, 8, S(slot, 0), 8)))));
		skep_ir_slot_release(m.f, mark);
	}
	skep_ir_exit(m.f, R(sum));
	module_make(&m);
	assert_int_equal(m.object.n_maps, 0);
	assert_int_equal(m.object.progs[0].stack_bytes, 200);
	assert_int_equal(module_run(&m, inputs), 49 * 50 / 2);
	module_done(&m);
}

/* A loop in which @n ways each put the first input through a slot of their own. */
static void build_loop(struct module *m, uint32_t n)
{
	struct skep_ir_func *f = m->f;
	uint32_t value = skep_ir_load(f, 8, R(skep_ir_param(f, 0)), 0), sum = skep_ir_var(f);
	uint32_t head = skep_ir_block(f), done = skep_ir_block(f);

	skep_ir_set(f, sum, R(value));
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	skep_ir_loop_guard(f, done);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t some = skep_ir_block(f), on = skep_ir_block(f), slot;

		skep_ir_branch(f, SKEP_IR_TEST, R(value), I(1 << i), some, on);
		skep_ir_at(f, some);
		slot = skep_ir_slot(f, 8, 8);
		skep_ir_store(f, 8, S(slot, 0), 0, R(value));
		skep_ir_calln(f, BPF_FUNC_trace_printk, S(slot, 0), I(8));
		skep_ir_set(f, sum, R(skep_ir_load(f, 8, S(slot, 0), 0)));
		skep_ir_jump(f, on);
		skep_ir_at(f, on);
	}
	skep_ir_branch(f, SKEP_IR_EQ, R(sum), I(7), done, head);
	skep_ir_at(f, done);
	skep_ir_exit(f, R(sum));
	module_emit(m);
}

/* What is on the stack is what the kernel compares at a loop's head: see frame.c. */
static void test_loop_of_many_ways(void **state)
{
	static const struct {
		uint32_t n_ways;
		bool in_scratch;
	} cases[] = {{3, false}, {24, true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct module m;

		module_init(&m, &newest);
		build_loop(&m, cases[i].n_ways);
		assert_int_equal(m.object.n_maps, cases[i].in_scratch);
		/* The claim's key stays, and no way's slot beside it. */
		assert_true((m.object.progs[0].stack_bytes <= 16) == cases[i].in_scratch);
		module_done(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_released),          cmocka_unit_test(test_next_level),
		cmocka_unit_test(test_none_left),         cmocka_unit_test(test_callback),
		cmocka_unit_test(test_too_much),          cmocka_unit_test(test_release_shares),
		cmocka_unit_test(test_loop_of_many_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
