/*
 * See http.h. evhttp tells of a connection only when a request has come; so it is asked for the
 * sockets instead, which it lets us make (bevcb), and these are looked at once it has put
 * the accepted descriptor into them (see note_socket()). Whether one is still that
 * connection its inode tells: numbers of descriptors are used again.
 */
#include "export/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"

#define CONNECTIONS_MOST  16
#define HEADER_BYTES_MOST 16384
#define IDLE_S            60

struct connection {
	int fd;
	ino_t inode;
	bool is_waiting; /* for its answer */
};

struct handler {
	struct skep_http *http; /* borrowed */
	skep_http_fn fn;
	void *ctx;
};

struct skep_http {
	struct evhttp *server;
	struct event_base *base;
	bool checks_host;
	SKEP_VEC(struct handler *) handlers;             /* owned, each */
	struct connection connections[CONNECTIONS_MOST]; /* the oldest first */
	size_t n_connections;
};

struct skep_http_request {
	struct skep_http *http;
	struct evhttp_request *request; /* NULL: who asked is gone */
	struct evkeyvalq query;
};

/* --- Connections ---------------------------------------------------------------------------- */

static bool is_open(const struct connection *connection)
{
	struct stat now;

	return !fstat(connection->fd, &now) && S_ISSOCK(now.st_mode) &&
	       now.st_ino == connection->inode;
}

static void forget_closed(struct skep_http *http)
{
	size_t n = 0;

	for (size_t i = 0; i < http->n_connections; i++) {
		if (is_open(&http->connections[i]))
			http->connections[n++] = http->connections[i];
	}
	http->n_connections = n;
}

/* Shut down, it is at its end for evhttp, which then closes it. Who waits for us is not sent away
 * for one who came later. Return false: all wait. */
static bool end_oldest(struct skep_http *http)
{
	struct connection *connections = http->connections;
	size_t i = 0;

	while (i < http->n_connections && connections[i].is_waiting)
		i++;
	if (i == http->n_connections)
		return false;
	shutdown(connections[i].fd, SHUT_RDWR);
	for (http->n_connections--; i < http->n_connections; i++)
		connections[i] = connections[i + 1];
	return true;
}

static void note_connection(struct skep_http *http, int fd)
{
	struct stat now;

	if (fd < 0 || fstat(fd, &now))
		return;
	forget_closed(http);
	if (http->n_connections == CONNECTIONS_MOST && !end_oldest(http)) {
		shutdown(fd, SHUT_RDWR);
		return;
	}
	http->connections[http->n_connections++] =
		(struct connection){.fd = fd, .inode = now.st_ino};
}

struct fresh {
	struct skep_http *http;
	struct bufferevent *socket;
};

/* Runs after accepting and before anything is read from the new connection, as for that the base
 * has to wait once more: the socket is still there. */
static void note_socket(evutil_socket_t none, short what, void *ctx)
{
	struct fresh *fresh = ctx;

	note_connection(fresh->http, bufferevent_getfd(fresh->socket));
	free(fresh);
}

static struct bufferevent *new_socket(struct event_base *base, void *ctx)
{
	struct fresh *fresh = skep_xcalloc(1, sizeof(*fresh));
	const struct timeval now = {0};

	fresh->http = ctx;
	fresh->socket = bufferevent_socket_new(base, -1, 0);
	if (!fresh->socket || event_base_once(base, -1, EV_TIMEOUT, note_socket, fresh, &now)) {
		if (fresh->socket)
			bufferevent_free(fresh->socket);
		free(fresh);
		return NULL; /* evhttp takes one of its own */
	}
	return fresh->socket;
}

/* --- Hosts ---------------------------------------------------------------------------------- */

static bool is_address(const char *host)
{
	struct in6_addr room;

	return inet_pton(AF_INET, host, &room) == 1 || inet_pton(AF_INET6, host, &room) == 1;
}

/* A name that somebody else can make lead here is none of these. */
static bool is_own_host(const char *given)
{
	char host[256], own[256] = "";
	const char *end = given ? strchr(given, ':') : NULL;

	if (!given)
		return true; /* no browser leaves it out */
	if (given[0] == '[') {
		given++;
		end = strchr(given, ']');
	}
	size_t len = end ? (size_t)(end - given) : strlen(given);
	if (len >= sizeof(host))
		return false;
	memcpy(host, given, len);
	host[len] = '\0';
	gethostname(own, sizeof(own) - 1);
	return is_address(host) || !strcasecmp(host, "localhost") || !strcasecmp(host, own);
}

/* --- Requests ------------------------------------------------------------------------------- */

static void set_waiting(struct skep_http *http, struct evhttp_request *request, bool is_waiting)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));

	for (size_t i = 0; i < http->n_connections; i++) {
		if (http->connections[i].fd == fd)
			http->connections[i].is_waiting = is_waiting;
	}
}

static void on_gone(struct evhttp_connection *connection, void *ctx)
{
	struct skep_http_request *request = ctx;

	request->request = NULL;
}

/* NAME=VALUE&…; a NUL in it would end what is compared. */
static bool take_query(const struct evhttp_request *asked, struct evkeyvalq *ret)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(asked));

	TAILQ_INIT(ret);
	if (!query || !query[0])
		return true;
	if (!strstr(query, "%00") && !evhttp_parse_query_str(query, ret))
		return true;
	TAILQ_INIT(ret);
	return false;
}

static void refuse(struct skep_http_request *request, int status, const char *why)
{
	skep_http_answer(request, status, "text/plain; charset=utf-8", why, strlen(why));
}

static void on_request(struct evhttp_request *asked, void *ctx)
{
	const struct handler *handler = ctx;
	struct skep_http_request *request = skep_xcalloc(1, sizeof(*request));
	bool is_whole = take_query(asked, &request->query);

	request->http = handler->http;
	request->request = asked;
	evhttp_connection_set_closecb(evhttp_request_get_connection(asked), on_gone, request);
	set_waiting(handler->http, asked, true);
	if (handler->http->checks_host && !is_own_host(skep_http_header(request, "Host")))
		refuse(request, 403,
		       "this is served to those who ask for this machine by an address, or as "
		       "localhost\n");
	else if (!is_whole)
		refuse(request, 400, "what follows \"?\" is NAME=VALUE&NAME=VALUE…\n");
	else
		handler->fn(handler->ctx, request);
}

static void on_other(struct evhttp_request *request, void *ctx)
{
	evhttp_send_error(request, HTTP_NOTFOUND, NULL);
}

/* evhttp tells of what it notices, which is not while there is nothing to be read or written. */
bool skep_http_is_gone(const struct skep_http_request *request)
{
	char byte;

	if (!request->request)
		return true;
	struct evhttp_connection *connection = evhttp_request_get_connection(request->request);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

const char *skep_http_header(const struct skep_http_request *request, const char *name)
{
	return request->request ? evhttp_find_header(
					  evhttp_request_get_input_headers(request->request), name)
				: NULL;
}

const char *skep_http_query(const struct skep_http_request *request, const char *name)
{
	return evhttp_find_header(&request->query, name);
}

void skep_http_add_header(struct skep_http_request *request, const char *name, const char *value)
{
	if (request->request)
		evhttp_add_header(evhttp_request_get_output_headers(request->request), name, value);
}

void skep_http_answer(struct skep_http_request *request, int status, const char *type,
		      const void *data, size_t bytes)
{
	struct evhttp_request *asked = request->request;
	struct skep_http *http = request->http;

	skep_http_add_header(request, "Content-Type", type);
	evhttp_clear_headers(&request->query);
	free(request);
	if (!asked)
		return;
	set_waiting(http, asked, false);
	evhttp_connection_set_closecb(evhttp_request_get_connection(asked), NULL, NULL);
	/* evhttp would send a body to HEAD, too */
	if (evhttp_request_get_command(asked) != EVHTTP_REQ_HEAD && bytes)
		evbuffer_add(evhttp_request_get_output_buffer(asked), data, bytes);
	evhttp_send_reply(asked, status, NULL, NULL);
}

/* --- The server ----------------------------------------------------------------------------- */

static void set_bounds(struct evhttp *server)
{
	evhttp_set_allowed_methods(server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(server, HEADER_BYTES_MOST);
	evhttp_set_max_body_size(server, 0);
	evhttp_set_timeout(server, IDLE_S);
}

int skep_http_new(struct skep_loop *loop, int fd, struct skep_http **ret)
{
	struct skep_http *http = skep_xcalloc(1, sizeof(*http));

	http->base = loop->base;
	http->server = evhttp_new(loop->base);
	if (!http->server || evhttp_accept_socket(http->server, fd)) {
		close(fd);
		skep_http_free(http);
		return -ENOMEM;
	}
	set_bounds(http->server);
	evhttp_set_bevcb(http->server, new_socket, http);
	evhttp_set_gencb(http->server, on_other, NULL);
	*ret = http;
	return 0;
}

void skep_http_free(struct skep_http *http)
{
	if (!http)
		return;
	if (http->server)
		evhttp_free(http->server);
	skep_vec_foreach (struct handler *, handler, &http->handlers)
		free(*handler);
	skep_vec_done(&http->handlers);
	free(http);
}

void skep_http_on(struct skep_http *http, const char *path, skep_http_fn fn, void *ctx)
{
	struct handler *handler = skep_xcalloc(1, sizeof(*handler));

	*handler = (struct handler){http, fn, ctx};
	skep_vec_push(&http->handlers, handler);
	evhttp_set_cb(http->server, path, on_request, handler);
}

void skep_http_check_host(struct skep_http *http)
{
	http->checks_host = true;
}
