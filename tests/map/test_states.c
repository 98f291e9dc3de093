/*
 * What the kernel's maps cannot be asked by bpf(2) alone: the states of a
 * struct_ops table, values by owner and by cgroup, elements put when nobody is
 * left. Results are those of the kernel's source.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <skep/map.h>

#define F_NO_PREALLOC (1u << 0)
#define F_LINK        (1u << 13)

static struct skep_map *map_new(uint32_t type, uint32_t key, uint32_t value, uint32_t max,
				uint32_t flags, const struct skep_map_env *env)
{
	struct skep_map_attr attr = {.type = type,
				     .key_size = key,
				     .value_size = value,
				     .max_entries = max,
				     .flags = flags,
				     .env = env};
	struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

/* --- struct_ops ------------------------------------------------------------------------------- */

/* struct bpf_struct_ops_common, and the table a cache line on */
struct table {
	uint32_t users, state;
	uint8_t pad[56];
	uint64_t function;
};

static int enlist_result;
static unsigned n_filled, n_enlisted;

static int fill(struct skep_map *map, void *value)
{
	struct table *table = value;

	if (table->function == 99)
		return -EBADF;
	n_filled++;
	table->function += 1000; /* a descriptor becomes an id */
	return 0;
}

static void unfill(struct skep_map *map, void *value)
{
	n_filled--;
}

static int enlist(struct skep_map *map, const void *value)
{
	n_enlisted += !enlist_result;
	return enlist_result;
}

static void delist(struct skep_map *map, const void *value)
{
	n_enlisted--;
}

static const struct skep_map_env tables = {
	.fill = fill, .unfill = unfill, .enlist = enlist, .delist = delist};

static int put_table(struct skep_map *map, uint64_t function)
{
	const struct table table = {.function = function};
	const uint32_t zero = 0;

	return skep_map_sys_update(map, &zero, &table, 0);
}

static struct table table_of(struct skep_map *map)
{
	const uint32_t zero = 0;
	struct table table;

	memset(&table, 0x55, sizeof(table));
	assert_int_equal(skep_map_sys_lookup(map, &zero, &table, 0), 0);
	return table;
}

static void struct_ops_registers_itself(void **state)
{
	struct skep_map *map = map_new(SKEP_MAP_STRUCT_OPS, 4, sizeof(struct table), 1, 0, &tables);
	const uint32_t zero = 0, one = 1;
	struct table table = {.state = 1};
	uint32_t key;

	assert_int_equal(table_of(map).state, SKEP_STRUCT_OPS_INIT);
	assert_int_equal(table_of(map).pad[3], 0);
	assert_int_equal(skep_map_sys_lookup(map, &one, &table, 0), -ENOENT);
	assert_int_equal(skep_map_sys_update(map, &zero, &table, 0), -EINVAL);
	table.state = 0;
	assert_int_equal(skep_map_sys_update(map, &zero, &table, 1), -EINVAL);
	assert_int_equal(skep_map_sys_update(map, &one, &table, 0), -E2BIG);
	assert_int_equal(skep_map_sys_delete(map, &zero), -ENOENT);
	assert_int_equal(put_table(map, 99), -EBADF);
	enlist_result = -EEXIST;
	assert_int_equal(put_table(map, 5), -EEXIST);
	enlist_result = 0;
	assert_int_equal(n_filled, 0);
	assert_int_equal(put_table(map, 5), 0);
	assert_int_equal(n_filled + n_enlisted, 2);
	assert_int_equal(put_table(map, 5), -EBUSY);
	assert_int_equal(table_of(map).state, SKEP_STRUCT_OPS_INUSE);
	assert_int_equal(table_of(map).users, 1);
	assert_int_equal(table_of(map).function, 1005);
	skep_map_ref(map); /* the registration holds one, which delete gives back */
	assert_int_equal(skep_map_sys_delete(map, &zero), 0);
	assert_int_equal(n_enlisted, 0);
	assert_int_equal(skep_map_sys_delete(map, &zero), -EINPROGRESS);
	assert_int_equal(table_of(map).state, SKEP_STRUCT_OPS_TOBEFREE);
	assert_int_equal(put_table(map, 5), -EBUSY);
	assert_int_equal(skep_map_sys_next_key(map, NULL, &key), 0);
	assert_int_equal(skep_map_sys_next_key(map, &one, &key), 0);
	assert_int_equal(skep_map_sys_next_key(map, &zero, &key), -ENOENT);
	skep_map_unref(map);
	skep_map_unref(map);
	assert_int_equal(n_filled, 0);
}

static void struct_ops_waits_for_a_link(void **state)
{
	struct skep_map *map =
		map_new(SKEP_MAP_STRUCT_OPS, 4, sizeof(struct table), 1, F_LINK, &tables);
	const uint32_t zero = 0;

	assert_int_equal(put_table(map, 7), 0);
	assert_int_equal(skep_struct_ops_state(map), SKEP_STRUCT_OPS_READY);
	assert_int_equal(((const struct table *)skep_struct_ops_value(map))->function, 1007);
	assert_int_equal(n_enlisted, 0);
	assert_int_equal(put_table(map, 7), -EBUSY);
	assert_int_equal(skep_map_sys_delete(map, &zero), -EOPNOTSUPP);
	skep_map_unref(map);
	assert_int_equal(n_filled, 0);
}

/* --- Values by owner ------------------------------------------------------------------------- */

static void storages_go_with_their_owner(void **state)
{
	struct skep_map *maps[2];
	uint64_t init = 5, *value;
	int owners[3], err;

	for (unsigned i = 0; i < 2; i++)
		maps[i] = map_new(SKEP_MAP_TASK_STORAGE, 4, 8, 0, F_NO_PREALLOC, NULL);
	assert_null(skep_map_storage(maps[0], &owners[0], &init, false, &err));
	assert_int_equal(err, -ENOENT);
	value = skep_map_storage(maps[0], &owners[0], &init, true, &err);
	assert_int_equal(*value, 5);
	init = 6;
	assert_ptr_equal(skep_map_storage(maps[0], &owners[0], &init, true, NULL), value);
	assert_int_equal(*value, 5);
	assert_int_equal(*(uint64_t *)skep_map_storage(maps[0], &owners[1], NULL, true, NULL), 0);
	assert_int_equal(*(uint64_t *)skep_map_storage(maps[1], &owners[0], &init, true, NULL), 6);
	skep_map_storage_forget(&owners[0]);
	for (unsigned i = 0; i < 2; i++)
		assert_null(skep_map_storage(maps[i], &owners[0], NULL, false, NULL));
	assert_int_equal(skep_map_storage_delete(maps[0], &owners[0]), -ENOENT);
	assert_int_equal(skep_map_storage_delete(maps[0], &owners[1]), 0);
	assert_int_equal(skep_map_storage_delete(maps[0], &owners[1]), -ENOENT);
	for (unsigned i = 0; i < 2; i++)
		skep_map_unref(maps[i]);
}

#define OWNERS 32

static struct skep_map *storage;
static int owner_of[2][OWNERS];

/* Each thread has owners of its own, in one table. */
static void *use_storages(void *arg)
{
	int *owners = owner_of[(uintptr_t)arg];
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < 20000; i++) {
		void *owner = &owners[i % OWNERS];
		uint64_t *value = skep_map_storage(storage, owner, NULL, true, NULL);

		__atomic_fetch_add(value, 1, __ATOMIC_RELAXED);
		if (i / OWNERS % 10 == 9) {
			wrong += __atomic_load_n(value, __ATOMIC_RELAXED) != 10;
			skep_map_storage_delete(storage, owner);
		}
	}
	return (void *)(uintptr_t)wrong;
}

static void threads_keep_their_storages(void **state)
{
	pthread_t threads[2];
	void *wrong;

	storage = map_new(SKEP_MAP_CGRP_STORAGE, 4, 8, 0, F_NO_PREALLOC, NULL);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, use_storages, (void *)i);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	skep_map_unref(storage);
}

/* --- Values by cgroup ------------------------------------------------------------------------ */

struct cgroup_key {
	uint64_t id;
	uint32_t attach, unused;
};

static void cgroup_values_come_with_attachments(void **state)
{
	struct skep_map *map = map_new(SKEP_MAP_CGROUP_STORAGE, 16, 8, 0, 0, NULL);
	const struct cgroup_key first = {1, 2, 77}, second = {1, 3, 0};
	struct cgroup_key next;
	uint64_t value = 9, read;
	void *at;

	assert_int_equal(skep_map_sys_update(map, &first, &value, 0), -ENOENT);
	assert_int_equal(skep_map_sys_next_key(map, NULL, &next), -ENOENT);
	at = skep_cgroup_storage_link(map, &first);
	assert_ptr_equal(skep_cgroup_storage_link(map, &first), at);
	assert_ptr_equal(skep_map_lookup(map, &first), at);
	assert_non_null(skep_cgroup_storage_link(map, &second));
	assert_int_equal(skep_map_sys_update(map, &first, &value, 1), -EINVAL);
	assert_int_equal(skep_map_sys_update(map, &first, &value, 2), 0);
	assert_int_equal(skep_map_sys_lookup(map, &first, &read, 0), 0);
	assert_int_equal(read, 9);
	assert_int_equal(skep_map_sys_next_key(map, NULL, &next), 0);
	assert_int_equal(next.attach, 3); /* the newest first */
	assert_int_equal(skep_map_sys_next_key(map, &next, &next), 0);
	assert_int_equal(next.attach, 2);
	assert_int_equal(skep_map_sys_next_key(map, &next, &next), -ENOENT);
	assert_int_equal(skep_map_sys_delete(map, &first), -EINVAL);
	skep_cgroup_storage_unlink(map, &first);
	assert_int_equal(skep_map_sys_lookup(map, &first, &read, 0), -ENOENT);
	assert_int_equal(skep_map_sys_next_key(map, &first, &next), -ENOENT);
	skep_map_unref(map);
}

static void cgroup_values_for_each_cpu(void **state)
{
	struct skep_map *map = map_new(SKEP_MAP_PERCPU_CGROUP_STORAGE, 8, 4, 0, 0, NULL);
	uint32_t n = skep_map_n_cpus();
	uint64_t key = 5, *values = calloc(n, 8), *read = calloc(n, 8);
	uint8_t *at = skep_cgroup_storage_link(map, &key);
	int run;

	assert_int_equal(skep_map_sys_value_size(map), n * 8);
	for (uint32_t i = 0; i < n; i++)
		values[i] = i + 1;
	assert_int_equal(skep_map_sys_update(map, &key, values, 1), -EINVAL);
	assert_int_equal(skep_map_sys_update(map, &key, values, 0), 0);
	assert_int_equal(skep_map_sys_lookup(map, &key, read, 0), 0);
	assert_memory_equal(values, read, n * 8);
	assert_int_equal(*(uint32_t *)(at + (n - 1) * map->elem_size), n);
	/* A test run has its own, which nobody sees. */
	at = skep_map_storage(map, &run, NULL, true, NULL);
	assert_int_equal(*(uint64_t *)(at + (n - 1) * map->elem_size), 0);
	assert_int_equal(skep_map_sys_next_key(map, &key, read), -ENOENT);
	skep_map_storage_forget(&run);
	free(values);
	free(read);
	skep_map_unref(map);
}

/* --- Elements that hold what holds them ------------------------------------------------------ */

static int n_refs;

static void *get_any(struct skep_map *map, int fd, int *ret_err)
{
	n_refs++;
	return &n_refs;
}

static void put_any(struct skep_map *map, void *object)
{
	n_refs--;
}

static const struct skep_map_env any = {.get = get_any, .put = put_any};

static void cleared_when_nobody_is_left(void **state)
{
	struct skep_map *map = map_new(SKEP_MAP_PROG_ARRAY, 4, 4, 1000, 0, &any);

	for (uint32_t key = 0; key < 1000; key += 333)
		assert_int_equal(skep_map_sys_update(map, &key, &key, 0), 0);
	assert_int_equal(n_refs, 4);
	skep_map_clear_objects(map);
	assert_int_equal(n_refs, 0);
	for (uint32_t key = 0; key < 1000; key += 333)
		assert_null(skep_map_object(map, &key));
	skep_map_unref(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(struct_ops_registers_itself),
		cmocka_unit_test(struct_ops_waits_for_a_link),
		cmocka_unit_test(storages_go_with_their_owner),
		cmocka_unit_test(threads_keep_their_storages),
		cmocka_unit_test(cgroup_values_come_with_attachments),
		cmocka_unit_test(cgroup_values_for_each_cpu),
		cmocka_unit_test(cleared_when_nobody_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
