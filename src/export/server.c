/* Metrics by HTTP, see server.h. */
#include "export/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "export/http.h"

struct skep_server {
	struct skep_http *http;
	skep_scrape_fn fn;
	void *ctx;
};

struct skep_scrape {
	struct skep_http_request *request;
	enum skep_metrics_format format;
};

static void on_metrics(void *ctx, struct skep_http_request *request)
{
	struct skep_server *server = ctx;
	struct skep_scrape *scrape = skep_xcalloc(1, sizeof(*scrape));

	scrape->request = request;
	scrape->format = skep_metrics_accept(skep_http_header(request, "Accept"));
	server->fn(server->ctx, scrape);
}

static void on_root(void *ctx, struct skep_http_request *request)
{
	static const char text[] = "skep " SKEP_VERSION ": metrics are at /metrics\n";

	skep_http_answer(request, 200, "text/plain; charset=utf-8", text, sizeof(text) - 1);
}

enum skep_metrics_format skep_scrape_format(const struct skep_scrape *scrape)
{
	return scrape->format;
}

void skep_scrape_answer(struct skep_scrape *scrape, const struct skep_exposition *exposition)
{
	_cleanup_buf_ struct skep_buf body = {0};

	skep_exposition_render(exposition, &body);
	skep_http_answer(scrape->request, 200, skep_metrics_content_type(exposition->format),
			 body.data, body.len);
	free(scrape);
}

int skep_server_new(struct skep_loop *loop, int fd, skep_scrape_fn fn, void *ctx,
		    struct skep_server **ret)
{
	struct skep_server *server = skep_xcalloc(1, sizeof(*server));
	int err = skep_http_new(loop, fd, &server->http);

	if (err) {
		free(server);
		return err;
	}
	server->fn = fn;
	server->ctx = ctx;
	skep_http_on(server->http, "/metrics", on_metrics, server);
	skep_http_on(server->http, "/", on_root, NULL);
	*ret = server;
	return 0;
}

void skep_server_free(struct skep_server *server)
{
	if (!server)
		return;
	skep_http_free(server->http);
	free(server);
}
