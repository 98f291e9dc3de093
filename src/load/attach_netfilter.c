/*
 * netfilter: a program among the rules at one of the five hooks that a packet
 * passes, in the current network namespace, by link. Priorities say who comes
 * first, as in nftables; two programs may not have the same. The kernel does
 * not replace these in place.
 */
#include "load/network.h"

#include <errno.h>

static const struct load_reason reasons[] = {
	{-EINVAL, "this kernel takes no programs in netfilter",
	 "Linux 6.4 or later, built with CONFIG_NETFILTER_BPF_LINK"},
	{-EAFNOSUPPORT, "there are hooks for IPv4 and IPv6 only", NULL},
	{-EPROTO, "netfilter has no hook of that number", NULL},
	{-ERANGE,
	 "the first and the last priority are the kernel's own; whole packets instead of "
	 "fragments come behind that of defragmentation (-400) only",
	 NULL},
	{-EBUSY, "another program has this priority already", "another priority"},
	{-EOPNOTSUPP, "this kernel does not have what the flags ask for", NULL},
	{0},
};

int load_attach_netfilter(struct skep_session *session, const struct skep_attach *at,
			  struct skep_diag *diag)
{
	struct link_create_attr attr = {
		.attach_type = ATTACH_NETFILTER,
	};

	attr.netfilter.pf = at->netfilter.pf;
	attr.netfilter.hooknum = at->netfilter.hooknum;
	attr.netfilter.priority = at->netfilter.priority;
	attr.netfilter.flags = at->netfilter.flags;
	return load_network_link(session, at, &attr, reasons, diag);
}
