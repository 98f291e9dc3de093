/*
 * Lists of numbers, of networks, and of names, as options have them: "80,443,8000-8080",
 * "10.0.0.0/8,::1", "iperf3,rsync".
 *
 *	list    = [ range { "," range } ]       [ network { "," network } ]
 *	range   = number [ "-" number ]         [ name { "," name } ]
 *	network = address [ "/" bits ]
 */
#ifndef SKEP_TRACE_LIST_H
#define SKEP_TRACE_LIST_H

#include <stdbool.h>
#include <stdint.h>

struct skep_range {
	int64_t first, last;
};

/**
 * The next range of the list at @at, which moves behind it.
 *
 * Return  1 | 0 at the end | -EINVAL: there is none at @at
 */
int skep_list_next(const char **at, struct skep_range *ret);

/** The same for names, which hold any characters but commas; @ret_len of the one at @ret. */
int skep_list_next_name(const char **at, const char **ret, uint32_t *ret_len);

#define SKEP_NETWORK_BYTES 64 /* room for a network's text, with its end */
#define SKEP_NETWORK_WORDS 4

struct skep_network {
	int family;     /* AF_INET or AF_INET6 */
	uint32_t words; /* of the address: 1 or 4 */
	/* As they lie in memory; an address belongs to it if address & mask is `address`. */
	uint32_t address[SKEP_NETWORK_WORDS], mask[SKEP_NETWORK_WORDS];
	char text[SKEP_NETWORK_BYTES]; /* as it was written */
};

/** The same for networks. Bits of an address that are not the network's do not count. */
int skep_network_next(const char **at, struct skep_network *ret);

#endif
