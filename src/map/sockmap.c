/*
 * sockmap and sockhash: sockets to hand messages to, by index or key. User
 * space puts them in by descriptor and reads their cookies, if values are
 * 8 bytes; programs put in what they hold.
 *
 * Source    Linux 6.18, net/core/sock_map.c, for behaviour.
 */
#include <errno.h>

#include "map/chains.h"
#include "map/jhash.h"
#include "map/memory.h"
#include "map/objects.h"

#define MOST_KEY_BYTES 512

static int check_values(const struct skep_map_attr *attr)
{
	if (attr->value_size != 4 && attr->value_size != 8)
		return -EINVAL;
	return attr->flags & ~(SKEP_F_NUMA_NODE | SKEP_F_RDONLY | SKEP_F_WRONLY) ? -EINVAL : 0;
}

/* A socket of a program's own, with a reference for the map. */
static void *socket_of_program(struct skep_map *map, const void *value)
{
	void *socket = (void *)(uintptr_t)value;

	if (!socket || !map->env || !map->env->ref)
		return NULL;
	map->env->ref(map, socket);
	return socket;
}

static void *socket_of_fd(struct skep_map *map, const void *value, int *ret_err)
{
	int fd = skep_objects_fd(map, value);

	if (fd >= 0)
		return skep_objects_get(map, fd, ret_err);
	*ret_err = fd;
	return NULL;
}

/* --- sockmap --------------------------------------------------------------------------------- */

static int create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	if (!attr->max_entries || attr->key_size != 4)
		return -EINVAL;
	return check_values(attr) ? -EINVAL : skep_objects_create(attr, ret);
}

/* @socket's reference is the map's or given back. */
static int put_in(struct skep_map *map, const void *key, void *socket, uint64_t flags)
{
	uint32_t index = skep_objects_index(key);
	int err;

	if (flags > SKEP_EXIST)
		err = -EINVAL;
	else if (index >= map->max_entries)
		err = -E2BIG;
	else
		err = skep_objects_check_flags(skep_objects_at(map, index), flags);
	if (err)
		skep_objects_put(map, socket);
	else
		skep_objects_exchange(map, index, socket);
	return err;
}

static int update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	void *socket = socket_of_program(map, value);

	return socket ? put_in(map, key, socket, flags) : -EINVAL;
}

static int sys_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	int err;
	void *socket = socket_of_fd(map, value, &err);

	return socket ? put_in(map, key, socket, flags) : err;
}

static int sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return skep_objects_cookie(map, skep_objects_object, key, value);
}

static int erase(struct skep_map *map, const void *key)
{
	uint32_t index = skep_objects_index(key);

	if (index >= map->max_entries)
		return -EINVAL;
	return skep_objects_exchange(map, index, NULL) ? 0 : -EINVAL;
}

const struct skep_map_ops skep_map_sockmap_ops = {
	.create = create,
	.free = skep_objects_free,
	.lookup = skep_objects_object,
	.update = update,
	.delete = erase,
	.object = skep_objects_object,
	.sys_lookup = sys_lookup,
	.sys_update = sys_update,
	.next_key = skep_objects_next_key,
};

/* --- sockhash -------------------------------------------------------------------------------- */

struct sockhash {
	struct skep_map map;
	struct skep_chains chains; /* of pointers */
};

static uint32_t hash_of(const struct skep_map *map, const void *key)
{
	return skep_jhash(key, map->key_size, 0);
}

static int hash_check(const struct skep_map_attr *attr)
{
	if (!attr->max_entries || !attr->key_size || check_values(attr))
		return -EINVAL;
	if (attr->key_size > MOST_KEY_BYTES)
		return -E2BIG;
	/* More than this, and the kernel's table of buckets had more than 4 GiB. */
	return attr->max_entries > UINT32_C(1) << 27 ? -EINVAL : 0;
}

static int hash_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	uint32_t n_buckets = skep_map_up_to_power(attr->max_entries);
	int err = hash_check(attr);
	struct sockhash *sockhash;

	if (err)
		return err;
	sockhash = skep_map_alloc(attr, sizeof(*sockhash));
	if (!sockhash)
		return -ENOMEM;
	err = -ENOMEM;
	if (skep_memory_fits((uint64_t)n_buckets * 2 * sizeof(void *)))
		err = skep_chains_init(&sockhash->chains, n_buckets, attr->max_entries,
				       attr->key_size, sizeof(void *));
	if (err) {
		skep_map_discard(&sockhash->map);
		return err;
	}
	sockhash->map.memory_bytes = sockhash->chains.bytes;
	*ret = &sockhash->map;
	return 0;
}

static void put_socket(void *key, void *value, void *map)
{
	skep_objects_put(map, *(void **)value);
}

static void hash_free(struct skep_map *map)
{
	struct sockhash *sockhash = (struct sockhash *)map;

	skep_chains_each(&sockhash->chains, put_socket, map);
	skep_chains_done(&sockhash->chains);
	skep_map_discard(map);
}

static void **hash_at(struct skep_map *map, const void *key)
{
	const struct sockhash *sockhash = (const struct sockhash *)map;

	return skep_chains_find(&sockhash->chains, key, hash_of(map, key));
}

static void *hash_lookup(struct skep_map *map, const void *key)
{
	void **at = hash_at(map, key);

	return at ? __atomic_load_n(at, __ATOMIC_ACQUIRE) : NULL;
}

/* Under the lock. @socket: to be put when 0 (the former) or an error (itself) comes back. */
static int hash_set(struct skep_map *map, const void *key, void **socket, uint64_t flags)
{
	struct sockhash *sockhash = (struct sockhash *)map;
	uint32_t hash = hash_of(map, key);
	void **at = hash_at(map, key);
	int err = skep_objects_check_flags(at, flags);

	if (err)
		return err;
	if (at)
		skep_chains_raise(&sockhash->chains, key, hash);
	else
		at = skep_chains_add(&sockhash->chains, key, hash);
	if (!at)
		return -E2BIG;
	*socket = __atomic_exchange_n(at, *socket, __ATOMIC_SEQ_CST);
	return 0;
}

static int hash_put_in(struct skep_map *map, const void *key, void *socket, uint64_t flags)
{
	struct sockhash *sockhash = (struct sockhash *)map;
	int err = -EINVAL;

	if (flags <= SKEP_EXIST) {
		skep_chains_lock(&sockhash->chains);
		err = hash_set(map, key, &socket, flags);
		skep_chains_unlock(&sockhash->chains);
	}
	skep_objects_retire(map, socket);
	return err;
}

static int hash_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	void *socket = socket_of_program(map, value);

	return socket ? hash_put_in(map, key, socket, flags) : -EINVAL;
}

static int hash_sys_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	int err;
	void *socket = socket_of_fd(map, value, &err);

	return socket ? hash_put_in(map, key, socket, flags) : err;
}

static int hash_delete(struct skep_map *map, const void *key)
{
	struct sockhash *sockhash = (struct sockhash *)map;
	void **at, *socket = NULL;

	skep_chains_lock(&sockhash->chains);
	at = hash_at(map, key);
	if (at) {
		socket = __atomic_exchange_n(at, NULL, __ATOMIC_SEQ_CST);
		skep_chains_remove(&sockhash->chains, key, hash_of(map, key));
	}
	skep_chains_unlock(&sockhash->chains);
	skep_objects_retire(map, socket);
	return at ? 0 : -ENOENT;
}

static int hash_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return skep_objects_cookie(map, hash_lookup, key, value);
}

static int hash_next_key(struct skep_map *map, const void *key, void *next)
{
	struct sockhash *sockhash = (struct sockhash *)map;

	return skep_chains_next_key(&sockhash->chains, key, key ? hash_of(map, key) : 0, next);
}

const struct skep_map_ops skep_map_sockhash_ops = {
	.create = hash_create,
	.free = hash_free,
	.lookup = hash_lookup,
	.update = hash_update,
	.delete = hash_delete,
	.object = hash_lookup,
	.sys_lookup = hash_sys_lookup,
	.sys_update = hash_sys_update,
	.next_key = hash_next_key,
};
