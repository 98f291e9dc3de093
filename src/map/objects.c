/* Tables of somebody else's objects; see objects.h. */
#include "map/objects.h"

#include <errno.h>
#include <string.h>

#include "map/grace.h"
#include "map/memory.h"

static size_t table_bytes(const struct skep_map *map)
{
	return (size_t)map->max_entries * sizeof(void *);
}

int skep_objects_check_flags(bool there, uint64_t flags)
{
	if (there && flags == SKEP_NOEXIST)
		return -EEXIST;
	if (!there && flags == SKEP_EXIST)
		return -ENOENT;
	return 0;
}

int skep_objects_check(const struct skep_map_attr *attr)
{
	const uint32_t never =
		SKEP_F_RDONLY_PROG | SKEP_F_WRONLY_PROG | SKEP_F_MMAPABLE | SKEP_F_INNER_MAP;
	struct skep_map_attr as_array = *attr;

	if (attr->value_size != sizeof(uint32_t) || attr->flags & never)
		return -EINVAL;
	if (attr->type == SKEP_MAP_PERF_EVENT_ARRAY)
		as_array.flags &= ~(uint32_t)SKEP_F_PRESERVE_ELEMS;
	return skep_map_array_ops.check(&as_array);
}

int skep_objects_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	return skep_objects_create_in(attr, sizeof(struct skep_objects), ret);
}

int skep_objects_create_in(const struct skep_map_attr *attr, size_t bytes, struct skep_map **ret)
{
	struct skep_objects *objects = skep_map_alloc(attr, bytes);

	if (!objects)
		return -ENOMEM;
	if (skep_memory_fits(table_bytes(&objects->map)))
		objects->slots = skep_memory_private(table_bytes(&objects->map));
	if (!objects->slots) {
		skep_map_discard(&objects->map);
		return -ENOMEM;
	}
	objects->map.memory_bytes = table_bytes(&objects->map);
	*ret = &objects->map;
	return 0;
}

void skep_map_clear_objects(struct skep_map *map)
{
	const struct skep_objects *objects = (const struct skep_objects *)map;
	uint32_t n = __atomic_load_n(&objects->n_used, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n; i++)
		skep_objects_exchange(map, i, NULL);
}

void skep_objects_free(struct skep_map *map)
{
	struct skep_objects *objects = (struct skep_objects *)map;

	/* Who could run on them had the map. */
	for (uint32_t i = 0; i < objects->n_used; i++)
		skep_objects_put(map, objects->slots[i]);
	skep_memory_release(objects->slots, table_bytes(map));
	skep_map_discard(map);
}

void *skep_objects_at(const struct skep_map *map, uint32_t index)
{
	const struct skep_objects *objects = (const struct skep_objects *)map;

	if (index >= map->max_entries)
		return NULL;
	return __atomic_load_n(&objects->slots[index], __ATOMIC_ACQUIRE);
}

void *skep_objects_get(struct skep_map *map, int fd, int *ret_err)
{
	void *object;

	*ret_err = -EBADF;
	if (!map->env || !map->env->get)
		return NULL;
	object = map->env->get(map, fd, ret_err);
	if (object)
		*ret_err = 0;
	return object;
}

void skep_objects_put(struct skep_map *map, void *object)
{
	if (object && map->env && map->env->put)
		map->env->put(map, object);
}

static void let_go(void *at, void *object)
{
	struct skep_map *map = at;

	map->env->put(map, object);
	skep_map_unref(map);
}

void skep_objects_retire(struct skep_map *map, void *object)
{
	if (!object || !map->env || !map->env->put)
		return;
	skep_map_ref(map);
	skep_grace_defer(let_go, map, object);
}

static void note_used(struct skep_objects *objects, uint32_t index)
{
	uint32_t n = __atomic_load_n(&objects->n_used, __ATOMIC_RELAXED);

	while (n <= index && !__atomic_compare_exchange_n(&objects->n_used, &n, index + 1, true,
							  __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

void *skep_objects_swap(struct skep_map *map, uint32_t index, void *object)
{
	struct skep_objects *objects = (struct skep_objects *)map;

	if (object)
		note_used(objects, index);
	return __atomic_exchange_n(&objects->slots[index], object, __ATOMIC_SEQ_CST);
}

bool skep_objects_exchange(struct skep_map *map, uint32_t index, void *object)
{
	void *old = skep_objects_swap(map, index, object);

	skep_objects_retire(map, old);
	return old;
}

void *skep_objects_object(struct skep_map *map, const void *key)
{
	return skep_objects_at(map, skep_objects_index(key));
}

int skep_objects_next_key(struct skep_map *map, const void *key, void *next_key)
{
	uint32_t index = key ? skep_objects_index(key) : UINT32_MAX, next = 0;

	if (index < map->max_entries) {
		if (index == map->max_entries - 1)
			return -ENOENT;
		next = index + 1;
	}
	memcpy(next_key, &next, sizeof(next));
	return 0;
}

int skep_objects_delete(struct skep_map *map, const void *key)
{
	uint32_t index = skep_objects_index(key);

	if (index >= map->max_entries)
		return -E2BIG;
	return skep_objects_exchange(map, index, NULL) ? 0 : -ENOENT;
}

int skep_objects_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return skep_objects_id(map, skep_objects_object, key, value);
}

int skep_objects_id(struct skep_map *map, skep_objects_look *look, const void *key, void *value)
{
	uint32_t id = 0;
	void *object;

	skep_grace_hold();
	object = look(map, key);
	if (object && map->env->id)
		id = map->env->id(map, object);
	skep_grace_release();
	if (!object)
		return -ENOENT;
	memcpy(value, &id, sizeof(id));
	return 0;
}

static uint64_t number_of(struct skep_map *map, void *socket)
{
	if (map->env->cookie)
		return map->env->cookie(map, socket);
	return map->env->id ? map->env->id(map, socket) : 0;
}

int skep_objects_cookie(struct skep_map *map, skep_objects_look *look, const void *key, void *value)
{
	uint64_t cookie = 0;
	void *socket;

	if (map->value_size != sizeof(cookie))
		return -ENOSPC;
	skep_grace_hold();
	socket = look(map, key);
	if (socket)
		cookie = number_of(map, socket);
	skep_grace_release();
	if (!socket)
		return -ENOENT;
	memcpy(value, &cookie, sizeof(cookie));
	return 0;
}

int skep_objects_fd(const struct skep_map *map, const void *value)
{
	uint64_t fd = 0;

	if (map->value_size == sizeof(fd))
		memcpy(&fd, value, sizeof(fd));
	else
		fd = skep_objects_index(value);
	return fd > INT32_MAX ? -EINVAL : (int)fd;
}
