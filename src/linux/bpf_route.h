/*
 * A route to a prefix by a device whose packets pass a program: lwt_in, lwt_out, lwt_xmit, and
 * lwt_seg6local, an IPv6 segment whose function is the program (End.BPF).
 */
#ifndef SKEP_LINUX_BPF_ROUTE_H
#define SKEP_LINUX_BPF_ROUTE_H

#include <stdint.h>

#include "linux/netlink.h"

struct skep_bpf_route {
	int fd; /* netlink, and so the network namespace; owned; once it is added */
	uint32_t ifindex;
	uint8_t addr[16];
	uint8_t family, addr_bytes, bits;
	char words[SKEP_NETLINK_WORDS]; /* the kernel's reason, if it refused */
};

/** "192.0.2.0/24", "2001:db8::/32"; without a length it is one address. Sets
 *  the prefix. Return 0 | -EINVAL */
int skep_bpf_route_parse(const char *text, struct skep_bpf_route *ret);
/** Make the route, in the current network namespace; the program's type says which packets it sees.
 *  To be removed if it was made. Return 0 | -EEXIST there is one, untouched | -errno */
int skep_bpf_route_add(struct skep_bpf_route *route, uint32_t prog_type, int prog_fd,
		       const char *name);
void skep_bpf_route_remove(struct skep_bpf_route *route);

#endif
