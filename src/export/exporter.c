#include "export/exporter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "export/address.h"
#include "export/channel.h"
#include "export/server.h"

struct skep_exporter {
	struct skep_loop loop;
	struct skep_server *server; /* one of the two */
	struct skep_channel *channel;
	char *url;
	skep_collect_fn fn;
	void *ctx;
};

static void on_scrape(void *ctx, struct skep_scrape *scrape)
{
	struct skep_exporter *exporter = ctx;
	struct skep_exposition exposition = {.format = skep_scrape_format(scrape)};

	exporter->fn(exporter->ctx, &exposition);
	skep_scrape_answer(scrape, &exposition);
	skep_exposition_done(&exposition);
}

static int no_memory(struct skep_diag *diag, const char *address)
{
	return skep_diag_fail(diag, -ENOMEM, SKEP_DIAG_METRICS_LISTEN, SKEP_NOWHERE, address,
			      strerror(ENOMEM));
}

static int open_server(struct skep_exporter *exporter, const char *address, struct skep_diag *diag)
{
	int fd = skep_address_listen(address, &exporter->url, diag);

	if (fd < 0)
		return fd;
	int err = skep_server_new(&exporter->loop, fd, on_scrape, exporter, &exporter->server);
	return err ? no_memory(diag, address) : 0;
}

/* "fd:3"; -1: not of this form. */
static int inherited_fd(const char *address)
{
	char *end;

	if (strncmp(address, "fd:", 3) != 0 || address[3] < '0' || address[3] > '9')
		return -1;
	unsigned long fd = strtoul(address + 3, &end, 10);
	return *end || fd > 1 << 20 ? -1 : (int)fd;
}

int skep_exporter_open(const char *address, skep_collect_fn fn, void *ctx,
		       struct skep_exporter **ret, struct skep_diag *diag)
{
	struct skep_exporter *exporter = skep_xcalloc(1, sizeof(*exporter));
	int fd = inherited_fd(address), err;

	exporter->fn = fn;
	exporter->ctx = ctx;
	if (skep_loop_init(&exporter->loop)) {
		err = no_memory(diag, address);
	} else if (fd < 0) {
		err = open_server(exporter, address, diag);
	} else if ((err = skep_channel_new(&exporter->loop, fd, fn, ctx, &exporter->channel))) {
		skep_diag_add(diag, SKEP_DIAG_METRICS_LISTEN, SKEP_NOWHERE, address,
			      strerror(-err));
		skep_diag_try(diag, "only skep export gives such a descriptor: a port");
	}
	if (err)
		skep_exporter_free(exporter);
	else
		*ret = exporter;
	return err;
}

void skep_exporter_free(struct skep_exporter *exporter)
{
	if (!exporter)
		return;
	skep_server_free(exporter->server);
	skep_channel_free(exporter->channel);
	skep_loop_done(&exporter->loop);
	free(exporter->url);
	free(exporter);
}

const char *skep_exporter_url(const struct skep_exporter *exporter)
{
	return exporter->url;
}

const struct skep_export_identity *skep_exporter_identity(const struct skep_exporter *exporter)
{
	return exporter->channel ? skep_channel_identity(exporter->channel) : NULL;
}

void skep_exporter_poll(struct skep_exporter *exporter, struct pollfd *fds, size_t n,
			int timeout_ms)
{
	skep_loop_poll(&exporter->loop, fds, n, timeout_ms);
}

bool skep_exporter_is_orphan(const struct skep_exporter *exporter)
{
	return exporter->channel && skep_channel_is_closed(exporter->channel);
}
