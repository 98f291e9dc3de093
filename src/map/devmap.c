/*
 * devmap and devmap_hash: network devices to redirect packets to, by index or
 * by any number, with a program to run on the way out.
 *
 * Source    Linux 6.18, kernel/bpf/devmap.c, for behaviour.
 */
#include <errno.h>

#include "map/chains.h"
#include "map/hops.h"
#include "map/memory.h"

static int check(const struct skep_map_attr *attr)
{
	if (!attr->max_entries || attr->key_size != 4)
		return -EINVAL;
	if (attr->value_size != 4 && attr->value_size != 8)
		return -EINVAL;
	return attr->flags & ~(SKEP_F_NUMA_NODE | SKEP_F_RDONLY | SKEP_F_WRONLY) ? -EINVAL : 0;
}

static int create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	int err = skep_hops_create(attr, ret);

	/* Programs may not write where packets go. */
	if (!err)
		(*ret)->flags |= SKEP_F_RDONLY_PROG;
	return err;
}

static int device_get(struct skep_map *map, struct skep_hop_value value, struct skep_hop *ret)
{
	if (map->env && map->env->device && !map->env->device(map, value.number))
		return -EINVAL;
	return skep_hop_get(map, value, ret) ? -EINVAL : 0;
}

static int update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	struct skep_hop_value in = skep_hop_value_in(map, value);
	uint32_t index = skep_objects_index(key);
	struct skep_hop hop = {0};
	int err = 0;

	if (flags > SKEP_EXIST)
		return -EINVAL;
	if (index >= map->max_entries)
		return -E2BIG;
	if (flags == SKEP_NOEXIST)
		return -EEXIST;
	if (in.number)
		err = device_get(map, in, &hop);
	else if ((int32_t)in.prog > 0)
		err = -EINVAL;
	if (!err)
		skep_hops_replace(map, index, hop);
	return err;
}

const struct skep_map_ops skep_map_devmap_ops = {
	.check = check,
	.create = create,
	.free = skep_hops_free,
	.lookup = skep_hops_lookup,
	.update = update,
	.delete = skep_hops_delete,
	.object = skep_hops_object,
	.sys_lookup = skep_hops_sys_lookup,
	.next_key = skep_objects_next_key,
};

/* --- devmap_hash: the number itself is the hash, as in the kernel ---------------------------- */

struct devmap_hash {
	struct skep_map map;
	struct skep_chains chains; /* of struct skep_hop */
};

static int hash_check(const struct skep_map_attr *attr)
{
	int err = check(attr);

	return !err && attr->max_entries > UINT32_C(1) << 31 ? -EINVAL : err;
}

static int hash_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct devmap_hash *devmap = skep_map_alloc(attr, sizeof(*devmap));
	uint32_t n_buckets = skep_map_up_to_power(attr->max_entries);
	int err = -ENOMEM;

	if (!devmap)
		return -ENOMEM;
	if (skep_memory_fits((uint64_t)n_buckets * sizeof(void *)))
		err = skep_chains_init(&devmap->chains, n_buckets, attr->max_entries, 4,
				       sizeof(struct skep_hop));
	if (err) {
		skep_map_discard(&devmap->map);
		return err;
	}
	devmap->map.flags |= SKEP_F_RDONLY_PROG;
	devmap->map.memory_bytes = devmap->chains.bytes;
	*ret = &devmap->map;
	return 0;
}

static void put_program(void *key, void *value, void *map)
{
	const struct skep_hop *hop = value;

	skep_objects_put(map, hop->prog);
}

static void hash_free(struct skep_map *map)
{
	struct devmap_hash *devmap = (struct devmap_hash *)map;

	skep_chains_each(&devmap->chains, put_program, map);
	skep_chains_done(&devmap->chains);
	skep_map_discard(map);
}

static struct skep_hop *hash_at(struct skep_map *map, const void *key)
{
	const struct devmap_hash *devmap = (const struct devmap_hash *)map;

	return skep_chains_find(&devmap->chains, key, skep_objects_index(key));
}

static void *hash_lookup(struct skep_map *map, const void *key)
{
	struct skep_hop *hop = hash_at(map, key);

	return hop ? &hop->value : NULL;
}

static void *hash_object(struct skep_map *map, const void *key)
{
	struct skep_hop *hop = hash_at(map, key);

	return hop ? __atomic_load_n(&hop->prog, __ATOMIC_ACQUIRE) : NULL;
}

static int hash_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return skep_hop_copy(map, hash_at(map, key), value);
}

/* Under the lock. @ret_old: a program to be put, also after an error. */
static int hash_set(struct skep_map *map, const void *key, struct skep_hop_value in, bool no_exist,
		    void **ret_old)
{
	struct devmap_hash *devmap = (struct devmap_hash *)map;
	uint32_t hash = skep_objects_index(key);
	struct skep_hop *at = hash_at(map, key), hop;
	int err;

	if (at && no_exist)
		return -EEXIST;
	err = device_get(map, in, &hop);
	if (err)
		return err;
	if (at)
		skep_chains_raise(&devmap->chains, key, hash);
	else
		at = skep_chains_add(&devmap->chains, key, hash);
	*ret_old = at ? skep_hop_set(at, hop) : hop.prog;
	return at ? 0 : -E2BIG;
}

static int hash_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	struct devmap_hash *devmap = (struct devmap_hash *)map;
	struct skep_hop_value in = skep_hop_value_in(map, value);
	void *old = NULL;
	int err;

	if (flags > SKEP_EXIST || !in.number)
		return -EINVAL;
	skep_chains_lock(&devmap->chains);
	err = hash_set(map, key, in, flags & SKEP_NOEXIST, &old);
	skep_chains_unlock(&devmap->chains);
	skep_objects_retire(map, old);
	return err;
}

static int hash_delete(struct skep_map *map, const void *key)
{
	struct devmap_hash *devmap = (struct devmap_hash *)map;
	struct skep_hop *at;
	void *old = NULL;

	skep_chains_lock(&devmap->chains);
	at = hash_at(map, key);
	if (at) {
		old = skep_hop_set(at, (struct skep_hop){0});
		skep_chains_remove(&devmap->chains, key, skep_objects_index(key));
	}
	skep_chains_unlock(&devmap->chains);
	skep_objects_retire(map, old);
	return at ? 0 : -ENOENT;
}

static int hash_next_key(struct skep_map *map, const void *key, void *next)
{
	struct devmap_hash *devmap = (struct devmap_hash *)map;

	return skep_chains_next_key(&devmap->chains, key, key ? skep_objects_index(key) : 0, next);
}

const struct skep_map_ops skep_map_devmap_hash_ops = {
	.check = hash_check,
	.create = hash_create,
	.free = hash_free,
	.lookup = hash_lookup,
	.update = hash_update,
	.delete = hash_delete,
	.object = hash_object,
	.sys_lookup = hash_sys_lookup,
	.next_key = hash_next_key,
};
