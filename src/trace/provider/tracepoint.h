/* What other providers ask of the tracepoints. */
#ifndef SKEP_TRACE_TRACEPOINT_H
#define SKEP_TRACE_TRACEPOINT_H

#include "trace/provider/provider.h"

/** Add "CATEGORY:EVENT", on x->arena and sorted, for all that match both patterns.
 *  Return 0 | -errno tracefs cannot be read (see x->diag) */
int skep_tracepoint_match(struct skep_expand *x, const char *category, const char *event,
			  struct skep_names *names);

#endif
