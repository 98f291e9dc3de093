/*
 * Helpers that programs with callbacks use, in the threaded and the checked interpreter:
 * loops, elements of maps, timers, trees, ring buffers, dynptrs, text, exceptions.
 */
#include "run_program.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <skep/btf.h>

#include "helper/object.h"

/* What the loop adds up, and how often it ran. */
static void test_loop(void **state)
{
	struct test_program p = assemble("*(u64 *)(r10 -8) = 0\n"
					 "r1 = 1000\n"
					 "r2 = subprog[each]\n"
					 "r3 = r10\n"
					 "r3 += -8\n"
					 "r4 = 0\n"
					 "call bpf_loop\n"
					 "r1 = *(u64 *)(r10 -8)\n"
					 "r0 <<= 32\n"
					 "r0 += r1\n"
					 "exit\n"
					 "each: r3 = *(u64 *)(r2 +0)\n"
					 "r3 += r1\n"
					 "*(u64 *)(r2 +0) = r3\n"
					 "r0 = 0\n"
					 "if r1 < 99 goto +1\n"
					 "r0 = 1\n"
					 "exit\n");
	assert_int_equal(run_program(&p, NULL), (100ull << 32) + 4950);
}

static uint64_t call(int32_t id, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
		     struct skep_world *world)
{
	struct skep_run run = {.world = world, .budget = UINT64_MAX};

	return skep_helper(id)->call(r1, r2, r3, r4, r5, &run);
}

static void test_loop_limits(void **state)
{
	assert_int_equal((int64_t)call(181, 8388609, 0, 0, 0, 0, NULL), -E2BIG);
	assert_int_equal((int64_t)call(181, 1, 0, 0, 1, 0, NULL), -EINVAL);
	assert_int_equal(call(181, 0, 0, 0, 0, 0, NULL), 0);
	assert_int_equal(call(181, 1ull << 32, 0, 0, 0, 0, NULL), 0);
}

static void test_for_each(void **state)
{
	static const uint32_t types[] = {SKEP_MAP_HASH, SKEP_MAP_ARRAY, SKEP_MAP_LRU_HASH,
					 SKEP_MAP_PERCPU_ARRAY};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct test_program p = assemble("*(u64 *)(r10 -8) = 0\n"
						 "r1 = map[id:0]\n"
						 "r2 = subprog[each]\n"
						 "r3 = r10\n"
						 "r3 += -8\n"
						 "r4 = 0\n"
						 "call bpf_for_each_map_elem\n"
						 "r1 = *(u64 *)(r10 -8)\n"
						 "r0 <<= 32\n"
						 "r0 += r1\n"
						 "exit\n"
						 "each: r1 = *(u32 *)(r2 +0)\n"
						 "r2 = *(u64 *)(r3 +0)\n"
						 "r3 = *(u64 *)(r4 +0)\n"
						 "r3 += r1\n"
						 "r3 += r2\n"
						 "*(u64 *)(r4 +0) = r3\n"
						 "r0 = 0\n"
						 "exit\n");
		_cleanup_map_ struct skep_map *map = make_map(types[i], 4, 8, 8);
		p.maps[0] = map;
		skep_cpu_enter();
		for (uint32_t key = 0; key < 8; key++) {
			uint64_t value = key * 100;
			assert_int_equal(skep_map_update(map, &key, &value, 0), 0);
		}
		assert_int_equal(run_program(&p, NULL), (8ull << 32) + 28 + 2800);
		skep_cpu_leave();
	}
}

static void test_ringbuf(void **state)
{
	struct test_program p = assemble("r1 = map[id:0]\n"
					 "r2 = 16\n"
					 "r3 = 0\n"
					 "call bpf_ringbuf_reserve\n"
					 "if r0 == 0 goto +6\n"
					 "*(u64 *)(r0 +0) = 7\n"
					 "*(u64 *)(r0 +8) = 8\n"
					 "r1 = r0\n"
					 "r2 = 0\n"
					 "call bpf_ringbuf_submit\n"
					 "goto +0\n"
					 "r1 = map[id:0]\n"
					 "r2 = 0\n"
					 "call bpf_ringbuf_query\n"
					 "exit\n");
	_cleanup_map_ struct skep_map *map = make_map(SKEP_MAP_RINGBUF, 0, 0, 4096);

	p.maps[0] = map;
	link_program(&p, &skep_exec_checked);
	assert_int_equal(run_linked(&p, NULL), 24);
	assert_int_equal(run_linked(&p, NULL), 48);
	free_program(&p);
	assert_int_equal(call(131, (uintptr_t)map, 8, 1, 0, 0, NULL), 0);
	assert_int_equal((int64_t)call(130, (uintptr_t)map, 0, 1 << 20, 0, 0, NULL), -EAGAIN);
}

/* from_mem over a map's value; write, read, data; then one over a ring buffer's record */
static void test_dynptr(void **state)
{
	uint64_t value[8] = {1, 2, 3, 4, 5, 6, 7, 8}, got = 0, in = 77;
	uint8_t ptr[16], bad[16];
	_cleanup_map_ struct skep_map *map = make_map(SKEP_MAP_RINGBUF, 0, 0, 4096);
	uint64_t p = (uintptr_t)ptr, q = (uintptr_t)bad, g = (uintptr_t)&got;

	assert_int_equal(call(197, (uintptr_t)value, 64, 0, p, 0, NULL), 0);
	assert_int_equal((int64_t)call(197, (uintptr_t)value, 64, 1, q, 0, NULL), -EINVAL);
	assert_int_equal((int64_t)call(201, g, 8, q, 0, 0, NULL), -EINVAL);
	assert_int_equal((int64_t)call(197, (uintptr_t)value, 1u << 24, 0, q, 0, NULL), -E2BIG);
	assert_int_equal(call(201, g, 8, p, 16, 0, NULL), 0);
	assert_int_equal(got, 3);
	assert_int_equal((int64_t)call(201, g, 8, p, 57, 0, NULL), -E2BIG);
	assert_int_equal((int64_t)call(201, g, 8, p, 0, 1, NULL), -EINVAL);
	assert_int_equal((int64_t)call(201, g, 8, p, UINT32_MAX, 0, NULL), -E2BIG);
	assert_int_equal(call(202, p, 56, (uintptr_t)&in, 8, 0, NULL), 0);
	assert_int_equal(value[7], 77);
	assert_int_equal((int64_t)call(202, p, 56, (uintptr_t)&in, 8, 1, NULL), -EINVAL);
	assert_int_equal(call(203, p, 8, 8, 0, 0, NULL), (uintptr_t)&value[1]);
	assert_int_equal(call(203, p, 8, 57, 0, 0, NULL), 0);

	assert_int_equal(call(198, (uintptr_t)map, 32, 0, p, 0, NULL), 0);
	assert_int_equal(call(202, p, 0, (uintptr_t)&in, 8, 0, NULL), 0);
	call(199, p, 0, 0, 0, 0, NULL);
	assert_int_equal(skep_ringbuf_query(map, 0), 40);
	call(199, p, 0, 0, 0, 0, NULL);
	assert_int_equal((int64_t)call(198, (uintptr_t)map, 8192, 0, p, 0, NULL), -EINVAL);
	assert_int_equal(call(203, p, 0, 1, 0, 0, NULL), 0);
}

/* --- What programs print, sample, and read --------------------------------------------------- */

static char printed[256];

static void keep_text(void *ctx, const char *text, size_t len)
{
	snprintf(printed, sizeof(printed), "%.*s", (int)len, text);
}

static int keep_sample(void *ctx, struct skep_map *map, uint64_t index, const void *data,
		       uint64_t size)
{
	*(uint64_t *)ctx = index * 1000 + size;
	return 0;
}

static void test_outputs(void **state)
{
	uint64_t sample = 0, args[2] = {5, 6};
	struct skep_world world = {
		.trace = keep_text, .output = keep_sample, .output_ctx = &sample};
	_cleanup_map_ struct skep_map *map = make_map(SKEP_MAP_PERF_EVENT_ARRAY, 4, 4, 2);
	uint64_t m = (uintptr_t)map;

	assert_int_equal(call(6, (uintptr_t) "a %d b", 7, 42, 0, 0, &world), 6);
	assert_string_equal(printed, "a 42 b");
	assert_int_equal((int64_t)call(6, (uintptr_t) "a %d b", 6, 42, 0, 0, &world), -EINVAL);
	assert_int_equal(call(177, (uintptr_t) "%d%d", 5, (uintptr_t)args, 16, 0, &world), 2);
	assert_string_equal(printed, "56");
	assert_int_equal((int64_t)call(177, (uintptr_t) "%d%d", 5, (uintptr_t)args, 15, 0, &world),
			 -EINVAL);
	assert_int_equal(call(25, 0, m, 1, (uintptr_t)args, 16, &world), 0);
	assert_int_equal(sample, 1016);
	assert_int_equal((int64_t)call(25, 0, m, 2, (uintptr_t)args, 16, &world), -E2BIG);
	assert_int_equal((int64_t)call(25, 0, m, 1ull << 32, (uintptr_t)args, 16, &world), -EINVAL);
	assert_int_equal((int64_t)call(25, 0, m, 0, (uintptr_t)args, 16, NULL), -ENOENT);
}

/* A page with nothing behind it: strings may end there, and not go over. */
static void test_probe_read(void **state)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char to[32], zeros[32] = {0};
	uint64_t t = (uintptr_t)to, end;

	assert_true(page != MAP_FAILED);
	assert_int_equal(munmap(page + 4096, 4096), 0);
	end = (uintptr_t)page + 4096;
	memcpy(page + 4090, "hello", 6);
	assert_int_equal(call(115, t, 32, end - 6, 0, 0, NULL), 6);
	assert_string_equal(to, "hello");
	assert_int_equal(call(115, t, 3, end - 6, 0, 0, NULL), 3);
	assert_string_equal(to, "he");
	page[4095] = 'x';
	memset(to, 1, sizeof(to));
	assert_int_equal((int64_t)call(115, t, 32, end - 6, 0, 0, NULL), -EFAULT);
	assert_memory_equal(to, zeros, 32);
	assert_int_equal(call(113, t, 6, end - 6, 0, 0, NULL), 0);
	assert_memory_equal(to, "hellox", 6);
	assert_int_equal((int64_t)call(113, t, 7, end - 6, 0, 0, NULL), -EFAULT);
	assert_memory_equal(to, zeros, 7);
	assert_int_equal((int64_t)call(113, t, 8, 0, 0, 0, NULL), -EFAULT);
	assert_int_equal((int64_t)call(113, t, 8, UINT64_MAX - 4, 0, 0, NULL), -EFAULT);
	assert_int_equal(call(113, t, 0, 0, 0, 0, NULL), 0);
	assert_int_equal(call(36, end - 2, (uintptr_t) "yz", 2, 0, 0, NULL), 0);
	assert_int_equal(page[4095], 'z');
	assert_int_equal((int64_t)call(36, end, (uintptr_t) "yz", 2, 0, 0, NULL), -EPERM);
	munmap(page, 4096);
}

static void test_host(void **state)
{
	struct skep_world fixed = {
		.fixed_clock = true, .now_ns = 12345, .fixed_random = true, .seed = 1};
	struct timespec now;
	char comm[16];

	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t before = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	assert_true(call(5, 0, 0, 0, 0, 0, NULL) - before < 1000000000u);
	assert_int_equal(call(5, 0, 0, 0, 0, 0, &fixed), 12345);
	uint64_t first = call(7, 0, 0, 0, 0, 0, &fixed);
	fixed.seed = 1;
	assert_int_equal(call(7, 0, 0, 0, 0, 0, &fixed), first);
	assert_int_equal(call(14, 0, 0, 0, 0, 0, NULL),
			 (uint64_t)getpid() << 32 | (uint32_t)gettid());
	assert_int_equal(call(15, 0, 0, 0, 0, 0, NULL), (uint64_t)getgid() << 32 | getuid());
	assert_int_equal(call(16, (uintptr_t)comm, 16, 0, 0, 0, NULL), 0);
	assert_string_equal(comm, "test_helper_cal");
	assert_int_equal(call(16, (uintptr_t)comm, 5, 0, 0, 0, NULL), 0);
	assert_string_equal(comm, "test");
}

/* --- Timers ------------------------------------------------------------------------------- */

/* value: 16 bytes of timer, a count */
static struct skep_map *make_timer_map(void)
{
	static const struct skep_map_field field = {.kind = SKEP_FIELD_TIMER, .off = 0, .size = 16};
	const struct skep_map_attr attr = {.type = SKEP_MAP_ARRAY,
					   .key_size = 4,
					   .value_size = 24,
					   .max_entries = 4,
					   .fields = &field,
					   .n_fields = 1};
	struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

static uint64_t wait_for(const uint64_t *count, uint64_t wanted)
{
	for (int i = 0; i < 2000 && __atomic_load_n(count, __ATOMIC_ACQUIRE) < wanted; i++)
		usleep(1000);
	return __atomic_load_n(count, __ATOMIC_ACQUIRE);
}

/* Sets element 2's timer; the callback adds its key to the count. */
static const char timer_text[] = "*(u32 *)(r10 -4) = 2\n"
				 "r1 = map[id:0]\n"
				 "r2 = r10\n"
				 "r2 += -4\n"
				 "call bpf_map_lookup_elem\n"
				 "if r0 == 0 goto out\n"
				 "r6 = r0\n"
				 "r1 = r6\n"
				 "r2 = map[id:0]\n"
				 "r3 = 1\n"
				 "call bpf_timer_init\n"
				 "r1 = r6\n"
				 "r2 = subprog[due]\n"
				 "call bpf_timer_set_callback\n"
				 "r1 = r6\n"
				 "r2 = 1000000\n"
				 "r3 = 0\n"
				 "call bpf_timer_start\n"
				 "out: exit\n"
				 "due: r1 = *(u32 *)(r2 +0)\n"
				 "r4 = *(u64 *)(r3 +16)\n"
				 "r4 += r1\n"
				 "*(u64 *)(r3 +16) = r4\n"
				 "r0 = 0\n"
				 "exit\n";

static void test_timer(void **state)
{
	struct test_program p = assemble(timer_text);
	_cleanup_map_ struct skep_map *map = make_timer_map();
	uint32_t key = 2;

	p.maps[0] = map;
	link_program(&p, &skep_exec_interp);
	uint64_t *value = skep_map_lookup(map, &key);
	assert_non_null(value);
	assert_int_equal(run_linked(&p, NULL), 0);
	assert_int_equal(wait_for(&value[2], 2), 2);
	uint64_t timer = (uintptr_t)value;
	assert_int_equal((int64_t)call(169, timer, (uintptr_t)map, 1, 0, 0, NULL), -EBUSY);
	assert_int_equal(call(171, timer, 1000000000000, 0, 0, 0, NULL), 0);
	assert_int_equal(call(172, timer, 0, 0, 0, 0, NULL), 1);
	assert_int_equal(call(172, timer, 0, 0, 0, 0, NULL), 0);
	assert_int_equal((int64_t)call(171, timer, 1, 0, 0, 0, NULL), -EINVAL);
	skep_timers_forget(&p.program);
	skep_kept_release(map, value);
	assert_int_equal((int64_t)call(172, timer, 0, 0, 0, 0, NULL), -EINVAL);
	assert_int_equal((int64_t)call(169, timer, (uintptr_t)map, 2, 0, 0, NULL), -EINVAL);
	free_program(&p);
}

/* --- Trees: 50 objects in, in any order; out by their order ------------------------------- */

static const char tree_text[] = "*(u32 *)(r10 -4) = 0\n"
				"r1 = map[id:0]\n"
				"r2 = r10\n"
				"r2 += -4\n"
				"call bpf_map_lookup_elem\n"
				"if r0 == 0 goto none\n"
				"r6 = r0\n"
				"r1 = 50\n"
				"r2 = subprog[make]\n"
				"r3 = r6\n"
				"r4 = 0\n"
				"call bpf_loop\n"
				"r7 = 0\n"
				"next: r1 = r6\n"
				"call bpf_rbtree_first#1\n"
				"if r0 == 0 goto end\n"
				"r1 = r6\n"
				"r2 = r0\n"
				"call bpf_rbtree_remove#2\n"
				"r1 = *(u64 *)(r0 +32)\n"
				"r7 *= 31\n"
				"r7 += r1\n"
				"r1 = r0\n"
				"r2 = 0\n"
				"call bpf_obj_drop_impl#3\n"
				"goto next\n"
				"end: r0 = r7\n"
				"none: exit\n"
				"make: r6 = r2\n" /* one object, of number i * 37 % 50 */
				"r7 = r1\n"
				"r1 = 1\n"
				"r2 = 0\n"
				"call bpf_obj_new_impl#0\n"
				"if r0 == 0 goto full\n"
				"r7 *= 37\n"
				"r7 %= 50\n"
				"*(u64 *)(r0 +32) = r7\n"
				"r1 = r6\n"
				"r2 = r0\n"
				"r3 = subprog[less]\n"
				"r4 = 0\n"
				"r5 = 0\n"
				"call bpf_rbtree_add_impl#4\n"
				"full: r0 = 0\n"
				"exit\n"
				"less: r1 = *(u64 *)(r1 +32)\n"
				"r2 = *(u64 *)(r2 +32)\n"
				"r0 = 0\n"
				"if r1 >= r2 goto +1\n"
				"r0 = 1\n"
				"exit\n";

/* One type: a struct of 40 bytes, a node and a number. */
static struct skep_btf *make_types(void)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	struct skep_btf *btf = NULL;
	void *data = NULL;
	size_t size = 0;

	skep_btf_add_struct(writer, "thing", 40);
	skep_btf_finish(writer, &data, &size);
	skep_btf_writer_free(writer);
	assert_int_equal(skep_btf_parse(data, size, NULL, &btf, NULL), 0);
	free(data);
	return btf;
}

static void test_tree(void **state)
{
	struct test_program p = assemble(tree_text);
	struct skep_world world = {.types = make_types()};
	static const char *const kfuncs[] = {"bpf_obj_new_impl", "bpf_rbtree_first",
					     "bpf_rbtree_remove", "bpf_obj_drop_impl",
					     "bpf_rbtree_add_impl"};
	_cleanup_map_ struct skep_map *map = make_map(SKEP_MAP_ARRAY, 4, 16, 1);
	uint64_t sum = 0;

	p.maps[0] = map;
	memcpy(p.kfuncs, kfuncs, sizeof(kfuncs));
	for (uint64_t i = 0; i < 50; i++)
		sum = sum * 31 + i;
	link_program(&p, &skep_exec_interp);
	assert_int_equal(run_linked(&p, &world), sum);
	free_program(&p);
	assert_int_equal(object_count(), 0);
	skep_btf_free((struct skep_btf *)world.types);
}

static void test_throw(void **state)
{
	struct test_program p = assemble("r1 = 42\n"
					 "call bpf_throw#0\n"
					 "r0 = 1\n"
					 "exit\n");

	p.kfuncs[0] = "bpf_throw";
	link_program(&p, &skep_exec_interp);
	assert_int_equal(run_linked(&p, NULL), 42);
	free_program(&p);
}

static void test_locks(void **state)
{
	uint32_t word = 0;
	struct skep_run run = {0};

	skep_helper(93)->call((uintptr_t)&word, 0, 0, 0, 0, &run);
	assert_int_equal(word, 1);
	assert_int_equal(run.stop, SKEP_STOP_NONE);
	skep_helper(93)->call((uintptr_t)&word, 0, 0, 0, 0, &run);
	assert_int_equal(run.stop, SKEP_STOP_FAULT);
	skep_helper(94)->call((uintptr_t)&word, 0, 0, 0, 0, &run);
	assert_int_equal(word, 0);
}

static void test_effects(void **state)
{
	struct skep_world world = {0};

	assert_int_equal(call(109, 9, 0, 0, 0, 0, &world), 0);
	assert_int_equal(world.signal, 9);
	assert_int_equal((int64_t)call(109, 65, 0, 0, 0, 0, &world), -EINVAL);
	assert_int_equal(call(58, 0, 77, 0, 0, 0, &world), 0);
	assert_true(world.overridden);
	assert_int_equal(world.override_value, 77);
	call(187, (uint64_t)-5, 0, 0, 0, 0, &world);
	assert_int_equal((int64_t)call(186, 0, 0, 0, 0, 0, &world), -5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop),       cmocka_unit_test(test_loop_limits),
		cmocka_unit_test(test_for_each),   cmocka_unit_test(test_ringbuf),
		cmocka_unit_test(test_dynptr),     cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_probe_read), cmocka_unit_test(test_host),
		cmocka_unit_test(test_timer),      cmocka_unit_test(test_tree),
		cmocka_unit_test(test_throw),      cmocka_unit_test(test_locks),
		cmocka_unit_test(test_effects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
