/*
 * Measured values for Prometheus, in each of the formats that it reads.
 *
 * An exposition is families in order; a family is a header (name, help, type)
 * and its samples, both already in the exposition's format. As they lie apart,
 * what several processes have of one family is joined without being read:
 *
 *	skep_exposition_family(&exposition, &(struct skep_family){"opens", "Files", …});
 *	skep_exposition_value(&exposition, &labels, 3);
 *	skep_exposition_render(&exposition, &buf);
 *
 *	exposition.c     families, joining, sending to another process
 *	metrics_text.c   text/plain and OpenMetrics
 *	metrics_proto.c  protobuf, with native histograms
 *	metrics_hist.c   buckets
 *	metrics_name.c   what names may be; labels that read as one
 *	accept.c         which format a client asks for
 */
#ifndef SKEP_SINK_METRICS_H
#define SKEP_SINK_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"

enum skep_metrics_format {
	SKEP_METRICS_TEXT,        /* text/plain; version=0.0.4 */
	SKEP_METRICS_OPENMETRICS, /* application/openmetrics-text; version=1.0.0 */
	SKEP_METRICS_PROTOBUF,    /* io.prometheus.client.MetricFamily, each after its length */
	SKEP_METRICS_FORMAT_CNT
};

enum skep_metric_type {
	SKEP_METRIC_COUNTER,
	SKEP_METRIC_GAUGE,
	SKEP_METRIC_SUMMARY, /* a count and a sum */
	SKEP_METRIC_HISTOGRAM,
};

struct skep_family {
	const char *name; /* without the "_total" of a counter */
	const char *help; /* any text */
	enum skep_metric_type type;
	const char *unit; /* "seconds": the name ends in it; NULL: none */
};

#define SKEP_LABELS_MOST      32
#define SKEP_LABEL_BYTES_MOST 1024 /* of a value; the rest is cut off */

struct skep_label {
	const char *name;
	const char *value; /* any bytes: what is not UTF-8 becomes U+FFFD */
	size_t len;
};

struct skep_labels {
	struct skep_label items[SKEP_LABELS_MOST];
	uint32_t n;
};

/** One more; the text is borrowed, and not taken where SKEP_LABELS_MOST are there. */
void skep_labels_add(struct skep_labels *labels, const char *name, const char *value, size_t len);
/** Bytes that differ where what is exposed of @labels differs, appended. */
void skep_labels_identity(const struct skep_labels *labels, struct skep_buf *buf);
/** @text with what a name (of a metric or a label) cannot have made '_', appended. */
void skep_metric_name_add(struct skep_buf *buf, const char *text);
/** May this be the name of a label that people give? Names with "__" before are Prometheus'. */
bool skep_label_name_is_valid(const char *name);

/* --- Histograms ------------------------------------------------------------------------------ */

#define SKEP_METRIC_POWERS 64

struct skep_metric_bucket {
	double le; /* no value in it is larger */
	uint64_t count;
};

/** Of one set of labels. Values are kept as integers; those of times are divided by
 *  10^@scale to be seconds. */
struct skep_metric_hist {
	struct skep_metric_bucket *buckets; /* ascending; owned */
	size_t n;
	uint64_t above; /* larger than every bound */
	bool has_native;
	int32_t native_shift;                /* exponent of 2 at which powers[0] begins, nearly */
	uint64_t zeros;                      /* value 0 */
	uint64_t powers[SKEP_METRIC_POWERS]; /* [2^i, 2^(i+1)) before it is divided */
};

/** @value / 10^@scale, scale at most 9. */
double skep_metric_scaled(double value, unsigned scale);
void skep_metric_hist_done(struct skep_metric_hist *hist);
/** The last bucket of @counts with something in it, plus one: how many are worth showing. */
size_t skep_metric_hist_used(const uint64_t *counts, size_t n);
/**
 * From the buckets of skep_hist_log2().
 *
 * @used  buckets from there on are empty and not shown: of all sets of labels the most
 */
struct skep_metric_hist skep_metric_hist_log2(const uint64_t *counts, size_t used, unsigned bits,
					      unsigned scale);
/** From those of skep_hist_linear(); there is no native form. */
struct skep_metric_hist skep_metric_hist_linear(const uint64_t *counts, size_t n, int64_t min,
						int64_t step, unsigned scale);

/* --- Expositions ----------------------------------------------------------------------------- */

struct skep_exposed_family {
	char *name; /* owned */
	struct skep_buf header, samples;
};

struct skep_exposition {
	enum skep_metrics_format format;
	SKEP_VEC(struct skep_exposed_family) families; /* owned */
	struct skep_family now; /* of the samples that are added; text borrowed */
};

void skep_exposition_done(struct skep_exposition *exposition);
/** Samples that follow are of @family, whose text must live as long; one that is there already
 *  goes on. */
void skep_exposition_family(struct skep_exposition *exposition, const struct skep_family *family);
void skep_exposition_value(struct skep_exposition *exposition, const struct skep_labels *labels,
			   double value);
void skep_exposition_summary(struct skep_exposition *exposition, const struct skep_labels *labels,
			     uint64_t count, double sum);
void skep_exposition_histogram(struct skep_exposition *exposition, const struct skep_labels *labels,
			       const struct skep_metric_hist *hist);
/** The whole document, appended. Families without samples are left out. */
void skep_exposition_render(const struct skep_exposition *exposition, struct skep_buf *buf);

/** As bytes for skep_exposition_join() in another process of the same program, appended. */
void skep_exposition_pack(const struct skep_exposition *exposition, struct skep_buf *buf);
/**
 * Add what another one packed. Of a family that is there already, with another header, the samples
 * cannot be shown.
 *
 * @ret_refused  how many families could not be joined
 * Return        0 | -EBADMSG @data was not packed by skep_exposition_pack()
 */
int skep_exposition_join(struct skep_exposition *exposition, const void *data, size_t size,
			 uint32_t *ret_refused);

/** The media type, as a reply names it. */
const char *skep_metrics_content_type(enum skep_metrics_format format);
/** Which format a request's Accept wants (NULL: it has none): the one of the greatest q. */
enum skep_metrics_format skep_metrics_accept(const char *accept);

#endif
