/*
 * Stacks: the kernel's own, taken by a program, give the same ids, refusals and
 * values here and there, with all flags and a table too small for them.
 */
#include "kernel_map.h"

#include <skep/map.h>

#include <stdlib.h>

#define MOST_SKIP 6
#define DEEP      127

static const uint64_t kinds[] = {0, BPF_F_FAST_STACK_CMP, BPF_F_REUSE_STACKID,
				 BPF_F_FAST_STACK_CMP | BPF_F_REUSE_STACKID};

static void text_stackid(struct kernel_text *text, int map, uint64_t flags)
{
	kernel_add(text, skep_alu64_reg(SKEP_MOV, SKEP_R1, SKEP_R6));
	kernel_add_imm64(text, SKEP_R2, SKEP_PSEUDO_MAP_FD, (uint32_t)map);
	kernel_add_mov(text, SKEP_R3, (int32_t)flags);
	kernel_add(text, skep_call(BPF_FUNC_get_stackid));
}

/* The first frame is in the program itself, and so another in each: it is always skipped. */
static int program(int deep, int map, uint64_t flags)
{
	struct kernel_text text = {.n = 0};

	kernel_add(&text, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1));
	text_stackid(&text, deep, 1 | BPF_F_REUSE_STACKID);
	kernel_add(&text, skep_alu64_reg(SKEP_MOV, SKEP_R7, SKEP_R0));
	text_stackid(&text, map, flags);
	/* Both: the id in the deep map in the upper half of the result. */
	kernel_add(&text, skep_alu64_imm(SKEP_LSH, SKEP_R7, 16));
	kernel_add(&text, skep_alu64_imm(SKEP_AND, SKEP_R0, 0xffff));
	kernel_add(&text, skep_alu64_reg(SKEP_OR, SKEP_R0, SKEP_R7));
	kernel_add(&text, skep_exit());
	return kernel_prog(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, text.insns, text.n);
}

static uint32_t run(int prog)
{
	union bpf_attr attr = {.test.prog_fd = (uint32_t)prog};

	assert_int_equal(kernel_bpf(BPF_PROG_TEST_RUN, &attr), 0);
	return attr.test.retval;
}

static uint32_t depth(const uint64_t *ips)
{
	uint32_t n = 0;

	while (n < DEEP && ips[n])
		n++;
	return n;
}

static void compare_all(int fd, struct skep_map *map, uint32_t value_size, uint32_t n_ids)
{
	uint8_t kernel[256], ours[256];
	uint32_t next_kernel, next_ours;

	for (uint32_t id = 0; id < n_ids + 2; id++) {
		int err = kernel_elem(BPF_MAP_LOOKUP_ELEM, fd, &id, kernel, 0);

		assert_int_equal(err, skep_map_sys_lookup(map, &id, ours, 0));
		if (!err)
			assert_memory_equal(kernel, ours, value_size);
		err = kernel_elem(BPF_MAP_GET_NEXT_KEY, fd, &id, &next_kernel, 0);
		assert_int_equal(err, skep_map_sys_next_key(map, &id, &next_ours));
		if (!err)
			assert_int_equal(next_kernel, next_ours);
	}
	assert_int_equal(kernel_elem(BPF_MAP_GET_NEXT_KEY, fd, NULL, &next_kernel, 0),
			 skep_map_sys_next_key(map, NULL, &next_ours));
	assert_int_equal(kernel_elem(BPF_MAP_UPDATE_ELEM, fd, &next_kernel, kernel, 0),
			 skep_map_sys_update(map, &next_kernel, kernel, 0));
}

static void take_away(int fd, struct skep_map *map, uint32_t id, uint32_t value_size)
{
	uint8_t kernel[256], ours[256];
	int err = kernel_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &id, kernel, 0);

	/* Kernels before 6.18 cannot. */
	if (err == -524)
		return;
	assert_int_equal(err, skep_map_sys_lookup_and_delete(map, &id, ours, 0));
	if (!err)
		assert_memory_equal(kernel, ours, value_size);
}

/* One stack: what the kernel's program got, and what we say of the same addresses. */
static void step(int deep, int prog, struct skep_map *map, uint64_t flags)
{
	uint32_t both = run(prog), id = both >> 16;
	uint64_t ips[DEEP + 1] = {0x1234}; /* the frame in the program */

	assert_int_equal(kernel_elem(BPF_MAP_LOOKUP_ELEM, deep, &id, ips + 1, 0), 0);
	assert_int_equal((int16_t)both, skep_stack_map_id(map, ips, depth(ips), flags));
}

static void compare_ids(uint32_t value_size, uint32_t max_entries, uint32_t map_flags)
{
	struct skep_map_attr attr = {.type = SKEP_MAP_STACK_TRACE,
				     .key_size = 4,
				     .value_size = value_size,
				     .max_entries = max_entries,
				     .flags = map_flags};
	int deep = kernel_map(BPF_MAP_TYPE_STACK_TRACE, 4, DEEP * 8, 64, 0);
	int fd = kernel_map(BPF_MAP_TYPE_STACK_TRACE, 4, value_size, max_entries, map_flags);
	int progs[MOST_SKIP][4];
	struct skep_map *map;

	assert_true(deep >= 0 && fd >= 0);
	assert_int_equal(skep_map_create(&attr, &map), 0);
	for (unsigned s = 0; s < MOST_SKIP; s++)
		for (unsigned k = 0; k < 4; k++) {
			progs[s][k] = program(deep, fd, (s + 1) | kinds[k]);
			assert_true(progs[s][k] >= 0);
		}
	srandom(value_size);
	for (unsigned i = 0; i < 2000; i++) {
		unsigned s = (unsigned)random() % MOST_SKIP, k = (unsigned)random() % 4;
		uint32_t id = (uint32_t)random() % 10;

		step(deep, progs[s][k], map, (s + 1) | kinds[k]);
		if (random() % 4 == 0)
			assert_int_equal(kernel_elem(BPF_MAP_DELETE_ELEM, fd, &id, NULL, 0),
					 skep_map_sys_delete(map, &id));
		if (random() % 4 == 0)
			take_away(fd, map, (uint32_t)random() % 10, value_size);
		compare_all(fd, map, value_size, 8);
	}
	for (unsigned s = 0; s < MOST_SKIP; s++)
		for (unsigned k = 0; k < 4; k++)
			close(progs[s][k]);
	skep_map_unref(map);
	close(fd);
	close(deep);
}

static void ids_of_the_kernels_stacks(void **state)
{
	compare_ids(16, 3, 0);
	compare_ids(64, 1, 0);
	compare_ids(128, 8, 0);
	compare_ids(64, 5, BPF_F_STACK_BUILD_ID);
}

static void refuses_flags_and_empty_stacks(void **state)
{
	struct skep_map_attr attr = {
		.type = SKEP_MAP_STACK_TRACE, .key_size = 4, .value_size = 16, .max_entries = 4};
	const uint64_t ips[2] = {1, 2};
	struct skep_map *map;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	assert_int_equal(skep_stack_map_id(map, ips, 2, 1 << 11), -EINVAL);
	assert_int_equal(skep_stack_map_id(map, ips, 0, 0), -EFAULT);
	assert_int_equal(skep_stack_map_id(map, ips, 2, 2), -EFAULT);
	assert_true(skep_stack_map_id(map, ips, 2, 1) >= 0);
	skep_map_unref(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_of_the_kernels_stacks),
		cmocka_unit_test(refuses_flags_and_empty_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
