/* See target.h. */
#include "http/target.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/http.h>

#include "base/arena.h"

#define PORT 80

static bool is_http(const struct evhttp_uri *uri)
{
	const char *scheme = evhttp_uri_get_scheme(uri), *host = evhttp_uri_get_host(uri);

	return scheme && !strcasecmp(scheme, "http") && host && host[0];
}

/* "[::1]" is "::1" to who connects. */
static char *host_of(const struct evhttp_uri *uri)
{
	const char *host = evhttp_uri_get_host(uri);
	bool has_brackets = host[0] == '[' && host[strlen(host) - 1] == ']';
	char *ret = skep_xstrdup(has_brackets ? host + 1 : host);

	if (has_brackets)
		ret[strlen(ret) - 1] = '\0';
	return ret;
}

int skep_http_target_init(const char *url, struct skep_http_target *ret)
{
	struct evhttp_uri *uri = evhttp_uri_parse(url);

	if (!uri || !is_http(uri)) {
		if (uri)
			evhttp_uri_free(uri);
		return -EINVAL;
	}
	*ret = (struct skep_http_target){.uri = uri, .host = host_of(uri)};
	return 0;
}

void skep_http_target_done(struct skep_http_target *target)
{
	skep_http_hang_up(target);
	if (target->uri)
		evhttp_uri_free(target->uri);
	free(target->host);
	*target = (struct skep_http_target){0};
}

const char *skep_http_target_user(const struct skep_http_target *target)
{
	return evhttp_uri_get_userinfo(target->uri);
}

void skep_http_hang_up(struct skep_http_target *target)
{
	if (target->connection)
		evhttp_connection_free(target->connection);
	if (target->names)
		evdns_base_free(target->names, 0);
	target->connection = NULL;
	target->names = NULL;
}

/* Not by the C library: it waits, and where it is linked in statically it knows no names. Both
 * files are read anew for each connection. Without them there are their defaults. */
void skep_http_connect(struct skep_http_target *target, struct event_base *base, int timeout_s,
		       size_t body_most)
{
	int port = evhttp_uri_get_port(target->uri);

	skep_http_hang_up(target);
	target->names = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!target->names)
		skep_oom();
	evdns_base_resolv_conf_parse(target->names, DNS_OPTIONS_ALL, "/etc/resolv.conf");
	target->connection = evhttp_connection_base_new(base, target->names, target->host,
							port > 0 ? (uint16_t)port : PORT);
	if (!target->connection)
		skep_oom();
	evhttp_connection_set_timeout(target->connection, timeout_s);
	evhttp_connection_set_max_body_size(target->connection, (ev_ssize_t)body_most);
}

void skep_http_add_headers(const struct skep_http_target *target, struct evhttp_request *request)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	int port = evhttp_uri_get_port(target->uri);
	char host[300];

	snprintf(host, sizeof(host), port > 0 ? "%s:%d" : "%s", evhttp_uri_get_host(target->uri),
		 port);
	evhttp_add_header(headers, "Host", host);
	evhttp_add_header(headers, "User-Agent", "skep/" SKEP_VERSION);
	evhttp_add_header(headers, "Connection", "close");
}
