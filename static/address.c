/*
 * For the static program only: addresses of hosts, as the C library's getaddrinfo() has them, of what
 * is a number already. A name would need what the machine has for looking it up, and a static program
 * cannot load that; "localhost" means the same everywhere. Nobody asks but libevent: it lies in the
 * overlay, as that does.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct address {
	struct addrinfo info;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} of;
};

static int fill(const char *node, uint16_t port, struct address *ret)
{
	struct addrinfo *info = &ret->info;

	if (inet_pton(AF_INET, node, &ret->of.v4.sin_addr) == 1) {
		ret->of.v4.sin_port = htons(port);
		info->ai_family = AF_INET;
		info->ai_addrlen = sizeof(ret->of.v4);
	} else if (inet_pton(AF_INET6, node, &ret->of.v6.sin6_addr) == 1) {
		ret->of.v6.sin6_port = htons(port);
		info->ai_family = AF_INET6;
		info->ai_addrlen = sizeof(ret->of.v6);
	} else {
		return EAI_NONAME;
	}
	ret->of.any.sa_family = (sa_family_t)info->ai_family;
	info->ai_addr = &ret->of.any;
	return 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	struct address *address = calloc(1, sizeof(*address));
	int err = EAI_NONAME;

	if (!address)
		return EAI_MEMORY;
	if (node)
		err = fill(strcmp(node, "localhost") ? node : "127.0.0.1",
			   (uint16_t)(service ? strtoul(service, NULL, 10) : 0), address);
	if (err) {
		free(address);
		return err;
	}
	address->info.ai_socktype = hints ? hints->ai_socktype : SOCK_STREAM;
	address->info.ai_protocol = hints ? hints->ai_protocol : 0;
	*ret = &address->info;
	return 0;
}

/* It is the beginning of what it is in. */
void freeaddrinfo(struct addrinfo *info)
{
	free(info);
}

const char *gai_strerror(int code)
{
	return "names are not looked up";
}
