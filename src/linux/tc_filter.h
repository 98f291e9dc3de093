/*
 * A program as a filter (cls_bpf) of a device's clsact: traffic control as it
 * is without tcx, by netlink.
 */
#ifndef SKEP_LINUX_TC_FILTER_H
#define SKEP_LINUX_TC_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "linux/netlink.h"

/** Where a filter is. Made by skep_tc_filter_add(), taken away by skep_tc_filter_remove(). */
struct skep_tc_filter {
	int fd; /* netlink, and so the network namespace; owned */
	uint32_t ifindex, parent, handle, info;
	bool made_clsact;               /* the device had none before */
	char words[SKEP_NETLINK_WORDS]; /* the kernel's reason, if it refused */
};

/** Put the program in the device's ingress or egress, in the current network namespace, behind what
 *  is there. @ret: the caller's to remove; on failure only its words mean something.
 *  Return 0 | -errno */
int skep_tc_filter_add(uint32_t ifindex, bool egress, int prog_fd, const char *name,
		       struct skep_tc_filter *ret);
/** Take it off, and the clsact too if it was made for this and nobody's filter is left in it. */
void skep_tc_filter_remove(struct skep_tc_filter *filter);

#endif
