/*
 * reuseport_sockarray: sockets that share a port, for a program to choose from.
 * A socket is in one place of one such array at most.
 *
 * Source    Linux 6.18, kernel/bpf/reuseport_array.c, for behaviour.
 */
#include <errno.h>

#include "map/lock.h"
#include "map/objects.h"

static uint32_t update_lock; /* of all arrays: nobody updates them often */

static int check(const struct skep_map_attr *attr)
{
	if (attr->value_size != 4 && attr->value_size != 8)
		return -EINVAL;
	if (attr->flags & (SKEP_F_MMAPABLE | SKEP_F_INNER_MAP))
		return -EINVAL;
	return skep_map_array_ops.check(attr);
}

static bool is_in(const struct skep_map *map, const void *socket)
{
	const struct skep_objects *objects = (const struct skep_objects *)map;

	for (uint32_t i = 0; i < objects->n_used; i++)
		if (objects->slots[i] == socket)
			return true;
	return false;
}

static int put_in(struct skep_map *map, uint32_t index, void *socket, uint64_t flags)
{
	void *old = NULL;
	int err;

	skep_lock(&update_lock);
	err = skep_objects_check_flags(skep_objects_at(map, index), flags);
	if (!err && is_in(map, socket))
		err = -EBUSY;
	if (!err)
		old = skep_objects_swap(map, index, socket);
	skep_unlock(&update_lock);
	skep_objects_retire(map, err ? socket : old);
	return err;
}

static int sys_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	uint32_t index = skep_objects_index(key);
	int fd, err, exists;
	void *socket;

	if (flags > SKEP_EXIST)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	fd = skep_objects_fd(map, value);
	if (map->value_size == sizeof(uint64_t) && fd < 0)
		return fd;
	socket = skep_objects_get(map, fd, &err);
	if (socket)
		return put_in(map, index, socket, flags);
	/* The kernel looks at the flags before it looks at what kind of socket it is. */
	exists = skep_objects_check_flags(skep_objects_at(map, index), flags);
	return exists && err != -EBADF && err != -ENOTSOCK ? exists : err;
}

static int sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return skep_objects_cookie(map, skep_objects_object, key, value);
}

const struct skep_map_ops skep_map_reuseport_sockarray_ops = {
	.check = check,
	.create = skep_objects_create,
	.free = skep_objects_free,
	.lookup = skep_objects_object,
	.delete = skep_objects_delete,
	.object = skep_objects_object,
	.sys_lookup = sys_lookup,
	.sys_update = sys_update,
	.next_key = skep_objects_next_key,
};
