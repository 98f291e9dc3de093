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
	struct evhttp_connection *connection; /* NULL: nothing is under way */
	skep_post_fn fn;
	void *ctx;
};

int skep_post_new(const char *url, struct skep_post **ret, struct skep_diag *diag)
{
	struct evhttp_uri *uri = evhttp_uri_parse(url);
	const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
	const char *host = uri ? evhttp_uri_get_host(uri) : NULL;

	if (!scheme || strcmp(scheme, "http") != 0 || !host || !host[0]) {
		if (uri)
			evhttp_uri_free(uri);
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_POST_URL, SKEP_NOWHERE, url);
	}
	*ret = skep_xcalloc(1, sizeof(**ret));
	(*ret)->uri = uri;
	return 0;
}

void skep_post_free(struct skep_post *post)
{
	if (!post)
		return;
	if (post->connection)
		evhttp_connection_free(post->connection);
	evhttp_uri_free(post->uri);
	free(post);
}

const char *skep_post_path(const struct skep_post *post)
{
	const char *path = evhttp_uri_get_path(post->uri);

	return path ? path : "";
}

bool skep_post_is_busy(const struct skep_post *post)
{
	return post->connection;
}

/* @request is NULL where nobody answered in time. */
static void on_answer(struct evhttp_request *request, void *ctx)
{
	struct skep_post *post = ctx;

	evhttp_connection_free_on_completion(post->connection);
	post->connection = NULL;
	post->fn(post->ctx, request ? evhttp_request_get_response_code(request) : 0);
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

	if (post->connection)
		return -EBUSY;
	struct evhttp_request *request = evhttp_request_new(on_answer, post);
	post->connection = evhttp_connection_base_new(
		loop->base, NULL, evhttp_uri_get_host(post->uri), port > 0 ? (uint16_t)port : PORT);
	if (!request || !post->connection)
		skep_oom();
	post->fn = fn;
	post->ctx = ctx;
	evhttp_connection_set_timeout(post->connection, TIMEOUT_S);
	evhttp_connection_set_max_body_size(post->connection, ANSWER_BYTES_MOST);
	add_headers(post, request, body);
	evbuffer_add(evhttp_request_get_output_buffer(request), body->data, body->bytes);
	/* Owns the request from here on, also if it fails. */
	if (evhttp_make_request(post->connection, request, EVHTTP_REQ_POST, body->path)) {
		evhttp_connection_free(post->connection);
		post->connection = NULL;
		return -ENOMEM;
	}
	return 0;
}
