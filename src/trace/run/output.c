/*
 * What a running script prints, line by line: its events, and what the run
 * time itself has to say. Text to the letter of bpftrace's; JSON one object a
 * line. See output_impl.h for the parts.
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
	skep_buf_done(&state->scratch);
	skep_records_free(state->records);
	skep_names_free(state->names);
	free(state->gfp);
	free(state);
	out->state = NULL;
}

/* --- Lines of JSON -------------------------------------------------------------------------- */

/* {"type": @type, and with @data all up to what follows "data". */
static struct skep_jsonw json_open(const char *type, bool data, struct skep_buf *buf)
{
	struct skep_jsonw w = {.buf = buf};

	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "type");
	skep_jsonw_string(&w, type);
	if (data)
		skep_jsonw_key(&w, "data");
	return w;
}

static void json_close(struct skep_jsonw *w)
{
	while (w->depth)
		skep_jsonw_close(w);
	skep_buf_addc(w->buf, '\n');
}

static void json_text(const char *type, const char *text, size_t len, struct skep_buf *buf)
{
	struct skep_jsonw w = json_open(type, true, buf);

	skep_jsonw_bytes(&w, text ? text : "", len);
	json_close(&w);
}

/* {"type": @type, "count": @n, "data": {@name: @n}}, the last two left open. */
static struct skep_jsonw json_count(const char *type, const char *name, uint64_t n,
				    struct skep_buf *buf)
{
	struct skep_jsonw w = json_open(type, false, buf);

	skep_jsonw_key(&w, "count");
	skep_jsonw_u64(&w, n);
	skep_jsonw_key(&w, "data");
	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, name);
	skep_jsonw_u64(&w, n);
	return w;
}

void skep_output_text(struct skep_output *out, const char *type, const char *text, size_t len,
		      struct skep_buf *buf)
{
	if (out->json) {
		json_text(type, text, len, buf);
		return;
	}
	skep_buf_add(buf, text, len);
	if (!strcmp(type, "syscall") || !strcmp(type, "join"))
		skep_buf_addc(buf, '\n');
}

/* --- Events ------------------------------------------------------------------------------------ */

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
	json_text("printf", text->data, text->len, buf);
}

static void json_complaint(struct skep_output *out, const struct skep_event *event,
			   const struct skep_buf *text, struct skep_buf *buf)
{
	const struct skep_source *source = out->source;
	bool is_error = event->kind == SKEP_EV_ERRORF;
	struct skep_jsonw w = json_open(is_error ? "errorf" : "warnf", false, buf);
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
	json_close(&w);
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
	struct skep_printer p = {.out = out, .buf = buf,
				 .style = out->json ? SKEP_STYLE_JSON : SKEP_STYLE_TEXT};
	uint32_t which = event->kind == SKEP_EV_PRINT_KEY;

	if (event->n_args <= which)
		return;
	struct skep_view view = skep_view_arg(&event->args[which], data, size);
	if (!out->json) {
		skep_print_value(&p, &view);
		skep_buf_addc(buf, '\n');
		return;
	}
	struct skep_jsonw w = json_open("value", true, buf);
	skep_print_value(&p, &view);
	json_close(&w);
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
		[SKEP_EV_PRINTF] = on_printf, [SKEP_EV_ERRORF] = on_complaint,
		[SKEP_EV_WARNF] = on_complaint, [SKEP_EV_PRINT] = on_print,
		[SKEP_EV_PRINT_KEY] = on_print, [SKEP_EV_JOIN] = on_join,
		[SKEP_EV_TIME] = on_time,
	};

	if (event->kind < SKEP_EV_N_KINDS && handlers[event->kind])
		handlers[event->kind](out, event, data, size, buf);
}

/* --- The run time's own lines -------------------------------------------------------------------- */

void skep_output_end(struct skep_output *out, struct skep_buf *buf)
{
	if (!out->json)
		skep_buf_puts(buf, "\n\n");
}

void skep_output_attached(struct skep_output *out, uint32_t n_probes, struct skep_buf *buf)
{
	if (!out->json) {
		skep_buf_printf(buf, "Attached %u probe%s\n", n_probes, n_probes == 1 ? "" : "s");
		return;
	}
	struct skep_jsonw w = json_count("attached_probes", "probes", n_probes, buf);
	json_close(&w);
}

static void text_loss(uint64_t n, const char *what, const char *hint, struct skep_buf *buf)
{
	skep_buf_puts(buf, "WARNING: ");
	skep_sink_u64(buf, n);
	skep_buf_printf(buf, " %s\n", what);
	if (*hint)
		skep_buf_printf(buf, "  try: %s\n", hint);
}

static void json_loss(const struct skep_loss_row *row, uint64_t n, struct skep_buf *buf)
{
	struct skep_jsonw w = json_count(row->type, row->name, n, buf);

	if (row->text) {
		skep_jsonw_key(&w, "text");
		skep_jsonw_string(&w, row->text);
	}
	json_close(&w);
}

void skep_output_attached(struct skep_output *out, uint32_t n_probes, struct skep_buf *buf)
{
	if (out->json)
		skep_buf_printf(buf,
				"{\"type\": \"attached_probes\", \"count\": %u, "
				"\"data\": {\"probes\": %u}}\n",
				n_probes, n_probes);
	else
		skep_buf_printf(buf, "Attached %u probe%s\n", n_probes, n_probes == 1 ? "" : "s");
}

static void plain_loss(uint64_t n, const char *what, const char *hint, struct skep_buf *buf)
{
	skep_buf_printf(buf, "WARNING: %llu %s\n", (unsigned long long)n, what);
	if (*hint)
		skep_buf_printf(buf, "  try: %s\n", hint);
}

static void json_loss(const char *cause, uint64_t n, const char *what, struct skep_buf *buf)
{
	skep_buf_printf(buf, "{\"type\": \"lost_%s\", \"count\": %llu, \"data\": {\"%s\": %llu, ",
			cause, (unsigned long long)n, cause, (unsigned long long)n);
	skep_buf_puts(buf, "\"text\": ");
	skep_json_string(buf, what, strlen(what));
	skep_buf_puts(buf, "}}\n");
}

void skep_output_loss(struct skep_output *out, enum skep_loss loss, uint64_t n,
		      struct skep_buf *buf)
{
	static const struct {
		const char *cause, *text, *hint;
	} rows[SKEP_LOSS_CNT] = {
#define LOSS(name, text, hint) [SKEP_LOSS_##name] = {#name, text, hint},
#include "trace/losses.def"
#undef LOSS
	};
	char cause[32] = "";

	if (loss >= SKEP_LOSS_CNT)
		return;
	if (out->json && loss == SKEP_LOSS_EVENT) {
		skep_buf_printf(buf,
				"{\"type\": \"lost_events\", \"count\": %llu, "
				"\"data\": {\"events\": %llu}}\n",
				(unsigned long long)n, (unsigned long long)n);
		return;
	}
	for (size_t i = 0; rows[loss].cause[i] && i < sizeof(cause) - 1; i++)
		cause[i] = (char)(rows[loss].cause[i] | 0x20);
	if (out->json)
		json_loss(cause, n, rows[loss].text, buf);
	else if (loss == SKEP_LOSS_EVENT)
		skep_buf_printf(buf, "Lost %llu events\n  try: %s\n", (unsigned long long)n,
				rows[loss].hint);
	else
		plain_loss(n, rows[loss].text, rows[loss].hint, buf);
}

void skep_output_map_full(struct skep_output *out, const struct skep_trace_map *map, uint64_t n,
			  struct skep_buf *buf)
{
	if (out->json) {
		skep_buf_puts(buf, "{\"type\": \"map_full\", \"count\": ");
		skep_sink_u64(buf, n);
		skep_buf_puts(buf, ", \"data\": {");
		skep_json_string(buf, map->name, strlen(map->name));
		skep_buf_printf(buf, ": %llu}}\n", (unsigned long long)n);
		return;
	}
	skep_buf_printf(buf, "WARNING: %s was full (%u keys): %llu updates lost\n", map->name,
			map->max_keys, (unsigned long long)n);
	skep_buf_printf(buf, "  try: config = { max_map_keys=%llu }, or let %s = hash(%llu)\n",
			(unsigned long long)map->max_keys * 4, map->name,
			(unsigned long long)map->max_keys * 4);
}

void skep_output_missed(struct skep_output *out, uint64_t n, struct skep_buf *buf)
{
	static const char what[] = "hits of probes were missed by the kernel";

	if (out->json)
		json_loss("hits", n, what, buf);
	else
		plain_loss(n, what, "", buf);
}
