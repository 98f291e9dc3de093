/* Copying keys and values: see copy.h. */
#include "map/copy.h"

#include "map/lock.h"

static void store_bytes(uint8_t *dst, const uint8_t *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		__atomic_store_n(dst + i, src[i], __ATOMIC_RELAXED);
}

static void load_bytes(uint8_t *dst, const uint8_t *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = __atomic_load_n(src + i, __ATOMIC_RELAXED);
}

/* Bytes up to the next aligned word, at most @n. */
static size_t up_to_word(const void *at, size_t n)
{
	size_t head = -(uintptr_t)at & 7;

	return head < n ? head : n;
}

void skep_copy_in(void *dst, const void *src, size_t n)
{
	size_t i = up_to_word(dst, n);
	uint64_t word;

	store_bytes(dst, src, i);
	for (; i + 8 <= n; i += 8) {
		memcpy(&word, (const uint8_t *)src + i, 8);
		skep_word_store((uint8_t *)dst + i, word);
	}
	store_bytes((uint8_t *)dst + i, (const uint8_t *)src + i, n - i);
}

void skep_copy_out(void *dst, const void *src, size_t n)
{
	size_t i = up_to_word(src, n);
	uint64_t word;

	load_bytes(dst, src, i);
	for (; i + 8 <= n; i += 8) {
		word = skep_word_load((const uint8_t *)src + i);
		memcpy((uint8_t *)dst + i, &word, 8);
	}
	load_bytes((uint8_t *)dst + i, (const uint8_t *)src + i, n - i);
}

void skep_copy_zero(void *dst, size_t n)
{
	static const uint8_t zeros[8];
	size_t i = up_to_word(dst, n);

	store_bytes(dst, zeros, i);
	for (; i + 8 <= n; i += 8)
		skep_word_store((uint8_t *)dst + i, 0);
	store_bytes((uint8_t *)dst + i, zeros, n - i);
}

const struct skep_map_field *skep_map_field(const struct skep_map *map, enum skep_field_kind kind)
{
	for (uint32_t i = 0; i < map->n_fields; i++)
		if (map->fields[i].kind == kind)
			return &map->fields[i];
	return NULL;
}

/* The stretches between special fields, in order: fields are sorted (skep_map_alloc()). */
#define for_each_stretch(map, at, end, n)                                                          \
	for (size_t i_ = 0, at = 0, end;                                                           \
	     i_ <= (map)->n_fields &&                                                              \
	     (end = i_ < (map)->n_fields ? (map)->fields[i_].off : (n), true);                     \
	     at = i_ < (map)->n_fields ? end + (map)->fields[i_].size : (n), i_++)

void skep_value_set(const struct skep_map *map, void *dst, const void *src, size_t n)
{
	for_each_stretch(map, at, end, n)
		skep_copy_in((uint8_t *)dst + at, (const uint8_t *)src + at, end - at);
}

void skep_value_zero(const struct skep_map *map, void *dst, size_t n)
{
	for_each_stretch(map, at, end, n) skep_copy_zero((uint8_t *)dst + at, end - at);
}

void skep_value_get(const struct skep_map *map, void *dst, const void *src, size_t n)
{
	skep_copy_out(dst, src, n);
	for (uint32_t i = 0; i < map->n_fields; i++)
		memset((uint8_t *)dst + map->fields[i].off, 0, map->fields[i].size);
}

static uint32_t *lock_of(const struct skep_map *map, const void *value)
{
	const struct skep_map_field *field = skep_map_field(map, SKEP_FIELD_SPIN_LOCK);

	return (uint32_t *)((uintptr_t)value + field->off);
}

void skep_value_set_locked(const struct skep_map *map, void *dst, const void *src)
{
	uint32_t *lock = lock_of(map, dst);

	skep_lock(lock);
	skep_value_set(map, dst, src, map->value_size);
	skep_unlock(lock);
}

void skep_value_get_locked(const struct skep_map *map, void *dst, const void *src)
{
	uint32_t *lock = lock_of(map, src);

	skep_lock(lock);
	skep_value_get(map, dst, src, map->value_size);
	skep_unlock(lock);
}

void skep_value_release(struct skep_map *map, void *value)
{
	if (map->n_fields && map->env && map->env->release_fields)
		map->env->release_fields(map, value);
}
