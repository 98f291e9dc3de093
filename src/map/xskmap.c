/*
 * xskmap: AF_XDP sockets to redirect packets to. User space can put sockets in
 * and not see them.
 *
 * Source    Linux 6.18, net/xdp/xskmap.c, for behaviour.
 */
#include <errno.h>

#include "map/objects.h"

static int create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	if (!attr->max_entries || attr->key_size != 4 || attr->value_size != 4)
		return -EINVAL;
	if (attr->flags & ~(SKEP_F_NUMA_NODE | SKEP_F_RDONLY | SKEP_F_WRONLY))
		return -EINVAL;
	return skep_objects_create(attr, ret);
}

static int update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	uint32_t index = skep_objects_index(key);
	void *socket, *old;
	int err;

	if (flags > SKEP_EXIST)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	socket = skep_objects_get(map, (int)skep_objects_index(value), &err);
	if (!socket)
		return err;
	old = skep_objects_at(map, index);
	err = old == socket ? 0 : skep_objects_check_flags(old, flags);
	if (err)
		skep_objects_put(map, socket);
	else
		skep_objects_exchange(map, index, socket);
	return err;
}

static int erase(struct skep_map *map, const void *key)
{
	uint32_t index = skep_objects_index(key);

	if (index >= map->max_entries)
		return -EINVAL;
	skep_objects_exchange(map, index, NULL);
	return 0;
}

static int sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return -EOPNOTSUPP;
}

const struct skep_map_ops skep_map_xskmap_ops = {
	.create = create,
	.free = skep_objects_free,
	.lookup = skep_objects_object,
	.sys_update = update,
	.delete = erase,
	.object = skep_objects_object,
	.sys_lookup = sys_lookup,
	.next_key = skep_objects_next_key,
};
