/*
 * Rows of tables: row() and what table() puts together. A heading comes before
 * the first row, and again when another table was printed meanwhile.
 *
 * In text a name of a file or a process must not end the line or move the
 * cursor: control characters in strings are shown as '?'.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sink/number.h"
#include "trace/run/output_impl.h"

/* @value / @div with @digits behind the point, rounded to the nearest. */
static void add_fraction(uint64_t value, bool is_signed, const struct skep_column *column,
			 struct skep_buf *buf)
{
	static const uint64_t tens[] = {1,      10,      100,      1000,      10000,
					100000, 1000000, 10000000, 100000000, 1000000000};
	int digits = column->precision < 0 ? 6 : column->precision;
	bool is_negative = is_signed && (int64_t)value < 0;
	unsigned __int128 scaled = is_negative ? -value : value;

	scaled = (scaled * tens[digits] + column->div / 2) / column->div;
	if (is_negative && scaled)
		skep_buf_addc(buf, '-');
	skep_sink_u64(buf, (uint64_t)(scaled / tens[digits]));
	if (digits)
		skep_buf_printf(buf, ".%0*llu", digits,
				(unsigned long long)(uint64_t)(scaled % tens[digits]));
}

/* Text below a row keeps its lines. They are set in, so that none can be taken for a row. */
static void add_lines(struct skep_buf *buf, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;
		size_t shown = line && text[line - 1] == '\r' ? line - 1 : line;

		skep_buf_puts(buf, "        ");
		skep_buf_add_printable(buf, text, shown);
		skep_buf_addc(buf, '\n');
		line += end ? 1 : 0;
		text += line;
		len -= line;
	}
}

static void text_string(struct skep_output *out, const struct skep_column *column,
			const struct skep_view *view, struct skep_buf *buf)
{
	struct skep_buf *text = &skep_output_state(out)->scratch;

	skep_buf_clear(text);
	skep_format_value(out, &column->conv, view, text);
	if (column->is_below)
		add_lines(buf, text->data, text->len);
	else
		skep_buf_add_printable(buf, text->data ? text->data : "", text->len);
}

/* Whole numbers are divided as such. */
static uint64_t divided(uint64_t value, bool is_signed, uint64_t div)
{
	if (is_signed)
		return (uint64_t)((int64_t)value / (int64_t)div);
	return value / div;
}

static void text_cell(struct skep_output *out, const struct skep_column *column,
		      const struct skep_view *view, bool is_last, struct skep_buf *buf)
{
	size_t start = buf->len;
	bool is_signed = view->type->is_signed;

	if (!view->at) {
		skep_buf_addc(buf, '?');
	} else if (column->conv.type == 'f') {
		add_fraction(skep_view_int(view), is_signed, column, buf);
	} else if (column->div > 1) {
		uint64_t value = divided(skep_view_int(view), is_signed, column->div);
		struct skep_view quotient = skep_view_of(
			is_signed ? &skep_type_s64 : &skep_type_u64, &value, sizeof(value));
		skep_format_value(out, &column->conv, &quotient, buf);
	} else if (view->type->kind == SKEP_T_STRING) {
		text_string(out, column, view, buf);
	} else {
		skep_format_value(out, &column->conv, view, buf);
	}
	if (is_last && column->is_left)
		while (buf->len > start && buf->data[buf->len - 1] == ' ')
			buf->data[--buf->len] = '\0';
	else
		skep_sink_pad(buf, start, column->width, column->is_left, ' ');
}

/* --- JSON ------------------------------------------------------------------------------------ */

/* "LAT(ms)" is lat_ms. */
static void json_name(const struct skep_column *column, char ret[64])
{
	size_t n = 0;

	for (size_t i = 0; i < column->name_len && n < 62; i++) {
		unsigned char c = (unsigned char)column->name[i];
		if (isalnum(c) || c >= 0x80)
			ret[n++] = (char)tolower(c);
		else if (n && ret[n - 1] != '_')
			ret[n++] = '_';
	}
	while (n && ret[n - 1] == '_')
		n--;
	ret[n] = '\0';
}

static void json_number(struct skep_jsonw *w, const struct skep_column *column,
			const struct skep_view *view)
{
	uint64_t value = skep_view_int(view);
	bool is_signed = view->type->is_signed;

	if (column->conv.type == 'f') {
		skep_jsonw_item(w);
		add_fraction(value, is_signed, column, w->buf);
	} else if (is_signed) {
		skep_jsonw_s64(w, (int64_t)divided(value, true, column->div));
	} else {
		skep_jsonw_u64(w, divided(value, false, column->div));
	}
}

static void json_cell(struct skep_output *out, struct skep_jsonw *w,
		      const struct skep_column *column, const struct skep_view *view)
{
	struct skep_printer p = {.out = out, .buf = w->buf, .style = SKEP_STYLE_JSON};
	char type = column->conv.type;

	if (!view->at) {
		skep_jsonw_null(w);
	} else if (type == 'd' || type == 'i' || type == 'u' || type == 'f') {
		json_number(w, column, view);
	} else if (type == 's' && !skep_type_is_enum(view->type)) {
		skep_jsonw_item(w);
		skep_print_value(&p, view);
	} else {
		_cleanup_buf_ struct skep_buf text = {0};
		skep_format_value(out, &column->conv, view, &text);
		const char *from = text.data ? text.data : "";
		from += strspn(from, " ");
		size_t len = strlen(from);
		while (len && from[len - 1] == ' ')
			len--;
		skep_jsonw_bytes(w, from, len);
	}
}

/* --- Rows ------------------------------------------------------------------------------------- */

const struct skep_columns_of *skep_output_columns(struct skep_output *out,
						  const struct skep_event *event)
{
	struct skep_output_state *state = skep_output_state(out);
	size_t index =
		(size_t)((uintptr_t)event - (uintptr_t)out->program->events) / sizeof(*event);
	const char *at = event->text;
	struct skep_column column;

	if (!state->columns)
		state->columns = skep_xcalloc(out->program->n_events + 1, sizeof(*state->columns));
	struct skep_columns_of *ret = &state->columns[index];
	while (!ret->is_cut && skep_column_next(&at, &column) > 0)
		skep_vec_push(&ret->list, column);
	ret->is_cut = true;
	return ret;
}

static size_t last_in_line(const struct skep_columns_of *columns)
{
	size_t last = columns->list.len;

	while (last && columns->list.data[last - 1].is_below)
		last--;
	return last - 1;
}

void skep_output_heading(struct skep_output *out, const struct skep_event *event,
			 struct skep_buf *buf)
{
	const struct skep_columns_of *columns = skep_output_columns(out, event);
	struct skep_output_state *state = skep_output_state(out);
	const char *last = state->heading;

	state->heading = event->text;
	if (out->json || (last && !strcmp(last, event->text)))
		return;
	for (size_t i = 0; i < columns->list.len; i++) {
		const struct skep_column *column = &columns->list.data[i];
		size_t start = buf->len;
		if (column->is_below)
			continue;
		skep_buf_add(buf, column->name, column->name_len);
		bool is_last = i == last_in_line(columns);
		if (!is_last || !column->is_left)
			skep_sink_pad(buf, start, column->width, column->is_left, ' ');
		skep_buf_addc(buf, is_last ? '\n' : ' ');
	}
}

void skep_output_refresh(struct skep_output *out)
{
	skep_output_state(out)->heading = NULL;
}

/* What stands below the row: a part that is empty is left out, a line divides two that are not. */
static void text_below(struct skep_output *out, const struct skep_columns_of *columns,
		       const struct skep_view *cells, uint32_t n, struct skep_buf *buf)
{
	bool is_any = false, has_column = false;

	for (uint32_t i = 0; i < n && i < columns->list.len; i++) {
		const struct skep_column *column = &columns->list.data[i];
		_cleanup_buf_ struct skep_buf text = {0};
		if (!column->is_below)
			continue;
		has_column = true;
		text_cell(out, column, &cells[i], true, &text);
		size_t skip = text.len && text.data[0] == '\n';
		if (text.len == skip)
			continue;
		if (is_any)
			skep_buf_puts(buf, "        --\n");
		skep_buf_add(buf, text.data + skip, text.len - skip);
		if (text.data[text.len - 1] != '\n')
			skep_buf_addc(buf, '\n');
		is_any = true;
	}
	if (has_column)
		skep_buf_addc(buf, '\n');
}

static void text_cells(struct skep_output *out, const struct skep_columns_of *columns,
		       const struct skep_view *cells, uint32_t n, struct skep_buf *buf)
{
	size_t last = last_in_line(columns);

	for (uint32_t i = 0; i < n && i < columns->list.len; i++) {
		const struct skep_column *column = &columns->list.data[i];
		if (column->is_below)
			continue;
		text_cell(out, column, &cells[i], i == last, buf);
		skep_buf_addc(buf, i == last ? '\n' : ' ');
	}
	text_below(out, columns, cells, n, buf);
}

void skep_output_cells(struct skep_output *out, const struct skep_event *event,
		       const struct skep_view *cells, uint32_t n, struct skep_buf *buf)
{
	const struct skep_columns_of *columns = skep_output_columns(out, event);
	struct skep_jsonw w;
	char name[64];

	if (!out->json) {
		text_cells(out, columns, cells, n, buf);
		return;
	}
	w = skep_line_open("row", true, buf);
	skep_jsonw_open(&w, '{');
	for (uint32_t i = 0; i < n && i < columns->list.len; i++) {
		json_name(&columns->list.data[i], name);
		skep_jsonw_key(&w, name);
		json_cell(out, &w, &columns->list.data[i], &cells[i]);
	}
	skep_line_close(&w);
}

void skep_output_row(struct skep_output *out, const struct skep_event *event, const void *data,
		     size_t size, struct skep_buf *buf)
{
	struct skep_view cells[SKEP_TABLE_COLUMNS_MAX];
	uint32_t n =
		event->n_args < SKEP_TABLE_COLUMNS_MAX ? event->n_args : SKEP_TABLE_COLUMNS_MAX;

	for (uint32_t i = 0; i < n; i++)
		cells[i] = skep_view_arg(&event->args[i], data, size);
	skep_output_heading(out, event, buf);
	skep_output_cells(out, event, cells, n, buf);
}
