#include "base/strmap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

uint64_t skep_hash_bytes(const void *data, size_t len)
{
	const unsigned char *at = data;
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3ULL;
	return hash;
}

void skep_strmap_done(struct skep_strmap *map)
{
	free(map->entries);
	*map = (struct skep_strmap){0};
}

static struct skep_strmap_entry *find(const struct skep_strmap *map, const char *key, size_t len)
{
	size_t mask = map->cap - 1;
	size_t i = skep_hash_bytes(key, len) & mask;

	for (;; i = (i + 1) & mask) {
		struct skep_strmap_entry *entry = &map->entries[i];
		bool same = entry->key && entry->key_len == len && !memcmp(entry->key, key, len);
		if (!entry->key || same)
			return entry;
	}
}

static void grow(struct skep_strmap *map)
{
	struct skep_strmap old = *map;

	map->cap = old.cap ? old.cap * 2 : 16;
	map->entries = skep_xcalloc(map->cap, sizeof(*map->entries));
	for (size_t i = 0; i < old.cap; i++) {
		if (old.entries[i].key)
			*find(map, old.entries[i].key, old.entries[i].key_len) = old.entries[i];
	}
	free(old.entries);
}

void **skep_strmap_get(const struct skep_strmap *map, const char *key, size_t key_len)
{
	if (!map->cap)
		return NULL;
	struct skep_strmap_entry *entry = find(map, key, key_len);
	return entry->key ? &entry->value : NULL;
}

void **skep_strmap_put(struct skep_strmap *map, const char *key, size_t key_len)
{
	if ((map->len + 1) * 4 > map->cap * 3)
		grow(map);
	struct skep_strmap_entry *entry = find(map, key, key_len);
	if (!entry->key) {
		*entry = (struct skep_strmap_entry){.key = key, .key_len = key_len};
		map->len++;
	}
	return &entry->value;
}
