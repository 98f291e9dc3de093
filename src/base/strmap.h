/*
 * A hash table from names to pointers: open addressing, linear probing.
 * Keys are borrowed (they must outlive the table), values are not owned.
 */
#ifndef SKEP_BASE_STRMAP_H
#define SKEP_BASE_STRMAP_H

#include <stddef.h>
#include <stdint.h>

struct skep_strmap_entry {
	const char *key; /* NULL: free place */
	size_t key_len;
	void *value;
};

struct skep_strmap {
	struct skep_strmap_entry *entries; /* owned; cap is a power of two */
	size_t len, cap;
};

void skep_strmap_done(struct skep_strmap *map);
/** The value's place for @key, or NULL. Average cost O(1). */
void **skep_strmap_get(const struct skep_strmap *map, const char *key, size_t key_len);
/** The value's place for @key, made (with value NULL) if it was not there. */
void **skep_strmap_put(struct skep_strmap *map, const char *key, size_t key_len);

/** FNV-1a, 64 bits. */
uint64_t skep_hash_bytes(const void *data, size_t len);

#endif
