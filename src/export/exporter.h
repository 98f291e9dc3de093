/*
 * Metrics of one running script, served while it runs: by HTTP at an address, or
 * to the `skep export` that started it ("fd:N", see channel.h).
 */
#ifndef SKEP_EXPORT_EXPORTER_H
#define SKEP_EXPORT_EXPORTER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include <skep/diag.h>

#include "export/identity.h"

struct skep_exporter;

/** Fills @exposition, whose format is set. Called within skep_exporter_poll() only. */
typedef void (*skep_collect_fn)(void *ctx, struct skep_exposition *exposition);

/** @address  see skep_address_listen()
 *  Return    0 | -EINVAL | -errno (see @diag) */
int skep_exporter_open(const char *address, skep_collect_fn fn, void *ctx,
		       struct skep_exporter **ret, struct skep_diag *diag);
void skep_exporter_free(struct skep_exporter *exporter);
/** Where it is served; NULL: not by HTTP. */
const char *skep_exporter_url(const struct skep_exporter *exporter);
/** What the script's metrics are to be called; NULL: nobody said. */
const struct skep_export_identity *skep_exporter_identity(const struct skep_exporter *exporter);
/** poll() for @fds, and requests are answered meanwhile; see skep_loop_poll(). */
void skep_exporter_poll(struct skep_exporter *exporter, struct pollfd *fds, size_t n,
			int timeout_ms);
/** Is there nobody any more who could ask? */
bool skep_exporter_is_orphan(const struct skep_exporter *exporter);

#endif
