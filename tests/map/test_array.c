/* Arrays that are mapped; what the JIT relies on of their layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <skep/map.h>

#define MMAPABLE    (1 << 10)
#define RDONLY_PROG (1 << 7)

static struct skep_map *make(uint32_t type, uint32_t value_size, uint32_t entries, uint32_t flags)
{
	struct skep_map_attr attr = {.type = type,
				     .key_size = 4,
				     .value_size = value_size,
				     .max_entries = entries,
				     .flags = flags};
	struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

static void test_mapping_shows_values(void **state)
{
	_cleanup_map_ struct skep_map *map = make(SKEP_MAP_ARRAY, 12, 300, MMAPABLE);
	size_t bytes = 8192; /* 300 times 16, in pages */
	uint32_t key = 299, value[3] = {1, 2, 3};
	uint8_t *at =
		(uint8_t *)skep_map_mmap(map, NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

	assert_true((intptr_t)at > 0);
	assert_int_equal(skep_map_update(map, &key, value, 0), 0);
	assert_memory_equal(at + key * 16, value, sizeof(value));
	at[0] = 7;
	key = 0;
	assert_int_equal(*(uint8_t *)skep_map_lookup(map, &key), 7);
	munmap(at, bytes);
}

static void test_mapping_is_refused(void **state)
{
	_cleanup_map_ struct skep_map *plain = make(SKEP_MAP_ARRAY, 8, 1, 0);
	_cleanup_map_ struct skep_map *percpu = make(SKEP_MAP_PERCPU_ARRAY, 8, 1, 0);
	_cleanup_map_ struct skep_map *map = make(SKEP_MAP_ARRAY, 8, 1, MMAPABLE);
	_cleanup_map_ struct skep_map *fixed = make(SKEP_MAP_ARRAY, 8, 1, MMAPABLE | RDONLY_PROG);
	const int rw = PROT_READ | PROT_WRITE;

	assert_int_equal(skep_map_mmap(plain, NULL, 4096, rw, MAP_SHARED, 0), -EINVAL);
	assert_int_equal(skep_map_mmap(percpu, NULL, 4096, rw, MAP_SHARED, 0), -SKEP_ENOTSUPP);
	assert_int_equal(skep_map_mmap(map, NULL, 8192, rw, MAP_SHARED, 0), -EINVAL);
	assert_int_equal(skep_map_mmap(map, NULL, 4096, rw, MAP_PRIVATE, 0), -EINVAL);
	assert_int_equal(skep_map_mmap(fixed, NULL, 4096, rw, MAP_SHARED, 0), -EACCES);
	assert_int_equal(skep_map_sys_freeze(map), 0);
	assert_int_equal(skep_map_mmap(map, NULL, 4096, rw, MAP_SHARED, 0), -EPERM);
}

static void test_layout(void **state)
{
	_cleanup_map_ struct skep_map *map = make(SKEP_MAP_PERCPU_ARRAY, 12, 5, 0);

	assert_int_equal(map->elem_size, 16);
	assert_int_equal(map->index_mask, 7);
	for (uint32_t cpu = 0; cpu < skep_map_n_cpus(); cpu++)
		for (uint32_t i = 0; i < 5; i++)
			assert_ptr_equal(skep_map_lookup_percpu(map, &i, cpu),
					 map->values + cpu * map->cpu_stride + (size_t)i * 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapping_shows_values),
		cmocka_unit_test(test_mapping_is_refused),
		cmocka_unit_test(test_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
