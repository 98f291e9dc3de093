/*
 * The small part of rtnetlink that attaching and its tests need: one request,
 * made of a header and attributes, and the kernel's answer with its own words.
 *
 * A request is built in place and never overruns: what does not fit marks it,
 * and skep_netlink_ask() refuses it.
 *
 *	+----------+---------------------+-------------+-------------+--
 *	| nlmsghdr | tcmsg, ifinfomsg, … | nlattr data | nlattr data | …
 *	+----------+---------------------+-------------+-------------+--
 */
#ifndef SKEP_LINUX_NETLINK_H
#define SKEP_LINUX_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As with bpf.h: whoever asks for <linux/netlink.h> gets both. */
#include_next <linux/netlink.h>

enum { SKEP_NETLINK_WORDS = 128 };

struct skep_netlink_request {
	_Alignas(4) uint8_t bytes[1024];
	size_t len;
	bool is_full; /* something did not fit */
};

/** A message of @type with its fixed header; NLM_F_REQUEST and NLM_F_ACK are added to @flags. */
void skep_netlink_begin(struct skep_netlink_request *request, uint16_t type, uint16_t flags,
			const void *header, size_t size);
/** Bytes that are no attribute: the header that begins what a nest holds. */
void skep_netlink_append(struct skep_netlink_request *request, const void *data, size_t size);
void skep_netlink_put(struct skep_netlink_request *request, uint16_t type, const void *data,
		      size_t size);
void skep_netlink_put_u32(struct skep_netlink_request *request, uint16_t type, uint32_t value);
/** With its NUL. */
void skep_netlink_put_text(struct skep_netlink_request *request, uint16_t type, const char *text);
/** What is put from here on lies within an attribute, until skep_netlink_end(): returns where. */
size_t skep_netlink_nest(struct skep_netlink_request *request, uint16_t type);
void skep_netlink_end(struct skep_netlink_request *request, size_t nest);

/** A socket to the routing part of the current network namespace, in which it stays.
 *  Return a descriptor | -errno */
int skep_netlink_open(void);
/**
 * Send the request and wait for the answer.
 *
 * @each   called with each message of the answer (a dump's, or what NLM_F_ECHO sends back); may be
 *         NULL
 * @words  SKEP_NETLINK_WORDS bytes for the kernel's own reason, "" if it gives none; may be NULL
 * Return  0 | -E2BIG the request did not fit | -EMSGSIZE the answer did not | -errno of the kernel
 */
int skep_netlink_ask(int fd, struct skep_netlink_request *request,
		     void (*each)(const struct nlmsghdr *message, void *arg), void *arg,
		     char *words);
/** The first attribute of @type among @size bytes of attributes; NULL: there is none, or what lies
 *  there is no attribute. */
const struct nlattr *skep_netlink_find(const void *attrs, size_t size, uint16_t type);

#endif
