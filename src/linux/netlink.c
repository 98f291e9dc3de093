/*
 * See netlink.h. Requests are numbered, so that what a socket still held of an
 * earlier one is passed over. Answers come from the kernel alone, and are read
 * with bounds all the same.
 */
#include "linux/netlink.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

/* The kernel makes the parts of a dump as large as what is asked for, at most 32 KiB. */
enum { ANSWER_BYTES = 8192 };

void skep_netlink_append(struct skep_netlink_request *request, const void *data, size_t size)
{
	const size_t whole = NLMSG_ALIGN(size);

	if (whole > sizeof(request->bytes) - request->len) {
		request->is_full = true;
		return;
	}
	memset(request->bytes + request->len, 0, whole);
	if (size)
		memcpy(request->bytes + request->len, data, size);
	request->len += whole;
}

void skep_netlink_begin(struct skep_netlink_request *request, uint16_t type, uint16_t flags,
			const void *header, size_t size)
{
	const struct nlmsghdr head = {.nlmsg_type = type,
				      .nlmsg_flags = flags | NLM_F_REQUEST | NLM_F_ACK};

	request->len = 0;
	request->is_full = false;
	skep_netlink_append(request, &head, sizeof(head));
	skep_netlink_append(request, header, size);
}

void skep_netlink_put(struct skep_netlink_request *request, uint16_t type, const void *data,
		      size_t size)
{
	const struct nlattr attr = {.nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + size)};

	skep_netlink_append(request, &attr, sizeof(attr));
	skep_netlink_append(request, data, size);
}

void skep_netlink_put_u32(struct skep_netlink_request *request, uint16_t type, uint32_t value)
{
	skep_netlink_put(request, type, &value, sizeof(value));
}

void skep_netlink_put_text(struct skep_netlink_request *request, uint16_t type, const char *text)
{
	skep_netlink_put(request, type, text, strlen(text) + 1);
}

size_t skep_netlink_nest(struct skep_netlink_request *request, uint16_t type)
{
	const size_t at = request->len;

	skep_netlink_put(request, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void skep_netlink_end(struct skep_netlink_request *request, size_t nest)
{
	struct nlattr attr;

	if (request->is_full)
		return;
	memcpy(&attr, request->bytes + nest, sizeof(attr));
	attr.nla_len = (uint16_t)(request->len - nest);
	memcpy(request->bytes + nest, &attr, sizeof(attr));
}

int skep_netlink_open(void)
{
	const int on = 1;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	/* The kernel's words instead of the request itself, where it has them. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return fd;
}

const struct nlattr *skep_netlink_find(const void *attrs, size_t size, uint16_t type)
{
	const uint8_t *at = attrs;

	while (size >= sizeof(struct nlattr)) {
		const struct nlattr *attr = (const void *)at;
		const size_t whole = NLA_ALIGN(attr->nla_len);
		if (attr->nla_len < sizeof(*attr) || attr->nla_len > size)
			return NULL;
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
		if (whole >= size)
			return NULL;
		at += whole;
		size -= whole;
	}
	return NULL;
}

/* The reason behind an error: an attribute, behind the request unless that was left out. */
static void read_words(const struct nlmsghdr *message, char *words)
{
	const struct nlmsgerr *error = NLMSG_DATA(message);
	size_t skip = NLMSG_LENGTH(sizeof(*error));

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len > sizeof(error->msg))
		skip += NLMSG_ALIGN(error->msg.nlmsg_len - sizeof(error->msg));
	if (skip > message->nlmsg_len)
		return;
	const struct nlattr *attr = skep_netlink_find((const uint8_t *)message + skip,
						      message->nlmsg_len - skip, NLMSGERR_ATTR_MSG);
	if (attr)
		snprintf(words, SKEP_NETLINK_WORDS, "%.*s", (int)(attr->nla_len - NLA_HDRLEN),
			 (const char *)attr + NLA_HDRLEN);
}

struct answer {
	void (*each)(const struct nlmsghdr *message, void *arg);
	void *arg;
	char *words;
	uint32_t number;
	bool is_done;
	int err;
};

/* A dump ends by "done", anything else by an "error", which may be 0; both begin with a number. */
static void take(const struct nlmsghdr *message, struct answer *answer)
{
	const bool is_error = message->nlmsg_type == NLMSG_ERROR;

	if (message->nlmsg_seq != answer->number)
		return;
	if (!is_error && message->nlmsg_type != NLMSG_DONE) {
		if (answer->each)
			answer->each(message, answer->arg);
		return;
	}
	answer->is_done = true;
	if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(int)))
		memcpy(&answer->err, NLMSG_DATA(message), sizeof(answer->err));
	if (is_error && answer->words &&
	    message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
		read_words(message, answer->words);
}

static int receive(int fd, struct answer *answer)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[ANSWER_BYTES];

	while (!answer->is_done) {
		ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_TRUNC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if ((size_t)got > sizeof(bytes))
			return -EMSGSIZE;
		size_t len = (size_t)got;
		for (const struct nlmsghdr *message = (const void *)bytes; NLMSG_OK(message, len);
		     message = NLMSG_NEXT(message, len))
			take(message, answer);
	}
	return answer->err;
}

int skep_netlink_ask(int fd, struct skep_netlink_request *request,
		     void (*each)(const struct nlmsghdr *message, void *arg), void *arg,
		     char *words)
{
	static atomic_uint last_number;
	struct answer answer = {.each = each, .arg = arg, .words = words, .number = ++last_number};
	struct nlmsghdr *head = (void *)request->bytes;

	if (words)
		words[0] = '\0';
	if (request->is_full)
		return -E2BIG;
	head->nlmsg_len = (uint32_t)request->len;
	head->nlmsg_seq = answer.number;
	if (send(fd, request->bytes, request->len, 0) < 0)
		return -errno;
	return receive(fd, &answer);
}
