/* skep trace -l. */
#ifndef SKEP_CMD_TRACE_LIST_H
#define SKEP_CMD_TRACE_LIST_H

#include <stdbool.h>

struct skep_buf;
struct skep_expand;
struct skep_params;
struct skep_source;

/** Probes ("tracepoint:sched:*") and kernel types ("struct file") that match, one a line. */
int skep_list_pattern(struct skep_expand *expand, const char *pattern, bool verbose,
		      struct skep_buf *out);
/** The places that a script's probes mean. */
int skep_list_script(struct skep_expand *expand, const struct skep_source *source,
		     const struct skep_params *params, struct skep_buf *out);

#endif
