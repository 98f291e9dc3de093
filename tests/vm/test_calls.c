/*
 * Calls of all kinds, in both interpreters: local ones with frames of their
 * own, helpers, callbacks, tail calls, bpf_throw(), rounds of may_goto, and
 * what a budget stops.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <skep/map.h>

#include "map/ops.h"
#include "run.h"

static const struct skep_exec *const execs[] = {&skep_exec_interp, &skep_exec_checked};

/* --- functions of ours ---------------------------------------------------------------------- */

static uint64_t digits(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		       struct skep_run *run)
{
	return a * 10000 + b * 1000 + c * 100 + d * 10 + e;
}

/* Calls back @n times with (i, ctx), as bpf_loop() does. */
static uint64_t loop(uint64_t n, uint64_t callback, uint64_t ctx, uint64_t d, uint64_t e,
		     struct skep_run *run)
{
	uint64_t i = 0;

	for (; i < n && !run->stop; i++) {
		const uint64_t args[5] = {i, ctx};
		if (skep_run_callback(run, callback, args))
			return i + 1;
	}
	return i;
}

static uint64_t throw(uint64_t cookie, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		      struct skep_run *run)
{
	run->thrown = cookie;
	longjmp(*run->unwind, 1);
}

static const struct skep_callable callables[] = {
	{"digits", digits, NULL},
	{"loop", loop, NULL},
	{"bpf_throw", throw, NULL},
	{"tail_call", NULL, NULL},
};

static int find_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	*ret = id == 12 ? &callables[3] : &callables[id];
	return 0;
}

static int find_kfunc(void *ctx, const struct skep_insn *insn, const struct skep_callable **ret)
{
	*ret = &callables[2];
	return 0;
}

static struct skep_program *targets[4];

static void *target_of(struct skep_map *map, const void *key)
{
	uint32_t index;

	memcpy(&index, key, sizeof(index));
	return index < 4 ? targets[index] : NULL;
}

static const struct skep_map_ops prog_array_ops = {.object = target_of};
static struct skep_map prog_array = {
	.ops = &prog_array_ops, .type = SKEP_MAP_PROG_ARRAY, .max_entries = 4, .refs = 1000000};

static int find_map(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	skep_map_ref(&prog_array);
	*ret = &prog_array;
	return 0;
}

static const struct skep_link_env env = {
	.map = find_map, .helper = find_helper, .kfunc = find_kfunc};

static void expect(const char *text, uint64_t r0)
{
	struct skep_image *image = link_text(text, &env);

	for (size_t i = 0; i < 2; i++) {
		struct outcome outcome = run_in(execs[i], image, NULL);
		if (outcome.stop || outcome.r0 != r0)
			fail_msg("%s: r0 %lld stop %d: %s", execs[i]->name, (long long)outcome.r0,
				 outcome.stop, outcome.why);
	}
	skep_image_free(image);
}

/* --- local calls and helpers ---------------------------------------------------------------- */

static void test_helper(void **state)
{
	expect("r1 = 1\nr2 = 2\nr3 = 3\nr4 = 4\nr5 = 5\ncall bpf_unspec#0\nexit\n", 12345);
}

/* Eight frames: each keeps r6 to r9 and its own stack, and sees what pointers it is given. */
static void test_local(void **state)
{
	expect("r6 = 6\nr7 = 7\nr8 = 8\nr9 = 9\n"
	       "*(u64 *)(r10 -8) = 100\n"
	       "r1 = r10\nr1 += -8\n"
	       "call sub\n"
	       "r1 = *(u64 *)(r10 -8)\n"
	       "r0 += r1\nr0 += r6\nr0 += r7\nr0 += r8\nr0 += r9\n"
	       "exit\n"
	       "sub: r6 = 0\nr7 = 0\nr8 = 0\nr9 = 0\n"
	       "*(u64 *)(r10 -8) = 5\n"
	       "r2 = *(u64 *)(r1 +0)\n"
	       "r2 += 1\n"
	       "*(u64 *)(r1 +0) = r2\n"
	       "r0 = *(u64 *)(r10 -8)\n"
	       "exit\n",
	       5 + 101 + 30);
}

static void test_callback(void **state)
{
	expect("*(u64 *)(r10 -8) = 0\n"
	       "r1 = 10\n"
	       "r2 = subprog[+8]\n"
	       "r3 = r10\nr3 += -8\n"
	       "call bpf_map_lookup_elem#1\n"
	       "r1 = *(u64 *)(r10 -8)\n"
	       "r0 *= 1000\n"
	       "r0 += r1\n"
	       "exit\n"
	       "r3 = *(u64 *)(r2 +0)\n" /* the callback: adds its number, stops after 5 */
	       "r3 += r1\n"
	       "*(u64 *)(r2 +0) = r3\n"
	       "r0 = 0\n"
	       "if r1 != 4 goto +1\n"
	       "r0 = 1\n"
	       "exit\n",
	       5 * 1000 + 10);
}

/* --- throw ---------------------------------------------------------------------------------- */

static void test_throw(void **state)
{
	expect("r6 = 1\ncall sub\nr0 = 1\nexit\n"
	       "sub: r1 = 77\ncall thrower#5\nr0 = 2\nexit\n",
	       77);
}

static void test_throw_caught(void **state)
{
	struct skep_link_env catching = env;

	catching.exception_callback = 4;
	struct skep_image *image = link_text("r1 = 3\ncall thrower#5\nr0 = 1\nexit\n"
					     "r0 = r1\nr0 += 40\nexit\n",
					     &catching);
	assert_true(image->may_throw);
	for (size_t i = 0; i < 2; i++) {
		struct outcome outcome = run_in(execs[i], image, NULL);
		assert_int_equal(outcome.stop, SKEP_STOP_NONE);
		assert_int_equal(outcome.r0, 43);
	}
	skep_image_free(image);
}

/* --- tail calls ----------------------------------------------------------------------------- */

#define TAIL_CALL(index) "r1 = r6\nr2 = map[id:1]\nr3 = " #index "\ncall bpf_tail_call#12\n"

static void load(struct skep_program *program, const struct skep_exec *exec, const char *text)
{
	struct skep_image *image = link_text(text, &env);

	*program = (struct skep_program){image, exec, NULL};
	assert_int_equal(exec->compile(image, &(struct skep_exec_opts){0}, &program->code), 0);
}

static void unload(struct skep_program *program)
{
	program->exec->free(program->code);
	skep_image_free((struct skep_image *)program->image);
}

/* Programs of different engines call each other; a subprogram's tail call ends that only. */
static void test_tail_call(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		struct skep_program callee;
		load(&callee, execs[i % 2], "r0 = 42\nexit\n");
		targets[1] = &callee;
		struct skep_image *image =
			link_text("r6 = r1\n" TAIL_CALL(1) "r0 = 1\nexit\n", &env);
		assert_int_equal(run_in(execs[i / 2], image, NULL).r0, 42);
		skep_image_free(image);
		image = link_text("r6 = r1\n" TAIL_CALL(2) "r0 = 1\nexit\n", &env);
		assert_int_equal(run_in(execs[i / 2], image, NULL).r0, 1);
		skep_image_free(image);
		image = link_text("r6 = r1\ncall sub\nr0 += 100\nexit\n"
				  "sub: r6 = r1\n" TAIL_CALL(1) "r0 = 1\nexit\n",
				  &env);
		assert_int_equal(run_in(execs[i / 2], image, NULL).r0, 142);
		skep_image_free(image);
		unload(&callee);
	}
}

/* 33 tail calls and no more: a program that calls itself counts them. */
static void test_tail_calls_end(void **state)
{
	static uint64_t count;

	for (size_t i = 0; i < 2; i++) {
		struct skep_program self;
		struct skep_run run = {.budget = UINT64_MAX, .check = skep_check_new()};
		load(&self, execs[i],
		     "r6 = r1\nr1 = *(u64 *)(r6 +0)\nr1 += 1\n*(u64 *)(r6 +0) = r1\n" TAIL_CALL(
			     0) "r0 = *(u64 *)(r6 +0)\nexit\n");
		targets[0] = &self;
		count = 0;
		skep_run_grant(&run, &count, sizeof(count), SKEP_MAY_READ | SKEP_MAY_WRITE);
		assert_int_equal(skep_program_run(&self, &count, &run), 34);
		assert_int_equal(count, 34);
		skep_check_free(run.check);
		unload(&self);
	}
}

/* --- loops ---------------------------------------------------------------------------------- */

static void test_may_goto(void **state)
{
	expect("r0 = 0\nagain: may_goto done\nr0 += 1\ngoto again\ndone: exit\n",
	       SKEP_MAY_GOTO_ROUNDS);
}

static const char *const endless[] = {
	"r0 = 0\nagain: r0 += 1\ngoto again\n",
	"r0 = 0\nagain: r0 += 1\nif r0 != 0 goto again\nexit\n",
	"r0 = 0\nagain: w0 ^= 1\nif w0 <= 1 goto again\nexit\n",
	"r0 = 0\nagain: gotol again\n",
	"again: call sub\ngoto again\nsub: r0 = 0\nexit\n",
	("r1 = 100000000\nr2 = subprog[+4]\nr3 = 0\ncall bpf_map_lookup_elem#1\nexit\n"
	 "r0 = 0\nexit\n"),
};

static void test_budget(void **state)
{
	for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
		struct skep_image *image = link_text(endless[i], &env);
		for (size_t k = 0; k < 2; k++) {
			struct skep_run run = {.budget = 1000000};
			struct outcome outcome = run_in(execs[k], image, &run);
			assert_int_equal(outcome.stop, SKEP_STOP_BUDGET);
			assert_int_equal(outcome.r0, 0);
		}
		skep_image_free(image);
	}
}

/* A budget that suffices changes nothing. */
static void test_budget_suffices(void **state)
{
	struct skep_image *image =
		link_text("r0 = 0\nr1 = 100\nagain: r0 += r1\nr1 += -1\nif r1 != 0 goto again\n"
			  "call sub\nexit\nsub: r0 = 7\nexit\n",
			  &env);

	for (size_t k = 0; k < 2; k++) {
		struct skep_run run = {.budget = 400};
		struct outcome outcome = run_in(execs[k], image, &run);
		assert_int_equal(outcome.stop, SKEP_STOP_NONE);
		assert_int_equal(outcome.r0, 7);
	}
	skep_image_free(image);
}

/* --- arenas --------------------------------------------------------------------------------- */

#define ARENA_START 0x7f0012340000ull

static int find_arena(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	skep_map_ref(ctx);
	*ret = ctx;
	return 0;
}

/* From user space's view to ours and back; NULL stays NULL. */
static void test_arena(void **state)
{
	const struct skep_map_attr attr = {
		.type = SKEP_MAP_ARENA, .max_entries = 4, .flags = 1u << 10, .extra = ARENA_START};
	struct skep_link_env with_arena = {.map = find_arena};
	struct skep_map *arena = NULL;

	assert_int_equal(skep_map_create(&attr, &arena), 0);
	with_arena.ctx = arena;
	assert_true(skep_arena_alloc_pages(arena, ARENA_START, 1, -1, 0) == ARENA_START);
	struct skep_image *image = link_text("r1 = map[id:1][0]+64\n"
					     "r2 = addr_space_cast(r1, 0, 1)\n"
					     "*(u64 *)(r2 +8) = 5\n"
					     "r3 = *(u64 *)(r2 +8)\n"
					     "r4 = 0\n"
					     "r4 = addr_space_cast(r4, 0, 1)\n"
					     "r4 = addr_space_cast(r4, 1, 0)\n"
					     "r0 = addr_space_cast(r2, 1, 0)\n"
					     "r0 += r3\n"
					     "r0 += r4\n"
					     "exit\n",
					     &with_arena);
	assert_ptr_equal(image->arena, arena);
	for (size_t i = 0; i < 2; i++) {
		struct outcome outcome = run_in(execs[i], image, NULL);
		if (outcome.stop || outcome.r0 != ARENA_START + 64 + 5)
			fail_msg("%s: %llx, %s", execs[i]->name, (long long)outcome.r0,
				 outcome.why);
	}
	skep_image_free(image);
	skep_map_unref(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_helper),         cmocka_unit_test(test_local),
		cmocka_unit_test(test_callback),       cmocka_unit_test(test_throw),
		cmocka_unit_test(test_throw_caught),   cmocka_unit_test(test_tail_call),
		cmocka_unit_test(test_tail_calls_end), cmocka_unit_test(test_may_goto),
		cmocka_unit_test(test_budget),         cmocka_unit_test(test_budget_suffices),
		cmocka_unit_test(test_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
