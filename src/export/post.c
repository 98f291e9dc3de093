/* Posting by libevent's evhttp, see post.h: a connection for each request. */
#include "export/post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "base/arena.h"

#define TIMEOUT_S         10
#define ANSWER_BYTES_MOST (64 << 10)
#define PORT              80

struct skep_post {
	struct evhttp_uri *uri;
	char *host;                           /* without brackets; owned */
	struct evhttp_connection *connection; /* of the last request; NULL: there was none */
	bool is_busy;                         /* that is under way */
	skep_post_fn fn;
	void *ctx;
};

static bool is_http(const struct evhttp_uri *uri)
{
	const char *scheme = evhttp_uri_get_scheme(uri), *host = evhttp_uri_get_host(uri);

	return scheme && !strcasecmp(scheme, "http") && host && host[0];
}

/* What is given in an address is in every list of processes: no place for a password. */
static int refuse_user(const struct evhttp_uri *uri, struct skep_diag *diag)
{
	skep_diag_add(diag, SKEP_DIAG_POST_URL, SKEP_NOWHERE, evhttp_uri_get_host(uri));
	skep_diag_try(diag, "the address without user and password; a collector on this machine "
			    "can add them");
	return -EINVAL;
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

int skep_post_new(const char *url, struct skep_post **ret, struct skep_diag *diag)
{
	struct evhttp_uri *uri = evhttp_uri_parse(url);
	int err = 0;

	if (!uri || !is_http(uri))
		err = skep_diag_fail(diag, -EINVAL, SKEP_DIAG_POST_URL, SKEP_NOWHERE, url);
	else if (evhttp_uri_get_userinfo(uri))
		err = refuse_user(uri, diag);
	if (err) {
		if (uri)
			evhttp_uri_free(uri);
		return err;
	}
	*ret = skep_xcalloc(1, sizeof(**ret));
	(*ret)->uri = uri;
	(*ret)->host = host_of(uri);
	return 0;
}

void skep_post_free(struct skep_post *post)
{
	if (!post)
		return;
	if (post->connection)
		evhttp_connection_free(post->connection);
	evhttp_uri_free(post->uri);
	free(post->host);
	free(post);
}

const char *skep_post_path(const struct skep_post *post)
{
	const char *path = evhttp_uri_get_path(post->uri);

	return path ? path : "";
}

const char *skep_post_query(const struct skep_post *post)
{
	const char *query = evhttp_uri_get_query(post->uri);

	return query ? query : "";
}

bool skep_post_is_busy(const struct skep_post *post)
{
	return post->is_busy;
}

/* @request is NULL where nobody answered in time. The connection, which is closed, is at work
 * still: it goes when another is needed, or with the last of all. */
static void on_answer(struct evhttp_request *request, void *ctx)
{
	struct skep_post *post = ctx;

	post->fn(post->ctx, request ? evhttp_request_get_response_code(request) : 0);
	post->is_busy = false;
}

static void add_headers(const struct skep_post *post, struct evhttp_request *request,
			const struct skep_post_body *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	int port = evhttp_uri_get_port(post->uri);
	char host[300];

	snprintf(host, sizeof(host), port > 0 ? "%s:%d" : "%s", evhttp_uri_get_host(post->uri),
		 port);
	evhttp_add_header(headers, "Host", host);
	evhttp_add_header(headers, "User-Agent", "skep/" SKEP_VERSION);
	evhttp_add_header(headers, "Content-Type", body->type);
	evhttp_add_header(headers, "Connection", "close");
}

int skep_post_send(struct skep_post *post, struct skep_loop *loop,
		   const struct skep_post_body *body, skep_post_fn fn, void *ctx)
{
	int port = evhttp_uri_get_port(post->uri);

	if (post->is_busy)
		return -EBUSY;
	if (post->connection)
		evhttp_connection_free(post->connection);
	struct evhttp_request *request = evhttp_request_new(on_answer, post);
	post->connection = evhttp_connection_base_new(loop->base, NULL, post->host,
						      port > 0 ? (uint16_t)port : PORT);
	if (!request || !post->connection)
		skep_oom();
	post->is_busy = true;
	post->fn = fn;
	post->ctx = ctx;
	evhttp_connection_set_timeout(post->connection, TIMEOUT_S);
	evhttp_connection_set_max_body_size(post->connection, ANSWER_BYTES_MOST);
	add_headers(post, request, body);
	evbuffer_add(evhttp_request_get_output_buffer(request), body->data, body->bytes);
	/* Owns the request from here on, also if it fails. */
	if (evhttp_make_request(post->connection, request, EVHTTP_REQ_POST, body->path)) {
		post->is_busy = false;
		return -ENOMEM;
	}
	return 0;
}
