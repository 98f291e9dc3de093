/*
 * The order in which an LRU hash forgets: which of its elements are free, and
 * which goes when none is. It chooses as Linux does, to the element, so that a
 * program meets the same entries after the same operations. See lru.c.
 */
#ifndef SKEP_MAP_LRU_H
#define SKEP_MAP_LRU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKEP_LRU_NONE UINT32_MAX

struct skep_lru_link {
	uint32_t prev, next; /* elements, or heads of lists (SKEP_LRU_HEAD) */
};

/** What each element begins with. */
struct skep_lru_elem {
	uint32_t chain; /* the hash's: see hash.c */
	uint32_t hash;
	struct skep_lru_link link;
	uint16_t cpu; /* whose local list, or whose list, it is on */
	uint8_t type; /* which list it is on */
	uint8_t ref;  /* used since someone looked */
	uint32_t next_gone;
};

struct skep_lru_block;

struct skep_lru {
	struct skep_lru_block *blocks; /* in the map's memory */
	uint8_t *elems;
	size_t stride; /* of elements */
	uint32_t n_cpus, target_free, most_scans;
	bool per_cpu; /* BPF_F_NO_COMMON_LRU: a list for each CPU */
	/** Take @elem out of the hash; false: it is not in it. Called with list locks held. */
	bool (*evict)(void *arg, uint32_t elem);
	void *arg;
};

/** Bytes of `blocks`; they must be zero before skep_lru_init(). */
size_t skep_lru_bytes(uint32_t n_cpus);
void skep_lru_init(struct skep_lru *lru, uint32_t n_elems);
/** An element to fill, with its hash set; an old one if need be. SKEP_LRU_NONE: none. */
uint32_t skep_lru_take(struct skep_lru *lru, uint32_t cpu, uint32_t hash);
/** @elem is out of the hash, and @cpu, the current one, is who took it out. */
void skep_lru_give(struct skep_lru *lru, uint32_t cpu, uint32_t elem);

static inline struct skep_lru_elem *skep_lru_elem(const struct skep_lru *lru, uint32_t elem)
{
	return (struct skep_lru_elem *)(lru->elems + elem * lru->stride);
}

static inline void skep_lru_use(struct skep_lru_elem *elem)
{
	if (!__atomic_load_n(&elem->ref, __ATOMIC_RELAXED))
		__atomic_store_n(&elem->ref, 1, __ATOMIC_RELAXED);
}

#endif
