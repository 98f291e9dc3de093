/* Rows by key: open addressing over an array, see rows.h. */
#include "watch/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define INDEX_LEAST 64

void skep_rows_init(struct skep_rows *rows, uint32_t key_bytes, uint32_t value_bytes)
{
	*rows = (struct skep_rows){.key_bytes = key_bytes, .value_bytes = value_bytes};
}

void skep_rows_done(struct skep_rows *rows)
{
	free(rows->data);
	free(rows->index);
	skep_rows_init(rows, rows->key_bytes, rows->value_bytes);
}

void skep_rows_clear(struct skep_rows *rows)
{
	rows->n = 0;
	rows->n_refused = 0;
	if (rows->index)
		memset(rows->index, 0, rows->n_index * sizeof(*rows->index));
}

static size_t row_bytes(const struct skep_rows *rows)
{
	return (size_t)rows->key_bytes + rows->value_bytes;
}

const void *skep_rows_key(const struct skep_rows *rows, uint32_t i)
{
	return rows->data + i * row_bytes(rows);
}

void *skep_rows_value(const struct skep_rows *rows, uint32_t i)
{
	return rows->data + i * row_bytes(rows) + rows->key_bytes;
}

static uint64_t hash_of(const void *key, uint32_t bytes)
{
	uint64_t hash = 0x9e3779b97f4a7c15ull, word;

	for (uint32_t at = 0; at < bytes; at += 8) {
		memcpy(&word, (const uint8_t *)key + at, 8);
		hash = (hash ^ word) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
	}
	return hash;
}

/* Where @key is in the index, or would be. */
static uint32_t *slot_of(const struct skep_rows *rows, const void *key)
{
	uint32_t mask = rows->n_index - 1;
	uint32_t at = (uint32_t)hash_of(key, rows->key_bytes) & mask;

	while (rows->index[at] &&
	       memcmp(skep_rows_key(rows, rows->index[at] - 1), key, rows->key_bytes) != 0)
		at = (at + 1) & mask;
	return &rows->index[at];
}

static void fill_index(struct skep_rows *rows)
{
	memset(rows->index, 0, rows->n_index * sizeof(*rows->index));
	for (uint32_t i = 0; i < rows->n; i++)
		*slot_of(rows, skep_rows_key(rows, i)) = i + 1;
}

/* At most half of the index is used. */
static void make_room(struct skep_rows *rows)
{
	if (rows->n < rows->cap)
		return;
	rows->cap = rows->cap ? rows->cap * 2 : INDEX_LEAST / 2;
	rows->data = skep_xrealloc(rows->data, rows->cap * row_bytes(rows));
	rows->n_index = rows->cap * 2;
	rows->index = skep_xrealloc(rows->index, rows->n_index * sizeof(*rows->index));
	fill_index(rows);
}

void *skep_rows_find(const struct skep_rows *rows, const void *key)
{
	if (!rows->n)
		return NULL;
	uint32_t slot = *slot_of(rows, key);
	return slot ? skep_rows_value(rows, slot - 1) : NULL;
}

void *skep_rows_at(struct skep_rows *rows, const void *key)
{
	void *found = skep_rows_find(rows, key);

	if (found)
		return found;
	if (rows->n == SKEP_ROWS_MOST) {
		rows->n_refused++;
		return NULL;
	}
	make_room(rows);
	*slot_of(rows, key) = rows->n + 1;
	uint8_t *row = rows->data + rows->n * row_bytes(rows);
	if (rows->key_bytes)
		memcpy(row, key, rows->key_bytes);
	memset(row + rows->key_bytes, 0, rows->value_bytes);
	return skep_rows_value(rows, rows->n++);
}

void skep_rows_keep(struct skep_rows *rows, bool (*keep)(void *ctx, const void *key, void *value),
		    void *ctx)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < rows->n; i++) {
		if (!keep(ctx, skep_rows_key(rows, i), skep_rows_value(rows, i)))
			continue;
		if (kept != i)
			memcpy(rows->data + kept * row_bytes(rows), skep_rows_key(rows, i),
			       row_bytes(rows));
		kept++;
	}
	if (kept == rows->n)
		return;
	rows->n = kept;
	fill_index(rows);
}

void skep_rows_add(struct skep_rows *rows, const struct skep_rows *from)
{
	for (uint32_t i = 0; i < from->n; i++) {
		const uint64_t *words = skep_rows_value(from, i);
		uint64_t *into = skep_rows_at(rows, skep_rows_key(from, i));
		for (uint32_t word = 0; into && word < rows->value_bytes / 8; word++)
			into[word] += words[word];
	}
	rows->n_refused += from->n_refused;
}

uint64_t skep_rows_sum(const struct skep_rows *rows, uint32_t word)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < rows->n; i++)
		sum += ((const uint64_t *)skep_rows_value(rows, i))[word];
	return sum;
}

uint64_t skep_rows_weight(const struct skep_rows *rows, uint32_t i, uint64_t words)
{
	const uint64_t *value = skep_rows_value(rows, i);
	uint64_t sum = 0;

	for (uint32_t word = 0; words; word++, words >>= 1)
		sum += words & 1 ? value[word] : 0;
	return sum;
}

struct order {
	const struct skep_rows *rows;
	uint64_t words;
};

static int compare(const void *a, const void *b, void *ctx)
{
	const struct order *order = ctx;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	uint64_t x = skep_rows_weight(order->rows, i, order->words);
	uint64_t y = skep_rows_weight(order->rows, k, order->words);

	if (x != y)
		return x < y ? 1 : -1;
	return memcmp(skep_rows_key(order->rows, i), skep_rows_key(order->rows, k),
		      order->rows->key_bytes);
}

uint32_t *skep_rows_sorted(const struct skep_rows *rows, uint64_t words)
{
	struct order order = {.rows = rows, .words = words};
	uint32_t *numbers;

	if (!rows->n)
		return NULL;
	numbers = skep_xcalloc(rows->n, sizeof(*numbers));
	for (uint32_t i = 0; i < rows->n; i++)
		numbers[i] = i;
	qsort_r(numbers, rows->n, sizeof(*numbers), compare, &order);
	return numbers;
}
