/* Reading the iterators among a script's probes. */
#ifndef SKEP_TRACE_RUN_ITER_H
#define SKEP_TRACE_RUN_ITER_H

#include <stdbool.h>

#include <skep/load.h>

/**
 * Read every iterator of @session to its end, in the order they were attached.
 *
 * @between  called after every few objects; false: enough
 * Return    0 | -ECANCELED @between said so | -errno of read(2)
 */
int skep_iters_read(const struct skep_session *session, bool (*between)(void *ctx), void *ctx);

#endif
