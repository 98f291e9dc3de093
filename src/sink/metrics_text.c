/*
 * The two text formats. They differ in how a counter's family is named, in
 * numbers of bounds ("4096" and "4096.0"), and in how the document ends.
 *
 * A histogram's sum is not known, as its values were counted and not kept: there
 * is none, and so in OpenMetrics, which wants both or neither, no count.
 */
#include <math.h>
#include <string.h>

#include "sink/metrics_impl.h"
#include "sink/number.h"

static const char *const type_names[] = {
	[SKEP_METRIC_COUNTER] = "counter",
	[SKEP_METRIC_GAUGE] = "gauge",
	[SKEP_METRIC_SUMMARY] = "summary",
	[SKEP_METRIC_HISTOGRAM] = "histogram",
};

static const char *suffix_of(const struct skep_family *family)
{
	return family->type == SKEP_METRIC_COUNTER ? "_total" : "";
}

/* --- Escaping ------------------------------------------------------------------------------- */

static void add_escaped(struct skep_buf *buf, const char *piece, size_t len)
{
	if (*piece == '\\' || *piece == '"')
		skep_buf_addc(buf, '\\');
	if (*piece == '\n')
		skep_buf_puts(buf, "\\n");
	else
		skep_buf_add(buf, piece, len);
}

/* Quotes are only escaped where values are quoted, but OpenMetrics has it so for help too. */
static void add_help(struct skep_buf *buf, const char *text, bool quotes)
{
	struct skep_label all = {.value = text, .len = strlen(text)};
	_cleanup_buf_ struct skep_buf escaped = {0};

	skep_label_pieces(&all, add_escaped, &escaped);
	for (size_t i = 0; i < escaped.len; i++) {
		if (quotes || escaped.data[i] != '\\' || escaped.data[i + 1] != '"')
			skep_buf_addc(buf, escaped.data[i]);
		if (escaped.data[i] == '\\' && escaped.data[i + 1] == '\\')
			skep_buf_addc(buf, escaped.data[++i]);
	}
}

/* --- Headers -------------------------------------------------------------------------------- */

static void add_header(const struct skep_family *family, const char *suffix, bool is_open,
		       struct skep_buf *buf)
{
	skep_buf_printf(buf, "# HELP %s%s ", family->name, suffix);
	add_help(buf, family->help, is_open);
	skep_buf_printf(buf, "\n# TYPE %s%s %s\n", family->name, suffix, type_names[family->type]);
	if (is_open && family->unit)
		skep_buf_printf(buf, "# UNIT %s %s\n", family->name, family->unit);
}

static void plain_header(const struct skep_family *family, struct skep_buf *buf)
{
	add_header(family, suffix_of(family), false, buf);
}

static void open_header(const struct skep_family *family, struct skep_buf *buf)
{
	add_header(family, "", true, buf);
}

/* --- Samples -------------------------------------------------------------------------------- */

static void add_label(const struct skep_label *label, struct skep_buf *buf)
{
	skep_buf_puts(buf, label->name);
	skep_buf_puts(buf, "=\"");
	skep_label_pieces(label, add_escaped, buf);
	skep_buf_addc(buf, '"');
}

/* Up to where the value comes; @le: of a bucket, or NULL. */
static void open_sample(const struct skep_family *family, const char *suffix,
			const struct skep_labels *labels, const char *le, struct skep_buf *buf)
{
	const char *before = "{";

	skep_buf_puts(buf, family->name);
	skep_buf_puts(buf, suffix);
	for (uint32_t i = 0; i < labels->n; i++, before = ",") {
		skep_buf_puts(buf, before);
		add_label(&labels->items[i], buf);
	}
	if (le)
		skep_buf_printf(buf, "%sle=\"%s\"", before, le);
	if (labels->n || le)
		skep_buf_addc(buf, '}');
	skep_buf_addc(buf, ' ');
}

static void text_value(const struct skep_family *family, const struct skep_labels *labels,
		       double value, struct skep_buf *buf)
{
	open_sample(family, suffix_of(family), labels, NULL, buf);
	skep_sink_double(buf, value);
	skep_buf_addc(buf, '\n');
}

static void add_count(const struct skep_family *family, const struct skep_labels *labels,
		      uint64_t count, struct skep_buf *buf)
{
	open_sample(family, "_count", labels, NULL, buf);
	skep_sink_u64(buf, count);
	skep_buf_addc(buf, '\n');
}

static void text_summary(const struct skep_family *family, const struct skep_labels *labels,
			 uint64_t count, double sum, struct skep_buf *buf)
{
	add_count(family, labels, count, buf);
	open_sample(family, "_sum", labels, NULL, buf);
	skep_sink_double(buf, sum);
	skep_buf_addc(buf, '\n');
}

/* --- Histograms ----------------------------------------------------------------------------- */

static void add_bound(struct skep_buf *buf, double le, bool is_open)
{
	skep_sink_double(buf, le);
	if (is_open && isfinite(le) && !strpbrk(buf->data, ".e"))
		skep_buf_puts(buf, ".0");
}

static uint64_t add_buckets(const struct skep_family *family, const struct skep_labels *labels,
			    const struct skep_metric_hist *hist, bool is_open, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf le = {0};
	uint64_t sum = 0;

	for (size_t i = 0; i <= hist->n; i++) {
		bool is_last = i == hist->n;
		skep_buf_clear(&le);
		add_bound(&le, is_last ? (double)INFINITY : hist->buckets[i].le, is_open);
		sum += is_last ? hist->above : hist->buckets[i].count;
		open_sample(family, "_bucket", labels, le.data, buf);
		skep_sink_u64(buf, sum);
		skep_buf_addc(buf, '\n');
	}
	return sum;
}

static void plain_histogram(const struct skep_family *family, const struct skep_labels *labels,
			    const struct skep_metric_hist *hist, struct skep_buf *buf)
{
	uint64_t count = add_buckets(family, labels, hist, false, buf);

	add_count(family, labels, count, buf);
}

static void open_histogram(const struct skep_family *family, const struct skep_labels *labels,
			   const struct skep_metric_hist *hist, struct skep_buf *buf)
{
	add_buckets(family, labels, hist, true, buf);
}

static void add_family(const struct skep_exposed_family *family, struct skep_buf *buf)
{
	skep_buf_add(buf, family->header.data, family->header.len);
	skep_buf_add(buf, family->samples.data, family->samples.len);
}

const struct skep_metrics_writer skep_metrics_plain = {
	.content_type = "text/plain; version=0.0.4; charset=utf-8",
	.header = plain_header,
	.value = text_value,
	.summary = text_summary,
	.histogram = plain_histogram,
	.family = add_family,
	.end = "",
};

const struct skep_metrics_writer skep_metrics_openmetrics = {
	.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
	.header = open_header,
	.value = text_value,
	.summary = text_summary,
	.histogram = open_histogram,
	.family = add_family,
	.end = "# EOF\n",
};
