/*
 * The table under hash, percpu_hash and the LRU hashes: buckets, elements, keys.
 * hash.c has the essay; what is here inline is what look-ups need.
 */
#ifndef SKEP_MAP_HASH_H
#define SKEP_MAP_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "map/copy.h"
#include "map/lru.h"
#include "map/ops.h"

struct skep_hash_bucket {
	uint32_t first; /* a chain's link */
	uint32_t state; /* 1: locked; the rest counts how often it was */
};

struct skep_hash_pool;

struct skep_hash {
	struct skep_map map;
	struct skep_hash_bucket *buckets;
	struct skep_hash_pool *pools; /* a CPU each; not for LRU */
	uint8_t *elems;
	uint32_t n_buckets; /* a power of two */
	uint32_t key_off, value_off;
	size_t stride;
	uint64_t seed;
	bool plain_hash; /* BPF_F_ZERO_SEED: the kernel's function, so its order too */
	struct skep_lru lru;
	/** Called with each value that goes, outside of locks; NULL: special fields are released.
	 */
	void (*release)(struct skep_map *map, void *value);
};

/* What an element begins with; an LRU's goes on as struct skep_lru_elem. */
struct skep_hash_elem {
	uint32_t chain, hash;
};

#define SKEP_CHAIN_END 0x80000000u

static inline struct skep_hash *skep_hash_of(struct skep_map *map)
{
	return (struct skep_hash *)map;
}

static inline bool skep_chain_is_elem(uint32_t link)
{
	return link - 1 < SKEP_CHAIN_END - 1;
}

static inline struct skep_hash_elem *skep_hash_elem(const struct skep_hash *hash, uint32_t link)
{
	return (struct skep_hash_elem *)(hash->elems + (size_t)(link - 1) * hash->stride);
}

static inline uint32_t skep_chain_next(const uint32_t *link)
{
	return __atomic_load_n(link, __ATOMIC_ACQUIRE);
}

static inline uint32_t skep_elem_hash(const struct skep_hash_elem *elem)
{
	return __atomic_load_n(&elem->hash, __ATOMIC_RELAXED);
}

static inline uint8_t *skep_elem_key(const struct skep_hash *hash,
				     const struct skep_hash_elem *elem)
{
	return (uint8_t *)elem + hash->key_off;
}

/** Its number, from 0; a link to it is one more. */
static inline uint32_t skep_hash_number(const struct skep_hash *hash,
					const struct skep_hash_elem *elem)
{
	return (uint32_t)(((const uint8_t *)elem - hash->elems) / hash->stride);
}

static inline bool skep_hash_is_lru(const struct skep_hash *hash)
{
	return hash->lru.blocks != NULL;
}

/** The value of @cpu (0 if there is one for all). */
uint8_t *skep_elem_value(const struct skep_hash *hash, const struct skep_hash_elem *elem,
			 uint32_t cpu);

uint32_t skep_hash_slowly(const struct skep_hash *hash, const void *key);
bool skep_key_equal_slowly(const struct skep_hash *hash, const uint8_t *stored, const void *key);

static inline uint64_t skep_hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Keys of 8 bytes are hashed and compared here, others by calls. */
static inline uint32_t skep_hash_key(const struct skep_hash *hash, const void *key)
{
	uint64_t word;

	if (hash->map.key_size != 8 || hash->plain_hash)
		return skep_hash_slowly(hash, key);
	memcpy(&word, key, 8);
	return (uint32_t)skep_hash_mix(word ^ hash->seed, UINT64_C(0x9e3779b97f4a7c15));
}

static inline bool skep_key_equal(const struct skep_hash *hash, const struct skep_hash_elem *elem,
				  const void *key)
{
	const uint8_t *stored = skep_elem_key(hash, elem);
	uint64_t word;

	if (hash->map.key_size != 8)
		return skep_key_equal_slowly(hash, stored, key);
	memcpy(&word, key, 8);
	return skep_word_load(stored) == word;
}

static inline struct skep_hash_bucket *skep_hash_bucket(const struct skep_hash *hash, uint32_t h)
{
	return &hash->buckets[h & (hash->n_buckets - 1)];
}

void skep_bucket_wait(const struct skep_hash_bucket *bucket);

static inline void skep_bucket_lock(struct skep_hash_bucket *bucket)
{
	uint32_t state = __atomic_load_n(&bucket->state, __ATOMIC_RELAXED) & ~1u;

	while (!__atomic_compare_exchange_n(&bucket->state, &state, state | 1, false,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		if (state & 1)
			skep_bucket_wait(bucket);
		state &= ~1u;
	}
}

static inline void skep_bucket_unlock(struct skep_hash_bucket *bucket)
{
	uint32_t state = __atomic_load_n(&bucket->state, __ATOMIC_RELAXED);

	__atomic_store_n(&bucket->state, state + 1, __ATOMIC_RELEASE);
}

static inline struct skep_hash_elem *skep_hash_walk(const struct skep_hash *hash, uint32_t h,
						    const void *key, uint32_t *ret_end)
{
	uint32_t link = skep_chain_next(&skep_hash_bucket(hash, h)->first);

	while (skep_chain_is_elem(link)) {
		struct skep_hash_elem *elem = skep_hash_elem(hash, link);

		if (skep_elem_hash(elem) == h && skep_key_equal(hash, elem, key))
			return elem;
		link = skep_chain_next(&elem->chain);
	}
	*ret_end = link;
	return NULL;
}

struct skep_hash_elem *skep_hash_find_again(const struct skep_hash *hash, uint32_t h,
					    const void *key);

/** Without locks: the element of @key, or NULL. */
static inline struct skep_hash_elem *skep_hash_find(const struct skep_hash *hash, uint32_t h,
						    const void *key)
{
	const struct skep_hash_bucket *bucket = skep_hash_bucket(hash, h);
	uint32_t state = __atomic_load_n(&bucket->state, __ATOMIC_ACQUIRE), end = 0;
	struct skep_hash_elem *elem = skep_hash_walk(hash, h, key, &end);

	if (elem || (!(state & 1) && __atomic_load_n(&bucket->state, __ATOMIC_RELAXED) == state))
		return elem;
	return skep_hash_find_again(hash, h, key);
}

/** With the bucket's lock: the link that leads to @key's element, or NULL. */
uint32_t *skep_hash_find_link(const struct skep_hash *hash, struct skep_hash_bucket *bucket,
			      uint32_t h, const void *key);
/** Add @elem in front and take off what @link leads to, unless it is NULL; with the bucket's lock.
 */
void skep_chain_replace(const struct skep_hash *hash, uint32_t h, struct skep_hash_elem *elem,
			uint32_t *link);
void skep_chain_remove(uint32_t *link, const struct skep_hash_elem *elem);
void skep_hash_set_key(const struct skep_hash *hash, struct skep_hash_elem *elem, const void *key);

/** What an update is to do. */
struct skep_hash_change {
	const void *key, *value;
	uint64_t flags;
	uint32_t hash;
	bool all; /* @value has all CPUs' copies */
};

/** -EEXIST or -ENOENT, if @flags do not want it so. */
int skep_hash_check_flags(bool there, uint64_t flags);
/** Values go: release what they hold. */
void skep_hash_release(struct skep_hash *hash, const struct skep_hash_elem *elem);

/** Set this CPU's copy of a per-CPU value, or all. */
void skep_percpu_set(struct skep_hash *hash, const struct skep_hash_elem *elem,
		     const struct skep_hash_change *change);
/** The same for an element that is new: other CPUs' copies are zero. */
void skep_percpu_init(struct skep_hash *hash, const struct skep_hash_elem *elem,
		      const struct skep_hash_change *change);
void skep_percpu_get(const struct skep_hash *hash, const struct skep_hash_elem *elem, void *value);

/* Operations that all types of hash share. */
int skep_hash_check(const struct skep_map_attr *attr);
int skep_hash_create(const struct skep_map_attr *attr, struct skep_map **ret);
void skep_hash_free(struct skep_map *map);
void *skep_hash_lookup(struct skep_map *map, const void *key);
int skep_hash_update(struct skep_map *map, const void *key, const void *value, uint64_t flags);
int skep_hash_delete(struct skep_map *map, const void *key);
int skep_hash_next_key(struct skep_map *map, const void *key, void *next_key);
long skep_hash_for_each(struct skep_map *map,
			long (*each)(struct skep_map *map, void *key, void *value, void *ctx),
			void *ctx, uint64_t flags);
void *skep_percpu_hash_lookup(struct skep_map *map, const void *key);
void *skep_percpu_hash_lookup_percpu(struct skep_map *map, const void *key, uint32_t cpu);
int skep_percpu_hash_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags);
int skep_percpu_hash_update(struct skep_map *map, const void *key, const void *value,
			    uint64_t flags);
int skep_percpu_hash_sys_update(struct skep_map *map, const void *key, const void *value,
				uint64_t flags);
/** What an update comes to where elements are of an LRU (lru_hash.c). */
int skep_lru_percpu_change(struct skep_hash *hash, const struct skep_hash_change *change);
int skep_hash_lookup_and_delete(struct skep_map *map, const void *key, void *value, uint64_t flags);
int skep_hash_lookup_batch(struct skep_map *map, struct skep_map_batch *batch, bool delete);

/** What all four types do alike, and what the two per CPU do. */
#define SKEP_HASH_OPS                                                                              \
	.check = skep_hash_check, .free = skep_hash_free, .delete = skep_hash_delete,              \
	.for_each = skep_hash_for_each, .sys_lookup_and_delete = skep_hash_lookup_and_delete,      \
	.next_key = skep_hash_next_key, .lookup_batch = skep_hash_lookup_batch,                    \
	.has_lookup_batch = true, .has_lookup_and_delete_batch = true, .has_update_batch = true,   \
	.has_delete_batch = true
#define SKEP_PERCPU_HASH_OPS                                                                       \
	SKEP_HASH_OPS, .percpu_values = true, .lookup = skep_percpu_hash_lookup,                   \
		       .lookup_percpu = skep_percpu_hash_lookup_percpu,                            \
		       .update = skep_percpu_hash_update,                                          \
		       .sys_lookup = skep_percpu_hash_sys_lookup,                                  \
		       .sys_update = skep_percpu_hash_sys_update

#endif
