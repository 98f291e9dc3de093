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
#include "http/target.h"

#define TIMEOUT_S         10
#define ANSWER_BYTES_MOST (64 << 10)

struct skep_post {
	struct skep_http_target target;
	bool is_busy; /* a request is under way */
	skep_post_fn fn;
	void *ctx;
};

/* What is given in an address is in every list of processes: no place for a password. */
static int refuse_user(const struct skep_http_target *target, struct skep_diag *diag)
{
	skep_diag_add(diag, SKEP_DIAG_POST_URL, SKEP_NOWHERE, target->host);
	skep_diag_try(diag, "the address without user and password; a collector on this machine "
			    "can add them");
	return -EINVAL;
}

int skep_post_new(const char *url, struct skep_post **ret, struct skep_diag *diag)
{
	struct skep_http_target target;
	int err = skep_http_target_init(url, &target);

	if (err)
		return skep_diag_fail(diag, err, SKEP_DIAG_POST_URL, SKEP_NOWHERE, url);
	if (skep_http_target_user(&target)) {
		err = refuse_user(&target, diag);
		skep_http_target_done(&target);
		return err;
	}
	*ret = skep_xcalloc(1, sizeof(**ret));
	(*ret)->target = target;
	return 0;
}

void skep_post_free(struct skep_post *post)
{
	if (!post)
		return;
	skep_http_target_done(&post->target);
	free(post);
}

const char *skep_post_path(const struct skep_post *post)
{
	const char *path = evhttp_uri_get_path(post->target.uri);

	return path ? path : "";
}

const char *skep_post_query(const struct skep_post *post)
{
	const char *query = evhttp_uri_get_query(post->target.uri);

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

int skep_post_send(struct skep_post *post, struct skep_loop *loop,
		   const struct skep_post_body *body, skep_post_fn fn, void *ctx)
{
	if (post->is_busy)
		return -EBUSY;
	struct evhttp_request *request = evhttp_request_new(on_answer, post);
	if (!request)
		skep_oom();
	skep_http_connect(&post->target, loop->base, TIMEOUT_S, ANSWER_BYTES_MOST);
	post->is_busy = true;
	post->fn = fn;
	post->ctx = ctx;
	skep_http_add_headers(&post->target, request);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", body->type);
	evbuffer_add(evhttp_request_get_output_buffer(request), body->data, body->bytes);
	/* Owns the request from here on, also if it fails. */
	if (evhttp_make_request(post->target.connection, request, EVHTTP_REQ_POST, body->path)) {
		post->is_busy = false;
		return -ENOMEM;
	}
	return 0;
}
