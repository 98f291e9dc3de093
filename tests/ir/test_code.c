/*
 * Whole functions through every pass: the kernel accepts and runs them, and
 * the code is what a careful person would have written.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ir/ir.h"

static const uint64_t no_inputs[N_INPUTS];

/* { @[comm] = count(); } */
static void build_count_by_comm(struct module *m, uint32_t map)
{
	struct skep_ir_func *f = m->f;
	uint32_t mark = skep_ir_slot_mark(f), key = skep_ir_slot(f, 16, 8);
	uint32_t miss = skep_ir_block(f), done = skep_ir_block(f), value, zero;

	skep_ir_zero(f, S(key, 0), 0, 16, 8);
	skep_ir_calln(f, BPF_FUNC_get_current_comm, S(key, 0), I(16));
	value = skep_ir_calln(f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(f, map)), S(key, 0));
	skep_ir_branch_cold(f, SKEP_IR_EQ, R(value), I(0), miss);
	skep_ir_atomic_add(f, 8, R(value), 0, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, miss);
	zero = skep_ir_slot(f, 8, 8);
	skep_ir_store(f, 8, S(zero, 0), 0, I(1));
	skep_ir_calln(f, BPF_FUNC_map_update_elem, R(skep_ir_map(f, map)), S(key, 0), S(zero, 0),
		      I(BPF_ANY));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	skep_ir_slot_release(f, mark);
}

static void test_count_by_comm(void **state)
{
	struct module m;
	uint32_t map;
	char comm[16] = {0};
	uint64_t count = 0;
	char *code;

	module_init(&m, &newest);
	map = module_add_map(&m, BPF_MAP_TYPE_HASH, 16, 8, 100);
	build_count_by_comm(&m, map);
	skep_ir_exit(m.f, I(0));
	module_make(&m);
	code = module_code(&m);
	if (getenv("SKEP_SHOW"))
		fprintf(stderr, "%s", code);
	for (int i = 0; i < 3; i++)
		module_run(&m, no_inputs);
	FILE *self = fopen("/proc/self/comm", "r");
	assert_non_null(fgets(comm, sizeof(comm), self));
	fclose(self);
	comm[strcspn(comm, "\n")] = 0;
	assert_int_equal(map_lookup(m.map_fds[map], comm, &count), 0);
	assert_int_equal(count, 3);
	assert_true(m.object.progs[0].n_insns <= 27);
	free(code);
	module_done(&m);
}

/* @m[arg + i] = arg * i, if arg is not i. (Each statement loads its own: if one register were
 * compared with a thousand constants, the kernel would walk a million paths.) */
static void build_assignment(struct module *m, uint32_t map, int64_t i)
{
	struct skep_ir_func *f = m->f;
	uint32_t mark = skep_ir_slot_mark(f), key = skep_ir_slot(f, 8, 8);
	uint32_t found = skep_ir_block(f), miss = skep_ir_block(f), done = skep_ir_block(f);
	uint32_t arg = skep_ir_load(f, 8, R(skep_ir_param(f, 0)), 0);
	uint32_t value, slot, product, compared;

	compared = skep_ir_cmp(f, SKEP_IR_NE, R(arg), I(i));
	slot = skep_ir_slot(f, 8, 8);
	product = skep_ir_block(f);
	skep_ir_branch(f, SKEP_IR_NE, R(compared), I(0), product, done);
	skep_ir_at(f, product);
	product = skep_ir_alu(f, SKEP_IR_MUL, R(arg), I(i));
	skep_ir_store(f, 8, S(key, 0), 0, R(skep_ir_alu(f, SKEP_IR_ADD, R(arg), I(i))));
	value = skep_ir_calln(f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(f, map)), S(key, 0));
	skep_ir_branch(f, SKEP_IR_EQ, R(value), I(0), miss, found);
	skep_ir_at(f, found);
	skep_ir_store(f, 8, R(value), 0, R(product));
	skep_ir_jump(f, done);
	skep_ir_at(f, miss);
	skep_ir_store(f, 8, S(slot, 0), 0, R(product));
	skep_ir_calln(f, BPF_FUNC_map_update_elem, R(skep_ir_map(f, map)), S(key, 0), S(slot, 0),
		      I(BPF_ANY));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	skep_ir_slot_release(f, mark);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static void test_thousand_statements(void **state)
{
	double start, built, emitted, loaded;
	struct module m;
	uint32_t map;
	uint64_t key, value;

	module_init(&m, &newest);
	start = now_ms();
	map = module_add_map(&m, BPF_MAP_TYPE_HASH, 8, 8, 10000);
	for (int i = 0; i < 1000; i++)
		build_assignment(&m, map, i);
	skep_ir_exit(m.f, I(0));
	built = now_ms();
	module_emit(&m);
	emitted = now_ms();
	assert_int_equal(module_load(&m, NULL), 0);
	loaded = now_ms();
	printf("1000 statements: %u blocks, built in %.2f ms, emitted in %.2f ms "
	       "(%zu instructions), loaded in %.1f ms\n",
	       m.f->n_blocks, built - start, emitted - built, m.object.progs[0].n_insns,
	       loaded - emitted);
	module_run(&m, (const uint64_t[N_INPUTS]){40});
	key = 540;
	assert_int_equal(map_lookup(m.map_fds[map], &key, &value), 0);
	assert_int_equal(value, 500 * 40);
	key = 80; /* i == arg is left out */
	assert_int_equal(map_lookup(m.map_fds[map], &key, &value), -ENOENT);
	module_done(&m);
}

/* Cold code of a long function does not get out of reach, with old jumps or new. */
static void test_long_function(void **state)
{
	for (int old = 0; old < 2; old++) {
		struct module m;
		uint32_t map, arg, end;

		module_init(&m, old ? &oldest : &newest);
		map = module_add_map(&m, BPF_MAP_TYPE_HASH, 8, 8, 10000);
		arg = skep_ir_load(m.f, 8, R(skep_ir_param(m.f, 0)), 0);
		end = skep_ir_block(m.f);
		/* With long jumps to spare: over all of it as well. */
		if (!old)
			skep_ir_branch_cold(m.f, SKEP_IR_EQ, R(arg), I(1), end);
		for (int i = 0; i < 3000; i++)
			build_assignment(&m, map, i);
		skep_ir_jump(m.f, end);
		skep_ir_at(m.f, end);
		skep_ir_exit(m.f, I(9));
		module_emit(&m);
		assert_true(m.object.progs[0].n_insns > 50000);
		assert_int_equal(module_load(&m, NULL), 0);
		assert_int_equal(module_run(&m, (const uint64_t[N_INPUTS]){1}), 9);
		assert_int_equal(module_run(&m, (const uint64_t[N_INPUTS]){2}), 9);
		module_done(&m);
	}
}

/* Every instruction belongs to a place, in ascending order, neighbours differ. */
static void test_lines(void **state)
{
	struct module m;
	uint32_t x;

	module_init(&m, &newest);
	skep_ir_at_source(m.f, (struct skep_span){10, 5});
	x = skep_ir_call(m.f, BPF_FUNC_ktime_get_ns, 0, NULL);
	x = skep_ir_alu(m.f, SKEP_IR_SHR, R(x), I(63));
	skep_ir_at_source(m.f, (struct skep_span){20, 7});
	skep_ir_exit(m.f, R(skep_ir_alu(m.f, SKEP_IR_ADD, R(x), I(3))));
	module_make(&m);
	assert_int_equal(m.object.progs[0].n_lines, 2);
	assert_int_equal(m.object.progs[0].lines[0].insn, 0);
	assert_int_equal(m.object.progs[0].lines[0].span.off, 10);
	assert_int_equal(m.object.progs[0].lines[1].insn, 2);
	assert_int_equal(m.object.progs[0].lines[1].span.off, 20);
	assert_int_equal(module_run(&m, no_inputs), 3);
	module_done(&m);
}

/* BTF only where it is needed, and then for every function. */
static void test_subprograms(void **state)
{
	struct module m;
	struct skep_ir_func *twice;
	uint32_t x;

	module_init(&m, &newest);
	twice = skep_ir_subprog(m.f, "twice", 5);
	x = skep_ir_alu(twice, SKEP_IR_SUB, R(skep_ir_param(twice, 4)), R(skep_ir_param(twice, 0)));
	skep_ir_exit(twice, R(skep_ir_alu(twice, SKEP_IR_ADD, R(x), R(x))));
	skep_ir_subprog(m.f, "never_called", 0);
	x = skep_ir_call(m.f, BPF_FUNC_get_smp_processor_id, 0, NULL);
	x = skep_ir_call_func(m.f, twice, 5, (struct skep_opnd[]){I(2), R(x), I(0), I(0), I(30)});
	skep_ir_exit(m.f, R(x));
	module_make(&m);
	assert_int_equal(m.object.progs[0].n_funcs, 2);
	assert_non_null(m.object.btf);
	assert_int_equal(module_run(&m, no_inputs), 56);
	module_done(&m);

	module_init(&m, &newest);
	skep_ir_exit(m.f, I(1));
	module_make(&m);
	assert_null(m.object.btf);
	assert_int_equal(m.object.progs[0].n_insns, 2);
	module_done(&m);
}

static void test_recursion(void **state)
{
	struct module m;
	struct skep_ir_func *f;

	module_init(&m, &newest);
	f = skep_ir_subprog(m.f, "again", 1);
	skep_ir_exit(f, R(skep_ir_call_func(f, f, 1, (struct skep_opnd[]){I(1)})));
	skep_ir_exit(m.f, R(skep_ir_call_func(m.f, f, 1, (struct skep_opnd[]){I(1)})));
	assert_int_equal(skep_ir_emit(m.ir, &m.diag), -ELOOP);
	assert_int_equal(m.diag.items[0].id, SKEP_DIAG_IR_RECURSION);
	module_done(&m);
}

/* Both kinds of loop guard stop a loop that would not end by itself. */
static void test_guard(void **state)
{
	for (int old = 0; old < 2; old++) {
		struct module m;
		uint32_t n, head, out, result;

		module_init(&m, old ? &oldest : &newest);
		n = skep_ir_var(m.f);
		head = skep_ir_block(m.f);
		out = skep_ir_block(m.f);
		skep_ir_set(m.f, n, I(0));
		skep_ir_jump(m.f, head);
		skep_ir_at(m.f, head);
		skep_ir_loop_guard(m.f, out);
		skep_ir_set(m.f, n, R(skep_ir_alu(m.f, SKEP_IR_ADD, R(n), I(1))));
		skep_ir_jump(m.f, head);
		skep_ir_at(m.f, out);
		skep_ir_exit(m.f, R(n));
		module_make(&m);
		result = module_run(&m, no_inputs);
		if (old)
			assert_int_equal(result, oldest.loop_limit);
		else
			assert_true(result > 1000000);
		module_done(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_by_comm), cmocka_unit_test(test_thousand_statements),
		cmocka_unit_test(test_long_function), cmocka_unit_test(test_lines),
		cmocka_unit_test(test_subprograms),   cmocka_unit_test(test_recursion),
		cmocka_unit_test(test_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
