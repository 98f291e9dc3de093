/*
 * hash and percpu_hash: any key to a value, or one for each CPU.
 *
 * An update of a hash puts a new element in the old one's place; one of a
 * percpu_hash writes into the element that is there. Elements are all reserved
 * when the map is created, also with BPF_F_NO_PREALLOC; their pages come with
 * use.
 *
 * A program's update of a percpu_hash has no need of the bucket's lock where the
 * key is there: nobody else writes to its CPU's copy, and the bucket's line need
 * not go from CPU to CPU. Only the element must not go to another key meanwhile.
 * So the CPU says which one it writes to, and then looks whether the bucket is
 * as it was; who takes an element out has changed the bucket's state before he
 * asks all CPUs whether they write to it. One of the two sees the other.
 *
 * Read before: hash_table.c. The LRU hashes are in lru_hash.c.
 */
#include "map/hash.h"

#include <errno.h>

#include "map/cpu.h"
#include "map/hash_pool.h"

/* --- What all hashes share, LRU too ---------------------------------------------------------- */

/* An element that is out of the table becomes free. */
static void give_back(struct skep_hash *hash, struct skep_hash_elem *elem)
{
	skep_hash_release(hash, elem);
	if (skep_hash_is_lru(hash))
		skep_lru_give(&hash->lru, skep_cpu_current(), skep_hash_number(hash, elem));
	else
		skep_hash_give(hash, elem);
}

static void copy_out(const struct skep_hash *hash, const struct skep_hash_elem *elem, void *value,
		     uint64_t flags)
{
	const struct skep_map *map = &hash->map;

	if (map->cpu_stride)
		skep_percpu_get(hash, elem, value);
	else if (flags & SKEP_LOCK)
		skep_value_get_locked(map, value, skep_elem_value(hash, elem, 0));
	else
		skep_value_get(map, value, skep_elem_value(hash, elem, 0), map->value_size);
}

/* The lock is held, so nobody begins to; those who have are waited for. */
static void await_writers(const struct skep_hash *hash, const struct skep_hash_elem *elem)
{
	if (hash->map.cpu_stride && !skep_hash_is_lru(hash))
		skep_hash_await_writers(hash, elem);
}

/* @value NULL: it is not wanted. */
static int take_out(struct skep_hash *hash, const void *key, void *value, uint64_t flags)
{
	uint32_t h = skep_hash_key(hash, key), *link;
	struct skep_hash_bucket *bucket = skep_hash_bucket(hash, h);
	struct skep_hash_elem *elem = NULL;

	skep_bucket_lock(bucket);
	link = skep_hash_find_link(hash, bucket, h, key);
	if (link) {
		elem = skep_hash_elem(hash, *link);
		await_writers(hash, elem);
		if (value)
			copy_out(hash, elem, value, flags);
		skep_chain_remove(link, elem);
	}
	skep_bucket_unlock(bucket);
	if (!elem)
		return -ENOENT;
	give_back(hash, elem);
	return 0;
}

int skep_hash_delete(struct skep_map *map, const void *key)
{
	return take_out(skep_hash_of(map), key, NULL, 0);
}

int skep_hash_lookup_and_delete(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return take_out(skep_hash_of(map), key, value, flags);
}

/* --- Batches: bucket by bucket, a bucket whole or not at all --------------------------------- */

static uint32_t chain_len(const struct skep_hash *hash, const struct skep_hash_bucket *bucket)
{
	uint32_t n = 0;

	for (uint32_t link = bucket->first; skep_chain_is_elem(link);
	     link = skep_hash_elem(hash, link)->chain)
		n++;
	return n;
}

static void copy_bucket(const struct skep_hash *hash, const struct skep_hash_bucket *bucket,
			struct skep_map_batch *batch, bool delete)
{
	uint32_t key_size = hash->map.key_size, value_size = skep_map_sys_value_size(&hash->map);
	uint32_t at = batch->count;

	for (uint32_t link = bucket->first; skep_chain_is_elem(link); at++) {
		const struct skep_hash_elem *elem = skep_hash_elem(hash, link);

		if (delete)
			await_writers(hash, elem);
		skep_copy_out((uint8_t *)batch->keys + (size_t)at * key_size,
			      skep_elem_key(hash, elem), key_size);
		copy_out(hash, elem, (uint8_t *)batch->values + (size_t)at * value_size,
			 batch->elem_flags);
		link = elem->chain;
	}
}

/* The whole chain comes off; its elements become free once the lock is, the last first. They are
 * listed meanwhile by their keys' first word, as free ones are. */
static void free_chain(struct skep_hash *hash, uint32_t link)
{
	uint32_t listed = 0, next;

	for (; skep_chain_is_elem(link); link = next) {
		uint32_t *word = (uint32_t *)skep_elem_key(hash, skep_hash_elem(hash, link));

		next = skep_hash_elem(hash, link)->chain;
		__atomic_store_n(word, listed, __ATOMIC_RELAXED);
		listed = link;
	}
	for (; listed; listed = next) {
		struct skep_hash_elem *elem = skep_hash_elem(hash, listed);

		next = __atomic_load_n((uint32_t *)skep_elem_key(hash, elem), __ATOMIC_RELAXED);
		give_back(hash, elem);
	}
}

/* Return how many were copied; -ENOSPC: more than @room. */
static int take_bucket(struct skep_hash *hash, uint32_t number, struct skep_map_batch *batch,
		       uint32_t room, bool delete)
{
	struct skep_hash_bucket *bucket = &hash->buckets[number];
	uint32_t n, gone = 0;

	if (!skep_chain_is_elem(skep_chain_next(&bucket->first)))
		return 0;
	skep_bucket_lock(bucket);
	n = chain_len(hash, bucket);
	if (n <= room) {
		copy_bucket(hash, bucket, batch, delete);
		if (delete) {
			gone = bucket->first;
			__atomic_store_n(&bucket->first, SKEP_CHAIN_END | number, __ATOMIC_RELEASE);
		}
	}
	skep_bucket_unlock(bucket);
	free_chain(hash, gone);
	return n <= room ? (int)n : -ENOSPC;
}

static int walk_buckets(struct skep_hash *hash, uint32_t at, struct skep_map_batch *batch,
			uint32_t room, bool delete)
{
	int n = 0;

	for (; at < hash->n_buckets && n >= 0; at += n >= 0) {
		n = take_bucket(hash, at, batch, room - batch->count, delete);
		if (n > 0)
			batch->count += (uint32_t)n;
	}
	memcpy(batch->out_batch, &at, sizeof(at));
	if (n >= 0)
		return -ENOENT;
	return batch->count ? 0 : n;
}

int skep_hash_lookup_batch(struct skep_map *map, struct skep_map_batch *batch, bool delete)
{
	uint32_t room = batch->count, at = 0;

	if (batch->elem_flags & ~(uint64_t)SKEP_LOCK || batch->flags ||
	    (batch->elem_flags && !skep_map_field(map, SKEP_FIELD_SPIN_LOCK)))
		return -EINVAL;
	if (!room)
		return 0;
	batch->count = 0;
	if (batch->in_batch)
		memcpy(&at, batch->in_batch, sizeof(at));
	if (at >= skep_hash_of(map)->n_buckets)
		return -ENOENT;
	return walk_buckets(skep_hash_of(map), at, batch, room, delete);
}

/* --- hash ------------------------------------------------------------------------------------ */

void *skep_hash_lookup(struct skep_map *map, const void *key)
{
	const struct skep_hash *hash = skep_hash_of(map);
	struct skep_hash_elem *elem = skep_hash_find(hash, skep_hash_key(hash, key), key);

	return elem ? (uint8_t *)elem + hash->value_off : NULL;
}

/* With the bucket's lock. @link leads to the element that is replaced, *@ret_old; or NULL. */
static int put(struct skep_hash *hash, const struct skep_hash_change *change, uint32_t *link,
	       struct skep_hash_elem **ret_old)
{
	struct skep_hash_elem *old = link ? skep_hash_elem(hash, *link) : NULL, *elem;

	elem = old ? skep_hash_take_spare(hash) : skep_hash_take(hash);
	if (!elem)
		return -E2BIG;
	skep_hash_set_key(hash, elem, change->key);
	skep_value_set(&hash->map, (uint8_t *)elem + hash->value_off, change->value,
		       hash->map.value_size);
	skep_chain_replace(hash, change->hash, elem, link);
	*ret_old = old;
	return 0;
}

static int put_locked(struct skep_hash *hash, const struct skep_hash_change *change,
		      struct skep_hash_elem **ret_old)
{
	struct skep_hash_bucket *bucket = skep_hash_bucket(hash, change->hash);
	uint32_t *link = skep_hash_find_link(hash, bucket, change->hash, change->key);
	int err = skep_hash_check_flags(link, change->flags);

	if (err)
		return err;
	if (!link || !(change->flags & SKEP_LOCK))
		return put(hash, change, link, ret_old);
	skep_value_set_locked(&hash->map, skep_elem_value(hash, skep_hash_elem(hash, *link), 0),
			      change->value);
	return 0;
}

int skep_hash_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	struct skep_hash *hash = skep_hash_of(map);
	struct skep_hash_change change = {
		.key = key, .value = value, .flags = flags, .hash = skep_hash_key(hash, key)};
	struct skep_hash_bucket *bucket = skep_hash_bucket(hash, change.hash);
	struct skep_hash_elem *old = NULL;
	int err;

	if ((flags & ~(uint64_t)SKEP_LOCK) > SKEP_EXIST)
		return -EINVAL;
	if (flags & SKEP_LOCK && !skep_map_field(map, SKEP_FIELD_SPIN_LOCK))
		return -EINVAL;
	skep_bucket_lock(bucket);
	err = put_locked(hash, &change, &old);
	skep_bucket_unlock(bucket);
	if (old) {
		skep_hash_release(hash, old);
		skep_hash_give_spare(hash, old);
	}
	return err;
}

const struct skep_map_ops skep_map_hash_ops = {
	SKEP_HASH_OPS,
	.create = skep_hash_create,
	.lookup = skep_hash_lookup,
	.update = skep_hash_update,
};

/* --- percpu_hash ----------------------------------------------------------------------------- */

void *skep_percpu_hash_lookup_percpu(struct skep_map *map, const void *key, uint32_t cpu)
{
	const struct skep_hash *hash = skep_hash_of(map);
	struct skep_hash_elem *elem = skep_hash_find(hash, skep_hash_key(hash, key), key);

	if (!elem)
		return NULL;
	if (skep_hash_is_lru(hash))
		skep_lru_use((struct skep_lru_elem *)elem);
	return skep_elem_value(hash, elem, cpu);
}

void *skep_percpu_hash_lookup(struct skep_map *map, const void *key)
{
	return skep_percpu_hash_lookup_percpu(map, key, skep_cpu_current());
}

int skep_percpu_hash_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	const struct skep_hash *hash = skep_hash_of(map);
	struct skep_hash_elem *elem = skep_hash_find(hash, skep_hash_key(hash, key), key);

	if (!elem)
		return -ENOENT;
	skep_percpu_get(hash, elem, value);
	return 0;
}

static int percpu_put(struct skep_hash *hash, const struct skep_hash_change *change)
{
	struct skep_hash_bucket *bucket = skep_hash_bucket(hash, change->hash);
	uint32_t *link = skep_hash_find_link(hash, bucket, change->hash, change->key);
	struct skep_hash_elem *elem;
	int err = skep_hash_check_flags(link, change->flags);

	if (err)
		return err;
	if (link) {
		skep_percpu_set(hash, skep_hash_elem(hash, *link), change);
		return 0;
	}
	elem = skep_hash_take(hash);
	if (!elem)
		return -E2BIG;
	skep_hash_set_key(hash, elem, change->key);
	skep_percpu_init(hash, elem, change);
	skep_chain_replace(hash, change->hash, elem, NULL);
	return 0;
}

/* Without the bucket's lock; see above. Return false: it is not to be done so. */
static bool set_in_place(struct skep_hash *hash, const struct skep_hash_change *change)
{
	const struct skep_hash_bucket *bucket = skep_hash_bucket(hash, change->hash);
	uint32_t state = __atomic_load_n(&bucket->state, __ATOMIC_ACQUIRE), end;
	const struct skep_hash_elem *elem;
	bool as_it_was;

	if (state & 1)
		return false;
	elem = skep_hash_walk(hash, change->hash, change->key, &end);
	if (!elem)
		return false;
	skep_hash_set_writer(hash, elem);
	as_it_was = __atomic_load_n(&bucket->state, __ATOMIC_ACQUIRE) == state;
	if (as_it_was)
		skep_percpu_set(hash, elem, change);
	skep_hash_set_writer(hash, NULL);
	return as_it_was;
}

/* Fields that are released as values go are so under the lock. */
static bool may_set_in_place(const struct skep_hash *hash, const struct skep_hash_change *change)
{
	return !change->all && change->flags != SKEP_NOEXIST && skep_cpu_inside() &&
	       !hash->release && !hash->map.n_fields;
}

static int percpu_change(struct skep_map *map, struct skep_hash_change *change)
{
	struct skep_hash *hash = skep_hash_of(map);
	struct skep_hash_bucket *bucket;
	int err;

	if (change->flags > SKEP_EXIST)
		return -EINVAL;
	change->hash = skep_hash_key(hash, change->key);
	if (skep_hash_is_lru(hash))
		return skep_lru_percpu_change(hash, change);
	if (may_set_in_place(hash, change) && set_in_place(hash, change))
		return 0;
	bucket = skep_hash_bucket(hash, change->hash);
	skep_bucket_lock(bucket);
	err = percpu_put(hash, change);
	skep_bucket_unlock(bucket);
	return err;
}

int skep_percpu_hash_update(struct skep_map *map, const void *key, const void *value,
			    uint64_t flags)
{
	return percpu_change(
		map, &(struct skep_hash_change){.key = key, .value = value, .flags = flags});
}

int skep_percpu_hash_sys_update(struct skep_map *map, const void *key, const void *value,
				uint64_t flags)
{
	return percpu_change(map, &(struct skep_hash_change){
					  .key = key, .value = value, .flags = flags, .all = true});
}

const struct skep_map_ops skep_map_percpu_hash_ops = {
	SKEP_PERCPU_HASH_OPS,
	.create = skep_hash_create,
};
