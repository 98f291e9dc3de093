/*
 * Protobuf: io.prometheus.client.MetricFamily, each after its length. Only in
 * this format are there native histograms; the classic buckets are beside them.
 *
 *	MetricFamily  1 name  2 help  3 type  4 metric…  5 unit
 *	Metric        1 label…  2 gauge  3 counter  4 summary  7 histogram
 *	LabelPair     1 name  2 value
 *	Gauge, Counter  1 value
 *	Summary       1 sample_count  2 sample_sum
 *	Histogram     1 sample_count  2 sample_sum  3 bucket…  5 schema  6 zero_threshold
 *	              7 zero_count  12 positive_span…  13 positive_delta…
 *	Bucket        1 cumulative_count  2 upper_bound
 *	BucketSpan    1 offset  2 length
 *
 * A message's fields may stand in any order and any place, and those of one message
 * written twice are joined: so header and samples can be put together as bytes.
 *
 * Source: the message definitions of prometheus/client_model, as documented publicly.
 */
#include <math.h>
#include <string.h>

#include "sink/metrics_impl.h"
#include "sink/protobuf.h"

static const unsigned type_numbers[] = {
	[SKEP_METRIC_COUNTER] = 0,
	[SKEP_METRIC_GAUGE] = 1,
	[SKEP_METRIC_SUMMARY] = 2,
	[SKEP_METRIC_HISTOGRAM] = 4,
};

static void add_piece(struct skep_buf *buf, const char *piece, size_t len)
{
	skep_buf_add(buf, piece, len);
}

static void add_text(struct skep_buf *buf, unsigned field, const char *text, size_t len)
{
	_cleanup_buf_ struct skep_buf valid = {0};
	struct skep_label label = {.value = text, .len = len};

	skep_label_pieces(&label, add_piece, &valid);
	skep_proto_add_message(buf, field, &valid);
}

/* --- Families and metrics ------------------------------------------------------------------- */

static void proto_header(const struct skep_family *family, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf name = {0};

	skep_buf_printf(&name, "%s%s", family->name,
			family->type == SKEP_METRIC_COUNTER ? "_total" : "");
	skep_proto_add_message(buf, 1, &name);
	add_text(buf, 2, family->help, strlen(family->help));
	skep_proto_add_u64(buf, 3, type_numbers[family->type]);
	if (family->unit)
		skep_proto_add_bytes(buf, 5, family->unit, strlen(family->unit));
}

/* A metric with its labels, and @value as field @kind. */
static void add_metric(const struct skep_labels *labels, unsigned kind,
		       const struct skep_buf *value, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf metric = {0}, pair = {0};

	for (uint32_t i = 0; i < labels->n; i++) {
		const struct skep_label *label = &labels->items[i];
		skep_buf_clear(&pair);
		skep_proto_add_bytes(&pair, 1, label->name, strlen(label->name));
		add_text(&pair, 2, label->value, label->len);
		skep_proto_add_message(&metric, 1, &pair);
	}
	skep_proto_add_message(&metric, kind, value);
	skep_proto_add_message(buf, 4, &metric);
}

static void proto_value(const struct skep_family *family, const struct skep_labels *labels,
			double value, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf message = {0};

	skep_proto_add_double(&message, 1, value);
	add_metric(labels, family->type == SKEP_METRIC_COUNTER ? 3 : 2, &message, buf);
}

static void proto_summary(const struct skep_family *family, const struct skep_labels *labels,
			  uint64_t count, double sum, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf message = {0};

	skep_proto_add_u64(&message, 1, count);
	skep_proto_add_double(&message, 2, sum);
	add_metric(labels, 4, &message, buf);
}

/* --- Histograms ----------------------------------------------------------------------------- */

static uint64_t add_buckets(const struct skep_metric_hist *hist, struct skep_buf *message)
{
	_cleanup_buf_ struct skep_buf bucket = {0};
	uint64_t sum = 0;

	for (size_t i = 0; i < hist->n; i++) {
		sum += hist->buckets[i].count;
		skep_buf_clear(&bucket);
		skep_proto_add_u64(&bucket, 1, sum);
		skep_proto_add_double(&bucket, 2, hist->buckets[i].le);
		skep_proto_add_message(message, 3, &bucket);
	}
	return sum + hist->above;
}

/* Bucket i is (2^(i-1), 2^i]; powers[p] is [2^p, 2^(p+1)). One span from the first that is used to
 * the last; counts are told as what each is more than the one before. */
static void add_native(const struct skep_metric_hist *hist, struct skep_buf *message)
{
	_cleanup_buf_ struct skep_buf span = {0};
	size_t n = skep_metric_hist_used(hist->powers, SKEP_METRIC_POWERS), first = 0;
	uint64_t before = 0;

	while (first < n && !hist->powers[first])
		first++;
	skep_proto_add_s64(message, 5, 0);
	skep_proto_add_double(message, 6, ldexp(1, hist->native_shift));
	skep_proto_add_u64(message, 7, hist->zeros);
	skep_proto_add_s64(&span, 1, (int64_t)first + 1 + hist->native_shift);
	skep_proto_add_u64(&span, 2, n - first);
	if (n > first)
		skep_proto_add_message(message, 12, &span);
	for (size_t i = first; i < n; i++) {
		skep_proto_add_s64(message, 13, (int64_t)(hist->powers[i] - before));
		before = hist->powers[i];
	}
}

static void proto_histogram(const struct skep_family *family, const struct skep_labels *labels,
			    const struct skep_metric_hist *hist, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf message = {0};

	skep_proto_add_u64(&message, 1, add_buckets(hist, &message));
	/* Not known; left out it would be read as 0. */
	skep_proto_add_double(&message, 2, (double)NAN);
	if (hist->has_native)
		add_native(hist, &message);
	add_metric(labels, 7, &message, buf);
}

static void proto_family(const struct skep_exposed_family *family, struct skep_buf *buf)
{
	skep_proto_add_varint(buf, family->header.len + family->samples.len);
	skep_buf_add(buf, family->header.data, family->header.len);
	skep_buf_add(buf, family->samples.data, family->samples.len);
}

const struct skep_metrics_writer skep_metrics_protobuf = {
	.content_type = "application/vnd.google.protobuf; "
			"proto=io.prometheus.client.MetricFamily; encoding=delimited",
	.header = proto_header,
	.value = proto_value,
	.summary = proto_summary,
	.histogram = proto_histogram,
	.family = proto_family,
	.end = "",
};
