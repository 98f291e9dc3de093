/* Text in aligned columns, see columns.h. */
#include "sink/columns.h"

#include <string.h>

#include "sink/number.h"

#define GAP 2

void skep_columns_init(struct skep_columns *table, uint32_t n, const char *align)
{
	*table = (struct skep_columns){.n = n && n <= SKEP_COLUMNS_MAX ? n : 1};
	for (uint32_t i = 0; i < table->n; i++)
		table->align[i] = *align && *align++ == 'r' ? 'r' : 'l';
}

void skep_columns_done(struct skep_columns *table)
{
	skep_buf_done(&table->text);
	skep_vec_done(&table->ends);
}

void skep_columns_add(struct skep_columns *table, const char *text, ssize_t len)
{
	size_t start = table->text.len;

	skep_buf_add(&table->text, text, len < 0 ? strlen(text) : (size_t)len);
	for (size_t i = start; i < table->text.len; i++) {
		unsigned char c = (unsigned char)table->text.data[i];
		if (c < ' ' || c == 0x7f)
			table->text.data[i] = '?';
	}
	skep_vec_push(&table->ends, table->text.len);
}

void skep_columns_u64(struct skep_columns *table, uint64_t value)
{
	skep_sink_u64(&table->text, value);
	skep_vec_push(&table->ends, table->text.len);
}

/* --- Widths ---------------------------------------------------------------------------------- */

static bool starts_point(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t width_of(const char *text, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += starts_point(text[i]);
	return width;
}

struct cell {
	const char *text;
	size_t len, width;
	bool is_cut;
};

/* A cell no wider than allowed: its last place becomes the ellipsis. */
static struct cell cell_at(const struct skep_columns *table, size_t i)
{
	struct cell cell = {.text = ""};

	if (i >= table->ends.len)
		return cell;
	size_t start = i ? table->ends.data[i - 1] : 0;
	cell.text = table->text.data ? table->text.data + start : "";
	cell.len = table->ends.data[i] - start;
	cell.width = width_of(cell.text, cell.len);
	if (!table->max_width || cell.width <= table->max_width)
		return cell;
	size_t points = 0, len = 0;
	while (len < cell.len && (points += starts_point(cell.text[len])) < table->max_width)
		len++;
	cell.len = len;
	cell.width = table->max_width;
	cell.is_cut = true;
	return cell;
}

/* --- Printing -------------------------------------------------------------------------------- */

static void add_cell(const struct cell *cell, size_t width, bool right, bool is_last,
		     struct skep_buf *buf)
{
	size_t missing = width > cell->width ? width - cell->width : 0;

	if (right)
		skep_buf_fill(buf, ' ', missing);
	skep_buf_add(buf, cell->text, cell->len);
	if (cell->is_cut)
		skep_buf_puts(buf, "\xe2\x80\xa6");
	if (!is_last)
		skep_buf_fill(buf, ' ', (right ? 0 : missing) + GAP);
}

static void trim(struct skep_buf *buf, size_t start)
{
	while (buf->len > start && buf->data[buf->len - 1] == ' ')
		buf->len--;
	if (buf->data)
		buf->data[buf->len] = '\0';
}

void skep_columns_render(const struct skep_columns *table, struct skep_buf *buf)
{
	size_t widths[SKEP_COLUMNS_MAX] = {0};
	size_t n = table->ends.len;

	for (size_t i = 0; i < n; i++) {
		size_t width = cell_at(table, i).width;
		if (width > widths[i % table->n])
			widths[i % table->n] = width;
	}
	for (size_t row = 0; row < n; row += table->n) {
		size_t start = buf->len;
		for (uint32_t i = 0; i < table->n; i++) {
			struct cell cell = cell_at(table, row + i);
			add_cell(&cell, widths[i], table->align[i] == 'r', i + 1 == table->n, buf);
		}
		trim(buf, start);
		skep_buf_addc(buf, '\n');
	}
}
