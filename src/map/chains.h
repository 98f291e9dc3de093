/*
 * A hash table of chains with the kernel's order: a new element goes to the
 * head of its chain, and walking it goes bucket by bucket. For types whose
 * order can be seen (devmap_hash, sockhash) or does not matter (storages).
 *
 * Readers take no lock: a reader that finds nothing while somebody writes
 * looks again. Nodes are never returned to the system before the table is, so
 * what a reader holds can be another element's, but never nothing.
 *
 *	node:  next, hash | key, filled up to 8 | value
 */
#ifndef SKEP_MAP_CHAINS_H
#define SKEP_MAP_CHAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_chains {
	uint32_t lock;    /* of writers */
	uint32_t seq;     /* odd while the chains change */
	uint32_t n_items; /* under the lock; read by anyone */
	uint32_t first_free, n_used;
	uint32_t n_buckets, most; /* a power of two; nodes that there may be */
	uint32_t key_size, value_off;
	size_t node_bytes, bytes;
	uint32_t *heads; /* a node's number + 1 */
	uint8_t *nodes;
};

/** @most nodes on @n_buckets chains. Return 0 | -ENOMEM */
int skep_chains_init(struct skep_chains *chains, uint32_t n_buckets, uint32_t most,
		     uint32_t key_size, uint32_t value_size);
void skep_chains_done(struct skep_chains *chains);

/** The value of @key, aligned to 8; NULL: none. */
void *skep_chains_find(const struct skep_chains *chains, const void *key, uint32_t hash);
int skep_chains_next_key(struct skep_chains *chains, const void *key, uint32_t hash, void *next);
/** Element number @i in walking order, as the walk stands now; NULL: no more. */
void skep_chains_each(struct skep_chains *chains, void (*each)(void *key, void *value, void *ctx),
		      void *ctx);

/* Writers hold the lock. */
void skep_chains_lock(struct skep_chains *chains);
void skep_chains_unlock(struct skep_chains *chains);
/** A new first element of its chain, the value zero; NULL: no node is left. */
void *skep_chains_add(struct skep_chains *chains, const void *key, uint32_t hash);
/** Return whether it was there; its value is free for another at once. */
bool skep_chains_remove(struct skep_chains *chains, const void *key, uint32_t hash);
/** To the head of its chain, where a replaced element goes. */
void skep_chains_raise(struct skep_chains *chains, const void *key, uint32_t hash);

#endif
