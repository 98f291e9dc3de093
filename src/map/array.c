/*
 * array and percpu_array: a value for each number below max_entries, all there
 * from the start.
 *
 *	values   element 0 | element 1 | …      per CPU: one such row a CPU, cpu_stride apart
 *
 * Elements are value_size rounded up to 8. The JIT writes look-ups in place from
 * `values`, `elem_size`, `index_mask` and `cpu_stride`.
 */
#include <errno.h>
#include <limits.h>

#include "map/copy.h"
#include "map/memory.h"
#include "map/ops.h"

#define CREATE_FLAGS                                                                               \
	(SKEP_F_NUMA_NODE | SKEP_F_MMAPABLE | SKEP_F_ACCESS | SKEP_F_PRESERVE_ELEMS |              \
	 SKEP_F_INNER_MAP)

static bool is_percpu(const struct skep_map_attr *attr)
{
	return attr->type == SKEP_MAP_PERCPU_ARRAY;
}

static int array_check(const struct skep_map_attr *attr)
{
	if (!attr->max_entries || attr->key_size != 4 || !attr->value_size ||
	    !skep_map_flags_ok(attr, CREATE_FLAGS) ||
	    (is_percpu(attr) && skep_map_numa_node(attr) != -1))
		return -EINVAL;
	if (is_percpu(attr) && attr->flags & (SKEP_F_MMAPABLE | SKEP_F_INNER_MAP))
		return -EINVAL;
	if (attr->flags & SKEP_F_PRESERVE_ELEMS)
		return -EINVAL;
	if (attr->value_size > INT_MAX)
		return -E2BIG;
	if (is_percpu(attr) && skep_round8(attr->value_size) > SKEP_PERCPU_MOST)
		return -E2BIG;
	return 0;
}

/* One less than the power of two that holds @n. */
static uint32_t mask_of(uint32_t n)
{
	return n <= 1 ? 0 : UINT32_MAX >> __builtin_clz(n - 1);
}

static int array_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct skep_map *map = skep_map_alloc(attr, sizeof(*map));
	uint64_t bytes;
	int err;

	if (!map)
		return -ENOMEM;
	bytes = (uint64_t)map->elem_size * map->max_entries;
	map->index_mask = mask_of(map->max_entries);
	if (is_percpu(attr)) {
		map->cpu_stride = skep_memory_round_page(bytes);
		bytes = map->cpu_stride * skep_map_n_cpus();
	}
	err = attr->flags & SKEP_F_MMAPABLE ? skep_map_reserve_fd(map, bytes)
					    : skep_map_reserve(map, bytes, true);
	if (err) {
		skep_map_discard(map);
		return err;
	}
	map->values = map->base;
	*ret = map;
	return 0;
}

static uint8_t *element(const struct skep_map *map, uint32_t cpu, uint32_t i)
{
	return map->values + cpu * map->cpu_stride + (size_t)i * map->elem_size;
}

static uint32_t index_of(const void *key)
{
	uint32_t i;

	memcpy(&i, key, sizeof(i));
	return i;
}

static void array_free(struct skep_map *map)
{
	uint32_t n_cpus = map->cpu_stride ? skep_map_n_cpus() : 1;

	for (uint32_t cpu = 0; map->n_fields && cpu < n_cpus; cpu++)
		for (uint32_t i = 0; i < map->max_entries; i++)
			skep_value_release(map, element(map, cpu, i));
	skep_map_discard(map);
}

static void *array_lookup(struct skep_map *map, const void *key)
{
	uint32_t i = index_of(key);

	return i < map->max_entries ? map->values + (size_t)i * map->elem_size : NULL;
}

static void *percpu_lookup_percpu(struct skep_map *map, const void *key, uint32_t cpu)
{
	uint32_t i = index_of(key);

	return i < map->max_entries ? element(map, cpu, i) : NULL;
}

static void *percpu_lookup(struct skep_map *map, const void *key)
{
	return percpu_lookup_percpu(map, key, skep_cpu_current());
}

static void set(struct skep_map *map, void *value, const void *src, size_t n)
{
	skep_value_set(map, value, src, n);
	skep_value_release(map, value);
}

static int check_update(const struct skep_map *map, uint32_t i, uint64_t flags)
{
	if ((flags & ~(uint64_t)SKEP_LOCK) > SKEP_EXIST)
		return -EINVAL;
	if (i >= map->max_entries)
		return -E2BIG;
	if (flags & SKEP_NOEXIST)
		return -EEXIST;
	if (flags & SKEP_LOCK && !skep_map_field(map, SKEP_FIELD_SPIN_LOCK))
		return -EINVAL;
	return 0;
}

static int array_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	uint32_t i = index_of(key);
	int err = check_update(map, i, flags);

	if (err)
		return err;
	if (!(flags & SKEP_LOCK)) {
		set(map, element(map, 0, i), value, map->value_size);
		return 0;
	}
	skep_value_set_locked(map, element(map, 0, i), value);
	skep_value_release(map, element(map, 0, i));
	return 0;
}

static int percpu_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	uint32_t i = index_of(key);
	int err = check_update(map, i, flags);

	if (!err)
		set(map, element(map, skep_cpu_current(), i), value, map->value_size);
	return err;
}

static int array_delete(struct skep_map *map, const void *key)
{
	return -EINVAL;
}

static int percpu_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	uint32_t i = index_of(key), n = map->elem_size;

	if (i >= map->max_entries)
		return -ENOENT;
	for (uint32_t cpu = 0; cpu < skep_map_n_cpus(); cpu++)
		skep_value_get(map, (uint8_t *)value + (size_t)cpu * n, element(map, cpu, i), n);
	return 0;
}

static int percpu_sys_update(struct skep_map *map, const void *key, const void *value,
			     uint64_t flags)
{
	uint32_t i = index_of(key), n = map->elem_size;

	if (flags > SKEP_EXIST)
		return -EINVAL;
	if (i >= map->max_entries)
		return -E2BIG;
	if (flags == SKEP_NOEXIST)
		return -EEXIST;
	for (uint32_t cpu = 0; cpu < skep_map_n_cpus(); cpu++)
		set(map, element(map, cpu, i), (const uint8_t *)value + (size_t)cpu * n, n);
	return 0;
}

static int array_next_key(struct skep_map *map, const void *key, void *next_key)
{
	uint32_t i = key ? index_of(key) : UINT32_MAX, next = i + 1;

	if (i >= map->max_entries)
		next = 0;
	else if (next == map->max_entries)
		return -ENOENT;
	memcpy(next_key, &next, sizeof(next));
	return 0;
}

static long array_for_each(struct skep_map *map,
			   long (*each)(struct skep_map *map, void *key, void *value, void *ctx),
			   void *ctx, uint64_t flags)
{
	uint32_t cpu = map->cpu_stride ? skep_cpu_current() : 0;
	uint32_t key, i = 0;

	while (i < map->max_entries) {
		key = i++;
		if (each(map, &key, element(map, cpu, key), ctx))
			break;
	}
	return i;
}

static intptr_t array_mmap(struct skep_map *map, void *addr, size_t len, int prot, int flags,
			   uint64_t off)
{
	const struct skep_memory_view view = {
		.addr = addr, .len = len, .prot = prot, .flags = flags, .off = off};

	if (!(map->flags & SKEP_F_MMAPABLE) || off > map->memory_bytes ||
	    skep_memory_round_page(len) > map->memory_bytes - off)
		return -EINVAL;
	return skep_memory_show(map->memory_fd, &view);
}

const struct skep_map_ops skep_map_array_ops = {
	.check = array_check,
	.create = array_create,
	.free = array_free,
	.lookup = array_lookup,
	.update = array_update,
	.delete = array_delete,
	.for_each = array_for_each,
	.next_key = array_next_key,
	.mmap = array_mmap,
	.has_lookup_batch = true,
	.has_update_batch = true,
};

const struct skep_map_ops skep_map_percpu_array_ops = {
	.percpu_values = true,
	.check = array_check,
	.create = array_create,
	.free = array_free,
	.lookup = percpu_lookup,
	.update = percpu_update,
	.delete = array_delete,
	.lookup_percpu = percpu_lookup_percpu,
	.for_each = array_for_each,
	.sys_lookup = percpu_sys_lookup,
	.sys_update = percpu_sys_update,
	.next_key = array_next_key,
	.has_lookup_batch = true,
	.has_update_batch = true,
};
