/*
 * A panel in its place: a rule with its title and facts, then its tables, as many as have three
 * rows, then a histogram if much room is left. What does not fit is left out: of a table the
 * columns that matter least, then the ends of texts; never a part of a number.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "cmd/watch/screen.h"
#include "sink/hist.h"

#define ROWS_LEAST     3
#define TITLES_FROM    12 /* lines of a panel from which on tables have titles */
#define HISTOGRAM_FROM 16
#define TEXT_WIDEST    48
#define LABEL_WIDTH    13
#define COUNT_WIDTH    7

/* --- Columns --------------------------------------------------------------------------------- */

struct fit {
	int width[SKEP_TABLE_COLUMNS]; /* 0: left out */
};

static void cell_text(const struct skep_table *table, uint32_t row, uint32_t column,
		      struct skep_buf *buf)
{
	const struct skep_cell *cell = skep_table_cell(table, row, column);

	skep_buf_clear(buf);
	if (cell->text)
		skep_buf_puts(buf, cell->text);
	else
		skep_unit_text(table->columns[column].unit, cell->number, buf);
	skep_buf_puts(buf, "");
}

static int widest(const struct skep_table *table, uint32_t column, uint32_t rows)
{
	int width = (int)strlen(table->columns[column].title);
	_cleanup_buf_ struct skep_buf text = {0};

	for (uint32_t row = 0; row < rows && row < skep_table_n_rows(table); row++) {
		cell_text(table, row, column, &text);
		int needs = skep_paint_width(text.data ? text.data : "");
		width = needs > width ? needs : width;
	}
	return width < TEXT_WIDEST ? width : TEXT_WIDEST;
}

static bool is_text(const struct skep_table *table, uint32_t column)
{
	return table->columns[column].unit == SKEP_UNIT_TEXT;
}

/* What it takes if texts are cut to what they need at least. */
static int least_width(const struct skep_table *table, const struct fit *wanted)
{
	int sum = -1;

	for (uint32_t i = 0; i < table->n_columns; i++) {
		int least = wanted->width[i];
		if (is_text(table, i) && least > table->columns[i].width)
			least = table->columns[i].width;
		sum += least ? least + 1 : 0;
	}
	return sum;
}

static int least_important(const struct skep_table *table, const struct fit *fit)
{
	int found = -1;

	for (uint32_t i = 0; i < table->n_columns; i++) {
		int importance = table->columns[i].importance;
		if (fit->width[i] && importance &&
		    (found < 0 || importance > table->columns[found].importance))
			found = (int)i;
	}
	return found;
}

static struct fit fit_columns(const struct skep_table *table, uint32_t rows, int width)
{
	struct fit fit = {{0}};
	int left, out;

	for (uint32_t i = 0; i < table->n_columns; i++)
		fit.width[i] = widest(table, i, rows);
	while (least_width(table, &fit) > width && (out = least_important(table, &fit)) >= 0)
		fit.width[out] = 0;
	left = width - least_width(table, &fit);
	for (uint32_t i = 0; i < table->n_columns; i++) {
		int least = table->columns[i].width;
		if (!is_text(table, i) || fit.width[i] <= least)
			continue;
		int more = fit.width[i] - least;
		more = more < left ? more : left > 0 ? left : 0;
		fit.width[i] = least + more;
		left -= more;
	}
	return fit;
}

/* --- Tables ---------------------------------------------------------------------------------- */

/* Numbers that are alarming by themselves. */
static bool is_alarming(const struct skep_column *column, const struct skep_cell *cell)
{
	return column->unit == SKEP_UNIT_PERCENT && !cell->text && cell->number >= 90;
}

static void draw_row(const struct skep_screen *screen, const struct skep_table *table,
		     const struct fit *fit, uint32_t row, const struct skep_rect *at)
{
	_cleanup_buf_ struct skep_buf text = {0};
	int x = at->x, end = at->x + at->width;

	for (uint32_t i = 0; i < table->n_columns && x < end; i++) {
		if (!fit->width[i])
			continue;
		const struct skep_cell *cell = skep_table_cell(table, row, i);
		int width = fit->width[i] < end - x ? fit->width[i] : end - x;
		cell_text(table, row, i, &text);
		skep_paint_set(screen, is_alarming(&table->columns[i], cell) ? SKEP_PAINT_ALARM
									     : SKEP_PAINT_PLAIN);
		skep_paint_text(screen, at->y, x, width, text.data ? text.data : "",
				!is_text(table, i));
		x += width + 1;
	}
}

static void draw_heading(const struct skep_screen *screen, const struct skep_table *table,
			 const struct fit *fit, int sort, const struct skep_rect *at)
{
	int x = at->x, end = at->x + at->width;

	for (uint32_t i = 0; i < table->n_columns && x < end; i++) {
		if (!fit->width[i])
			continue;
		int width = fit->width[i] < end - x ? fit->width[i] : end - x;
		skep_paint_set(screen, (int)i == sort ? SKEP_PAINT_SELECTED : SKEP_PAINT_HEADING);
		skep_paint_text(screen, at->y, x, width, table->columns[i].title,
				!is_text(table, i));
		x += width + 1;
	}
	skep_paint_set(screen, SKEP_PAINT_PLAIN);
}

struct table_view {
	int sort;  /* the column that it is sorted by; -1: as it comes */
	int first; /* row; -1: the first, and nobody scrolls */
	bool with_title;
};

static void draw_table_title(const struct skep_screen *screen, const struct skep_table *table,
			     int first, const struct skep_rect *at)
{
	_cleanup_buf_ struct skep_buf title = {0};

	skep_buf_puts(&title, table->title);
	if (first >= 0)
		skep_buf_printf(&title, ", from %d of %u", first + 1, skep_table_n_rows(table));
	skep_paint_set(screen, SKEP_PAINT_FAINT);
	skep_paint_text(screen, at->y, at->x, at->width, title.data, false);
}

/* Return how many lines it took. */
static int draw_table(const struct skep_screen *screen, const struct skep_table *table,
		      const struct table_view *view, const struct skep_rect *at)
{
	struct skep_rect line = {.y = at->y, .x = at->x, .height = 1, .width = at->width};
	int rows = at->height - 1 - view->with_title, all = (int)skep_table_n_rows(table);
	/* what there was when somebody scrolled may be no more */
	int first = view->first < all ? view->first : all - 1;
	int begin = first < 0 ? 0 : first;
	int n = all - begin < rows ? all - begin : rows;
	struct fit fit = fit_columns(table, (uint32_t)(n > 0 ? begin + n : 0), at->width);

	if (view->with_title) {
		draw_table_title(screen, table, first, &line);
		line.y++;
	}
	draw_heading(screen, table, &fit, view->sort, &line);
	for (int row = begin; row < begin + n; row++) {
		line.y++;
		draw_row(screen, table, &fit, (uint32_t)row, &line);
	}
	if (!n && rows > 0) {
		skep_paint_set(screen, SKEP_PAINT_FAINT);
		skep_paint_text(screen, ++line.y, line.x, line.width, "none", false);
		skep_paint_set(screen, SKEP_PAINT_PLAIN);
	}
	return 1 + view->with_title + (n > 0 ? n : 1);
}

/* --- Histograms ------------------------------------------------------------------------------ */

static void bound_text(uint64_t us, struct skep_buf *buf)
{
	if (us)
		skep_unit_text(SKEP_UNIT_NS, (double)us * 1000, buf);
	else
		skep_buf_addc(buf, '0');
}

static void draw_bar(const struct skep_screen *screen, const struct skep_hist_row *row,
		     uint64_t greatest, const struct skep_rect *at)
{
	_cleanup_buf_ struct skep_buf label = {0}, count = {0};
	int bar = at->width - LABEL_WIDTH - COUNT_WIDTH - 2;

	skep_buf_puts(&label, "from ");
	bound_text(row->from.value, &label);
	skep_unit_text(SKEP_UNIT_COUNT, (double)row->count, &count);
	skep_paint_text(screen, at->y, at->x, LABEL_WIDTH, label.data, false);
	skep_paint_text(screen, at->y, at->x + LABEL_WIDTH, COUNT_WIDTH, count.data, true);
	skep_paint_set(screen, SKEP_PAINT_TITLE);
	skep_paint_bar(screen, at->y, at->x + LABEL_WIDTH + COUNT_WIDTH + 1, bar,
		       (double)row->count / (double)greatest);
	skep_paint_set(screen, SKEP_PAINT_PLAIN);
}

/* Powers of two: finer ones are for percentiles. */
static struct skep_hist coarse(const struct skep_histogram *fine, uint64_t *counts, uint32_t n)
{
	memset(counts, 0, n * sizeof(*counts));
	for (uint32_t i = 0; i < fine->n; i++) {
		uint32_t bucket = skep_histogram_bucket(skep_histogram_from(i, fine->bits), 0);
		if (bucket < n)
			counts[bucket] += fine->counts[i];
	}
	return skep_hist_log2(counts, n, 0, 1);
}

static void draw_histogram(const struct skep_screen *screen, const struct skep_shown_hist *shown,
			   const struct skep_rect *at)
{
	uint64_t counts[66], greatest = 0;
	_cleanup_hist_ struct skep_hist hist = coarse(&shown->histogram, counts, 66);
	struct skep_rect line = {.y = at->y, .x = at->x, .height = 1, .width = at->width};

	for (size_t i = 0; i < hist.n; i++)
		greatest = hist.rows[i].count > greatest ? hist.rows[i].count : greatest;
	skep_paint_set(screen, SKEP_PAINT_FAINT);
	skep_paint_text(screen, line.y, line.x, line.width, shown->title, false);
	skep_paint_set(screen, SKEP_PAINT_PLAIN);
	for (size_t i = 0; i < hist.n && (int)i < at->height - 1; i++) {
		line.y++;
		draw_bar(screen, &hist.rows[i], greatest, &line);
	}
}

/* --- The panel ------------------------------------------------------------------------------- */

/* As many as fit on the rule, with a blank on each side; the rest on further lines if they may. */
static int draw_facts(const struct skep_screen *screen, const struct skep_shown *shown, int x,
		      int lines, const struct skep_rect *at)
{
	_cleanup_buf_ struct skep_buf text = {0};
	int y = at->y, end = at->x + at->width;

	skep_paint_set(screen, SKEP_PAINT_PLAIN);
	skep_vec_foreach (struct skep_fact, fact, &shown->facts) {
		if (fact->is_empty)
			continue;
		skep_buf_clear(&text);
		skep_fact_text(fact, &text);
		int width = skep_paint_width(text.data);
		if (x + width + 2 > end && y + 1 < at->y + lines) {
			y++;
			x = at->x;
		}
		if (x + width + 2 > end)
			break;
		skep_paint_text(screen, y, x, width + 2, "", false);
		skep_paint_text(screen, y, x + 1, width, text.data, false);
		x += width + 2;
	}
	return y - at->y + 1;
}

static int draw_title(const struct skep_screen *screen, int panel, const struct skep_shown *shown,
		      const struct skep_rect *at)
{
	char title[64];

	snprintf(title, sizeof(title), " %d %s ", panel + 1, skep_panels[panel].title);
	skep_paint_set(screen, SKEP_PAINT_FAINT);
	skep_paint_rule(screen, at->y, at->x, at->width);
	skep_paint_set(screen, panel == screen->selected ? SKEP_PAINT_SELECTED : SKEP_PAINT_TITLE);
	skep_paint_text(screen, at->y, at->x + 1, (int)strlen(title), title, false);
	return draw_facts(screen, shown, at->x + 2 + (int)strlen(title),
			  at->height >= TITLES_FROM ? 3 : 1, at);
}

/* The tables that have something, the chosen one first. */
static uint32_t order_tables(const struct skep_screen *screen, int panel, struct skep_shown *shown,
			     struct skep_table **ret)
{
	uint32_t n = 0, all = (uint32_t)shown->tables.len;

	for (uint32_t i = 0; i < all; i++) {
		uint32_t number = (screen->panels[panel].table + i) % all;
		struct skep_table *table = &shown->tables.data[number];
		if (skep_table_n_rows(table) || i == 0)
			ret[n++] = table;
	}
	return n;
}

static int histogram_lines(const struct skep_shown *shown, int height)
{
	return shown->histograms.len && height >= HISTOGRAM_FROM ? height / 3 : 0;
}

static bool is_scrolled(const struct skep_screen *screen)
{
	return screen->is_enlarged && screen->top >= 0;
}

/* Each gets an equal share of what is left; what it does not need goes to those behind. */
static void draw_tables(const struct skep_screen *screen, int panel, struct skep_shown *shown,
			struct skep_rect *left)
{
	struct skep_table *tables[8];
	bool with_titles = left->height >= TITLES_FROM;
	int sort = screen->panels[panel].sort, each = ROWS_LEAST + 1 + with_titles;
	int n = (int)order_tables(screen, panel, shown, tables);

	n = n > left->height / each ? left->height / each : n;
	n = n < 1 || is_scrolled(screen) ? 1 : n; /* what is scrolled has all of the room */
	for (int i = 0; i < n && left->height > 1; i++) {
		struct skep_rect at = *left;
		at.height = (left->height + n - i - 1) / (n - i);
		if (i == 0 && sort >= 0)
			skep_table_sort(tables[i], (uint32_t)sort);
		struct table_view view = {.sort = i == 0 ? sort : -1,
					  .first = i == 0 && is_scrolled(screen) ? screen->top : -1,
					  .with_title = with_titles};
		int took = draw_table(screen, tables[i], &view, &at);
		left->y += took;
		left->height -= took;
	}
}

static void draw_why_not(const struct skep_screen *screen, const char *why_not,
			 struct skep_rect *left)
{
	_cleanup_buf_ struct skep_buf text = {0};

	if (!why_not || left->height < 2)
		return;
	skep_buf_printf(&text, "not seen here: %s", why_not);
	skep_paint_set(screen, SKEP_PAINT_ALARM);
	skep_paint_text(screen, left->y++, left->x, left->width, text.data, false);
	left->height--;
}

void skep_draw_panel(const struct skep_screen *screen, int panel, const struct skep_rect *at)
{
	struct skep_arena arena;
	struct skep_shown shown = {.arena = &arena};
	struct skep_rect left = *at;

	skep_arena_init(&arena);
	skep_panels[panel].build(&screen->now, &screen->opts->filter, &shown);
	int took = draw_title(screen, panel, &shown, at);
	left.y += took;
	left.height -= took;
	draw_why_not(screen, shown.why_not, &left);
	int bars = is_scrolled(screen) ? 0 : histogram_lines(&shown, left.height);
	left.height -= bars;
	draw_tables(screen, panel, &shown, &left);
	if (bars) {
		left.height += bars;
		draw_histogram(screen, &shown.histograms.data[0], &left);
	}
	skep_shown_done(&shown);
	skep_arena_done(&arena);
}
