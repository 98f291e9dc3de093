/*
 * Copying keys and values. Map memory is read and written by many threads at
 * once, as in the kernel: a value may be torn, a word is not. So map memory is
 * touched in aligned words, atomically (relaxed).
 *
 * Special fields (locks, timers, kptrs …) are not the caller's bytes: copying
 * leaves them out, and what goes to the syscall side shows zeros there.
 */
#ifndef SKEP_MAP_COPY_H
#define SKEP_MAP_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <skep/map.h>

static inline uint64_t skep_word_load(const void *at)
{
	return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
}

static inline void skep_word_store(void *at, uint64_t word)
{
	__atomic_store_n((uint64_t *)at, word, __ATOMIC_RELAXED);
}

static inline uint64_t skep_round8(uint64_t n)
{
	return (n + 7) & ~(uint64_t)7;
}

/** @n bytes into map memory @dst, which is aligned to 8; @src is anyone's. */
void skep_copy_in(void *dst, const void *src, size_t n);
/** @n bytes out of map memory @src, aligned to 8. */
void skep_copy_out(void *dst, const void *src, size_t n);
void skep_copy_zero(void *dst, size_t n);

/** A value into the map but for its special fields; @n: value_size, or rounded up to 8. */
void skep_value_set(const struct skep_map *map, void *dst, const void *src, size_t n);
void skep_value_zero(const struct skep_map *map, void *dst, size_t n);
/** A value out of the map, zeros for special fields. */
void skep_value_get(const struct skep_map *map, void *dst, const void *src, size_t n);
/** BPF_F_LOCK: the same while holding the value's spin lock. */
void skep_value_set_locked(const struct skep_map *map, void *dst, const void *src);
void skep_value_get_locked(const struct skep_map *map, void *dst, const void *src);
/** Timers are cancelled, kptrs released … before a value is overwritten or freed. */
void skep_value_release(struct skep_map *map, void *value);

const struct skep_map_field *skep_map_field(const struct skep_map *map, enum skep_field_kind kind);

#endif
