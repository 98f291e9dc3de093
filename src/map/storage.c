/*
 * sk_storage, inode_storage, task_storage, cgrp_storage: a value for each
 * object of a kind, made when a program or user space first asks for it, gone
 * with the object.
 *
 * The owner is an opaque pointer of the environment, and the key of a table
 * here; the syscall side names it by a descriptor. Storages are private memory
 * as owners are (see objects.h).
 *
 * Source    Linux 6.18, kernel/bpf/bpf_local_storage.c, for behaviour.
 */
#include "map/storage.h"

#include <errno.h>
#include <pthread.h>

#include "map/copy.h"
#include "map/objects.h"

#define ELEM_BYTES       128 /* of the kernel's bookkeeping beside a value */
#define MOST_VALUE_BYTES (UINT16_MAX - ELEM_BYTES)

/* Owners that a map can have: as many as fit in a GiB of values. */
#define MOST_BYTES  (UINT64_C(1) << 30)
#define MOST_OWNERS (1u << 20)
#define N_BUCKETS   (1u << 14)

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct skep_storage *all; /* every map of storages, for those who forget an owner */

static int check(const struct skep_map_attr *attr)
{
	if (attr->flags & ~(SKEP_F_NO_PREALLOC | SKEP_F_CLONE))
		return -EINVAL;
	if (!(attr->flags & SKEP_F_NO_PREALLOC) || attr->max_entries)
		return -EINVAL;
	if (attr->key_size != sizeof(int) || !attr->value_size)
		return -EINVAL;
	return attr->value_size > MOST_VALUE_BYTES ? -E2BIG : 0;
}

static uint32_t most_owners(uint32_t value_size)
{
	uint64_t n = MOST_BYTES / (skep_round8(value_size) + 32);

	return n < MOST_OWNERS ? (uint32_t)n : MOST_OWNERS;
}

static uint32_t hash_of(const void *owner)
{
	return (uint32_t)((uintptr_t)owner * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static void enlist(struct skep_storage *storage)
{
	pthread_mutex_lock(&all_lock);
	storage->next = all;
	all = storage;
	pthread_mutex_unlock(&all_lock);
}

static void strike_out(struct skep_storage *storage)
{
	pthread_mutex_lock(&all_lock);
	for (struct skep_storage **at = &all; *at; at = &(*at)->next)
		if (*at == storage) {
			*at = storage->next;
			break;
		}
	pthread_mutex_unlock(&all_lock);
}

int skep_storage_init(struct skep_storage *storage, uint32_t value_bytes)
{
	int err = skep_chains_init(&storage->owners, N_BUCKETS, most_owners(value_bytes),
				   sizeof(void *), value_bytes);

	if (err)
		return err;
	storage->map.memory_bytes = storage->owners.bytes;
	enlist(storage);
	return 0;
}

static int create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct skep_storage *storage = skep_map_alloc(attr, sizeof(*storage));
	int err;

	if (!storage)
		return -ENOMEM;
	err = skep_storage_init(storage, attr->value_size);
	if (err)
		skep_map_discard(&storage->map);
	else
		*ret = &storage->map;
	return err;
}

static void release_one(void *key, void *value, void *map)
{
	skep_value_release(map, value);
}

void skep_storage_done(struct skep_storage *storage)
{
	strike_out(storage);
	skep_chains_each(&storage->owners, release_one, storage);
	skep_chains_done(&storage->owners);
}

static void destroy(struct skep_map *map)
{
	skep_storage_done((struct skep_storage *)map);
	skep_map_discard(map);
}

static void *find(struct skep_storage *storage, const void *owner)
{
	return skep_chains_find(&storage->owners, &owner, hash_of(owner));
}

static bool forget(struct skep_storage *storage, const void *owner)
{
	void *value;

	skep_chains_lock(&storage->owners);
	value = find(storage, owner);
	if (value) {
		skep_value_release(&storage->map, value);
		skep_chains_remove(&storage->owners, &owner, hash_of(owner));
	}
	skep_chains_unlock(&storage->owners);
	return value;
}

void skep_map_storage_forget(void *owner)
{
	pthread_mutex_lock(&all_lock);
	for (struct skep_storage *storage = all; storage; storage = storage->next)
		if (find(storage, owner))
			forget(storage, owner);
	pthread_mutex_unlock(&all_lock);
}

/* Under the lock: a new storage with the value @init (NULL: zeros). */
static void *add(struct skep_storage *storage, void *owner, const void *init)
{
	void *value = skep_chains_add(&storage->owners, &owner, hash_of(owner));

	if (value && init)
		skep_value_set(&storage->map, value, init, storage->map.value_size);
	return value;
}

void *skep_map_storage(struct skep_map *map, void *owner, const void *init, bool create_it,
		       int *ret_err)
{
	struct skep_storage *storage = (struct skep_storage *)map;
	void *value = find(storage, owner);
	int err = value ? 0 : -ENOENT;

	if (!value && create_it) {
		skep_chains_lock(&storage->owners);
		value = find(storage, owner);
		if (!value)
			value = add(storage, owner, init);
		skep_chains_unlock(&storage->owners);
		err = value ? 0 : -ENOMEM;
	}
	if (ret_err)
		*ret_err = err;
	return value;
}

int skep_map_storage_delete(struct skep_map *map, void *owner)
{
	return forget((struct skep_storage *)map, owner) ? 0 : -ENOENT;
}

/* --- The syscall side: owners are descriptors ------------------------------------------------ */

static int sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	int err;
	void *owner = skep_objects_get(map, (int)skep_objects_index(key), &err), *found;

	if (!owner)
		return err;
	found = find((struct skep_storage *)map, owner);
	if (found && (flags & SKEP_LOCK))
		skep_value_get_locked(map, value, found);
	else if (found)
		skep_value_get(map, value, found, map->value_size);
	skep_objects_put(map, owner);
	return found ? 0 : -ENOENT;
}

/* Under the lock. */
static int set(struct skep_storage *storage, void *owner, const void *value, uint64_t flags)
{
	void *found = find(storage, owner);
	int err = skep_objects_check_flags(found, flags & ~(uint64_t)SKEP_LOCK);

	if (err)
		return err;
	if (!found)
		return add(storage, owner, value) ? 0 : -ENOMEM;
	if (flags & SKEP_LOCK) {
		skep_value_set_locked(&storage->map, found, value);
		return 0;
	}
	skep_value_release(&storage->map, found);
	skep_value_set(&storage->map, found, value, storage->map.value_size);
	return 0;
}

static int sys_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	struct skep_storage *storage = (struct skep_storage *)map;
	int err;
	void *owner = skep_objects_get(map, (int)skep_objects_index(key), &err);

	if (!owner)
		return err;
	if ((flags & ~(uint64_t)SKEP_LOCK) > SKEP_EXIST) {
		err = -EINVAL;
	} else {
		skep_chains_lock(&storage->owners);
		err = set(storage, owner, value, flags);
		skep_chains_unlock(&storage->owners);
	}
	skep_objects_put(map, owner);
	return err;
}

static int sys_delete(struct skep_map *map, const void *key)
{
	int err;
	void *owner = skep_objects_get(map, (int)skep_objects_index(key), &err);

	if (!owner)
		return err;
	err = skep_map_storage_delete(map, owner);
	skep_objects_put(map, owner);
	return err;
}

#define STORAGE_OPS                                                                                \
	{                                                                                          \
		.check = check, .create = create, .free = destroy, .sys_lookup = sys_lookup,       \
		.sys_update = sys_update, .sys_delete = sys_delete,                                \
	}

const struct skep_map_ops skep_map_sk_storage_ops = STORAGE_OPS;
const struct skep_map_ops skep_map_inode_storage_ops = STORAGE_OPS;
const struct skep_map_ops skep_map_task_storage_ops = STORAGE_OPS;
const struct skep_map_ops skep_map_cgrp_storage_ops = STORAGE_OPS;
