/*
 * cgroup_storage and percpu_cgroup_storage: a value for each cgroup that a
 * program is attached to (and, with the long key, for each way to attach).
 *
 * User space sees the values of attachments, newest first. A run that belongs
 * to no attachment (a test run) has a value of its own that nobody sees: it is
 * in the table of owners, see storage.c.
 *
 * Source    Linux 6.18, kernel/bpf/local_storage.c, for behaviour.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "map/copy.h"
#include "map/lock.h"
#include "map/objects.h"
#include "map/storage.h"

#define MOST_VALUE_BYTES (UINT16_MAX - 128)

enum {
	LONG_KEY_BYTES = 16, /* struct bpf_cgroup_storage_key: id, attach type, 4 unused */
	LONG_KEY_USED_BYTES = 12,
};

/* The value of one attachment. Programs keep its address, so it lives as long as the map. */
struct attachment {
	struct attachment *next;
	bool linked;
	uint8_t key[LONG_KEY_BYTES];
	_Alignas(8) uint8_t value[];
};

struct cgroup_storage {
	struct skep_storage by_run; /* must come first */
	uint32_t lock;
	struct attachment *first; /* newest first */
};

static bool is_percpu(uint32_t type)
{
	return type == SKEP_MAP_PERCPU_CGROUP_STORAGE;
}

static size_t value_bytes(const struct skep_map *map)
{
	return (size_t)map->elem_size * (is_percpu(map->type) ? skep_map_n_cpus() : 1);
}

static int check(const struct skep_map_attr *attr)
{
	uint32_t most = is_percpu(attr->type) ? SKEP_PERCPU_MOST : MOST_VALUE_BYTES;

	if (attr->key_size != LONG_KEY_BYTES && attr->key_size != sizeof(uint64_t))
		return -EINVAL;
	if (!attr->value_size)
		return -EINVAL;
	if (attr->value_size > most)
		return -E2BIG;
	if (!skep_map_flags_ok(attr, SKEP_F_NUMA_NODE | SKEP_F_ACCESS))
		return -EINVAL;
	return attr->max_entries ? -EINVAL : 0;
}

static int create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct cgroup_storage *storage;
	int err = check(attr);

	if (err)
		return err;
	storage = skep_map_alloc(attr, sizeof(*storage));
	if (!storage)
		return -ENOMEM;
	err = skep_storage_init(&storage->by_run, (uint32_t)value_bytes(&storage->by_run.map));
	if (err)
		skep_map_discard(&storage->by_run.map);
	else
		*ret = &storage->by_run.map;
	return err;
}

static void destroy(struct skep_map *map)
{
	struct cgroup_storage *storage = (struct cgroup_storage *)map;

	for (struct attachment *at = storage->first, *next; at; at = next) {
		next = at->next;
		free(at);
	}
	skep_storage_done(&storage->by_run);
	skep_map_discard(map);
}

static bool has_key(const struct skep_map *map, const struct attachment *at, const void *key)
{
	size_t n = map->key_size == LONG_KEY_BYTES ? LONG_KEY_USED_BYTES : map->key_size;

	return at->linked && !memcmp(at->key, key, n);
}

/* Under the lock. */
static struct attachment *find_locked(const struct cgroup_storage *storage, const void *key)
{
	struct attachment *at = storage->first;

	while (at && !has_key(&storage->by_run.map, at, key))
		at = at->next;
	return at;
}

static struct attachment *find(struct skep_map *map, const void *key)
{
	struct cgroup_storage *storage = (struct cgroup_storage *)map;
	struct attachment *at;

	skep_lock(&storage->lock);
	at = find_locked(storage, key);
	skep_unlock(&storage->lock);
	return at;
}

static struct attachment *attachment_new(const struct skep_map *map, const void *key)
{
	struct attachment *at = calloc(1, sizeof(*at) + value_bytes(map));

	if (!at)
		return NULL;
	memcpy(at->key, key, map->key_size == LONG_KEY_BYTES ? LONG_KEY_USED_BYTES : map->key_size);
	at->linked = true;
	return at;
}

void *skep_cgroup_storage_link(struct skep_map *map, const void *key)
{
	struct cgroup_storage *storage = (struct cgroup_storage *)map;
	struct attachment *at;

	skep_lock(&storage->lock);
	at = find_locked(storage, key);
	if (!at) {
		at = attachment_new(map, key);
		if (at) {
			at->next = storage->first;
			storage->first = at;
		}
	}
	skep_unlock(&storage->lock);
	return at ? at->value : NULL;
}

void skep_cgroup_storage_unlink(struct skep_map *map, const void *key)
{
	struct cgroup_storage *storage = (struct cgroup_storage *)map;

	skep_lock(&storage->lock);
	for (struct attachment *at = storage->first; at; at = at->next)
		if (has_key(map, at, key))
			at->linked = false;
	skep_unlock(&storage->lock);
}

static void *lookup(struct skep_map *map, const void *key)
{
	struct attachment *at = find(map, key);

	return at ? at->value : NULL;
}

static int update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	void *found;

	if (flags & ~(uint64_t)(SKEP_LOCK | SKEP_EXIST))
		return -EINVAL;
	found = lookup(map, key);
	if (!found)
		return -ENOENT;
	if (flags & SKEP_LOCK)
		skep_value_set_locked(map, found, value);
	else
		skep_value_set(map, found, value, map->value_size);
	return 0;
}

static int percpu_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	void *found;

	if (flags != SKEP_ANY && flags != SKEP_EXIST)
		return -EINVAL;
	found = lookup(map, key);
	if (!found)
		return -ENOENT;
	skep_copy_in(found, value, value_bytes(map));
	return 0;
}

static int percpu_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	const void *found = lookup(map, key);

	if (!found)
		return -ENOENT;
	skep_copy_out(value, found, value_bytes(map));
	return 0;
}

static int erase(struct skep_map *map, const void *key)
{
	return -EINVAL;
}

static int next_key(struct skep_map *map, const void *key, void *next)
{
	struct cgroup_storage *storage = (struct cgroup_storage *)map;
	const struct attachment *at = key ? find(map, key) : NULL;

	if (key && !at)
		return -ENOENT;
	skep_lock(&storage->lock);
	at = at ? at->next : storage->first;
	while (at && !at->linked)
		at = at->next;
	if (at)
		memcpy(next, at->key, map->key_size);
	skep_unlock(&storage->lock);
	return at ? 0 : -ENOENT;
}

const struct skep_map_ops skep_map_cgroup_storage_ops = {
	.create = create,
	.free = destroy,
	.lookup = lookup,
	.update = update,
	.delete = erase,
	.next_key = next_key,
};

const struct skep_map_ops skep_map_percpu_cgroup_storage_ops = {
	.percpu_values = true,
	.create = create,
	.free = destroy,
	.lookup = lookup,
	.delete = erase,
	.sys_lookup = percpu_lookup,
	.sys_update = percpu_update,
	.next_key = next_key,
};
