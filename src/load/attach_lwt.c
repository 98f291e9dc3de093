/*
 * Light-weight tunnels: a route whose packets pass a program, as they come in
 * (lwt_in), before they are sent (lwt_out), or where they leave and may be
 * changed (lwt_xmit). The route to a prefix by a device is made for it, by
 * netlink; one that is there already is not touched.
 *
 * A route has no descriptor: the undo takes it off, by the socket that made it,
 * and so in the same network namespace. A process that is killed before leaves
 * it behind (ip route del PREFIX dev DEVICE). The device's end ends it too.
 */
#include "load/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "linux/netlink.h"

struct route {
	int fd; /* netlink; owned */
	uint32_t ifindex;
	uint8_t addr[16];
	uint8_t family, addr_bytes, bits;
};

static const struct load_reason reasons[] = {
	{-EINVAL, "the route is no prefix, as in 192.0.2.0/24 or 2001:db8::/32", NULL},
	{-ENODEV, "there is no such network device in this network namespace", NULL},
	{-ENETDOWN, "the device is down", "ip link set DEVICE up"},
	{-EEXIST, "there is such a route already", NULL},
	{-EOPNOTSUPP, "this kernel has no programs at routes", "a kernel with CONFIG_LWTUNNEL_BPF"},
	{0},
};

/* "192.0.2.0/24"; without a length it is one address. */
static int parse(const char *text, struct route *ret)
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

static void begin(struct skep_netlink_request *request, const struct route *route, uint16_t type,
		  uint16_t flags)
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

static int add(const struct route *route, const struct skep_object_prog *prog, int prog_fd)
{
	const uint16_t kind = LWTUNNEL_ENCAP_BPF;
	const uint16_t hook = (uint16_t)(prog->type - BPF_PROG_TYPE_LWT_IN + LWT_BPF_IN);
	struct skep_netlink_request request;

	begin(&request, route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	skep_netlink_put(&request, RTA_ENCAP_TYPE, &kind, sizeof(kind));
	size_t encap = skep_netlink_nest(&request, RTA_ENCAP);
	size_t program = skep_netlink_nest(&request, hook);
	skep_netlink_put_u32(&request, LWT_BPF_PROG_FD, (uint32_t)prog_fd);
	skep_netlink_put_text(&request, LWT_BPF_PROG_NAME, prog->name);
	skep_netlink_end(&request, program);
	skep_netlink_end(&request, encap);
	return skep_netlink_ask(route->fd, &request, NULL, NULL, NULL);
}

static void undo(void *state)
{
	struct route *route = state;
	struct skep_netlink_request request;

	begin(&request, route, RTM_DELROUTE, 0);
	skep_netlink_ask(route->fd, &request, NULL, NULL, NULL);
	skep_close(&route->fd);
	free(route);
}

static int attach(struct skep_session *session, const struct skep_attach *at)
{
	struct route route = {.fd = -1, .ifindex = at->lwt.ifindex};
	int err = parse(at->lwt.route, &route);

	if (err)
		return err;
	route.fd = skep_netlink_open();
	err = route.fd < 0
		      ? route.fd
		      : add(&route, &session->object->progs[at->prog], session->prog_fds[at->prog]);
	if (err) {
		skep_close(&route.fd);
		return err;
	}
	struct route *kept = skep_xmalloc(sizeof(*kept));
	*kept = route;
	load_undo_add(session, undo, kept);
	return 0;
}

int load_attach_lwt(struct skep_session *session, const struct skep_attach *at,
		    struct skep_diag *diag)
{
	const uint32_t type = session->object->progs[at->prog].type;
	int err = load_network_cookie(at, diag);

	if (err)
		return err;
	if (type < BPF_PROG_TYPE_LWT_IN || type > BPF_PROG_TYPE_LWT_XMIT)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ATTACH_PROG, at->span, at->target,
				      at->prog);
	err = attach(session, at);
	return err ? load_network_failed(at, err, reasons, diag) : 0;
}
