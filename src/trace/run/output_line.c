/*
 * Lines of JSON, and what the run time itself has to say: how many probes, what
 * was lost. The latter has bpftrace's form where bpftrace has one.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <skep/symbol.h>

#include "sink/number.h"
#include "trace/run/output_impl.h"

struct skep_jsonw skep_line_open(const char *type, bool data, struct skep_buf *buf)
{
	struct skep_jsonw w = {.buf = buf};

	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "type");
	skep_jsonw_string(&w, type);
	if (data)
		skep_jsonw_key(&w, "data");
	return w;
}

void skep_line_close(struct skep_jsonw *w)
{
	while (w->depth)
		skep_jsonw_close(w);
	skep_buf_addc(w->buf, '\n');
}

void skep_line_text(const char *type, const char *text, size_t len, struct skep_buf *buf)
{
	struct skep_jsonw w = skep_line_open(type, true, buf);

	skep_jsonw_bytes(&w, text ? text : "", len);
	skep_line_close(&w);
}

/* {"type": @type, "count": @n, "data": {@name: @n, the last two left open. */
static struct skep_jsonw open_count(const char *type, const char *name, uint64_t n,
				    struct skep_buf *buf)
{
	struct skep_jsonw w = skep_line_open(type, false, buf);

	skep_jsonw_key(&w, "count");
	skep_jsonw_u64(&w, n);
	skep_jsonw_key(&w, "data");
	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, name);
	skep_jsonw_u64(&w, n);
	return w;
}

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
	struct skep_jsonw w = open_count("attached_probes", "probes", n_probes, buf);
	skep_line_close(&w);
}

void skep_output_serving(struct skep_output *out, const char *url, struct skep_buf *buf)
{
	if (out->json)
		skep_line_text("metrics", url, strlen(url), buf);
	else
		skep_buf_printf(buf, "Metrics at %s\n", url);
}

/* --- Losses --------------------------------------------------------------------------------- */

struct loss {
	const char *type, *name; /* in JSON */
	const char *text, *hint; /* text NULL: the type says it all */
};

static void add_loss(struct skep_output *out, const struct loss *loss, uint64_t n,
		     struct skep_buf *buf)
{
	if (out->json) {
		struct skep_jsonw w = open_count(loss->type, loss->name, n, buf);
		if (loss->text) {
			skep_jsonw_key(&w, "text");
			skep_jsonw_string(&w, loss->text);
		}
		skep_line_close(&w);
		return;
	}
	skep_buf_puts(buf, loss->text ? "WARNING: " : "Lost ");
	skep_sink_u64(buf, n);
	skep_buf_printf(buf, " %s\n", loss->text ? loss->text : loss->name);
	if (*loss->hint)
		skep_buf_printf(buf, "  try: %s\n", loss->hint);
}

/* In JSON a loss's type is lost_ and its cause, and its name the cause, both in lower case. */
static void add_cause(struct skep_output *out, const char *cause, struct loss it, uint64_t n,
		      struct skep_buf *buf)
{
	char type[64];

	snprintf(type, sizeof(type), "lost_%s", cause);
	for (char *at = type; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	it.type = type;
	it.name = type + strlen("lost_");
	add_loss(out, &it, n, buf);
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

	if (loss >= SKEP_LOSS_CNT)
		return;
	struct loss it = {.hint = rows[loss].hint};
	if (loss != SKEP_LOSS_EVENT) /* bpftrace has only those */
		it.text = rows[loss].text;
	add_cause(out, loss == SKEP_LOSS_EVENT ? "events" : rows[loss].cause, it, n, buf);
}

void skep_output_unwinding(struct skep_output *out, enum skep_unwind_loss loss, uint64_t n,
			   struct skep_buf *buf)
{
	static const char *const causes[] = {
#define UNWIND_LOSS(name, words) [SKEP_UNWIND_LOST_##name] = "unwind_" #name,
#include "unwind/losses.def"
#undef UNWIND_LOSS
	};

	if (loss < SKEP_UNWIND_LOSS_CNT)
		add_cause(out, causes[loss],
			  (struct loss){.text = skep_unwind_loss_words(loss), .hint = ""}, n, buf);
}

void skep_output_lines_trouble(struct skep_output *out, const struct skep_lines_trouble *trouble,
			       bool is_partial, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf text = {0};
	uint64_t n = is_partial ? trouble->n_partial : trouble->n;

	skep_lines_trouble_words(trouble, is_partial, &text);
	if (n)
		add_cause(out, is_partial ? "lines_partial" : "lines",
			  (struct loss){.text = text.data, .hint = ""}, n, buf);
}

void skep_output_map_full(struct skep_output *out, const struct skep_trace_map *map, uint64_t n,
			  struct skep_buf *buf)
{
	unsigned long long more = (unsigned long long)map->max_keys * 4;

	if (out->json) {
		struct skep_jsonw w = open_count("map_full", map->name, n, buf);
		skep_line_close(&w);
		return;
	}
	skep_buf_printf(buf,
			"WARNING: Map full; can't update element. %s holds %u keys at most: "
			"%llu updates were lost\n",
			map->name, map->max_keys, (unsigned long long)n);
	skep_buf_printf(buf, "  try: config = { max_map_keys=%llu }, or let %s = %shash(%llu)\n",
			more, map->name, skep_type_is_agg(map->value) ? "percpu" : "", more);
}

void skep_output_missed(struct skep_output *out, uint64_t n, struct skep_buf *buf)
{
	static const struct loss missed = {"missed_hits", "hits",
					   "hits of probes were missed by the kernel", ""};

	add_loss(out, &missed, n, buf);
}
