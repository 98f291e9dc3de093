/*
 * Which attributes a map can be made with: every type of object, storage, ring
 * buffer, stack and arena, with sizes and flags around all limits. The kernel's
 * answer and ours must be the same.
 */
#include "kernel_map.h"

#include <skep/map.h>

#include <stdlib.h>

struct range {
	uint32_t types[4];
	uint32_t keys[8], values[12], entries[14], flags[24];
};

#define END 0xdeadbeef

#define ALL_FLAGS                                                                                  \
	0, 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9,         \
		1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 15, 1 << 17, 1 << 18, 1 << 19, 3 << 3,    \
		3 << 7, 9 << 4, END

static const struct range ranges[] = {
	{{BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_CGROUP_ARRAY, END},
	 {0, 2, 4, 8, END},
	 {0, 2, 4, 8, END},
	 {0, 1, 3, 1000, END},
	 {ALL_FLAGS}},
	{{BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS, END},
	 {0, 3, 4, 8, 512, 513, END},
	 {0, 2, 4, 8, END},
	 {0, 1, 3, 100, END},
	 {ALL_FLAGS}},
	{{BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_XSKMAP},
	 {0, 2, 4, 8, END},
	 {0, 2, 4, 8, 12, END},
	 {0, 1, 3, 64, 1000, END},
	 {ALL_FLAGS}},
	{{BPF_MAP_TYPE_SOCKMAP, BPF_MAP_TYPE_SOCKHASH, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, END},
	 {0, 1, 4, 8, 512, 513, END},
	 {0, 2, 4, 8, 12, END},
	 {0, 1, 3, 1000, END},
	 {ALL_FLAGS}},
	{{BPF_MAP_TYPE_SOCKHASH, BPF_MAP_TYPE_DEVMAP_HASH, END},
	 {4, END},
	 {4, END},
	 {0x80000001, 0xffffffff, END},
	 {0, END}},
	{{BPF_MAP_TYPE_CPUMAP, END},
	 {4, END},
	 {4, END},
	 {64, 65, 128, 129, 256, 257, 512, 513, 8192, 8193, 10000, END},
	 {0, END}},
	{{BPF_MAP_TYPE_CGROUP_STORAGE, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, END},
	 {0, 4, 8, 12, 16, 20, END},
	 {0, 1, 8, 32768, 32769, 65000, 65535 - 64, 65535 - 128, 65535 - 96, 65535, END},
	 {0, 1, END},
	 {ALL_FLAGS}},
	{{BPF_MAP_TYPE_STACK_TRACE, END},
	 {0, 2, 4, 8, END},
	 {0, 4, 8, 12, 32, 64, 1016, 1024, 32 * 127, 32 * 128, END},
	 {0, 1, 3, 1000, END},
	 {ALL_FLAGS}},
	{{BPF_MAP_TYPE_STACK_TRACE, END},
	 {4, END},
	 {8, END},
	 {0x80000001, 0xffffffff, END},
	 {0, END}},
	{{BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_USER_RINGBUF, END},
	 {0, 4, END},
	 {0, 4, END},
	 {0, 1, 2048, 4096, 4097, 8192, 12288, 65536, END},
	 {ALL_FLAGS}},
	{{SKEP_MAP_ARENA, END},
	 {0, 4, END},
	 {0, 4, END},
	 {0, 1, 3, 1000, 1 << 20, (1 << 20) + 1, END},
	 {ALL_FLAGS}},
	{{SKEP_MAP_ARENA, END},
	 {0, END},
	 {0, END},
	 {0, 1, 3, 1000, 1 << 20, (1 << 20) + 1, 0xffffffff, END},
	 {1 << 10, 1 << 10 | 1 << 17, 1 << 10 | 1 << 18, 1 << 10 | 1 << 11, 3 << 10 | 1 << 3, END}},
};

static int inner_fd;
static struct skep_map *inner;

static uint64_t extra;

static int here(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	struct skep_map_attr attr = {.type = type,
				     .key_size = key,
				     .value_size = value,
				     .max_entries = entries,
				     .flags = flags,
				     .extra = extra,
				     .inner = inner};
	struct skep_map *map = NULL;
	int err = skep_map_create(&attr, &map);

	if (!err) {
		assert_true(map->memory_bytes || type == BPF_MAP_TYPE_STRUCT_OPS);
		skep_map_unref(map);
	}
	return err;
}

static int in_kernel(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	union bpf_attr attr = {.map_type = type,
			       .key_size = key,
			       .value_size = value,
			       .max_entries = entries,
			       .map_flags = flags,
			       .map_extra = extra,
			       .inner_map_fd = (uint32_t)inner_fd};
	int fd = kernel_bpf(BPF_MAP_CREATE, &attr);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static unsigned n_made, n_refused, n_differ;

static unsigned take_differences(void)
{
	unsigned n = n_differ;

	n_differ = 0;
	return n;
}

static void compare(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	int kernel = in_kernel(type, key, value, entries, flags);
	int ours = here(type, key, value, entries, flags);

	n_made += !kernel;
	n_refused += kernel < 0;
	if (kernel == ours)
		return;
	n_differ++;
	print_message("type %u, key %u, value %u, entries %u, flags 0x%x, extra 0x%llx: "
		      "kernel %d, ours %d\n",
		      type, key, value, entries, flags, (unsigned long long)extra, kernel, ours);
}

static void compare_range(const struct range *range, uint32_t type)
{
	for (const uint32_t *k = range->keys; *k != END; k++)
		for (const uint32_t *v = range->values; *v != END; v++)
			for (const uint32_t *e = range->entries; *e != END; e++)
				for (const uint32_t *f = range->flags; *f != END; f++)
					compare(type, *k, *v, *e, *f);
}

static void attributes_as_the_kernel(void **state)
{
	struct skep_map_attr attr = {
		.type = SKEP_MAP_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 2};

	inner_fd = kernel_map(BPF_MAP_TYPE_ARRAY, 4, 8, 2, 0);
	assert_true(inner_fd >= 0);
	assert_int_equal(skep_map_create(&attr, &inner), 0);
	for (unsigned r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++)
		for (unsigned t = 0; t < 4 && ranges[r].types[t] != END; t++)
			compare_range(&ranges[r], ranges[r].types[t]);
	print_message("%u made, %u refused\n", n_made, n_refused);
	assert_int_equal(take_differences(), 0);
	assert_true(n_made > 200 && n_refused > 2000);
	close(inner_fd);
	skep_map_unref(inner);
	inner = NULL;
}

/* map_extra: where user space will see the arena. */
static void arena_addresses(void **state)
{
	static const uint64_t addresses[] = {0x1000,         0x1001,        0xfffff000,
					     0x100000000,    0xfffff000,    0xffffe000,
					     0x7f0000000000, 0x7f00fffff000};

	for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		for (uint32_t pages = 1; pages < 4; pages++) {
			extra = addresses[i];
			compare(SKEP_MAP_ARENA, 0, 0, pages, 1 << 10);
			compare(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
		}
	extra = 0;
	assert_int_equal(take_differences(), 0);
}

/* What may be in a map of maps. */
static void inner_types(void **state)
{
	static const struct {
		uint32_t type, key, value, max, flags;
	} inners[] = {
		{BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0},
		{BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1, 0},
		{BPF_MAP_TYPE_CGROUP_STORAGE, 8, 8, 0, 0},
		{BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, 16, 8, 0, 0},
		{BPF_MAP_TYPE_STACK_TRACE, 4, 8, 1, 0},
		{BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0},
		{BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096, 0},
		{BPF_MAP_TYPE_DEVMAP, 4, 4, 1, 0},
		{BPF_MAP_TYPE_CPUMAP, 4, 4, 1, 0},
		{BPF_MAP_TYPE_SOCKHASH, 4, 4, 1, 0},
		{BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 1, 0},
		{BPF_MAP_TYPE_QUEUE, 0, 4, 1, 0},
		{BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 1, 0},
		{BPF_MAP_TYPE_LRU_HASH, 4, 4, 1, 0},
		{BPF_MAP_TYPE_LPM_TRIE, 8, 4, 1, BPF_F_NO_PREALLOC},
		{SKEP_MAP_ARENA, 0, 0, 1, BPF_F_MMAPABLE},
	};

	for (unsigned i = 0; i < sizeof(inners) / sizeof(inners[0]); i++) {
		struct skep_map_attr attr = {.type = inners[i].type,
					     .key_size = inners[i].key,
					     .value_size = inners[i].value,
					     .max_entries = inners[i].max,
					     .flags = inners[i].flags};

		inner_fd = kernel_map(attr.type, attr.key_size, attr.value_size, attr.max_entries,
				      attr.flags);
		if (inner_fd < 0)
			continue;
		assert_int_equal(skep_map_create(&attr, &inner), 0);
		compare(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0);
		compare(BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 1, 0);
		skep_map_unref(inner);
		inner = NULL;
		close(inner_fd);
	}
	inner_fd = -1;
	compare(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0);
	assert_int_equal(take_differences(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_as_the_kernel),
		cmocka_unit_test(arena_addresses),
		cmocka_unit_test(inner_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
