/*
 * bloom_filter: was this value ever put in? "No" is certain.
 *
 * Each of 1 to 15 hashes of a value sets a bit; a value may be there if all of
 * its bits are set. The kernel's function and sizes, so that with
 * BPF_F_ZERO_SEED the same values are mistaken for others, too.
 */
#include <errno.h>

#include "map/jhash.h"
#include "map/memory.h"
#include "map/ops.h"

#define CREATE_FLAGS   (SKEP_F_NUMA_NODE | SKEP_F_ZERO_SEED | SKEP_F_ACCESS)
#define DEFAULT_HASHES 5
#define MOST_HASHES    15

struct bloom {
	struct skep_map map;
	uint64_t *bits;
	uint32_t mask, seed, n_hashes;
};

static int bloom_check(const struct skep_map_attr *attr)
{
	if (attr->value_size > SKEP_KMALLOC_MOST)
		return -E2BIG;
	if (attr->key_size || !attr->value_size || !attr->max_entries ||
	    !skep_map_flags_ok(attr, CREATE_FLAGS) || attr->extra & ~(uint64_t)MOST_HASHES)
		return -EINVAL;
	return 0;
}

/* Bits are entries × hashes / ln 2, nearly, rounded up to a power of two; less one. */
static uint32_t mask_for(uint32_t entries, uint32_t n_hashes)
{
	uint32_t bits;

	if (__builtin_mul_overflow(entries, n_hashes, &bits) ||
	    __builtin_mul_overflow(bits / 5, 7u, &bits) || bits > 1u << 31)
		return UINT32_MAX;
	return bits <= 64 ? 63 : UINT32_MAX >> __builtin_clz(bits - 1);
}

static int bloom_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct bloom *bloom = skep_map_alloc(attr, sizeof(*bloom));
	int err;

	if (!bloom)
		return -ENOMEM;
	bloom->n_hashes = attr->extra ? (uint32_t)attr->extra : DEFAULT_HASHES;
	bloom->mask = mask_for(attr->max_entries, bloom->n_hashes);
	bloom->seed = attr->flags & SKEP_F_ZERO_SEED ? 0 : (uint32_t)skep_memory_seed();
	err = skep_map_reserve(&bloom->map, ((uint64_t)bloom->mask + 1) / 8, true);
	if (err) {
		skep_map_discard(&bloom->map);
		return err;
	}
	bloom->bits = (uint64_t *)bloom->map.base;
	*ret = &bloom->map;
	return 0;
}

static uint32_t bit_of(const struct bloom *bloom, const void *value, uint32_t i)
{
	return skep_jhash(value, bloom->map.value_size, bloom->seed + i) & bloom->mask;
}

static int bloom_push(struct skep_map *map, const void *value, uint64_t flags)
{
	struct bloom *bloom = (struct bloom *)map;

	if (flags)
		return -EINVAL;
	for (uint32_t i = 0; i < bloom->n_hashes; i++) {
		uint32_t bit = bit_of(bloom, value, i);

		__atomic_fetch_or(&bloom->bits[bit / 64], UINT64_C(1) << bit % 64,
				  __ATOMIC_RELAXED);
	}
	return 0;
}

static int bloom_peek(struct skep_map *map, void *value)
{
	const struct bloom *bloom = (const struct bloom *)map;

	for (uint32_t i = 0; i < bloom->n_hashes; i++) {
		uint32_t bit = bit_of(bloom, value, i);

		if (!(__atomic_load_n(&bloom->bits[bit / 64], __ATOMIC_RELAXED) >> bit % 64 & 1))
			return -ENOENT;
	}
	return 0;
}

static int bloom_pop(struct skep_map *map, void *value)
{
	return -EOPNOTSUPP;
}

/* The value is what is asked for: the caller's, and stays. */
static int bloom_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return bloom_peek(map, value);
}

static int bloom_delete(struct skep_map *map, const void *key)
{
	return -EOPNOTSUPP;
}

static int bloom_next_key(struct skep_map *map, const void *key, void *next_key)
{
	return -EOPNOTSUPP;
}

const struct skep_map_ops skep_map_bloom_filter_ops = {
	.check = bloom_check,
	.create = bloom_create,
	.free = skep_map_discard,
	.delete = bloom_delete,
	.push = bloom_push,
	.pop = bloom_pop,
	.peek = bloom_peek,
	.sys_lookup = bloom_sys_lookup,
	.next_key = bloom_next_key,
};
