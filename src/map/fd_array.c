/*
 * Arrays of objects that user space names by descriptors and reads back as
 * ids: prog_array, perf_event_array, cgroup_array. (of_maps.c has the maps.)
 *
 * Source    Linux 6.18, kernel/bpf/arraymap.c, for behaviour.
 */
#include <errno.h>

#include "map/objects.h"

static int update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	uint32_t index = skep_objects_index(key);
	void *object;
	int err;

	if (flags != SKEP_ANY)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	object = skep_objects_get(map, (int)skep_objects_index(value), &err);
	if (!object)
		return err;
	skep_objects_exchange(map, index, object);
	return 0;
}

/* Perf events and cgroups have no ids. */
static int lookup_nothing(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return -SKEP_ENOTSUPP;
}

#define FD_ARRAY_OPS                                                                               \
	.fd_values = true, .check = skep_objects_check, .create = skep_objects_create,             \
	.free = skep_objects_free, .delete = skep_objects_delete, .object = skep_objects_object,   \
	.sys_update = update, .next_key = skep_objects_next_key

const struct skep_map_ops skep_map_prog_array_ops = {
	FD_ARRAY_OPS,
	.sys_lookup = skep_objects_sys_lookup,
};

const struct skep_map_ops skep_map_perf_event_array_ops = {
	FD_ARRAY_OPS,
	.sys_lookup = lookup_nothing,
};

const struct skep_map_ops skep_map_cgroup_array_ops = {
	FD_ARRAY_OPS,
	.sys_lookup = lookup_nothing,
};
