/*
 * An HTTP server for GET and HEAD, by libevent's evhttp.
 *
 * Connections, the sizes of requests and how long nothing may happen are bounded. Where
 * there are more connections than allowed the one that was accepted first goes, unless it waits for
 * us: so whoever holds them all does not keep others away for long.
 */
#ifndef SKEP_EXPORT_HTTP_H
#define SKEP_EXPORT_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "export/loop.h"

struct skep_http;

/** One request, until it is answered. */
struct skep_http_request;

/** @request must be answered, then or later. */
typedef void (*skep_http_fn)(void *ctx, struct skep_http_request *request);

/** @fd  listens; owned by the server also after an error.  Return 0 | -ENOMEM */
int skep_http_new(struct skep_loop *loop, int fd, struct skep_http **ret);
/** Closes all connections. Requests not answered yet must be, before. NULL is fine. */
void skep_http_free(struct skep_http *http);
/** @path  the whole of it, as "/metrics"; borrowed during the call. All others are answered 404. */
void skep_http_on(struct skep_http *http, const char *path, skep_http_fn fn, void *ctx);
/**
 * Answer 403 to whoever did not ask for this machine by an address, as localhost, or by its own
 * name: a page from elsewhere, whose name now leads here, could otherwise read what is served.
 */
void skep_http_check_host(struct skep_http *http);

/** Has who asked closed the connection? Then its answer goes nowhere. */
bool skep_http_is_gone(const struct skep_http_request *request);
/** A header, or what follows "?" by its name, decoded; NULL: it is not there. Who has anything else
 *  behind "?" than NAME=VALUE&… is answered 400. */
const char *skep_http_header(const struct skep_http_request *request, const char *name);
const char *skep_http_query(const struct skep_http_request *request, const char *name);
/** For the answer. */
void skep_http_add_header(struct skep_http_request *request, const char *name, const char *value);
/**
 * Answer; @request is gone then. Who asked may be gone before.
 *
 * @status  200, 400, …
 */
void skep_http_answer(struct skep_http_request *request, int status, const char *type,
		      const void *data, size_t bytes);

#endif
