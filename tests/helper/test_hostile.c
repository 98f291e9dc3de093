/*
 * Pointers that no verifier has seen: functions that count, copy or hang up objects are given what
 * is none. The checked interpreter refuses the call; elsewhere it does nothing.
 */
#include "run_program.h"

#include "helper/kfuncs.h"
#include "helper/object.h"

/* A call whose first argument, and whose second where it is a pointer too, is bad. */
static const struct {
	const char *name;
	bool is_helper;
	bool compares;     /* only with what it knows: memory that is none of it does no harm */
	unsigned pointers; /* bits: r1, r2 */
	int32_t id;
} calls[] = {
	{"per_cpu_ptr", true, false, 1, 153},
	{"this_cpu_ptr", true, false, 1, 154},
	{"bpf_obj_drop_impl", false, false, 1, 0},
	{"bpf_percpu_obj_drop_impl", false, false, 1, 0},
	{"bpf_refcount_acquire_impl", false, false, 1, 0},
	{"bpf_list_push_front_impl", false, false, 3, 0},
	{"bpf_list_push_back_impl", false, false, 3, 0},
	{"bpf_list_pop_front", false, false, 1, 0},
	{"bpf_list_front", false, false, 1, 0},
	{"bpf_rbtree_remove", false, false, 3, 0},
	{"bpf_rbtree_first", false, false, 1, 0},
	{"bpf_rbtree_left", false, false, 3, 0},
	{"bpf_cpumask_acquire", false, false, 1, 0},
	{"bpf_cpumask_release", false, false, 1, 0},
	{"bpf_cpumask_first", false, false, 1, 0},
	{"bpf_cpumask_setall", false, false, 1, 0},
	{"bpf_task_acquire", false, true, 1, 0},
	{"bpf_task_release", false, true, 1, 0},
	{"bpf_cgroup_ancestor", false, true, 1, 0},
	{"bpf_iter_num_next", false, false, 1, 0},
};

/* What a pointer is set to; r6 is the context's address. */
static const char *const bad[] = {
	"r1 = 4096",              /* nothing is there */
	"r1 = 1",                 /* nor aligned */
	"r1 = 0x7fffffff0000 ll", /* a stack's neighbourhood */
	"r1 = -8",                /* wraps around */
	"r1 = r10\nr1 += -4",     /* memory, but too little of it */
};

static bool is_refused(size_t call, const char *pointer, char why[160])
{
	char text[512], target[64];
	struct test_program p;
	const char *fault = "";
	uint64_t ctx[8] = {0};
	struct skep_run run = {.budget = UINT64_MAX};
	uint32_t insn;

	snprintf(target, sizeof(target),
		 calls[call].is_helper ? "call unknown#%d" : "call kernel-function#%d",
		 calls[call].id);
	snprintf(text, sizeof(text),
		 "r0 = 0\n*(u32 *)(r10 - 4) = 0\n%s\nr2 = %s\nr3 = 0\nr4 = 0\nr5 = 0\n%s\nr0 = "
		 "0\nexit\n",
		 pointer, calls[call].pointers & 2 ? "r1" : "0", target);
	p = assemble(text);
	p.kfuncs[0] = calls[call].name;
	link_program(&p, &skep_exec_checked);
	run.check = skep_check_new();
	skep_run_grant(&run, ctx, sizeof(ctx), SKEP_MAY_READ | SKEP_MAY_WRITE);
	run.cpu = skep_cpu_enter();
	skep_program_run(&p.program, ctx, &run);
	skep_cpu_leave();
	bool refused = run.stop == SKEP_STOP_FAULT && skep_check_fault(run.check, &insn, &fault);
	snprintf(why, 160, "%s", fault);
	skep_check_free(run.check);
	free_program(&p);
	return refused;
}

static void test_checked_refuses(void **state)
{
	unsigned n_wrong = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (size_t k = 0; k < sizeof(bad) / sizeof(*bad); k++) {
			char why[160];
			bool is_memory = k + 1 == sizeof(bad) / sizeof(*bad);

			if (is_memory && calls[i].compares)
				continue;
			if (is_refused(i, bad[k], why) && strstr(why, "r1"))
				continue;
			print_error("%s, %s: not refused for r1: %s\n", calls[i].name, bad[k], why);
			n_wrong++;
		}
	assert_int_equal(n_wrong, 0);
}

/* Without checks: what is no object has no copies, is not counted and not given back. */
static void test_no_object(void **state)
{
	_Alignas(16) uint8_t memory[256];
	uint8_t before[sizeof(memory)];
	struct skep_run run = {.cpu = 0};
	uint64_t at[] = {(uintptr_t)memory + 128, 4096, 1, (uint64_t)-8};

	memset(memory, 0xa5, sizeof(memory));
	memcpy(before, memory, sizeof(memory));
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		assert_int_equal(skep_helper(153)->call(at[i], 0, 0, 0, 0, &run), 0);
		assert_int_equal(skep_helper(154)->call(at[i], 0, 0, 0, 0, &run), 0);
		skep_kfunc("bpf_obj_drop_impl")->call(at[i], 0, 0, 0, 0, &run);
		skep_kfunc("bpf_refcount_acquire_impl")->call(at[i], 0, 0, 0, 0, &run);
		assert_int_equal(skep_object_left((void *)(uintptr_t)at[i]), 0);
	}
	assert_memory_equal(memory, before, sizeof(memory));
	assert_int_equal(object_count(), 0);
}

/* And what is one has: a copy for each CPU, and no more. */
static void test_copies(void **state)
{
	uint32_t n = skep_map_n_cpus();
	uint64_t memory = (uintptr_t)object_new(40, n);
	struct skep_run run = {.cpu = n - 1};

	for (uint32_t cpu = 0; cpu < n; cpu++)
		assert_int_equal(skep_helper(153)->call(memory, cpu, 0, 0, 0, &run),
				 memory + 48ull * cpu);
	assert_int_equal(skep_helper(153)->call(memory, n, 0, 0, 0, &run), 0);
	assert_int_equal(skep_helper(154)->call(memory, 0, 0, 0, 0, &run),
			 memory + 48ull * (n - 1));
	assert_int_equal(skep_object_left((void *)(uintptr_t)(memory + 8)), 32);
	object_unref(NULL, (void *)(uintptr_t)memory);
	assert_int_equal(object_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checked_refuses),
		cmocka_unit_test(test_no_object),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests_name("helper/hostile", tests, NULL, NULL);
}
