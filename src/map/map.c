/*
 * The public side of maps: what is the same for all types, in the kernel's
 * order of checks. What differs is in the type's operations (ops.h).
 *
 *	program ─► skep_map_lookup() … ─────────────► ops->lookup …
 *	bpf(2)  ─► skep_map_sys_lookup() … checks ──► ops->sys_lookup, or by ops->lookup, copying
 *
 * Read next: ops.h, array.c (the simplest type), hash.c.
 */
#include "map/ops.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "map/copy.h"
#include "map/lock.h"
#include "map/memory.h"

/* --- Creating ------------------------------------------------------------------------------- */

bool skep_map_flags_ok(const struct skep_map_attr *attr, uint32_t allowed)
{
	const uint32_t both = SKEP_F_RDONLY_PROG | SKEP_F_WRONLY_PROG;

	return !(attr->flags & ~allowed) && (attr->flags & both) != both;
}

int skep_map_numa_node(const struct skep_map_attr *attr)
{
	return attr->flags & SKEP_F_NUMA_NODE ? (int)attr->numa_node : -1;
}

static bool is_node_online(uint32_t node)
{
	char path[64];

	if (!node)
		return true;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", node);
	return !access(path, F_OK);
}

static int check_common(const struct skep_map_attr *attr)
{
	const uint32_t both = SKEP_F_RDONLY | SKEP_F_WRONLY;
	int node = skep_map_numa_node(attr);

	if (attr->extra && attr->type != SKEP_MAP_BLOOM_FILTER && attr->type != SKEP_MAP_ARENA)
		return -EINVAL;
	if ((attr->flags & both) == both)
		return -EINVAL;
	if (node != -1 && !is_node_online((uint32_t)node))
		return -EINVAL;
	return 0;
}

/* The kernel's isalnum() takes Latin-1 letters, too. */
static bool is_name_char(uint8_t c)
{
	if (c >= 0xc0)
		return c != 0xd7 && c != 0xf7;
	return (c < 0x80 && isalnum(c)) || c == '_' || c == '.';
}

static int check_name(const char name[16])
{
	for (size_t i = 0; i < 16; i++) {
		if (!name[i])
			return 0;
		if (!is_name_char((uint8_t)name[i]))
			return -EINVAL;
	}
	return -EINVAL;
}

#define T(NAME)  (UINT64_C(1) << SKEP_MAP_##NAME)
#define STORAGES (T(SK_STORAGE) | T(INODE_STORAGE) | T(TASK_STORAGE) | T(CGRP_STORAGE))
#define KPTR_TYPES                                                                                 \
	(T(HASH) | T(PERCPU_HASH) | T(LRU_HASH) | T(LRU_PERCPU_HASH) | T(ARRAY) |                  \
	 T(PERCPU_ARRAY) | STORAGES)

/* The map types whose values may have such a field. */
static const uint64_t field_types[SKEP_FIELD_KIND_CNT] = {
	[SKEP_FIELD_SPIN_LOCK] = T(HASH) | T(ARRAY) | T(CGROUP_STORAGE) | STORAGES,
	[SKEP_FIELD_RES_SPIN_LOCK] = T(HASH) | T(ARRAY) | T(CGROUP_STORAGE) | STORAGES,
	[SKEP_FIELD_TIMER] = T(HASH) | T(LRU_HASH) | T(ARRAY),
	[SKEP_FIELD_WORKQUEUE] = T(HASH) | T(LRU_HASH) | T(ARRAY),
	[SKEP_FIELD_TASK_WORK] = T(HASH) | T(LRU_HASH) | T(ARRAY),
	[SKEP_FIELD_KPTR] = KPTR_TYPES,
	[SKEP_FIELD_REFCOUNT] = KPTR_TYPES,
	[SKEP_FIELD_UPTR] = T(TASK_STORAGE),
	[SKEP_FIELD_LIST_HEAD] = T(HASH) | T(LRU_HASH) | T(ARRAY),
	[SKEP_FIELD_RB_ROOT] = T(HASH) | T(LRU_HASH) | T(ARRAY),
	/* List and tree nodes are in what programs allocate, never in values. */
};

static int check_fields(const struct skep_map_attr *attr)
{
	if (!attr->n_fields)
		return 0;
	if (attr->n_fields > SKEP_MAP_MOST_FIELDS)
		return -E2BIG;
	if (attr->flags & (SKEP_F_RDONLY_PROG | SKEP_F_WRONLY_PROG))
		return -EACCES;
	for (uint32_t i = 0; i < attr->n_fields; i++) {
		const struct skep_map_field *field = &attr->fields[i];

		if ((uint64_t)field->off + field->size > attr->value_size)
			return -EINVAL;
		if (!(field_types[field->kind] >> attr->type & 1))
			return -EOPNOTSUPP;
	}
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct skep_map_field *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

void *skep_map_alloc(const struct skep_map_attr *attr, size_t bytes)
{
	struct skep_map *map = calloc(1, bytes);

	if (!map)
		return NULL;
	map->type = attr->type;
	map->key_size = attr->key_size;
	map->value_size = attr->value_size;
	map->elem_size = (uint32_t)skep_round8(attr->value_size);
	map->max_entries = attr->max_entries;
	map->flags = attr->flags & ~(SKEP_F_RDONLY | SKEP_F_WRONLY);
	map->numa_node = (uint32_t)skep_map_numa_node(attr);
	map->extra = attr->extra;
	map->env = attr->env;
	map->env_ctx = attr->env_ctx;
	map->memory_fd = -1;
	map->refs = 1;
	map->n_fields = attr->n_fields <= SKEP_MAP_MOST_FIELDS ? attr->n_fields : 0;
	if (map->n_fields) {
		memcpy(map->fields, attr->fields, map->n_fields * sizeof(*map->fields));
		qsort(map->fields, map->n_fields, sizeof(*map->fields), by_offset);
	}
	return map;
}

int skep_map_reserve(struct skep_map *map, uint64_t bytes, bool in_full)
{
	if (bytes > SIZE_MAX / 2 || (in_full && !skep_memory_fits(bytes)))
		return -ENOMEM;
	map->base = skep_memory_reserve(bytes);
	if (!map->base)
		return -ENOMEM;
	map->memory_bytes = skep_memory_round_page(bytes);
	return 0;
}

int skep_map_reserve_fd(struct skep_map *map, uint64_t bytes)
{
	if (bytes > SIZE_MAX / 2 || !skep_memory_fits(bytes))
		return -ENOMEM;
	map->base = skep_memory_reserve_fd("bpf-map", bytes, &map->memory_fd);
	if (!map->base)
		return -ENOMEM;
	map->memory_bytes = skep_memory_round_page(bytes);
	return 0;
}

void skep_map_discard(struct skep_map *map)
{
	if (!map)
		return;
	skep_memory_release(map->base, map->memory_bytes);
	skep_close(&map->memory_fd);
	free(map);
}

int skep_map_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	const struct skep_map_ops *ops = skep_map_type_ops(attr->type);
	struct skep_map *map;
	int err = check_common(attr);

	if (err)
		return err;
	if (!ops)
		return -EINVAL;
	err = ops->check ? ops->check(attr) : 0;
	if (!err)
		err = ops->create(attr, &map);
	if (err)
		return err;
	map->ops = ops;
	memcpy(map->name, attr->name, sizeof(map->name));
	err = check_name(attr->name);
	if (!err)
		err = check_fields(attr);
	if (err) {
		ops->free(map);
		return err;
	}
	*ret = map;
	return 0;
}

void skep_map_ref(struct skep_map *map)
{
	__atomic_add_fetch(&map->refs, 1, __ATOMIC_RELAXED);
}

void skep_map_unref(struct skep_map *map)
{
	if (map && !__atomic_sub_fetch(&map->refs, 1, __ATOMIC_ACQ_REL))
		map->ops->free(map);
}

/* --- A program's side ------------------------------------------------------------------------ */

skep_map_lookup_function *skep_map_lookup_of(const struct skep_map *map)
{
	return map->ops->lookup;
}

void *skep_map_lookup(struct skep_map *map, const void *key)
{
	return map->ops->lookup ? map->ops->lookup(map, key) : NULL;
}

int skep_map_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	return map->ops->update ? map->ops->update(map, key, value, flags) : -EINVAL;
}

int skep_map_delete(struct skep_map *map, const void *key)
{
	return map->ops->delete ? map->ops->delete (map, key) : -EINVAL;
}

int skep_map_push(struct skep_map *map, const void *value, uint64_t flags)
{
	return map->ops->push ? map->ops->push(map, value, flags) : -EOPNOTSUPP;
}

int skep_map_pop(struct skep_map *map, void *value)
{
	return map->ops->pop ? map->ops->pop(map, value) : -EOPNOTSUPP;
}

int skep_map_peek(struct skep_map *map, void *value)
{
	return map->ops->peek ? map->ops->peek(map, value) : -EOPNOTSUPP;
}

void *skep_map_lookup_percpu(struct skep_map *map, const void *key, uint32_t cpu)
{
	if (cpu >= skep_map_n_cpus() || !map->ops->lookup_percpu)
		return NULL;
	return map->ops->lookup_percpu(map, key, cpu);
}

long skep_map_for_each(struct skep_map *map,
		       long (*each)(struct skep_map *map, void *key, void *value, void *ctx),
		       void *ctx, uint64_t flags)
{
	if (!map->ops->for_each || flags)
		return -EINVAL;
	return map->ops->for_each(map, each, ctx, flags);
}

void *skep_map_object(struct skep_map *map, const void *key)
{
	return map->ops->object ? map->ops->object(map, key) : NULL;
}

void skep_map_spin_lock(void *lock)
{
	skep_lock(lock);
}

void skep_map_spin_unlock(void *lock)
{
	skep_unlock(lock);
}

/* --- The syscall side ------------------------------------------------------------------------ */

uint32_t skep_map_sys_value_size(const struct skep_map *map)
{
	if (map->ops->percpu_values)
		return (uint32_t)skep_round8(map->value_size) * skep_map_n_cpus();
	return map->ops->fd_values ? 4 : map->value_size;
}

static bool may_write(const struct skep_map *map)
{
	return !__atomic_load_n(&map->frozen, __ATOMIC_ACQUIRE);
}

static int check_lock_flag(const struct skep_map *map, uint64_t flags)
{
	if (flags & SKEP_LOCK && !skep_map_field(map, SKEP_FIELD_SPIN_LOCK))
		return -EINVAL;
	return 0;
}

/* Maps without keys want none; those with keys want one. */
static int check_key(const struct skep_map *map, const void *key)
{
	if (!map->key_size)
		return key ? -EINVAL : 0;
	return key ? 0 : -EFAULT;
}

static int copy_value(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	const void *found;

	if (map->ops->sys_lookup)
		return map->ops->sys_lookup(map, key, value, flags);
	if (!map->ops->lookup)
		return -SKEP_ENOTSUPP;
	found = map->ops->lookup(map, key);
	if (!found)
		return -ENOENT;
	if (flags & SKEP_LOCK)
		skep_value_get_locked(map, value, found);
	else
		skep_value_get(map, value, found, map->value_size);
	return 0;
}

int skep_map_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	int err;

	if (flags & ~(uint64_t)SKEP_LOCK)
		return -EINVAL;
	err = check_lock_flag(map, flags);
	if (!err)
		err = check_key(map, key);
	return err ? err : copy_value(map, key, value, flags);
}

static int set_value(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	if (map->ops->sys_update)
		return map->ops->sys_update(map, key, value, flags);
	if (map->ops->push)
		return map->ops->push(map, value, flags);
	return map->ops->update ? map->ops->update(map, key, value, flags) : -EINVAL;
}

int skep_map_sys_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	int err;

	if (!may_write(map))
		return -EPERM;
	err = check_lock_flag(map, flags);
	if (!err)
		err = check_key(map, key);
	return err ? err : set_value(map, key, value, flags);
}

static int delete_value(struct skep_map *map, const void *key)
{
	if (map->ops->sys_delete)
		return map->ops->sys_delete(map, key);
	return map->ops->delete ? map->ops->delete (map, key) : -EINVAL;
}

int skep_map_sys_delete(struct skep_map *map, const void *key)
{
	int err;

	if (!may_write(map))
		return -EPERM;
	err = check_key(map, key);
	return err ? err : delete_value(map, key);
}

int skep_map_sys_lookup_and_delete(struct skep_map *map, const void *key, void *value,
				   uint64_t flags)
{
	int err;

	if (flags & ~(uint64_t)SKEP_LOCK)
		return -EINVAL;
	if (!may_write(map))
		return -EPERM;
	if (flags && (map->type == SKEP_MAP_QUEUE || map->type == SKEP_MAP_STACK))
		return -EINVAL;
	err = check_lock_flag(map, flags);
	if (!err)
		err = check_key(map, key);
	if (err)
		return err;
	if (!map->ops->sys_lookup_and_delete)
		return -SKEP_ENOTSUPP;
	return map->ops->sys_lookup_and_delete(map, key, value, flags);
}

int skep_map_sys_next_key(struct skep_map *map, const void *key, void *next_key)
{
	if (key && !map->key_size)
		return -EINVAL;
	return map->ops->next_key ? map->ops->next_key(map, key, next_key) : -SKEP_ENOTSUPP;
}

int skep_map_sys_freeze(struct skep_map *map)
{
	uint32_t warm = 0;

	if (map->type == SKEP_MAP_STRUCT_OPS || map->n_fields)
		return -SKEP_ENOTSUPP;
	return __atomic_compare_exchange_n(&map->frozen, &warm, 1, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE)
		       ? 0
		       : -EPERM;
}

/* --- Batches --------------------------------------------------------------------------------- */

static int check_batch(const struct skep_map *map, const struct skep_map_batch *batch)
{
	if (batch->elem_flags & ~(uint64_t)SKEP_LOCK)
		return -EINVAL;
	return check_lock_flag(map, batch->elem_flags);
}

/* Key by key, as next_key goes; out_batch is the last key, in_batch the one to go on from. @next
 * and
 * @last have room for a key each. */
static int walk_batch(struct skep_map *map, struct skep_map_batch *batch, uint8_t *next,
		      uint8_t *last)
{
	uint32_t room = batch->count, done = 0, value_size = skep_map_sys_value_size(map);
	const void *at = batch->in_batch;
	int err = 0;

	batch->count = 0;
	while (done < room) {
		err = map->ops->next_key(map, at, next);
		if (err)
			break;
		err = copy_value(map, next, (uint8_t *)batch->values + (size_t)done * value_size,
				 batch->elem_flags);
		if (err && err != -ENOENT)
			return err;
		at = memcpy(last, next, map->key_size);
		if (!err)
			memcpy((uint8_t *)batch->keys + (size_t)done++ * map->key_size, next,
			       map->key_size);
	}
	batch->count = done;
	if (done)
		memcpy(batch->out_batch, last, map->key_size);
	return err;
}

static int generic_lookup_batch(struct skep_map *map, struct skep_map_batch *batch)
{
	_cleanup_free_ uint8_t *keys = NULL;
	int err = check_batch(map, batch);

	if (err || !batch->count)
		return err;
	keys = malloc((size_t)map->key_size * 2);
	if (!keys)
		return -ENOMEM;
	return walk_batch(map, batch, keys, keys + map->key_size);
}

int skep_map_sys_lookup_batch(struct skep_map *map, struct skep_map_batch *batch)
{
	if (!map->ops->has_lookup_batch)
		return -SKEP_ENOTSUPP;
	if (map->ops->lookup_batch)
		return map->ops->lookup_batch(map, batch, false);
	return generic_lookup_batch(map, batch);
}

int skep_map_sys_lookup_and_delete_batch(struct skep_map *map, struct skep_map_batch *batch)
{
	if (!may_write(map))
		return -EPERM;
	if (!map->ops->has_lookup_and_delete_batch)
		return -SKEP_ENOTSUPP;
	return map->ops->lookup_batch(map, batch, true);
}

int skep_map_sys_update_batch(struct skep_map *map, struct skep_map_batch *batch)
{
	uint32_t room = batch->count, value_size = skep_map_sys_value_size(map);
	int err;

	if (!may_write(map))
		return -EPERM;
	if (!map->ops->has_update_batch)
		return -SKEP_ENOTSUPP;
	err = check_batch(map, batch);
	if (err || !room)
		return err;
	for (batch->count = 0; batch->count < room && !err; batch->count += !err)
		err = set_value(map,
				(const uint8_t *)batch->keys + (size_t)batch->count * map->key_size,
				(const uint8_t *)batch->values + (size_t)batch->count * value_size,
				batch->elem_flags);
	return err;
}

int skep_map_sys_delete_batch(struct skep_map *map, struct skep_map_batch *batch)
{
	uint32_t room = batch->count;
	int err;

	if (!may_write(map))
		return -EPERM;
	if (!map->ops->has_delete_batch)
		return -SKEP_ENOTSUPP;
	err = check_batch(map, batch);
	if (err || !room)
		return err;
	for (batch->count = 0; batch->count < room && !err; batch->count += !err)
		err = delete_value(map, (const uint8_t *)batch->keys +
						(size_t)batch->count * map->key_size);
	return err;
}
