#include "export/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/arena.h"
#include "base/fd.h"

#define IDENTITY_BYTES_MOST (1u << 20)

struct skep_channel {
	struct bufferevent *socket;
	struct skep_export_identity identity;
	skep_channel_fn fn;
	void *ctx;
	bool is_closed;
};

static int read_all(int fd, void *data, size_t size)
{
	ssize_t n = recv(fd, data, size, MSG_WAITALL);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EBADMSG;
}

static int read_identity(int fd, struct skep_export_identity *ret)
{
	_cleanup_free_ char *data = NULL;
	uint32_t size;
	int err = read_all(fd, &size, sizeof(size));

	if (!err && size > IDENTITY_BYTES_MOST)
		err = -EBADMSG;
	if (err)
		return err;
	data = skep_xcalloc(size + 1, 1);
	err = read_all(fd, data, size);
	return err ? err : skep_export_identity_unpack(data, size, ret);
}

static void answer(struct skep_channel *channel, const struct skep_channel_ask *ask)
{
	struct skep_exposition exposition = {.format = (enum skep_metrics_format)ask->format};
	_cleanup_buf_ struct skep_buf packed = {0};

	channel->fn(channel->ctx, &exposition);
	skep_exposition_pack(&exposition, &packed);
	struct skep_channel_reply reply = {ask->number, (uint32_t)packed.len};
	bufferevent_write(channel->socket, &reply, sizeof(reply));
	bufferevent_write(channel->socket, packed.data, packed.len);
	skep_exposition_done(&exposition);
}

/* One that asks while the last answer has not gone asks in vain: it did not take it in its time. */
static void on_read(struct bufferevent *socket, void *ctx)
{
	struct skep_channel *channel = ctx;
	struct evbuffer *input = bufferevent_get_input(socket);
	struct skep_channel_ask ask;

	while (evbuffer_get_length(input) >= sizeof(ask)) {
		evbuffer_remove(input, &ask, sizeof(ask));
		if (ask.format < SKEP_METRICS_FORMAT_CNT &&
		    !evbuffer_get_length(bufferevent_get_output(socket)))
			answer(channel, &ask);
	}
}

static void on_end(struct bufferevent *socket, short what, void *ctx)
{
	struct skep_channel *channel = ctx;

	channel->is_closed = true;
	bufferevent_disable(socket, EV_READ | EV_WRITE);
}

static bool is_socket(int fd)
{
	struct stat what;

	return !fstat(fd, &what) && S_ISSOCK(what.st_mode);
}

int skep_channel_new(struct skep_loop *loop, int fd, skep_channel_fn fn, void *ctx,
		     struct skep_channel **ret)
{
	struct skep_channel *channel;
	struct skep_export_identity identity;

	if (!is_socket(fd))
		return -ENOTSOCK;
	int err = read_identity(fd, &identity);
	if (err) {
		close(fd);
		return err;
	}
	channel = skep_xcalloc(1, sizeof(*channel));
	*channel = (struct skep_channel){.identity = identity, .fn = fn, .ctx = ctx};
	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	channel->socket = bufferevent_socket_new(loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!channel->socket) {
		close(fd);
		skep_channel_free(channel);
		return -ENOMEM;
	}
	bufferevent_setcb(channel->socket, on_read, NULL, on_end, channel);
	bufferevent_enable(channel->socket, EV_READ | EV_WRITE);
	*ret = channel;
	return 0;
}

void skep_channel_free(struct skep_channel *channel)
{
	if (!channel)
		return;
	if (channel->socket)
		bufferevent_free(channel->socket);
	skep_export_identity_done(&channel->identity);
	free(channel);
}

const struct skep_export_identity *skep_channel_identity(const struct skep_channel *channel)
{
	return &channel->identity;
}

bool skep_channel_is_closed(const struct skep_channel *channel)
{
	return channel->is_closed;
}
