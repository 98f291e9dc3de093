/*
 * Whole functions through every pass: the kernel accepts and runs them, and
 * the code is what a careful person would have written.
 */
#include "support.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_by_comm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
