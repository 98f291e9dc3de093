/*
 * What a running script prints, line by line: its events. Text to the letter
 * of bpftrace's; JSON one object a line. See output_impl.h for the parts.
 */
#include "trace/run/output.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "sink/number.h"
#include "trace/run/output_impl.h"

#define JOIN_MOST 16

struct skep_output_state *skep_output_state(struct skep_output *out)
{
	if (!out->state) {
		out->state = skep_xcalloc(1, sizeof(*out->state));
		out->state->n_formats = out->program->n_events;
		out->state->formats =
			skep_xcalloc(out->program->n_events + 1, sizeof(*out->state->formats));
	}
	return out->state;
}

void skep_output_done(struct skep_output *out)
{
	struct skep_output_state *state = out->state;

	if (!state)
		return;
	for (uint32_t i = 0; i < state->n_formats; i++)
		skep_format_free(state->formats[i]);
	free(state->formats);
	for (uint32_t i = 0; state->columns && i < state->n_formats; i++)
		skep_vec_done(&state->columns[i].list);
	free(state->columns);
	skep_buf_done(&state->scratch);
	skep_records_free(state->records);
	skep_names_free(state->names);
	free(state->gfp);
	free(state);
	out->state = NULL;
}

void skep_output_text(struct skep_output *out, const char *type, const char *text, size_t len,
		      struct skep_buf *buf)
{
	if (out->json) {
		skep_line_text(type, text, len, buf);
		return;
	}
	skep_buf_add(buf, text, len);
	if (!strcmp(type, "syscall") || !strcmp(type, "join"))
		skep_buf_addc(buf, '\n');
}

/* --- Events ---------------------------------------------------------------------------------- */

static void on_printf(struct skep_output *out, const struct skep_event *event, const void *data,
		      size_t size, struct skep_buf *buf)
{
	if (!out->json) {
		skep_output_format(out, event, data, size, event->text, buf);
		return;
	}
	struct skep_buf *text = &skep_output_state(out)->scratch;
	skep_buf_clear(text);
	skep_output_format(out, event, data, size, event->text, text);
	skep_line_text("printf", text->data, text->len, buf);
}

static void json_complaint(struct skep_output *out, const struct skep_event *event,
			   const struct skep_buf *text, struct skep_buf *buf)
{
	const struct skep_source *source = out->source;
	bool is_error = event->kind == SKEP_EV_ERRORF;
	struct skep_jsonw w = skep_line_open(is_error ? "errorf" : "warnf", false, buf);
	uint32_t line = 0, col = 0;

	skep_jsonw_key(&w, "msg");
	skep_jsonw_bytes(&w, text->data ? text->data : "", text->len);
	if (source) {
		skep_source_pos(source, event->span.off, &line, &col);
		skep_jsonw_key(&w, "filename");
		skep_jsonw_string(&w, source->name);
		skep_jsonw_key(&w, "line");
		skep_jsonw_u64(&w, line);
		skep_jsonw_key(&w, "col");
		skep_jsonw_u64(&w, col);
	}
	skep_line_close(&w);
}

/* "FILE:LINE:COL-COL: ", or "FILE:LINE-LINE: " of what spans lines. */
static void add_place(const struct skep_source *source, const struct skep_span *span,
		      struct skep_buf *buf)
{
	uint32_t line, col, end_line, end_col;

	skep_source_pos(source, span->off, &line, &col);
	skep_source_pos(source, span->off + span->len, &end_line, &end_col);
	if (line == end_line)
		skep_buf_printf(buf, "%s:%u:%u-%u: ", source->name, line, col, end_col);
	else
		skep_buf_printf(buf, "%s:%u-%u: ", source->name, line, end_line);
}

static void on_complaint(struct skep_output *out, const struct skep_event *event, const void *data,
			 size_t size, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_output_format(out, event, data, size, event->text, &text);
	if (out->json) {
		json_complaint(out, event, &text, buf);
		return;
	}
	if (out->source && event->span.len)
		add_place(out->source, &event->span, buf);
	skep_buf_puts(buf, event->kind == SKEP_EV_ERRORF ? "ERROR: " : "WARNING: ");
	skep_buf_add(buf, text.data, text.len);
	if (!text.len || text.data[text.len - 1] != '\n')
		skep_buf_addc(buf, '\n');
}

/* print(value), and print(@x[key]), which shows the value only. */
static void on_print(struct skep_output *out, const struct skep_event *event, const void *data,
		     size_t size, struct skep_buf *buf)
{
	struct skep_printer p = {
		.out = out, .buf = buf, .style = out->json ? SKEP_STYLE_JSON : SKEP_STYLE_TEXT};
	uint32_t which = event->kind == SKEP_EV_PRINT_KEY;

	if (event->n_args <= which)
		return;
	struct skep_view view = skep_view_arg(&event->args[which], data, size);
	if (!out->json) {
		skep_print_value(&p, &view);
		skep_buf_addc(buf, '\n');
		return;
	}
	struct skep_jsonw w = skep_line_open("value", true, buf);
	skep_print_value(&p, &view);
	skep_line_close(&w);
}

/* u32 count, then u32 offset and u32 length of each string. An empty one is the end. */
static void join(const struct skep_event *event, const uint8_t *data, size_t size,
		 struct skep_buf *ret)
{
	const size_t table = sizeof(struct skep_event_hdr) + 8;
	uint32_t n = 0, place[2];

	if (size < table + JOIN_MOST * sizeof(place))
		return;
	memcpy(&n, data + sizeof(struct skep_event_hdr), sizeof(n));
	for (uint32_t i = 0; i < n && i < JOIN_MOST; i++) {
		memcpy(place, data + table + i * sizeof(place), sizeof(place));
		if (place[0] > size || place[1] > size - place[0])
			return;
		size_t len = strnlen((const char *)data + place[0], place[1]);
		if (!len)
			return;
		if (i)
			skep_buf_puts(ret, event->text);
		skep_buf_add(ret, data + place[0], len);
	}
}

static void on_join(struct skep_output *out, const struct skep_event *event, const void *data,
		    size_t size, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf text = {0};

	join(event, data, size, &text);
	skep_output_text(out, "join", text.data, text.len, buf);
}

static void on_time(struct skep_output *out, const struct skep_event *event, const void *data,
		    size_t size, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_text_now(event->text, &text);
	skep_output_text(out, "time", text.data, text.len, buf);
}

void skep_output_event(struct skep_output *out, const struct skep_event *event, const void *data,
		       size_t size, struct skep_buf *buf)
{
	static void (*const handlers[SKEP_EV_N_KINDS])(struct skep_output *,
						       const struct skep_event *, const void *,
						       size_t, struct skep_buf *) = {
		[SKEP_EV_PRINTF] = on_printf,   [SKEP_EV_ERRORF] = on_complaint,
		[SKEP_EV_WARNF] = on_complaint, [SKEP_EV_PRINT] = on_print,
		[SKEP_EV_PRINT_KEY] = on_print, [SKEP_EV_JOIN] = on_join,
		[SKEP_EV_TIME] = on_time,       [SKEP_EV_ROW] = skep_output_row,
	};

	if (event->kind < SKEP_EV_N_KINDS && handlers[event->kind])
		handlers[event->kind](out, event, data, size, buf);
}
