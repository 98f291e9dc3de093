/* What each format brings; the rows are in exposition.c. */
#ifndef SKEP_SINK_METRICS_IMPL_H
#define SKEP_SINK_METRICS_IMPL_H

#include "sink/metrics.h"

struct skep_metrics_writer {
	const char *content_type;
	void (*header)(const struct skep_family *family, struct skep_buf *buf);
	void (*value)(const struct skep_family *family, const struct skep_labels *labels,
		      double value, struct skep_buf *buf);
	void (*summary)(const struct skep_family *family, const struct skep_labels *labels,
			uint64_t count, double sum, struct skep_buf *buf);
	void (*histogram)(const struct skep_family *family, const struct skep_labels *labels,
			  const struct skep_metric_hist *hist, struct skep_buf *buf);
	/** One whole family. */
	void (*family)(const struct skep_exposed_family *family, struct skep_buf *buf);
	const char *end; /* of the document */
};

extern const struct skep_metrics_writer skep_metrics_plain, skep_metrics_openmetrics,
	skep_metrics_protobuf;

/** A label's value made valid UTF-8 and short enough, each piece given to @add. */
void skep_label_pieces(const struct skep_label *label,
		       void (*add)(struct skep_buf *buf, const char *piece, size_t len),
		       struct skep_buf *buf);

#endif
