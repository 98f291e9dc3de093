/*
 * Elements of a hash that are free: max_entries in all, and a few spare ones, so
 * that an update of an existing key succeeds when the map is full.
 */
#ifndef SKEP_MAP_HASH_POOL_H
#define SKEP_MAP_HASH_POOL_H

#include "map/hash.h"

size_t skep_hash_pool_bytes(uint32_t n_cpus);
/** Elements 0 to @n - 1 are free, @n to @n_all - 1 are spare. */
void skep_hash_pools_init(struct skep_hash *hash, uint32_t n, uint32_t n_all);

/** NULL: the map is full. */
struct skep_hash_elem *skep_hash_take(struct skep_hash *hash);
void skep_hash_give(struct skep_hash *hash, struct skep_hash_elem *elem);
/** For an update: take one, give back the one that it replaces. Waits for who has the last one. */
struct skep_hash_elem *skep_hash_take_spare(struct skep_hash *hash);
void skep_hash_give_spare(struct skep_hash *hash, struct skep_hash_elem *elem);

/** The CPU that this thread is begins or has ended (NULL) writing to its copy of @elem's value
 *  without the bucket's lock. What it reads afterwards is newer than what it says here. */
void skep_hash_set_writer(struct skep_hash *hash, const struct skep_hash_elem *elem);
/** With the lock of its bucket: wait for those who write to @elem without. Cost O(CPUs) */
void skep_hash_await_writers(const struct skep_hash *hash, const struct skep_hash_elem *elem);

#endif
