/* See get.h. What comes is written as it comes: a file may be larger than what memory there is. */
#include "http/get.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/target.h"

#define OK 200

struct getting {
	const struct skep_http_get *get;
	struct event_base *base;
	int status; /* what skep_http_get() returns */
};

/* libevent frees what nobody takes. */
static void on_part(struct evhttp_request *request, void *ctx)
{
	struct getting *getting = ctx;
	struct evbuffer *part = evhttp_request_get_input_buffer(request);

	if (evhttp_request_get_response_code(request) != OK || getting->status < 0)
		return;
	for (size_t left = evbuffer_get_length(part); left;) {
		int n = evbuffer_write(part, getting->get->fd);
		if (n <= 0) {
			getting->status = n < 0 ? -errno : -EIO;
			event_base_loopbreak(getting->base);
			return;
		}
		left = evbuffer_get_length(part);
	}
}

/* @request is NULL where nobody answered, or not in full. */
static void on_end(struct evhttp_request *request, void *ctx)
{
	struct getting *getting = ctx;

	if (getting->status >= 0)
		getting->status = request ? evhttp_request_get_response_code(request) : 0;
	event_base_loopbreak(getting->base);
}

/* The address's own path, without a slash at its end, and ours. */
static void put_path(const struct skep_http_target *target, const char *path, struct skep_buf *ret)
{
	const char *own = evhttp_uri_get_path(target->uri);
	size_t n = own ? strlen(own) : 0;

	while (n && own[n - 1] == '/')
		n--;
	skep_buf_add(ret, own ? own : "", n);
	skep_buf_addc(ret, '/');
	skep_buf_puts(ret, path);
}

static int ask(struct getting *getting, struct skep_http_target *target)
{
	_cleanup_buf_ struct skep_buf path = {0};
	struct evhttp_request *request = evhttp_request_new(on_end, getting);

	if (!request)
		skep_oom();
	skep_http_connect(target, getting->base, getting->get->timeout_s, getting->get->most);
	put_path(target, getting->get->path, &path);
	evhttp_request_set_chunked_cb(request, on_part);
	skep_http_add_headers(target, request);
	/* owns the request from here on, also if it fails */
	if (!evhttp_make_request(target->connection, request, EVHTTP_REQ_GET, path.data))
		event_base_dispatch(getting->base);
	return getting->status;
}

int skep_http_get(const struct skep_http_get *get)
{
	struct getting getting = {.get = get};
	struct skep_http_target target;
	int status = -EINVAL;

	if (skep_http_target_init(get->url, &target))
		return -EINVAL;
	getting.base = event_base_new();
	if (!getting.base)
		skep_oom();
	if (!skep_http_target_user(&target))
		status = ask(&getting, &target);
	skep_http_target_done(&target);
	event_base_free(getting.base);
	return status;
}
