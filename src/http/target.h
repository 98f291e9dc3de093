/* Whom HTTP is spoken to, by requests of libevent's. No HTTPS: what is beyond this machine is
 * reached through a server here, or a tunnel. */
#ifndef SKEP_HTTP_TARGET_H
#define SKEP_HTTP_TARGET_H

#include <stddef.h>

struct event_base;
struct evhttp_connection;
struct evhttp_request;
struct evhttp_uri;

struct skep_http_target {
	struct evhttp_uri *uri; /* owned */
	char *host;             /* as who connects wants it: without brackets; owned */
};

/** @url  "http://HOST[:PORT][/PATH][?QUERY]", HOST a name, a number or [a:b::c].
 *  Return 0 | -EINVAL it is none; *@ret is untouched */
int skep_http_target_init(const char *url, struct skep_http_target *ret);
/** One that is zero is fine. */
void skep_http_target_done(struct skep_http_target *target);
/** What of the address names a user, who is then in every list of processes; NULL: nothing. */
const char *skep_http_target_user(const struct skep_http_target *target);
/**
 * A connection for one request, which is given up when nothing comes for @timeout_s seconds, or a
 * body of more than @body_most bytes. A name is looked up when it is used, as long as that takes.
 *
 * Return  the caller's: evhttp_connection_free()
 */
struct evhttp_connection *skep_http_connect(const struct skep_http_target *target,
					    struct event_base *base, int timeout_s,
					    size_t body_most);
/** Those that each request has. */
void skep_http_add_headers(const struct skep_http_target *target, struct evhttp_request *request);

#endif
