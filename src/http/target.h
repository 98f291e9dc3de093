/* Whom HTTP is spoken to, by requests of libevent's. No HTTPS: what is beyond this machine is
 * reached through a server here, or a tunnel. */
#ifndef SKEP_HTTP_TARGET_H
#define SKEP_HTTP_TARGET_H

#include <stddef.h>

struct evdns_base;
struct event_base;
struct evhttp_connection;
struct evhttp_request;
struct evhttp_uri;

struct skep_http_target {
	struct evhttp_uri *uri; /* owned */
	char *host;             /* as who connects wants it: without brackets; owned */
	struct evhttp_connection *connection; /* the last that was made; owned; NULL: none */
	struct evdns_base *names;             /* by which that looks its host up; owned */
};

/** @url  "http://HOST[:PORT][/PATH][?QUERY]", HOST a name, a number or [a:b::c].
 *  Return 0 | -EINVAL it is none; *@ret is untouched */
int skep_http_target_init(const char *url, struct skep_http_target *ret);
/** One that is zero is fine; before the loop of its connection ends. */
void skep_http_target_done(struct skep_http_target *target);
/** What of the address names a user, who is then in every list of processes; NULL: nothing. */
const char *skep_http_target_user(const struct skep_http_target *target);
/**
 * A connection for one request, in place of the one before, which is given up when nothing comes
 * for @timeout_s seconds, or a body of more than @body_most bytes. Names are looked up as
 * /etc/hosts and /etc/resolv.conf say, while the loop @base goes on.
 */
void skep_http_connect(struct skep_http_target *target, struct event_base *base, int timeout_s,
		       size_t body_most);
/** Let the connection go, if there is one: whoever waits for an answer is not told. */
void skep_http_hang_up(struct skep_http_target *target);
/** Those that each request has. */
void skep_http_add_headers(const struct skep_http_target *target, struct evhttp_request *request);

#endif
