/* Facts, tables and histograms with units, see table.h. */
#include "watch/table.h"

#include <math.h>
#include <string.h>

#include "sink/units.h"

void skep_shown_done(struct skep_shown *view)
{
	skep_vec_foreach (struct skep_table, table, &view->tables)
		skep_vec_done(&table->cells);
	skep_vec_done(&view->tables);
	skep_vec_done(&view->facts);
	skep_vec_done(&view->histograms);
}

struct skep_table *skep_shown_add_table(struct skep_shown *view, const char *title,
					const char *json, const struct skep_column *columns,
					uint32_t n_columns)
{
	struct skep_table *table = skep_vec_add(&view->tables);

	table->title = title;
	table->json = json;
	table->columns = columns;
	table->n_columns = n_columns;
	return table;
}

void skep_shown_add_fact(struct skep_shown *view, const char *title, const char *json,
			 enum skep_unit unit, double number)
{
	skep_vec_push(&view->facts, ((struct skep_fact){.title = title,
							.json = json,
							.unit = unit,
							.number = number,
							.is_empty = isnan(number)}));
}

void skep_shown_add_histogram(struct skep_shown *view, const char *title, const char *json,
			      struct skep_histogram histogram)
{
	struct skep_shown_hist shown = {.title = title, .json = json, .histogram = histogram};

	if (histogram.counts)
		skep_vec_push(&view->histograms, shown);
}

void skep_row_text(struct skep_shown *view, struct skep_table *table, const char *text, size_t size)
{
	char *copy = skep_arena_dup(view->arena, text, strnlen(text, size));
	struct skep_cell cell = {.text = copy};

	skep_vec_push(&table->cells, cell);
}

void skep_row_number(struct skep_table *table, double number)
{
	struct skep_cell cell = {.number = number, .is_empty = isnan(number)};

	skep_vec_push(&table->cells, cell);
}

uint32_t skep_table_n_rows(const struct skep_table *table)
{
	return (uint32_t)(table->cells.len / table->n_columns);
}

const struct skep_cell *skep_table_cell(const struct skep_table *table, uint32_t row,
					uint32_t column)
{
	return &table->cells.data[row * table->n_columns + column];
}

/* --- Order ----------------------------------------------------------------------------------- */

struct place {
	const struct skep_cell *cell;
	uint32_t row;
};

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = 0;

	if (x->cell->text)
		order = strcmp(x->cell->text, y->cell->text);
	else if (x->cell->is_empty || y->cell->is_empty)
		order = (int)x->cell->is_empty - (int)y->cell->is_empty;
	else
		order = (x->cell->number < y->cell->number) - (x->cell->number > y->cell->number);
	return order ? order : (x->row > y->row) - (x->row < y->row);
}

void skep_table_sort(struct skep_table *table, uint32_t column)
{
	uint32_t n = skep_table_n_rows(table), columns = table->n_columns;
	struct skep_cell *sorted;
	struct place *places;

	if (n < 2 || column >= columns)
		return;
	places = skep_xcalloc(n, sizeof(*places));
	sorted = skep_xcalloc(table->cells.cap, sizeof(*sorted));
	for (uint32_t i = 0; i < n; i++)
		places[i] = (struct place){.cell = skep_table_cell(table, i, column), .row = i};
	qsort(places, n, sizeof(*places), compare);
	for (uint32_t i = 0; i < n; i++)
		memcpy(&sorted[i * columns], skep_table_cell(table, places[i].row, 0),
		       columns * sizeof(*sorted));
	free(places);
	free(table->cells.data);
	table->cells.data = sorted;
}

/* --- Numbers --------------------------------------------------------------------------------- */

/* Below a thousand with what decimals fit in four characters. */
static void small(double number, struct skep_buf *buf)
{
	int decimals = number >= 99.95 || number == 0 ? 0 : number >= 9.995 ? 1 : 2;

	skep_buf_printf(buf, "%.*f", decimals, number);
}

void skep_unit_text(enum skep_unit unit, double number, struct skep_buf *buf)
{
	if (isnan(number)) {
		skep_buf_addc(buf, '-');
		return;
	}
	switch (unit) {
	case SKEP_UNIT_NUMBER: skep_buf_printf(buf, "%.0f", number); break;
	case SKEP_UNIT_COUNT: skep_sink_count(buf, (uint64_t)number); break;
	case SKEP_UNIT_BYTES:
	case SKEP_UNIT_BYTERATE: skep_sink_bytes(buf, (uint64_t)number); break;
	case SKEP_UNIT_NS: skep_sink_duration(buf, (uint64_t)number); break;
	case SKEP_UNIT_PERCENT: skep_buf_printf(buf, "%.1f%%", number); break;
	default:
		if (number < 999.5)
			small(number, buf);
		else
			skep_sink_count(buf, (uint64_t)number);
	}
}

void skep_fact_text(const struct skep_fact *fact, struct skep_buf *buf)
{
	bool is_rate = fact->unit == SKEP_UNIT_RATE || fact->unit == SKEP_UNIT_BYTERATE;

	skep_buf_printf(buf, "%s ", fact->title);
	skep_unit_text(fact->unit, fact->number, buf);
	if (is_rate && !fact->is_empty)
		skep_buf_puts(buf, "/s");
}

bool skep_unit_is_right(enum skep_unit unit)
{
	return unit != SKEP_UNIT_TEXT;
}
