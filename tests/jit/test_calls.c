/* What programs call and are called by: helpers, functions, callbacks, other programs, bpf_throw();
 * budgets; look-ups that became instructions; arena casts. The JIT does what the interpreter does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skep/diag.h>
#include <skep/image.h>
#include <skep/jit.h>
#include <skep/map.h>

#include "base/buf.h"

#define N(array) (sizeof(array) / sizeof(*(array)))

/* --- The helpers of these programs ----------------------------------------------------------- */

static uint64_t do_lookup(uint64_t map, uint64_t key, uint64_t r3, uint64_t r4, uint64_t r5,
			  struct skep_run *run)
{
	return (uintptr_t)skep_map_lookup((struct skep_map *)(uintptr_t)map,
					  (const void *)(uintptr_t)key);
}

static uint64_t do_cpu(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
		       struct skep_run *run)
{
	return run->cpu;
}

static uint64_t do_mix(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
		       struct skep_run *run)
{
	char wide[64] __attribute__((aligned(32)));
	memset(wide, (int)r1, sizeof(wide)); /* would fault on a crooked stack */
	return r1 + 3 * r2 + 5 * r3 + 7 * r4 + 11 * r5 + run->cpu + ((uintptr_t)wide & 15) +
	       (uint8_t)wide[r2 & 63];
}

/* bpf_loop(): until the callback says stop, or @n times */
static uint64_t do_loop(uint64_t n, uint64_t callback, uint64_t ctx, uint64_t r4, uint64_t r5,
			struct skep_run *run)
{
	uint64_t i = 0;
	while (i < n && !run->stop) {
		const uint64_t args[5] = {i++, ctx};
		if (skep_run_callback(run, callback, args))
			break;
	}
	return i;
}

static uint64_t do_throw(uint64_t cookie, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
			 struct skep_run *run)
{
	run->thrown = cookie;
	longjmp(*run->unwind, 1);
}

static const struct skep_callable helpers[256] = {
	[1] = {"map_lookup_elem", do_lookup, NULL},
	[5] = {"ktime_get_ns", do_mix, NULL},
	[8] = {"get_smp_processor_id", do_cpu, NULL},
	[12] = {"tail_call", NULL, NULL},
	[181] = {"loop", do_loop, NULL},
};
static const struct skep_callable throw = {"bpf_throw", do_throw, NULL};
static struct skep_map *maps[4]; /* what "map[id:N]" names */

static int find_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	if (id < 0 || id >= (int32_t)N(helpers) || !helpers[id].name)
		return -EINVAL;
	*ret = &helpers[id];
	return 0;
}

static int find_kfunc(void *ctx, const struct skep_insn *insn, const struct skep_callable **ret)
{
	*ret = &throw;
	return 0;
}

static int find_map(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	skep_map_ref(maps[insn->imm]);
	*ret = maps[insn->imm];
	return 0;
}

static struct skep_image *link_text(const char *text)
{
	static const struct skep_link_env env = {
		.map = find_map, .helper = find_helper, .kfunc = find_kfunc};
	struct skep_insn *insns;
	struct skep_image *image;
	size_t n;
	assert_int_equal(skep_asm(text, strlen(text), &insns, &n, NULL), 0);
	_cleanup_buf_ struct skep_buf log = {0};
	int r = skep_image_link(insns, (uint32_t)n, 0, &env, &log, &image);
	free(insns);
	if (r)
		print_message("%s", log.data);
	assert_int_equal(r, 0);
	return image;
}

/* --- Running --------------------------------------------------------------------------------- */

static struct skep_program loaded(const struct skep_image *image, const struct skep_exec *exec,
				  const struct skep_exec_opts *opts)
{
	struct skep_program program = {image, exec, NULL};
	assert_int_equal(exec->compile(image, opts, &program.code), 0);
	return program;
}

struct result {
	uint64_t r0, budget;
	enum skep_stop stop;
};

static struct result run_by(const struct skep_exec *exec, const char *text,
			    const struct skep_exec_opts *opts, uint64_t budget)
{
	struct skep_image *image = link_text(text);
	struct skep_program program = loaded(image, exec, opts);
	struct skep_run run = {.budget = budget};
	static uint64_t memory[64];
	memset(memory, 0, sizeof(memory));
	skep_cpu_enter();
	uint64_t r0 = skep_program_run(&program, memory, &run);
	skep_cpu_leave();
	exec->free(program.code);
	skep_image_free(image);
	return (struct result){r0, run.budget, run.stop};
}

/* By both engines, plain and with a budget and hidden constants; returns r0. */
static uint64_t run_text(const char *text)
{
	static const struct skep_exec_opts ways[] = {
		{0}, {.budget = true}, {.blind_constants = true}};
	struct result want = run_by(&skep_exec_interp, text, &ways[0], UINT64_MAX);
	for (size_t i = 0; i < N(ways); i++) {
		struct result got = run_by(&skep_exec_jit, text, &ways[i], UINT64_MAX);
		assert_int_equal(got.r0, want.r0);
		assert_int_equal(got.stop, want.stop);
	}
	return want.r0;
}

/* --- Calls ----------------------------------------------------------------------------------- */

static void helpers_get_their_arguments(void **state)
{
	const char *text =
		"r1 = 1\nr2 = 2\nr3 = 3\nr4 = 4\nr5 = 5\nr6 = 66\ncall bpf_ktime_get_ns\n"
		"r0 += r6\nexit\n";
	uint64_t cpu = skep_cpu_enter();
	assert_int_equal(run_text(text), 1 + 6 + 15 + 28 + 55 + cpu + 1 + 66);
	skep_cpu_leave();
}

static void functions_keep_registers_and_stacks(void **state)
{
	const char *text =
		"r6 = 1\nr7 = 2\nr8 = 3\nr9 = 4\n*(u64 *)(r10 -8) = 100\nr1 = 10\n"
		"call one\nr0 += r6\nr0 += r7\nr0 += r8\nr0 += r9\nr1 = *(u64 *)(r10 -8)\n"
		"r0 += r1\nexit\n"
		"one:\nr6 = r1\nr7 = 1000\n*(u64 *)(r10 -8) = 5\n*(u64 *)(r10 -512) = 6\n"
		"call two\nr0 += r6\nr0 += r7\nr1 = *(u64 *)(r10 -8)\nr0 += r1\nexit\n"
		"two:\nr9 = 7\nr1 = 1\nr2 = 1\nr3 = 1\nr4 = 1\nr5 = 1\ncall "
		"bpf_ktime_get_ns\n*(u64 *)(r10 -8) = 55\nr0 += r9\nr0 *= 0\nexit\n";
	assert_int_equal(run_text(text), 1000 + 10 + 5 + 10 + 100);
}

static void callbacks_come_back(void **state)
{
	const char *text =
		"*(u64 *)(r10 -8) = 0\nr1 = 10\nr2 = subprog[+9]\nr3 = r10\nr3 += -8\n"
		"r4 = 0\ncall bpf_loop\nr1 = *(u64 *)(r10 -8)\nr0 *= 1000\nr0 += r1\nexit\n"
		"r1 += 1\nr3 = *(u64 *)(r2 +0)\nr3 += r1\n*(u64 *)(r2 +0) = r3\nr0 = 0\n"
		"if r1 != 7 goto +1\nr0 = 1\nexit\n";
	assert_int_equal(run_text(text), 7000 + 28);
}

static void throwing_ends_all_frames(void **state)
{
	const char *text = "r6 = 5\ncall one\nr0 = 1\nexit\none:\nr6 = 6\nr7 = 7\ncall two\n"
			   "r0 = 2\nexit\ntwo:\nr8 = 8\nr1 = 4711\ncall throw#1\nr0 = 3\nexit\n";
	assert_int_equal(run_text(text), 4711);
}

static void may_goto_ends_loops(void **state)
{
	const char *text = "r0 = 0\nagain:\nmay_goto out\nr0 += 1\ngoto again\nout:\n"
			   "may_goto end\nr0 += 5\nend:\nexit\n";
	assert_int_equal(run_text(text), SKEP_MAY_GOTO_ROUNDS);
}

/* --- Budgets: what is left is the same to the last instruction ------------------------------- */

static void compare_budgets(const char *text)
{
	static const struct skep_exec_opts opts = {.budget = true};
	for (uint64_t budget = 0; budget < 400; budget += 1 + budget / 30) {
		struct result want = run_by(&skep_exec_interp, text, &opts, budget);
		struct result got = run_by(&skep_exec_jit, text, &opts, budget);
		assert_int_equal(got.r0, want.r0);
		assert_int_equal(got.stop, want.stop);
		assert_int_equal(got.budget, want.budget);
	}
}

static void budgets_end_runs(void **state)
{
	static const char *const texts[] = {
		"r0 = 0\nagain:\nr0 += 1\nr1 = r0\nif r0 != 20 goto again\nexit\n",
		"again:\nr0 = 0\nif r1 == 1 goto end\ngoto again\nend:\nexit\n",
		"r6 = 9\nr0 = 0\nagain:\ncall one\nr6 += -1\nif r6 s> 0 goto again\nexit\n"
		"one:\nr0 += 0\nr0 = 3\nr0 += 4\nexit\n",
		"r1 = 1000\nr2 = subprog[+6]\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 += 1\nexit\n"
		"r0 = 0\nr0 += 0\nexit\n",
		"r0 = 0\nagain:\nmay_goto out\nr0 += 1\ngoto again\nout:\nexit\n",
	};
	for (size_t i = 0; i < N(texts); i++)
		compare_budgets(texts[i]);
	struct result endless =
		run_by(&skep_exec_jit, texts[1], &(struct skep_exec_opts){.budget = 1}, 100000);
	assert_int_equal(endless.stop, SKEP_STOP_BUDGET);
	assert_int_equal(endless.r0, 0);
}

/* --- Maps ------------------------------------------------------------------------------------ */

static struct skep_map *new_map(uint32_t type, uint32_t key, uint32_t value, uint32_t n)
{
	struct skep_map_attr attr = {
		.type = type, .key_size = key, .value_size = value, .max_entries = n};
	struct skep_map *map;
	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

static uint64_t look_up(const struct skep_exec *exec, uint32_t key)
{
	char text[400];
	snprintf(text, sizeof(text),
		 "*(u32 *)(r10 -4) = %d\nr2 = r10\nr2 += -4\nr1 = map[id:0]\n"
		 "call bpf_map_lookup_elem\nexit\n",
		 (int)key);
	return run_by(exec, text, NULL, UINT64_MAX).r0;
}

static void compare_lookups(struct skep_map *map)
{
	static const uint32_t keys[] = {0, 1, 2, 6, 7, 8, 1000, INT32_MAX, 0x80000000, UINT32_MAX};
	maps[0] = map;
	uint32_t value[64] = {0};
	for (size_t i = 0; i < 4; i++)
		skep_map_update(map, &keys[i], value, 0);
	size_t found = 0;
	for (size_t i = 0; i < N(keys); i++) {
		uint64_t want = look_up(&skep_exec_interp, keys[i]);
		found += want != 0;
		assert_int_equal(look_up(&skep_exec_jit, keys[i]), want);
	}
	assert_true(found >= 4 && found < N(keys));
	skep_map_unref(map);
}

static void lookups_find_what_the_helper_finds(void **state)
{
	static const uint32_t sizes[] = {1, 8, 12, 16, 24, 200};
	skep_cpu_enter(); /* both engines run as one CPU, wherever the scheduler puts them */
	for (size_t i = 0; i < N(sizes); i++) {
		compare_lookups(new_map(SKEP_MAP_ARRAY, 4, sizes[i], 7));
		compare_lookups(new_map(SKEP_MAP_PERCPU_ARRAY, 4, sizes[i], 7));
		compare_lookups(new_map(SKEP_MAP_HASH, 4, sizes[i], 7));
		compare_lookups(new_map(SKEP_MAP_LRU_HASH, 4, sizes[i], 64));
	}
	skep_cpu_leave();
	maps[0] = NULL;
}

/* The map is known on one way to the call only. */
static void a_map_that_is_not_known_is_looked_up(void **state)
{
	const char *text = "*(u32 *)(r10 -4) = 1\nr2 = r10\nr2 += -4\nr6 = *(u64 *)(r1 +0)\n"
			   "r1 = map[id:0]\nif r6 == 0 goto look\nr1 = map[id:1]\nlook:\n"
			   "call bpf_map_lookup_elem\nr0 = *(u64 *)(r0 +0)\nexit\n";
	uint32_t key = 1;
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t value = 100 + i;
		maps[i] = new_map(SKEP_MAP_ARRAY, 4, 8, 4);
		skep_map_update(maps[i], &key, &value, 0);
	}
	assert_int_equal(run_text(text), 100);
	skep_map_unref(maps[0]);
	skep_map_unref(maps[1]);
}

static void the_cpu_is_the_runs(void **state)
{
	assert_int_equal(run_text("call bpf_get_smp_processor_id\nr0 <<= 63\nr0 >>= 63\nr0 *= 0\n"
				  "exit\n"),
			 0);
}

/* --- Tail calls ------------------------------------------------------------------------------ */

static const struct skep_program *callees[3];

static void *get_program(struct skep_map *map, int fd, int *ret_err)
{
	return (void *)callees[fd];
}

static uint32_t program_id(struct skep_map *map, void *object)
{
	return 1;
}

static void put_program(struct skep_map *map, void *object)
{
}

static struct skep_map *program_array(void)
{
	static const struct skep_map_env env = {
		.get = get_program, .id = program_id, .put = put_program};
	struct skep_map_attr attr = {.type = SKEP_MAP_PROG_ARRAY,
				     .key_size = 4,
				     .value_size = 4,
				     .max_entries = 4,
				     .env = &env};
	struct skep_map *map;
	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

static uint64_t run_tail(const struct skep_exec *first, const struct skep_exec *second,
			 const char *main_text, const char *callee_text)
{
	maps[0] = program_array();
	struct skep_image *main_image = link_text(main_text),
			  *callee_image = link_text(callee_text);
	struct skep_program main_program = loaded(main_image, first, NULL);
	struct skep_program callee = loaded(callee_image, second, NULL);
	struct skep_run run = {.budget = UINT64_MAX};
	uint64_t memory[2] = {0};
	uint32_t key = 2, fd = 0;
	callees[0] = &callee;
	assert_int_equal(skep_map_sys_update(maps[0], &key, &fd, 0), 0);
	skep_cpu_enter();
	uint64_t r0 = skep_program_run(&main_program, memory, &run);
	skep_cpu_leave();
	first->free(main_program.code);
	second->free(callee.code);
	skep_map_unref(maps[0]);
	skep_image_free(main_image);
	skep_image_free(callee_image);
	return r0 + 1000000 * memory[0];
}

static void compare_tail(const char *main_text, const char *callee_text, uint64_t want)
{
	static const struct skep_exec *const execs[] = {&skep_exec_interp, &skep_exec_jit};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(run_tail(execs[i & 1], execs[i >> 1], main_text, callee_text),
				 want);
}

static void tail_calls_go_on_elsewhere(void **state)
{
	const char *jump = "r6 = 5\nr2 = map[id:0]\nr3 = 2\ncall bpf_tail_call\nr0 = 1\nexit\n";
	const char *miss = "r2 = map[id:0]\nr3 = 1\ncall bpf_tail_call\nr0 += 100\nexit\n";
	const char *sub = "r6 = r1\ncall one\nr0 += 7\nexit\n"
			  "one:\nr2 = map[id:0]\nr3 = 2\ncall bpf_tail_call\nr0 = 1\nexit\n";
	const char *callee = "r0 = *(u64 *)(r1 +0)\nr0 += 1\n*(u64 *)(r1 +0) = r0\nr6 = 9\n"
			     "r0 = 42\nexit\n";
	/* counts, and calls itself until it may not any more */
	const char *again = "r6 = r1\nr0 = *(u64 *)(r1 +0)\nr0 += 1\n*(u64 *)(r1 +0) = r0\n"
			    "r2 = map[id:0]\nr3 = 2\ncall bpf_tail_call\nr0 = -r0\nexit\n";
	compare_tail(jump, callee, 42 + 1000000);
	compare_tail(miss, callee, 100 - ENOENT);
	compare_tail(sub, callee, 42 + 7 + 1000000);
	compare_tail(jump, again, E2BIG + 33 * 1000000);
}

/* --- Arenas ---------------------------------------------------------------------------------- */

static void casts_reach_the_arena(void **state)
{
	struct skep_map_attr attr = {.type = SKEP_MAP_ARENA,
				     .max_entries = 4,
				     .flags = 1 << 10,
				     .extra = 0x100200000000};
	assert_int_equal(skep_map_create(&attr, &maps[0]), 0);
	uint64_t base = skep_arena_base(maps[0]);
	static const uint64_t pointers[] = {0, 0x100200000000, 0x100200001008, 0x1234, UINT32_MAX};
	for (size_t i = 0; i < N(pointers); i++) {
		char text[300];
		const char *form = "r1 = map[id:0]\nr2 = %#llx ll\nr3 = addr_space_cast(r2, %s)\n"
				   "r3 = addr_space_cast(r3, %s)\nr0 = r3\nexit\n";
		unsigned long long at = pointers[i];
		snprintf(text, sizeof(text), form, at, "0, 1", "1, 0");
		run_text(text);
		snprintf(text, sizeof(text), form, at + base, "1, 0", "0, 1");
		run_text(text);
		snprintf(text, sizeof(text),
			 "r1 = map[id:0]\nr2 = %#llx ll\n"
			 "r0 = addr_space_cast(r2, 0, 1)\nexit\n",
			 at);
		assert_int_equal(run_text(text), base + (uint32_t)at);
	}
	skep_map_unref(maps[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(helpers_get_their_arguments),
		cmocka_unit_test(functions_keep_registers_and_stacks),
		cmocka_unit_test(callbacks_come_back),
		cmocka_unit_test(throwing_ends_all_frames),
		cmocka_unit_test(may_goto_ends_loops),
		cmocka_unit_test(budgets_end_runs),
		cmocka_unit_test(lookups_find_what_the_helper_finds),
		cmocka_unit_test(a_map_that_is_not_known_is_looked_up),
		cmocka_unit_test(the_cpu_is_the_runs),
		cmocka_unit_test(tail_calls_go_on_elsewhere),
		cmocka_unit_test(casts_reach_the_arena),
	};
	return cmocka_run_group_tests_name("jit/calls", tests, NULL, NULL);
}
