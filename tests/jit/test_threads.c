/*
 * Many threads at once: each links, compiles and runs the same program in every engine, on maps
 * that all share. Results are sums that come out right only if nobody got in another's way. Run
 * under ThreadSanitizer, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include <skep/helper.h>
#include <skep/image.h>
#include <skep/map.h>

#define N_THREADS 4
#define N_ROUNDS  20
#define N_RUNS    50

static struct skep_map *maps[2]; /* array: one counter; hash: thread → its own */

/* r1: the thread's number. Adds 1 to the array's element, atomically, and to the thread's own in
 * the hash. Returns the latter. */
static const char text[] = "r6 = r1\n"
			   "*(u64 *)(r10 -8) = 0\n"
			   "r1 = map[id:0]\n"
			   "r2 = r10\n"
			   "r2 += -8\n"
			   "call bpf_map_lookup_elem#1\n"
			   "if r0 == 0x0 goto out\n"
			   "r1 = 1\n"
			   "lock *(u64 *)(r0 +0) += r1\n"
			   "*(u64 *)(r10 -8) = r6\n"
			   "r1 = map[id:1]\n"
			   "r2 = r10\n"
			   "r2 += -8\n"
			   "call bpf_map_lookup_elem#1\n"
			   "if r0 == 0x0 goto out\n"
			   "r1 = r0\n"
			   "r0 = *(u64 *)(r1 +0)\n"
			   "r0 += 1\n"
			   "*(u64 *)(r1 +0) = r0\n"
			   "out: exit\n";

static const struct skep_exec *const execs[] = {&skep_exec_interp, &skep_exec_checked,
						&skep_exec_jit};

static int find_map(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	*ret = maps[insn->imm];
	skep_map_ref(*ret);
	return 0;
}

static int find_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	*ret = skep_helper(id);
	return 0;
}

static struct skep_image *link_program(void)
{
	static const struct skep_link_env env = {.map = find_map, .helper = find_helper};
	struct skep_image *image = NULL;
	struct skep_insn *insns = NULL;
	size_t n = 0;

	if (!skep_asm(text, strlen(text), &insns, &n, NULL))
		skep_image_link(insns, (uint32_t)n, 0, &env, NULL, &image);
	free(insns);
	return image;
}

/* Runs @exec; how often the result was not the next number. */
static uint64_t run_in(const struct skep_exec *exec, uint64_t thread, uint64_t *next)
{
	struct skep_program program = {link_program(), exec, NULL};
	uint64_t wrong = 0;

	if (!program.image || exec->compile(program.image, NULL, &program.code))
		return 1;
	for (int i = 0; i < N_RUNS; i++) {
		struct skep_run run = {.budget = UINT64_MAX};
		skep_cpu_enter();
		wrong += skep_program_run(&program, (void *)(uintptr_t)thread, &run) != ++*next;
		skep_cpu_leave();
		wrong += run.stop != SKEP_STOP_NONE;
	}
	exec->free(program.code);
	skep_image_free((struct skep_image *)program.image);
	return wrong;
}

static void *run_all(void *arg)
{
	uint64_t thread = (uintptr_t)arg, next = 0, wrong = 0;

	for (int round = 0; round < N_ROUNDS; round++)
		for (size_t i = 0; i < sizeof(execs) / sizeof(execs[0]); i++)
			wrong += run_in(execs[i], thread, &next);
	return (void *)(uintptr_t)wrong;
}

static void threads_do_not_disturb_each_other(void **state)
{
	const struct skep_map_attr array = {
		.type = SKEP_MAP_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
	const struct skep_map_attr hash = {.type = SKEP_MAP_HASH,
					   .key_size = 8,
					   .value_size = 8,
					   .max_entries = 2 * N_THREADS};
	pthread_t threads[N_THREADS];
	uint64_t zero = 0;

	assert_int_equal(skep_map_create(&array, &maps[0]), 0);
	assert_int_equal(skep_map_create(&hash, &maps[1]), 0);
	for (uint64_t i = 1; i <= N_THREADS; i++)
		assert_int_equal(skep_map_update(maps[1], &i, &zero, 0), 0);
	for (uintptr_t i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_all, (void *)(i + 1)), 0);
	for (size_t i = 0; i < N_THREADS; i++) {
		void *wrong;
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	assert_int_equal(*(uint64_t *)skep_map_lookup(maps[0], &zero),
			 N_THREADS * N_ROUNDS * N_RUNS * 3);
	skep_map_unref(maps[0]);
	skep_map_unref(maps[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests_name("jit/threads", tests, NULL, NULL);
}
