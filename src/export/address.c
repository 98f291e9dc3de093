/* Addresses are numbers: names would be looked up, and mean different things at different times. */
#include "export/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/fd.h"

#define BACKLOG 128

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static bool parse_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || port > 65535)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool parse_host(const char *host, uint16_t port, union address *ret)
{
	size_t len = strlen(host);

	memset(ret, 0, sizeof(*ret));
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		char inner[INET6_ADDRSTRLEN + 1] = "";
		snprintf(inner, sizeof(inner), "%.*s", (int)(len - 2), host + 1);
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		return inet_pton(AF_INET6, inner, &ret->v6.sin6_addr) == 1;
	}
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons(port);
	if (!len || !strcmp(host, "localhost"))
		host = "127.0.0.1";
	return inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1;
}

static bool parse(const char *text, union address *ret)
{
	const char *colon = strrchr(text, ':'), *port_text = colon ? colon + 1 : text;
	char host[INET6_ADDRSTRLEN + 3] = "";
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint16_t port;

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	return parse_port(port_text, &port) && parse_host(host, port, ret);
}

static char *url_of(int fd)
{
	union address address;
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "", *ret = skep_xcalloc(1, INET6_ADDRSTRLEN + 40);
	bool is_v6;

	memset(&address, 0, sizeof(address));
	getsockname(fd, &address.any, &len);
	is_v6 = address.any.sa_family == AF_INET6;
	inet_ntop(address.any.sa_family,
		  is_v6 ? (void *)&address.v6.sin6_addr : (void *)&address.v4.sin_addr, host,
		  sizeof(host));
	snprintf(ret, INET6_ADDRSTRLEN + 40, "http://%s%s%s:%u/metrics", is_v6 ? "[" : "", host,
		 is_v6 ? "]" : "", ntohs(is_v6 ? address.v6.sin6_port : address.v4.sin_port));
	return ret;
}

/* A port that connections of an earlier run still linger on may be taken; not one that is
 * listened to. An IPv6 address does not take the IPv4 one too. */
static int listen_at(const union address *address)
{
	bool is_v6 = address->any.sa_family == AF_INET6;
	socklen_t len = is_v6 ? sizeof(address->v6) : sizeof(address->v4);
	_cleanup_close_ int fd =
		socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (is_v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &address->any, len) || listen(fd, BACKLOG))
		return -errno;
	return TAKE_FD(fd);
}

static const char *hint_for(int err)
{
	switch (err) {
	case -EADDRINUSE: return "another program listens there: another port, or 0 for a free one";
	case -EADDRNOTAVAIL: return "this machine has no such address; ip addr lists those it has";
	case -EACCES: return "ports below 1024 are for root: another port";
	case -EAFNOSUPPORT: return "this kernel has no IPv6: an IPv4 address";
	default: return "";
	}
}

int skep_address_listen(const char *text, char **ret_url, struct skep_diag *diag)
{
	union address address;

	if (!parse(text, &address))
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_METRICS_ADDRESS, SKEP_NOWHERE, text);
	int fd = listen_at(&address);
	if (fd < 0) {
		skep_diag_add(diag, SKEP_DIAG_METRICS_LISTEN, SKEP_NOWHERE, text, strerror(-fd));
		skep_diag_try(diag, "%s", hint_for(fd));
		return fd;
	}
	*ret_url = url_of(fd);
	return fd;
}
