/*
 * The table under all hashes.
 *
 *	buckets   first ──► element ──► element ──► end of chain 7
 *	              n_buckets = max_entries rounded up to a power of two
 *
 *	element   ┌───────┬──────┬─────────────┬─────────────┬──────────────┐
 *	          │ chain │ hash │ LRU's links │ key, padded │ value, padded│
 *	          └───────┴──────┴─────────────┴─────────────┴──────────────┘
 *	per CPU   values are in rows behind the elements, one row a CPU
 *
 * A link is 1 + an element's number, or SKEP_CHAIN_END | the bucket's number; a
 * bucket that never had an element holds 0.
 *
 * Readers take no lock. An element that a reader stands on may be deleted,
 * taken for another key and come to another bucket: then the reader ends at
 * that bucket's end. Writers lock the bucket. An update puts a new element in
 * front and takes the old one out: a reader that began before the one and comes
 * by after the other finds neither. So who finds nothing asks whether the
 * bucket was locked meanwhile, and if so begins anew: a key that is there
 * throughout is found (the kernel may miss it). Only while a writer holds the
 * lock for long is a reader content with having come to the right end.
 *
 * Keys are padded with zeros to 8 bytes and compared in words.
 */
#include "map/hash.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "map/hash_pool.h"
#include "map/jhash.h"
#include "map/memory.h"

#define CREATE_FLAGS                                                                               \
	(SKEP_F_NO_PREALLOC | SKEP_F_NO_COMMON_LRU | SKEP_F_NUMA_NODE | SKEP_F_ACCESS |            \
	 SKEP_F_ZERO_SEED)
#define KERNEL_ELEM_BYTES 48 /* what the kernel's elements begin with; limits count it */
#define MOST_BUCKETS      (1u << 27)
#define MOST_RESERVE      (UINT64_C(1) << 42)

/* --- Hashing and comparing keys -------------------------------------------------------------- */

/* The last @n < 8 bytes of a key, padded. */
static uint64_t tail_word(const uint8_t *at, uint32_t n)
{
	uint64_t word = 0;

	for (uint32_t i = 0; i < n; i++)
		word |= (uint64_t)at[i] << 8 * i;
	return word;
}

static uint64_t key_word(const uint8_t *at, uint32_t left)
{
	uint64_t word;
	uint32_t half;

	if (left >= 8) {
		memcpy(&word, at, 8);
		return word;
	}
	if (left == 4) {
		memcpy(&half, at, 4);
		return half;
	}
	return tail_word(at, left);
}

uint32_t skep_hash_slowly(const struct skep_hash *hash, const void *key)
{
	uint32_t n = hash->map.key_size;
	uint64_t sum = hash->seed ^ n;

	if (hash->plain_hash)
		return skep_jhash(key, n, 0);
	for (uint32_t i = 0; i < n; i += 8)
		sum = skep_hash_mix(sum ^ key_word((const uint8_t *)key + i, n - i),
				    UINT64_C(0x9e3779b97f4a7c15));
	return (uint32_t)sum;
}

bool skep_key_equal_slowly(const struct skep_hash *hash, const uint8_t *stored, const void *key)
{
	uint32_t n = hash->map.key_size;

	for (uint32_t i = 0; i < n; i += 8)
		if (skep_word_load(stored + i) != key_word((const uint8_t *)key + i, n - i))
			return false;
	return true;
}

void skep_hash_set_key(const struct skep_hash *hash, struct skep_hash_elem *elem, const void *key)
{
	uint32_t n = hash->map.key_size;
	uint8_t *stored = skep_elem_key(hash, elem);

	for (uint32_t i = 0; i < n; i += 8)
		skep_word_store(stored + i, key_word((const uint8_t *)key + i, n - i));
}

/* --- Chains ---------------------------------------------------------------------------------- */

uint32_t *skep_hash_find_link(const struct skep_hash *hash, struct skep_hash_bucket *bucket,
			      uint32_t h, const void *key)
{
	uint32_t *link = &bucket->first;

	while (skep_chain_is_elem(*link)) {
		struct skep_hash_elem *elem = skep_hash_elem(hash, *link);

		if (skep_elem_hash(elem) == h && skep_key_equal(hash, elem, key))
			return link;
		link = &elem->chain;
	}
	return NULL;
}

static void chain_add(const struct skep_hash *hash, uint32_t h, struct skep_hash_elem *elem)
{
	uint32_t number = h & (hash->n_buckets - 1);
	uint32_t *first = &hash->buckets[number].first;

	__atomic_store_n(&elem->hash, h, __ATOMIC_RELAXED);
	__atomic_store_n(&elem->chain, *first ? *first : SKEP_CHAIN_END | number, __ATOMIC_RELEASE);
	__atomic_store_n(first, skep_hash_number(hash, elem) + 1, __ATOMIC_RELEASE);
}

/* The new element comes first, so that readers find one of the two. What led to the old one may be
 * the new one's link then. */
void skep_chain_replace(const struct skep_hash *hash, uint32_t h, struct skep_hash_elem *elem,
			uint32_t *link)
{
	struct skep_hash_elem *old = link ? skep_hash_elem(hash, *link) : NULL;
	bool was_first = link == &skep_hash_bucket(hash, h)->first;

	chain_add(hash, h, elem);
	if (old)
		skep_chain_remove(was_first ? &elem->chain : link, old);
}

/* The element keeps its own link: readers that stand on it go on from there. */
void skep_chain_remove(uint32_t *link, const struct skep_hash_elem *elem)
{
	__atomic_store_n(link, elem->chain, __ATOMIC_RELEASE);
}

#define SPINS_TO_YIELD 200

void skep_bucket_wait(const struct skep_hash_bucket *bucket)
{
	for (int i = 0; __atomic_load_n(&bucket->state, __ATOMIC_RELAXED) & 1; i++)
		if (i >= SPINS_TO_YIELD)
			sched_yield();
}

#define TRIES_WHILE_LOCKED 100

struct skep_hash_elem *skep_hash_find_again(const struct skep_hash *hash, uint32_t h,
					    const void *key)
{
	const struct skep_hash_bucket *bucket = skep_hash_bucket(hash, h);
	uint32_t own_end = SKEP_CHAIN_END | (h & (hash->n_buckets - 1)), end = 0;
	struct skep_hash_elem *elem;

	for (int locked = 0;;) {
		uint32_t state = __atomic_load_n(&bucket->state, __ATOMIC_ACQUIRE);

		elem = skep_hash_walk(hash, h, key, &end);
		if (elem)
			return elem;
		locked += state & 1;
		if (!(state & 1) && __atomic_load_n(&bucket->state, __ATOMIC_RELAXED) == state)
			return NULL;
		if (locked > TRIES_WHILE_LOCKED && (!end || end == own_end))
			return NULL;
	}
}

int skep_hash_check_flags(bool there, uint64_t flags)
{
	flags &= ~(uint64_t)SKEP_LOCK;
	if (there && flags == SKEP_NOEXIST)
		return -EEXIST;
	return !there && flags == SKEP_EXIST ? -ENOENT : 0;
}

/* --- Values ---------------------------------------------------------------------------------- */

uint8_t *skep_elem_value(const struct skep_hash *hash, const struct skep_hash_elem *elem,
			 uint32_t cpu)
{
	if (!hash->map.cpu_stride)
		return (uint8_t *)elem + hash->value_off;
	return hash->map.values + cpu * hash->map.cpu_stride +
	       (size_t)skep_hash_number(hash, elem) * hash->map.elem_size;
}

static uint32_t n_copies(const struct skep_hash *hash)
{
	return hash->map.cpu_stride ? skep_map_n_cpus() : 1;
}

void skep_hash_release(struct skep_hash *hash, const struct skep_hash_elem *elem)
{
	if (!hash->release && !hash->map.n_fields)
		return;
	for (uint32_t cpu = 0; cpu < n_copies(hash); cpu++) {
		if (hash->release)
			hash->release(&hash->map, skep_elem_value(hash, elem, cpu));
		else
			skep_value_release(&hash->map, skep_elem_value(hash, elem, cpu));
	}
}

static void set_copy(struct skep_hash *hash, const struct skep_hash_elem *elem, uint32_t cpu,
		     const void *value, size_t n)
{
	uint8_t *copy = skep_elem_value(hash, elem, cpu);

	skep_value_set(&hash->map, copy, value, n);
	skep_value_release(&hash->map, copy);
}

void skep_percpu_set(struct skep_hash *hash, const struct skep_hash_elem *elem,
		     const struct skep_hash_change *change)
{
	const uint8_t *value = change->value;
	uint32_t n = hash->map.elem_size;

	if (!change->all) {
		set_copy(hash, elem, skep_cpu_current(), value, hash->map.value_size);
		return;
	}
	for (uint32_t cpu = 0; cpu < skep_map_n_cpus(); cpu++)
		set_copy(hash, elem, cpu, value + (size_t)cpu * n, n);
}

void skep_percpu_init(struct skep_hash *hash, const struct skep_hash_elem *elem,
		      const struct skep_hash_change *change)
{
	uint32_t self = skep_cpu_current(), n = hash->map.elem_size;
	const struct skep_map *map = &hash->map;

	for (uint32_t cpu = 0; cpu < skep_map_n_cpus(); cpu++) {
		uint8_t *copy = skep_elem_value(hash, elem, cpu);

		if (change->all)
			skep_value_set(map, copy, (const uint8_t *)change->value + (size_t)cpu * n,
				       n);
		else if (cpu == self)
			skep_value_set(map, copy, change->value, map->value_size);
		else
			skep_value_zero(map, copy, map->value_size);
	}
}

void skep_percpu_get(const struct skep_hash *hash, const struct skep_hash_elem *elem, void *value)
{
	uint32_t n = hash->map.elem_size;

	for (uint32_t cpu = 0; cpu < skep_map_n_cpus(); cpu++)
		skep_value_get(&hash->map, (uint8_t *)value + (size_t)cpu * n,
			       skep_elem_value(hash, elem, cpu), n);
}

/* --- Creating -------------------------------------------------------------------------------- */

static bool is_lru(uint32_t type)
{
	return type == SKEP_MAP_LRU_HASH || type == SKEP_MAP_LRU_PERCPU_HASH;
}

static bool is_percpu(uint32_t type)
{
	return type == SKEP_MAP_PERCPU_HASH || type == SKEP_MAP_LRU_PERCPU_HASH;
}

int skep_hash_check(const struct skep_map_attr *attr)
{
	bool own_lists = attr->flags & SKEP_F_NO_COMMON_LRU;

	if (!skep_map_flags_ok(attr, CREATE_FLAGS) || (own_lists && !is_lru(attr->type)))
		return -EINVAL;
	if (is_lru(attr->type) && attr->flags & SKEP_F_NO_PREALLOC)
		return -SKEP_ENOTSUPP;
	if (skep_map_numa_node(attr) != -1 && (is_percpu(attr->type) || own_lists))
		return -EINVAL;
	if (!attr->max_entries || !attr->key_size || !attr->value_size)
		return -EINVAL;
	if ((uint64_t)attr->key_size + attr->value_size >= SKEP_KMALLOC_MOST - KERNEL_ELEM_BYTES)
		return -E2BIG;
	if (is_percpu(attr->type) && skep_round8(attr->value_size) > SKEP_PERCPU_MOST)
		return -E2BIG;
	return 0;
}

static uint32_t power_of_two_for(uint32_t n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

/* Each CPU's list must have an element, and all the same number. */
static uint32_t share_evenly(uint32_t n, uint32_t n_cpus)
{
	uint64_t up = ((uint64_t)n + n_cpus - 1) / n_cpus * n_cpus;

	return up > UINT32_MAX ? n / n_cpus * n_cpus : (uint32_t)up;
}

static int set_sizes(struct skep_hash *hash)
{
	struct skep_map *map = &hash->map;

	if (map->flags & SKEP_F_NO_COMMON_LRU)
		map->max_entries = share_evenly(map->max_entries, skep_map_n_cpus());
	if (map->max_entries > MOST_BUCKETS)
		return -E2BIG;
	hash->n_buckets = power_of_two_for(map->max_entries);
	hash->key_off =
		is_lru(map->type) ? sizeof(struct skep_lru_elem) : sizeof(struct skep_hash_elem);
	hash->value_off = hash->key_off + (uint32_t)skep_round8(map->key_size);
	hash->stride = hash->value_off + (is_percpu(map->type) ? 0 : map->elem_size);
	hash->plain_hash = map->flags & SKEP_F_ZERO_SEED;
	hash->seed = hash->plain_hash ? 0 : skep_memory_seed();
	return 0;
}

struct layout {
	uint64_t pools, elems, values, end; /* offsets; buckets are at 0 */
	uint32_t n_elems;
};

static void lay_out(struct skep_hash *hash, uint32_t n, struct layout *at)
{
	struct skep_map *map = &hash->map;
	uint32_t n_cpus = skep_map_n_cpus();
	bool spares = !is_lru(map->type) && !is_percpu(map->type);

	at->n_elems = n + (spares ? n_cpus : 0);
	at->pools = (uint64_t)hash->n_buckets * sizeof(struct skep_hash_bucket);
	at->pools = (at->pools + 63) & ~UINT64_C(63);
	at->elems = at->pools +
		    (is_lru(map->type) ? skep_lru_bytes(n_cpus) : skep_hash_pool_bytes(n_cpus));
	at->values = at->elems + (uint64_t)at->n_elems * hash->stride;
	at->end = at->values;
	if (!is_percpu(map->type))
		return;
	at->values = skep_memory_round_page(at->values);
	map->cpu_stride = skep_memory_round_page((uint64_t)at->n_elems * map->elem_size);
	at->end = at->values + map->cpu_stride * n_cpus;
}

/* All that max_entries can come to take. Where elements come with use that may be more than there
 * is address space for: then as many as there is, which no machine can fill. */
static int reserve(struct skep_hash *hash, uint32_t *n, struct layout *at)
{
	struct skep_map *map = &hash->map;
	bool lazy = map->flags & SKEP_F_NO_PREALLOC;
	int err = -ENOMEM;

	for (*n = map->max_entries; *n; *n /= 2) {
		lay_out(hash, *n, at);
		if (!lazy || at->end <= MOST_RESERVE)
			err = skep_map_reserve(map, at->end, !lazy);
		if (!err || !lazy)
			break;
	}
	return err;
}

static int get_memory(struct skep_hash *hash)
{
	struct skep_map *map = &hash->map;
	struct layout at;
	uint32_t n;
	int err = reserve(hash, &n, &at);

	if (err)
		return err;
	hash->buckets = (struct skep_hash_bucket *)map->base;
	hash->elems = map->base + at.elems;
	map->values = map->base + at.values;
	if (is_lru(map->type)) {
		hash->lru.blocks = (struct skep_lru_block *)(map->base + at.pools);
		return 0;
	}
	hash->pools = (struct skep_hash_pool *)(map->base + at.pools);
	skep_hash_pools_init(hash, n, at.n_elems);
	return 0;
}

int skep_hash_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct skep_hash *hash = skep_map_alloc(attr, sizeof(*hash));
	int err;

	if (!hash)
		return -ENOMEM;
	err = set_sizes(hash);
	if (!err)
		err = get_memory(hash);
	if (err) {
		skep_map_discard(&hash->map);
		return err;
	}
	*ret = &hash->map;
	return 0;
}

void skep_hash_free(struct skep_map *map)
{
	struct skep_hash *hash = skep_hash_of(map);
	bool holds = hash->release || map->n_fields;

	for (uint32_t i = 0; holds && i < hash->n_buckets; i++)
		for (uint32_t link = hash->buckets[i].first; skep_chain_is_elem(link);
		     link = skep_hash_elem(hash, link)->chain)
			skep_hash_release(hash, skep_hash_elem(hash, link));
	skep_map_discard(map);
}

/* --- Walking --------------------------------------------------------------------------------- */

static void get_key(const struct skep_hash *hash, uint32_t link, void *key)
{
	skep_copy_out(key, skep_elem_key(hash, skep_hash_elem(hash, link)), hash->map.key_size);
}

int skep_hash_next_key(struct skep_map *map, const void *key, void *next_key)
{
	const struct skep_hash *hash = skep_hash_of(map);
	uint32_t h = key ? skep_hash_key(hash, key) : 0, i = 0, link;
	const struct skep_hash_elem *elem = key ? skep_hash_find(hash, h, key) : NULL;

	if (elem) {
		link = skep_chain_next(&elem->chain);
		if (skep_chain_is_elem(link)) {
			get_key(hash, link, next_key);
			return 0;
		}
		i = (h & (hash->n_buckets - 1)) + 1;
	}
	for (; i < hash->n_buckets; i++) {
		link = skep_chain_next(&hash->buckets[i].first);
		if (skep_chain_is_elem(link)) {
			get_key(hash, link, next_key);
			return 0;
		}
	}
	return -ENOENT;
}

/* @each may delete the element that it is called for; what follows is read before. */
long skep_hash_for_each(struct skep_map *map,
			long (*each)(struct skep_map *map, void *key, void *value, void *ctx),
			void *ctx, uint64_t flags)
{
	const struct skep_hash *hash = skep_hash_of(map);
	uint32_t cpu = map->cpu_stride ? skep_cpu_current() : 0;
	long done = 0;

	for (uint32_t i = 0; i < hash->n_buckets; i++) {
		uint32_t link = skep_chain_next(&hash->buckets[i].first);

		while (skep_chain_is_elem(link)) {
			struct skep_hash_elem *elem = skep_hash_elem(hash, link);

			if ((skep_elem_hash(elem) & (hash->n_buckets - 1)) != i)
				break; /* it was moved meanwhile */
			link = skep_chain_next(&elem->chain);
			done++;
			if (each(map, skep_elem_key(hash, elem), skep_elem_value(hash, elem, cpu),
				 ctx))
				return done;
		}
	}
	return done;
}
