/* Metrics by HTTP: GET and HEAD of /metrics. What bounds it is in http.h. */
#ifndef SKEP_EXPORT_SERVER_H
#define SKEP_EXPORT_SERVER_H

#include "export/loop.h"
#include "sink/metrics.h"

struct skep_server;

/** One request for the metrics, until it is answered. */
struct skep_scrape;

typedef void (*skep_scrape_fn)(void *ctx, struct skep_scrape *scrape);

/** @fd  listens; owned by the server also after an error
 *  @fn  called for each request; must answer it, then or later
 *  Return 0 | -ENOMEM */
int skep_server_new(struct skep_loop *loop, int fd, skep_scrape_fn fn, void *ctx,
		    struct skep_server **ret);
/** Closes all connections. Scrapes not answered yet must be, before. */
void skep_server_free(struct skep_server *server);

enum skep_metrics_format skep_scrape_format(const struct skep_scrape *scrape);
/** Send the exposition; @scrape is gone then. Who asked may be gone before. */
void skep_scrape_answer(struct skep_scrape *scrape, const struct skep_exposition *exposition);

#endif
