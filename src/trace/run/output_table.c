/* table(): maps with the same key, joined by it, sorted by one of the columns. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/strmap.h"
#include "trace/run/output_impl.h"

struct joined {
	const void *key;
	const void *values[SKEP_TABLE_COLUMNS_MAX]; /* by map; NULL: it has no such key */
};

struct table {
	const struct skep_event *event;
	const struct skep_map_part *parts;
	uint32_t n_parts, n_key_cells;
	const struct skep_type *key;
	SKEP_VEC(struct joined) rows;
};

static void join(struct table *table)
{
	struct skep_strmap rows = {0};

	for (uint32_t p = 0; p < table->n_parts; p++) {
		const struct skep_map_part *part = &table->parts[p];
		for (size_t i = 0; i < part->n; i++) {
			const struct skep_map_entry *entry = &part->entries[i];
			void **at = skep_strmap_put(&rows, entry->key, table->key->size);
			if (!*at) {
				skep_vec_push(&table->rows, (struct joined){.key = entry->key});
				*at = (void *)(uintptr_t)table->rows.len;
			}
			table->rows.data[(uintptr_t)*at - 1].values[p] = entry->value;
		}
	}
	skep_strmap_done(&rows);
}

/* --- Order ------------------------------------------------------------------------------------ */

static const struct skep_type *key_cell(const struct table *table, uint32_t i, uint32_t *ret_off)
{
	bool is_tuple = table->key->kind == SKEP_T_TUPLE;

	*ret_off = is_tuple ? table->key->fields[i].off : 0;
	return is_tuple ? table->key->fields[i].type : table->key;
}

static uint64_t rank(const struct table *table, const struct joined *row, uint32_t map)
{
	static const uint64_t zero[2];
	const struct skep_type *type = table->parts[map].map->value;
	const void *value = row->values[map];

	if (value)
		return skep_rank_value(type, value);
	return type->size <= sizeof(zero) ? skep_rank_value(type, zero) : 0;
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct table *table = ctx;
	const struct joined *x = a, *y = b;
	uint32_t by = table->event->sort, off;

	if (by < table->n_key_cells) {
		const struct skep_type *type = key_cell(table, by, &off);
		int less = skep_compare_keys(type, (const char *)x->key + off,
					     (const char *)y->key + off);
		if (less)
			return less;
	} else if (by - table->n_key_cells < table->n_parts) {
		uint64_t rx = rank(table, x, by - table->n_key_cells);
		uint64_t ry = rank(table, y, by - table->n_key_cells);
		if (rx != ry)
			return rx > ry ? -1 : 1;
	}
	return skep_compare_keys(table->key, x->key, y->key);
}

/* --- Rows ------------------------------------------------------------------------------------- */

/* A value as a cell shows it: aggregates as one number, which is put into @room. */
static struct skep_view value_cell(const struct skep_type *type, const void *value, uint64_t *room)
{
	uint64_t words[2] = {0};
	uint32_t size = type->size < sizeof(words) ? type->size : sizeof(words);

	if (!skep_type_is_agg(type) && value)
		return skep_view_of(type, value, type->size);
	if (value)
		memcpy(words, value, size);
	*room = words[0];
	if (type->kind == SKEP_T_AVG || type->kind == SKEP_T_STATS)
		*room = skep_average(type, words[0], words[1]);
	if (type->kind == SKEP_T_STRING)
		return (struct skep_view){.type = type, .at = (const uint8_t *)"", .is_bare = true};
	return skep_view_of(type->is_signed ? &skep_type_s64 : &skep_type_u64, room, sizeof(*room));
}

static void print_row(struct skep_output *out, const struct table *table, const struct joined *row,
		      struct skep_buf *buf)
{
	struct skep_view cells[SKEP_TABLE_COLUMNS_MAX];
	uint64_t room[SKEP_TABLE_COLUMNS_MAX];
	uint32_t n = 0, off;

	for (uint32_t i = 0; i < table->n_key_cells && n < SKEP_TABLE_COLUMNS_MAX; i++, n++) {
		const struct skep_type *type = key_cell(table, i, &off);
		cells[n] = skep_view_of(type, (const char *)row->key + off, type->size);
	}
	for (uint32_t i = 0; i < table->n_parts && n < SKEP_TABLE_COLUMNS_MAX; i++, n++)
		cells[n] = value_cell(table->parts[i].map->value, row->values[i], &room[n]);
	skep_output_cells(out, table->event, cells, n, buf);
}

void skep_output_table(struct skep_output *out, const struct skep_event *event,
		       const struct skep_map_part *parts, uint32_t top, struct skep_buf *buf)
{
	const struct skep_type *key = parts[0].map->key;
	struct table table = {.event = event,
			      .parts = parts,
			      .n_parts = event->n_maps,
			      .n_key_cells = key->kind == SKEP_T_TUPLE ? key->n : 1,
			      .key = key};

	join(&table);
	skep_output_heading(out, event, buf);
	if (table.rows.len)
		qsort_r(table.rows.data, table.rows.len, sizeof(*table.rows.data), compare, &table);
	for (size_t i = 0; i < table.rows.len && (!top || i < top); i++)
		print_row(out, &table, &table.rows.data[i], buf);
	skep_vec_done(&table.rows);
}
