/*
 * The order in which a map's entries are shown: numbers by value, averages by
 * the average, histograms by their total, all else by key; what is equal, by
 * key, so that the same map is always shown the same way.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "trace/run/output_impl.h"

struct sorted {
	struct skep_map_entry entry;
	uint64_t rank; /* compared as unsigned; signed ones with their sign bit flipped */
};

struct order {
	const struct skep_type *key;
};

#define SIGN_BIT (1ull << 63)

static uint64_t rank_int(const struct skep_type *type, uint64_t value)
{
	return type->is_signed ? value ^ SIGN_BIT : value;
}

static uint64_t word_at(const void *value, size_t i)
{
	uint64_t word;

	memcpy(&word, (const char *)value + 8 * i, 8);
	return word;
}

static uint64_t sum_of(const void *buckets, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += word_at(buckets, i);
	return sum;
}

uint64_t skep_rank_value(const struct skep_type *type, const void *value)
{
	struct skep_view view = skep_view_of(type, value, type->size);

	switch (type->kind) {
	case SKEP_T_INT: return type->is_bool ? 0 : rank_int(type, skep_view_int(&view));
	case SKEP_T_COUNT:
	case SKEP_T_SUM:
	case SKEP_T_MIN:
	case SKEP_T_MAX: return rank_int(type, word_at(value, 0));
	case SKEP_T_AVG:
	case SKEP_T_STATS:
		return rank_int(type, skep_average(type, word_at(value, 0), word_at(value, 1)));
	case SKEP_T_HIST:
	case SKEP_T_LHIST: return sum_of(value, type->n);
	default: return 0;
	}
}

static int compare_keys(const struct skep_type *type, const void *a, const void *b, int depth)
{
	if (type->kind == SKEP_T_INT || type->kind == SKEP_T_PTR) {
		struct skep_view va = skep_view_of(type, a, type->size);
		struct skep_view vb = skep_view_of(type, b, type->size);
		uint64_t x = rank_int(type, skep_view_int(&va));
		uint64_t y = rank_int(type, skep_view_int(&vb));
		return (x > y) - (x < y);
	}
	if (type->kind != SKEP_T_TUPLE || depth >= SKEP_VALUE_DEPTH_MAX)
		return memcmp(a, b, type->size);
	for (uint32_t i = 0; i < type->n; i++) {
		uint32_t off = type->fields[i].off;
		int less = compare_keys(type->fields[i].type, (const char *)a + off,
					(const char *)b + off, depth + 1);
		if (less)
			return less;
	}
	return 0;
}

int skep_compare_keys(const struct skep_type *type, const void *a, const void *b)
{
	return compare_keys(type, a, b, 0);
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct sorted *x = a, *y = b;
	const struct order *order = ctx;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return order->key ? compare_keys(order->key, x->entry.key, y->entry.key, 0) : 0;
}

void skep_sort_entries(const struct skep_trace_map *map, struct skep_map_entry *entries, size_t n)
{
	struct order order = {.key = map->key};
	struct sorted *sorted;

	if (n < 2)
		return;
	sorted = skep_xmalloc(n * sizeof(*sorted));
	for (size_t i = 0; i < n; i++)
		sorted[i] =
			(struct sorted){entries[i], skep_rank_value(map->value, entries[i].value)};
	qsort_r(sorted, n, sizeof(*sorted), compare, &order);
	for (size_t i = 0; i < n; i++)
		entries[i] = sorted[i].entry;
	free(sorted);
}
