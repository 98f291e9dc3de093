/*
 * A running script's maps and losses as metrics: read when somebody asks, and
 * served from the loop that runs the script.
 */
#ifndef SKEP_TRACE_RUN_METRICS_H
#define SKEP_TRACE_RUN_METRICS_H

#include "export/exporter.h"
#include "trace/run/maps.h"
#include "trace/run/output.h"

struct skep_session;
struct skep_watch;

/** What they are read from, once it is there; all borrowed. */
struct skep_metrics_source {
	const struct skep_trace_program *program;
	const struct skep_map_reader *maps;
	struct skep_session *session;
	const struct skep_watch *watch;
	const struct skep_output *out; /* whose symbols and stacks are taken */
	uint32_t n_attached;           /* places */
};

struct skep_metrics;

/** Listen at @address; nothing is answered before skep_metrics_start().
 *  Return 0 | -errno (see @diag) */
int skep_metrics_open(const struct skep_trace_program *program, const char *address,
		      const char *file, struct skep_metrics **ret, struct skep_diag *diag);
void skep_metrics_start(struct skep_metrics *metrics, const struct skep_metrics_source *source);
void skep_metrics_free(struct skep_metrics *metrics);
/** Where they are served; NULL: not by HTTP. */
const char *skep_metrics_url(const struct skep_metrics *metrics);
/** poll() for @fds, and requests are answered meanwhile; see skep_loop_poll().
 *  Return whether there is nobody any more who could ask */
bool skep_metrics_poll(struct skep_metrics *metrics, struct pollfd *fds, size_t n, int timeout_ms);

/** How much was lost for cause @i of enum skep_loss, or of map @i - SKEP_LOSS_CNT, being full. */
uint64_t skep_metrics_lost(const struct skep_metrics_source *source, uint32_t i);

#endif
