/*
 * lru_hash and lru_percpu_hash: a full map forgets what was not used for
 * longest. The table is hash_table.c's, the choice lru.c's.
 *
 * A free element is taken before the bucket's lock, because taking one may
 * forget another, which needs that one's bucket. So an update may forget an
 * element and then fail, as in the kernel.
 *
 * Programs' look-ups count as use; those of the syscall side do not.
 */
#include <errno.h>

#include "map/hash.h"

static struct skep_lru_elem *lru_elem(struct skep_hash_elem *elem)
{
	return (struct skep_lru_elem *)elem;
}

static bool evict(void *arg, uint32_t number)
{
	struct skep_hash *hash = arg;
	struct skep_hash_elem *elem = skep_hash_elem(hash, number + 1);
	struct skep_hash_bucket *bucket = skep_hash_bucket(hash, skep_elem_hash(elem));
	uint32_t *link = &bucket->first;
	bool there;

	skep_bucket_lock(bucket);
	while (skep_chain_is_elem(*link) && *link != number + 1)
		link = &skep_hash_elem(hash, *link)->chain;
	there = *link == number + 1;
	if (there)
		skep_chain_remove(link, elem);
	skep_bucket_unlock(bucket);
	if (there)
		skep_hash_release(hash, elem);
	return there;
}

static int lru_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct skep_hash *hash;
	int err = skep_hash_create(attr, ret);

	if (err)
		return err;
	hash = skep_hash_of(*ret);
	hash->lru.elems = hash->elems;
	hash->lru.stride = hash->stride;
	hash->lru.n_cpus = skep_map_n_cpus();
	hash->lru.per_cpu = attr->flags & SKEP_F_NO_COMMON_LRU;
	hash->lru.evict = evict;
	hash->lru.arg = hash;
	skep_lru_init(&hash->lru, hash->map.max_entries);
	return 0;
}

static struct skep_hash_elem *take(struct skep_hash *hash, uint32_t cpu,
				   const struct skep_hash_change *change)
{
	uint32_t number = skep_lru_take(&hash->lru, cpu, change->hash);
	struct skep_hash_elem *elem;

	if (number == SKEP_LRU_NONE)
		return NULL;
	elem = skep_hash_elem(hash, number + 1);
	skep_hash_set_key(hash, elem, change->key);
	return elem;
}

static void give(struct skep_hash *hash, uint32_t cpu, const struct skep_hash_elem *elem)
{
	skep_lru_give(&hash->lru, cpu, skep_hash_number(hash, elem));
}

/* --- lru_hash -------------------------------------------------------------------------------- */

static void *lru_lookup(struct skep_map *map, const void *key)
{
	const struct skep_hash *hash = skep_hash_of(map);
	struct skep_hash_elem *elem = skep_hash_find(hash, skep_hash_key(hash, key), key);

	if (!elem)
		return NULL;
	skep_lru_use(lru_elem(elem));
	return (uint8_t *)elem + hash->value_off;
}

static int lru_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	const void *found = skep_hash_lookup(map, key);

	if (!found)
		return -ENOENT;
	skep_value_get(map, value, found, map->value_size);
	return 0;
}

/* With the bucket's lock: @elem comes in, *@ret_old goes. */
static int replace(struct skep_hash *hash, const struct skep_hash_change *change,
		   struct skep_hash_elem *elem, struct skep_hash_elem **ret_old)
{
	struct skep_hash_bucket *bucket = skep_hash_bucket(hash, change->hash);
	uint32_t *link = skep_hash_find_link(hash, bucket, change->hash, change->key);
	int err = skep_hash_check_flags(link, change->flags);

	if (err)
		return err;
	*ret_old = link ? skep_hash_elem(hash, *link) : NULL;
	if (link)
		skep_lru_use(lru_elem(elem));
	skep_chain_replace(hash, change->hash, elem, link);
	return 0;
}

static int lru_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	struct skep_hash *hash = skep_hash_of(map);
	struct skep_hash_change change = {
		.key = key, .value = value, .flags = flags, .hash = skep_hash_key(hash, key)};
	struct skep_hash_bucket *bucket = skep_hash_bucket(hash, change.hash);
	struct skep_hash_elem *elem, *gone = NULL;
	uint32_t cpu = skep_cpu_current();
	int err;

	if (flags > SKEP_EXIST)
		return -EINVAL;
	elem = take(hash, cpu, &change);
	if (!elem)
		return -ENOMEM;
	skep_value_set(map, (uint8_t *)elem + hash->value_off, value, map->value_size);
	skep_bucket_lock(bucket);
	err = replace(hash, &change, elem, &gone);
	skep_bucket_unlock(bucket);
	if (err)
		gone = elem;
	if (gone) {
		skep_hash_release(hash, gone);
		give(hash, cpu, gone);
	}
	return err;
}

const struct skep_map_ops skep_map_lru_hash_ops = {
	SKEP_HASH_OPS,        .create = lru_create,         .lookup = lru_lookup,
	.update = lru_update, .sys_lookup = lru_sys_lookup,
};

/* --- lru_percpu_hash ------------------------------------------------------------------------- */

/* With the bucket's lock. *@elem: a free element, NULL for BPF_EXIST; it stays if it was not
 * needed. */
static int percpu_put(struct skep_hash *hash, const struct skep_hash_change *change,
		      struct skep_hash_elem **elem)
{
	struct skep_hash_bucket *bucket = skep_hash_bucket(hash, change->hash);
	uint32_t *link = skep_hash_find_link(hash, bucket, change->hash, change->key);
	int err = skep_hash_check_flags(link, change->flags);

	if (err)
		return err;
	if (link) {
		skep_lru_use(lru_elem(skep_hash_elem(hash, *link)));
		skep_percpu_set(hash, skep_hash_elem(hash, *link), change);
		return 0;
	}
	skep_percpu_init(hash, *elem, change);
	skep_chain_replace(hash, change->hash, *elem, NULL);
	*elem = NULL;
	return 0;
}

int skep_lru_percpu_change(struct skep_hash *hash, const struct skep_hash_change *change)
{
	struct skep_hash_bucket *bucket = skep_hash_bucket(hash, change->hash);
	struct skep_hash_elem *elem = NULL;
	uint32_t cpu = skep_cpu_current();
	int err;

	if (change->flags != SKEP_EXIST) {
		elem = take(hash, cpu, change);
		if (!elem)
			return -ENOMEM;
	}
	skep_bucket_lock(bucket);
	err = percpu_put(hash, change, &elem);
	skep_bucket_unlock(bucket);
	if (elem)
		give(hash, cpu, elem);
	return err;
}

const struct skep_map_ops skep_map_lru_percpu_hash_ops = {
	SKEP_PERCPU_HASH_OPS,
	.create = lru_create,
};
