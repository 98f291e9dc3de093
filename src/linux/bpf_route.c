/* See bpf_route.h. The program is an attribute of the route: its way of encapsulating packets. */
#include "linux/bpf_route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>
#include <linux/seg6_local.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "linux/bpf.h"
#include "linux/netlink.h"

int skep_bpf_route_parse(const char *text, struct skep_bpf_route *ret)
{
	char addr[INET6_ADDRSTRLEN];
	const size_t len = strcspn(text, "/");
	char *end;

	if (len >= sizeof(addr))
		return -EINVAL;
	snprintf(addr, sizeof(addr), "%.*s", (int)len, text);
	ret->family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	ret->addr_bytes = ret->family == AF_INET ? 4 : 16;
	if (inet_pton(ret->family, addr, ret->addr) != 1)
		return -EINVAL;
	if (!text[len]) {
		ret->bits = ret->addr_bytes * 8;
		return 0;
	}
	const unsigned long bits = strtoul(text + len + 1, &end, 10);
	if (end == text + len + 1 || *end || bits > ret->addr_bytes * 8U)
		return -EINVAL;
	ret->bits = (uint8_t)bits;
	return 0;
}

static void begin(struct skep_netlink_request *request, const struct skep_bpf_route *route,
		  uint16_t type, uint16_t flags)
{
	const struct rtmsg head = {.rtm_family = route->family,
				   .rtm_dst_len = route->bits,
				   .rtm_table = RT_TABLE_MAIN,
				   .rtm_protocol = RTPROT_STATIC,
				   .rtm_scope = route->family == AF_INET ? RT_SCOPE_LINK
									 : RT_SCOPE_UNIVERSE,
				   .rtm_type = RTN_UNICAST};

	skep_netlink_begin(request, type, flags, &head, sizeof(head));
	skep_netlink_put(request, RTA_DST, route->addr, route->addr_bytes);
	skep_netlink_put_u32(request, RTA_OIF, route->ifindex);
}

static void put_program(struct skep_netlink_request *request, uint16_t nest_type, int prog_fd,
			const char *name)
{
	/* Both kinds of tunnels have the program's descriptor and name as these. */
	_Static_assert((int)LWT_BPF_PROG_FD == (int)SEG6_LOCAL_BPF_PROG &&
			       (int)LWT_BPF_PROG_NAME == (int)SEG6_LOCAL_BPF_PROG_NAME,
		       "one form");
	size_t program = skep_netlink_nest(request, nest_type);

	skep_netlink_put_u32(request, LWT_BPF_PROG_FD, (uint32_t)prog_fd);
	skep_netlink_put_text(request, LWT_BPF_PROG_NAME, name);
	skep_netlink_end(request, program);
}

static int add(struct skep_bpf_route *route, uint32_t prog_type, int prog_fd, const char *name)
{
	const bool is_segment = prog_type == BPF_PROG_TYPE_LWT_SEG6LOCAL;
	const uint16_t kind = is_segment ? LWTUNNEL_ENCAP_SEG6_LOCAL : LWTUNNEL_ENCAP_BPF;
	const uint16_t hook = (uint16_t)(prog_type - BPF_PROG_TYPE_LWT_IN + LWT_BPF_IN);
	struct skep_netlink_request request;

	begin(&request, route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	skep_netlink_put(&request, RTA_ENCAP_TYPE, &kind, sizeof(kind));
	size_t encap = skep_netlink_nest(&request, RTA_ENCAP);
	if (is_segment)
		skep_netlink_put_u32(&request, SEG6_LOCAL_ACTION, SEG6_LOCAL_ACTION_END_BPF);
	put_program(&request, is_segment ? SEG6_LOCAL_BPF : hook, prog_fd, name);
	skep_netlink_end(&request, encap);
	return skep_netlink_ask(route->fd, &request, NULL, NULL, route->words);
}

int skep_bpf_route_add(struct skep_bpf_route *route, uint32_t prog_type, int prog_fd,
		       const char *name)
{
	int err;

	route->fd = skep_netlink_open();
	if (route->fd < 0)
		return route->fd;
	err = add(route, prog_type, prog_fd, name);
	if (err)
		skep_close(&route->fd);
	return err;
}

void skep_bpf_route_remove(struct skep_bpf_route *route)
{
	struct skep_netlink_request request;

	begin(&request, route, RTM_DELROUTE, 0);
	skep_netlink_ask(route->fd, &request, NULL, NULL, NULL);
	skep_close(&route->fd);
}
