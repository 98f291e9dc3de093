/*
 * clsact is a queueing discipline that queues nothing and only has two lists of
 * filters, for ingress and egress. Two requests: the clsact unless the device
 * has one, and the filter, whose number and priority the kernel chooses and
 * sends back. The last to leave takes the clsact away, if it came with it.
 */
#include "linux/tc_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/fd.h"
#include "linux/netlink.h"

static int clsact_do(const struct skep_tc_filter *filter, uint16_t type, uint16_t flags,
		     char *words)
{
	const struct tcmsg head = {.tcm_ifindex = (int)filter->ifindex,
				   .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
				   .tcm_parent = TC_H_CLSACT};
	struct skep_netlink_request request;

	skep_netlink_begin(&request, type, flags, &head, sizeof(head));
	skep_netlink_put_text(&request, TCA_KIND, "clsact");
	return skep_netlink_ask(filter->fd, &request, NULL, NULL, words);
}

static void take_place(const struct nlmsghdr *message, void *arg)
{
	struct skep_tc_filter *filter = arg;
	struct tcmsg head;

	if (message->nlmsg_type != RTM_NEWTFILTER ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(head)))
		return;
	memcpy(&head, NLMSG_DATA(message), sizeof(head));
	filter->handle = head.tcm_handle;
	filter->info = head.tcm_info;
}

/* "Direct action": the program's verdict is the last word, no separate actions. */
static int add_filter(struct skep_tc_filter *filter, int prog_fd, const char *name)
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
	return skep_netlink_ask(filter->fd, &request, take_place, filter, filter->words);
}

static void drop_filter(const struct skep_tc_filter *filter)
{
	const struct tcmsg head = {.tcm_ifindex = (int)filter->ifindex,
				   .tcm_parent = filter->parent,
				   .tcm_handle = filter->handle,
				   .tcm_info = filter->info};
	struct skep_netlink_request request;

	/* Without a number it would be all filters that go. */
	if (!filter->handle)
		return;
	skep_netlink_begin(&request, RTM_DELTFILTER, 0, &head, sizeof(head));
	skep_netlink_put_text(&request, TCA_KIND, "bpf");
	skep_netlink_ask(filter->fd, &request, NULL, NULL, NULL);
}

static void count_filter(const struct nlmsghdr *message, void *arg)
{
	*(unsigned *)arg += message->nlmsg_type == RTM_NEWTFILTER;
}

/* An error counts as a filter: what cannot be seen to be empty stays. */
static bool has_filters(const struct skep_tc_filter *filter, uint32_t direction)
{
	const struct tcmsg head = {.tcm_ifindex = (int)filter->ifindex,
				   .tcm_parent = TC_H_MAKE(TC_H_CLSACT, direction)};
	struct skep_netlink_request request;
	unsigned n = 0;

	skep_netlink_begin(&request, RTM_GETTFILTER, NLM_F_DUMP, &head, sizeof(head));
	int err = skep_netlink_ask(filter->fd, &request, count_filter, &n, NULL);
	return err || n;
}

static void drop_empty_clsact(const struct skep_tc_filter *filter)
{
	if (filter->made_clsact && !has_filters(filter, TC_H_MIN_INGRESS) &&
	    !has_filters(filter, TC_H_MIN_EGRESS))
		clsact_do(filter, RTM_DELQDISC, 0, NULL);
}

static int make(struct skep_tc_filter *filter, int prog_fd, const char *name)
{
	int err = clsact_do(filter, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, filter->words);

	filter->made_clsact = !err;
	if (err && err != -EEXIST)
		return err;
	err = add_filter(filter, prog_fd, name);
	if (err)
		drop_empty_clsact(filter);
	return err;
}

int skep_tc_filter_add(uint32_t ifindex, bool egress, int prog_fd, const char *name,
		       struct skep_tc_filter *ret)
{
	int err;

	*ret = (struct skep_tc_filter){.fd = skep_netlink_open(), .ifindex = ifindex};
	if (ret->fd < 0)
		return ret->fd;
	ret->parent = TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
	err = make(ret, prog_fd, name);
	if (err)
		skep_close(&ret->fd);
	return err;
}

void skep_tc_filter_remove(struct skep_tc_filter *filter)
{
	drop_filter(filter);
	drop_empty_clsact(filter);
	skep_close(&filter->fd);
}
