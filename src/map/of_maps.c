/*
 * array_of_maps and hash_of_maps: maps by number or by key, all alike the one
 * that the outer map was made with.
 *
 * User space writes descriptors and reads ids; programs get the map itself.
 * hash_of_maps is a hash (hash.c) of pointers. Changes of it are made one at a
 * time, so that the map that an element held before can be put.
 *
 * Source    Linux 6.18, kernel/bpf/map_in_map.c, hashtab.c, for behaviour.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "map/copy.h"
#include "map/grace.h"
#include "map/lock.h"
#include "map/objects.h"

struct array_of_maps {
	struct skep_objects objects; /* must come first */
	struct skep_map inner;
};

struct hash_of_maps {
	struct skep_map map;
	struct skep_map *hash; /* key → struct skep_map * */
	struct skep_map inner;
	uint32_t lock; /* of writers */
};

static bool is_of_maps(uint32_t type)
{
	return type == SKEP_MAP_ARRAY_OF_MAPS || type == SKEP_MAP_HASH_OF_MAPS;
}

/* Can maps of @inner's type be in a map? */
static int check_inner(const struct skep_map *inner)
{
	if (!inner)
		return -EBADF;
	if (is_of_maps(inner->type))
		return -EINVAL;
	switch (inner->type) {
	case SKEP_MAP_PROG_ARRAY:
	case SKEP_MAP_CGROUP_STORAGE:
	case SKEP_MAP_PERCPU_CGROUP_STORAGE:
	case SKEP_MAP_STRUCT_OPS: return -SKEP_ENOTSUPP;
	default: return 0;
	}
}

/* What others must equal; it has no memory of its own. */
static void keep_likeness(struct skep_map *to, const struct skep_map *inner)
{
	*to = *inner;
	to->base = to->values = NULL;
	to->memory_fd = -1;
	to->owner = NULL;
}

static bool fields_equal(const struct skep_map *a, const struct skep_map *b)
{
	return a->n_fields == b->n_fields &&
	       !memcmp(a->fields, b->fields, a->n_fields * sizeof(a->fields[0]));
}

/* Types whose maps programs index in place must also be of one size. */
static bool sizes_equal(const struct skep_map *a, const struct skep_map *b)
{
	bool matters = a->type == SKEP_MAP_XSKMAP ||
		       (a->type == SKEP_MAP_ARRAY && !(a->flags & SKEP_F_INNER_MAP));

	return !matters || a->max_entries == b->max_entries;
}

static bool alike(const struct skep_map *a, const struct skep_map *b)
{
	return a->type == b->type && a->key_size == b->key_size && a->value_size == b->value_size &&
	       a->flags == b->flags && fields_equal(a, b) && sizes_equal(a, b);
}

const struct skep_map *skep_map_inner(const struct skep_map *map)
{
	if (map->type == SKEP_MAP_ARRAY_OF_MAPS)
		return &((const struct array_of_maps *)map)->inner;
	if (map->type == SKEP_MAP_HASH_OF_MAPS)
		return &((const struct hash_of_maps *)map)->inner;
	return NULL;
}

/* The map that a value's descriptor names, if it is alike. */
static struct skep_map *inner_get(struct skep_map *map, const void *value, int *ret_err)
{
	struct skep_map *inner = skep_objects_get(map, (int)skep_objects_index(value), ret_err);

	if (!inner || alike(skep_map_inner(map), inner))
		return inner;
	skep_objects_put(map, inner);
	*ret_err = -EINVAL;
	return NULL;
}

static uint32_t id_of(struct skep_map *map, void *inner)
{
	return map->env && map->env->id ? map->env->id(map, inner) : 0;
}

/* --- array_of_maps --------------------------------------------------------------------------- */

static int array_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct skep_map *map;
	int err = check_inner(attr->inner);

	if (!err)
		err = skep_objects_create_in(attr, sizeof(struct array_of_maps), &map);
	if (err)
		return err;
	keep_likeness(&((struct array_of_maps *)map)->inner, attr->inner);
	*ret = map;
	return 0;
}

static int array_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	uint32_t index = skep_objects_index(key);
	struct skep_map *inner;
	int err;

	if (flags != SKEP_ANY)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	inner = inner_get(map, value, &err);
	if (!inner)
		return err;
	skep_objects_exchange(map, index, inner);
	return 0;
}

const struct skep_map_ops skep_map_array_of_maps_ops = {
	.fd_values = true,
	.has_lookup_batch = true,
	.has_update_batch = true,
	.check = skep_objects_check,
	.create = array_create,
	.free = skep_objects_free,
	.lookup = skep_objects_object,
	.delete = skep_objects_delete,
	.object = skep_objects_object,
	.sys_lookup = skep_objects_sys_lookup,
	.sys_update = array_update,
	.next_key = skep_objects_next_key,
};

/* --- hash_of_maps ---------------------------------------------------------------------------- */

static int hash_check(const struct skep_map_attr *attr)
{
	if (attr->value_size != sizeof(uint32_t))
		return -EINVAL;
	return skep_map_hash_ops.check(attr);
}

/* The hash within: the same, but for values that are pointers. */
static int hash_within(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct skep_map_attr within = *attr;
	int err;

	within.type = SKEP_MAP_HASH;
	within.value_size = sizeof(struct skep_map *);
	within.env = NULL;
	within.inner = NULL;
	within.n_fields = 0;
	err = skep_map_hash_ops.create(&within, ret);
	if (!err)
		(*ret)->ops = &skep_map_hash_ops;
	return err;
}

static int hash_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	int err = check_inner(attr->inner);
	struct hash_of_maps *outer;

	if (err)
		return err;
	outer = skep_map_alloc(attr, sizeof(*outer));
	if (!outer)
		return -ENOMEM;
	err = hash_within(attr, &outer->hash);
	if (err) {
		skep_map_discard(&outer->map);
		return err;
	}
	outer->map.memory_bytes = outer->hash->memory_bytes;
	keep_likeness(&outer->inner, attr->inner);
	*ret = &outer->map;
	return 0;
}

static struct hash_of_maps *hash_of(struct skep_map *map)
{
	return (struct hash_of_maps *)map;
}

static long put_inner(struct skep_map *hash, void *key, void *value, void *outer)
{
	skep_objects_put(outer, *(void **)value);
	return 0;
}

static void hash_free(struct skep_map *map)
{
	struct skep_map *hash = hash_of(map)->hash;

	hash->ops->for_each(hash, put_inner, map, 0);
	skep_map_unref(hash);
	skep_map_discard(map);
}

static void *hash_lookup(struct skep_map *map, const void *key)
{
	struct skep_map *hash = hash_of(map)->hash;
	const void *at = hash->ops->lookup(hash, key);

	return at ? (void *)(uintptr_t)skep_word_load(at) : NULL;
}

static int hash_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return skep_objects_id(map, hash_lookup, key, value);
}

static int hash_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	struct hash_of_maps *outer = hash_of(map);
	struct skep_map *inner, *old;
	uint64_t word;
	int err;

	inner = inner_get(map, value, &err);
	if (!inner)
		return err;
	word = (uintptr_t)inner;
	skep_lock(&outer->lock);
	old = hash_lookup(map, key);
	err = outer->hash->ops->update(outer->hash, key, &word, flags);
	skep_unlock(&outer->lock);
	skep_objects_retire(map, err ? inner : old);
	return err;
}

static int hash_delete(struct skep_map *map, const void *key)
{
	struct hash_of_maps *outer = hash_of(map);
	void *old;
	int err;

	skep_lock(&outer->lock);
	old = hash_lookup(map, key);
	err = outer->hash->ops->delete (outer->hash, key);
	skep_unlock(&outer->lock);
	if (!err)
		skep_objects_retire(map, old);
	return err;
}

static int hash_next_key(struct skep_map *map, const void *key, void *next)
{
	struct skep_map *hash = hash_of(map)->hash;

	return hash->ops->next_key(hash, key, next);
}

/* The hash's batch gives pointers; ids go out. */
static void to_ids(struct skep_map *map, struct skep_map_batch *batch, uint64_t *inners, uint32_t n,
		   bool delete)
{
	for (uint32_t i = 0; i < n; i++) {
		void *inner = (void *)(uintptr_t)inners[i];
		uint32_t id = id_of(map, inner);

		memcpy((uint8_t *)batch->values + (size_t)i * sizeof(id), &id, sizeof(id));
		if (delete)
			skep_objects_retire(map, inner);
	}
}

static int hash_lookup_batch(struct skep_map *map, struct skep_map_batch *batch, bool delete)
{
	struct hash_of_maps *outer = hash_of(map);
	struct skep_map_batch within = *batch;
	_cleanup_free_ uint64_t *inners = NULL;
	uint64_t room = (uint64_t)map->max_entries + 64;
	int err;

	if (room > batch->count)
		room = batch->count;
	inners = calloc(room ? room : 1, sizeof(*inners));
	if (!inners)
		return -ENOMEM;
	within.values = inners;
	within.count = (uint32_t)room;
	if (!delete) /* else they are ours alone */
		skep_grace_hold();
	skep_lock(&outer->lock);
	err = outer->hash->ops->lookup_batch(outer->hash, &within, delete);
	skep_unlock(&outer->lock);
	if (!err || err == -ENOENT)
		to_ids(map, batch, inners, within.count, delete);
	if (!delete)
		skep_grace_release();
	batch->count = within.count;
	return err;
}

const struct skep_map_ops skep_map_hash_of_maps_ops = {
	.fd_values = true,
	.has_lookup_batch = true,
	.has_lookup_and_delete_batch = true,
	.has_update_batch = true,
	.has_delete_batch = true,
	.check = hash_check,
	.create = hash_create,
	.free = hash_free,
	.lookup = hash_lookup,
	.delete = hash_delete,
	.object = hash_lookup,
	.sys_lookup = hash_sys_lookup,
	.sys_update = hash_update,
	.next_key = hash_next_key,
	.lookup_batch = hash_lookup_batch,
};
