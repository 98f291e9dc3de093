/*
 * Collects diagnostics and renders them: what, where (with a caret under the
 * source), why, what to try. The rows are in include/skep/diag.def.
 */
#include <skep/diag.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

#define NOTE    SKEP_NOTE
#define WARNING SKEP_WARNING
#define ERROR   SKEP_ERROR

static const struct row {
	const char *code;
	enum skep_severity severity;
	const char *fmt, *hint;
} rows[SKEP_DIAG_CNT] = {
	[SKEP_DIAG_NONE] = {"", SKEP_NOTE, "", ""},
#define DIAG(name, id, severity, fmt, hint) [SKEP_DIAG_##name] = {id, severity, fmt, hint},
#include <skep/diag.def>
#undef DIAG
};

static const char *const severity_names[] = {"note", "warning", "error"};

const char *skep_diag_code(enum skep_diag_id id)
{
	return rows[id].code;
}

enum skep_severity skep_diag_severity(enum skep_diag_id id)
{
	return rows[id].severity;
}

const char *skep_diag_format(enum skep_diag_id id)
{
	return rows[id].fmt;
}

const char *skep_diag_hint(enum skep_diag_id id)
{
	return rows[id].hint;
}

const char *skep_severity_name(enum skep_severity severity)
{
	return severity_names[severity];
}

void skep_diag_done(struct skep_diag *diag)
{
	for (size_t i = 0; i < diag->n_items; i++) {
		free(diag->items[i].what);
		free(diag->items[i].why);
		free(diag->items[i].hint);
	}
	free(diag->items);
	*diag = (struct skep_diag){.source = diag->source};
}

static char *format_text(const char *fmt, va_list ap)
{
	struct skep_buf buf = {0};

	skep_buf_vprintf(&buf, fmt, ap);
	return buf.data ? buf.data : skep_xstrdup("");
}

static void add_item(struct skep_diag *diag, enum skep_diag_id id, struct skep_span span,
		     va_list ap)
{
	const struct row *row = &rows[id];

	if (row->severity == SKEP_ERROR)
		diag->n_errors++;
	if (diag->n_items == SKEP_DIAG_MAX)
		return;
	if (diag->n_items == diag->cap_items) {
		diag->cap_items = diag->cap_items ? diag->cap_items * 2 : 4;
		diag->items = skep_xrealloc(diag->items, diag->cap_items * sizeof(*diag->items));
	}
	diag->items[diag->n_items++] = (struct skep_diag_item){
		.id = id,
		.span = span,
		.what = format_text(row->fmt, ap),
		.hint = row->hint[0] ? skep_xstrdup(row->hint) : NULL,
	};
}

void skep_diag_add(struct skep_diag *diag, enum skep_diag_id id, struct skep_span span, ...)
{
	va_list ap;

	if (!diag)
		return;
	va_start(ap, span);
	add_item(diag, id, span, ap);
	va_end(ap);
}

int skep_diag_fail(struct skep_diag *diag, int err, enum skep_diag_id id, struct skep_span span,
		   ...)
{
	va_list ap;

	if (!diag)
		return err;
	va_start(ap, span);
	add_item(diag, id, span, ap);
	va_end(ap);
	return err;
}

static struct skep_diag_item *last_item(struct skep_diag *diag)
{
	return diag && diag->n_items ? &diag->items[diag->n_items - 1] : NULL;
}

void skep_diag_why(struct skep_diag *diag, const char *fmt, ...)
{
	struct skep_diag_item *item = last_item(diag);
	struct skep_buf buf = {0};
	va_list ap;

	if (!item)
		return;
	if (item->why) {
		skep_buf_puts(&buf, item->why);
		skep_buf_addc(&buf, '\n');
	}
	va_start(ap, fmt);
	skep_buf_vprintf(&buf, fmt, ap);
	va_end(ap);
	free(item->why);
	item->why = buf.data;
}

void skep_diag_try(struct skep_diag *diag, const char *fmt, ...)
{
	struct skep_diag_item *item = last_item(diag);
	va_list ap;

	if (!item)
		return;
	free(item->hint);
	va_start(ap, fmt);
	item->hint = format_text(fmt, ap);
	va_end(ap);
}

/* Levenshtein distance of @a and @b, or @limit + 1 when it is certainly more. Words are short. */
static size_t edit_distance(const char *a, const char *b, size_t limit)
{
	enum { MAX = 64 };
	size_t len_a = strlen(a), len_b = strlen(b);
	size_t row[MAX + 1];

	if (len_a > MAX || len_b > MAX || len_a > len_b + limit || len_b > len_a + limit)
		return limit + 1;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);
			size_t shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			diagonal = row[j];
			row[j] = change < shift ? change : shift;
		}
	}
	return row[len_b];
}

void skep_diag_did_you_mean(struct skep_diag *diag, const char *word, const char *const *candidates,
			    size_t n)
{
	size_t limit = strlen(word) / 3 + 1, best = limit + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t distance = edit_distance(word, candidates[i], limit);
		if (distance && distance < best) { /* what is there is no guess */
			best = distance;
			nearest = candidates[i];
		}
	}
	if (nearest)
		skep_diag_try(diag, "did you mean %s?", nearest);
}

void skep_source_pos(const struct skep_source *src, uint32_t off, uint32_t *line, uint32_t *col)
{
	uint32_t n_lines = 1, start = 0;

	for (uint32_t i = 0; i < off && i < src->len; i++) {
		if (src->text[i] == '\n') {
			n_lines++;
			start = i + 1;
		}
	}
	*line = n_lines;
	*col = off - start + 1;
}

/* The caret line repeats the source's tabs, so that it lines up whatever the tab width. */
static void render_caret(const struct skep_source *src, struct skep_span span, struct skep_buf *out)
{
	uint32_t line, col;

	skep_source_pos(src, span.off, &line, &col);
	const char *start = src->text + span.off - (col - 1);
	const char *end = memchr(start, '\n', (size_t)(src->text + src->len - start));
	size_t len = end ? (size_t)(end - start) : (size_t)(src->text + src->len - start);
	skep_buf_printf(out, "  --> %s:%u:%u\n", src->name, line, col);
	skep_buf_printf(out, "%4u | ", line);
	skep_buf_add_printable(out, start, len);
	skep_buf_puts(out, "\n     | ");
	for (uint32_t i = 0; i + 1 < col; i++)
		skep_buf_addc(out, start[i] == '\t' ? '\t' : ' ');
	size_t room = len >= col - 1 ? len - (col - 1) : 0;
	size_t width = span.len < room ? span.len : room;
	skep_buf_fill(out, '^', width ? width : 1);
	skep_buf_addc(out, '\n');
}

static void render_lines(const char *label, const char *text, struct skep_buf *out)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");
		skep_buf_printf(out, "  %s: ", label);
		skep_buf_add_printable(out, text, len);
		skep_buf_addc(out, '\n');
		text += len + (text[len] == '\n');
	}
}

static bool span_in_source(const struct skep_source *src, struct skep_span span)
{
	return src && span.len && span.off <= src->len;
}

static void render_item(const struct skep_diag *diag, const struct skep_diag_item *item, bool color,
			struct skep_buf *out)
{
	static const char *const colors[] = {"\033[36m", "\033[33m", "\033[31m"};
	const struct row *row = &rows[item->id];

	skep_buf_printf(out, "%s%s %s%s: ", color ? colors[row->severity] : "",
			severity_names[row->severity], row->code, color ? "\033[0m" : "");
	skep_buf_add_printable(out, item->what, strlen(item->what));
	skep_buf_addc(out, '\n');
	if (span_in_source(diag->source, item->span))
		render_caret(diag->source, item->span, out);
	render_lines("why", item->why, out);
	render_lines("try", item->hint, out);
}

void skep_diag_render(const struct skep_diag *diag, bool color, struct skep_buf *out)
{
	for (size_t i = 0; i < diag->n_items; i++)
		render_item(diag, &diag->items[i], color, out);
	if (diag->n_items == SKEP_DIAG_MAX && diag->n_errors > SKEP_DIAG_MAX)
		skep_buf_printf(out, "… and %zu more errors\n", diag->n_errors - SKEP_DIAG_MAX);
}

static void json_item(const struct skep_diag *diag, const struct skep_diag_item *item,
		      struct skep_buf *out)
{
	const struct row *row = &rows[item->id];

	skep_buf_printf(out, "{\"type\": \"%s\", \"id\": \"%s\", \"what\": ",
			severity_names[row->severity], row->code);
	skep_json_string(out, item->what, strlen(item->what));
	if (span_in_source(diag->source, item->span)) {
		uint32_t line, col;
		skep_source_pos(diag->source, item->span.off, &line, &col);
		skep_buf_puts(out, ", \"file\": ");
		skep_json_string(out, diag->source->name, strlen(diag->source->name));
		skep_buf_printf(out, ", \"line\": %u, \"column\": %u, \"length\": %u", line, col,
				item->span.len);
	}
	if (item->why) {
		skep_buf_puts(out, ", \"why\": ");
		skep_json_string(out, item->why, strlen(item->why));
	}
	if (item->hint) {
		skep_buf_puts(out, ", \"try\": ");
		skep_json_string(out, item->hint, strlen(item->hint));
	}
	skep_buf_puts(out, "}\n");
}

void skep_diag_render_json(const struct skep_diag *diag, struct skep_buf *out)
{
	for (size_t i = 0; i < diag->n_items; i++)
		json_item(diag, &diag->items[i], out);
}
