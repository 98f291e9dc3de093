/*
 * netkit: a pair of devices, the host's (primary) and a container's (peer),
 * whose programs run where a frame is handed to the other: no queue between.
 * Both sides' programs are attached by way of the primary device, so that who
 * is within the container cannot take them off.
 */
#include "load/network.h"

#include <errno.h>

static const struct load_reason reasons[] = {
	{-ENODEV, "there is no such network device in this network namespace, or it has no peer",
	 NULL},
	{-ENXIO, "the device is not a netkit device", NULL},
	{-EACCES, "the device is the peer of its pair: programs are attached at the primary one",
	 NULL},
	{-EINVAL, "this kernel has no netkit", "Linux 6.7 or later, built with CONFIG_NETKIT"},
	{-ERANGE, "a device takes at most 64 programs", NULL},
	{0},
};

int load_attach_netkit(struct skep_session *session, const struct skep_attach *at,
		       struct skep_diag *diag)
{
	struct link_create_attr attr = {.target = at->tc.ifindex,
					.attach_type = at->tc.egress ? ATTACH_NETKIT_PEER
								     : ATTACH_NETKIT_PRIMARY};

	return load_network_link(session, at, &attr, reasons, diag);
}
