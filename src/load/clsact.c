/*
 * Traffic control without tcx: the program as a filter (cls_bpf) of the
 * device's clsact, a queueing discipline that queues nothing and only has two
 * lists of filters, for ingress and egress. Made by netlink, once: the clsact
 * unless the device has one, and the filter, whose number and priority the
 * kernel chooses and sends back.
 *
 * Neither has a descriptor. They are taken off by an undo, which asks by the
 * socket that made them, and so in the same network namespace: the filter by
 * its number and priority, the clsact only if it was made here and nobody's
 * filter is left in it. A process that is killed before leaves both behind
 * (tc qdisc del dev DEVICE clsact takes them off): with tcx nothing can be.
 */
#include "load/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "linux/netlink.h"

struct filter {
	int fd; /* netlink; owned */
	uint32_t ifindex, parent, handle, info;
	bool made_clsact;
};

static const struct load_reason reasons[] = {
	{-ENODEV, "there is no such network device in this network namespace", NULL},
	{-EINVAL, "this kernel's traffic control has no clsact or no BPF filters",
	 "a kernel built with CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS, or with tcx"},
	{-ENOENT, "this kernel's traffic control has no clsact or no BPF filters",
	 "a kernel built with CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS, or with tcx"},
	{-EOPNOTSUPP, "the device or this kernel has no traffic control", NULL},
	{0},
};

static int clsact_do(const struct filter *filter, uint16_t type, uint16_t flags)
{
	const struct tcmsg head = {.tcm_ifindex = (int)filter->ifindex,
				   .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
				   .tcm_parent = TC_H_CLSACT};
	struct skep_netlink_request request;

	skep_netlink_begin(&request, type, flags, &head, sizeof(head));
	skep_netlink_put_text(&request, TCA_KIND, "clsact");
	return skep_netlink_ask(filter->fd, &request, NULL, NULL, NULL);
}

static void take_place(const struct nlmsghdr *message, void *arg)
{
	struct filter *filter = arg;
	struct tcmsg head;

	if (message->nlmsg_type != RTM_NEWTFILTER ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(head)))
		return;
	memcpy(&head, NLMSG_DATA(message), sizeof(head));
	filter->handle = head.tcm_handle;
	filter->info = head.tcm_info;
}

/* "Direct action": the program's verdict is the last word, no separate actions. */
static int add_filter(struct filter *filter, int prog_fd, const char *name)
{
	const struct tcmsg head = {.tcm_ifindex = (int)filter->ifindex,
				   .tcm_parent = filter->parent,
				   .tcm_info = TC_H_MAKE(0, htons(ETH_P_ALL))};
	struct skep_netlink_request request;

	skep_netlink_begin(&request, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO, &head,
			   sizeof(head));
	skep_netlink_put_text(&request, TCA_KIND, "bpf");
	size_t options = skep_netlink_nest(&request, TCA_OPTIONS);
	skep_netlink_put_u32(&request, TCA_BPF_FD, (uint32_t)prog_fd);
	skep_netlink_put_text(&request, TCA_BPF_NAME, name);
	skep_netlink_put_u32(&request, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	skep_netlink_end(&request, options);
	return skep_netlink_ask(filter->fd, &request, take_place, filter, NULL);
}

static void remove_filter(const struct filter *filter)
{
	const struct tcmsg head = {.tcm_ifindex = (int)filter->ifindex,
				   .tcm_parent = filter->parent,
				   .tcm_handle = filter->handle,
				   .tcm_info = filter->info};
	struct skep_netlink_request request;

	skep_netlink_begin(&request, RTM_DELTFILTER, 0, &head, sizeof(head));
	skep_netlink_put_text(&request, TCA_KIND, "bpf");
	skep_netlink_ask(filter->fd, &request, NULL, NULL, NULL);
}

static void count_filter(const struct nlmsghdr *message, void *arg)
{
	*(unsigned *)arg += message->nlmsg_type == RTM_NEWTFILTER;
}

/* An error counts as a filter: what cannot be seen to be empty stays. */
static bool has_filters(const struct filter *filter, uint32_t direction)
{
	const struct tcmsg head = {.tcm_ifindex = (int)filter->ifindex,
				   .tcm_parent = TC_H_MAKE(TC_H_CLSACT, direction)};
	struct skep_netlink_request request;
	unsigned n = 0;

	skep_netlink_begin(&request, RTM_GETTFILTER, NLM_F_DUMP, &head, sizeof(head));
	int err = skep_netlink_ask(filter->fd, &request, count_filter, &n, NULL);
	return err || n;
}

static void remove_clsact_if_empty(const struct filter *filter)
{
	if (filter->made_clsact && !has_filters(filter, TC_H_MIN_INGRESS) &&
	    !has_filters(filter, TC_H_MIN_EGRESS))
		clsact_do(filter, RTM_DELQDISC, 0);
}

static void undo(void *state)
{
	struct filter *filter = state;

	remove_filter(filter);
	remove_clsact_if_empty(filter);
	skep_close(&filter->fd);
	free(filter);
}

static int make(struct filter *filter, int prog_fd, const char *name)
{
	int err = clsact_do(filter, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);

	filter->made_clsact = !err;
	if (err && err != -EEXIST)
		return err;
	err = add_filter(filter, prog_fd, name);
	if (err)
		remove_clsact_if_empty(filter);
	return err;
}

int load_clsact(struct skep_session *session, const struct skep_attach *at, struct skep_diag *diag)
{
	struct filter filter = {.fd = skep_netlink_open(), .ifindex = at->tc.ifindex};
	int err = filter.fd < 0 ? filter.fd : 0;

	filter.parent = TC_H_MAKE(TC_H_CLSACT, at->tc.egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
	if (!err)
		err = make(&filter, session->prog_fds[at->prog],
			   session->object->progs[at->prog].name);
	if (err) {
		skep_close(&filter.fd);
		return load_network_failed(at, err, reasons, diag);
	}
	struct filter *kept = skep_xmalloc(sizeof(*kept));
	*kept = filter;
	load_undo_add(session, undo, kept);
	return 0;
}
