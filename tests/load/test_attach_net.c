/*
 * Where packets pass, through their whole lives: XDP, traffic control, netkit, network namespaces,
 * netfilter, routes.
 */
#include "netns.h"

#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <netinet/ip6.h>

#include "linux/feature.h"

static void receive(struct trial *trial)
{
	netns_receive(trial->data);
}

static void send_out(struct trial *trial)
{
	netns_send_to(NETNS_PEER);
}

static void need_pair(const char *name, struct netns *ret, const char *kind)
{
	if (!netns_make(ret, kind))
		trial_not_here(name, "this kernel has no %s devices", kind);
}

/* --- XDP ----------------------------------------------------------------------------------- */

static void run_xdp(const char *name, uint32_t flags)
{
	struct netns net;

	need_pair(name, &net, "veth");
	struct trial trial = {
		.name = name,
		.prog_type = BPF_PROG_TYPE_XDP,
		.expected_attach_type = BPF_XDP,
		.returns = XDP_PASS,
		.at = {.type = SKEP_ATTACH_XDP, .xdp = {.ifindex = net.index[0], .flags = flags}},
		.fire = receive,
		.data = &net,
		.fires = N_PACKETS,
		.link_type = BPF_LINK_TYPE_XDP,
		.is_replaced = true,
	};

	trial_run(&trial);
}

static void xdp_native(void **state)
{
	run_xdp("xdp.native", XDP_FLAGS_DRV_MODE);
}

static void xdp_generic(void **state)
{
	run_xdp("xdp.generic", XDP_FLAGS_SKB_MODE);
}

static void xdp_best(void **state)
{
	run_xdp("xdp", 0);
}

/* --- traffic control ----------------------------------------------------------------------- */

static void run_tc(const char *name, bool egress, bool has_link)
{
	struct netns net;

	need_pair(name, &net, "veth");
	struct trial trial = {
		.name = name,
		.prog_type = BPF_PROG_TYPE_SCHED_CLS,
		.returns = TC_ACT_UNSPEC,
		.at = {.type = SKEP_ATTACH_TC, .tc = {.ifindex = net.index[0], .egress = egress}},
		.fire = egress ? send_out : receive,
		.data = &net,
		.fires = N_PACKETS,
		.link_type = has_link ? LINK_TYPE_TCX : -1,
		.is_replaced = has_link,
	};

	/* Only where the kernel has both is there something to ask for. */
	trial.at.tc.clsact = !has_link && skep_has_feature(SKEP_FEATURE_TCX);
	trial_run(&trial);
}

static void run_tcx(const char *name, bool egress)
{
	if (!skep_has_feature(SKEP_FEATURE_TCX))
		trial_not_here(name, "this kernel has no tcx: clsact takes its place");
	run_tc(name, egress, true);
}

static void tcx_ingress(void **state)
{
	run_tcx("tcx.ingress", false);
}

static void tcx_egress(void **state)
{
	run_tcx("tcx.egress", true);
}

static void tc_ingress(void **state)
{
	run_tc("tc.ingress", false, false);
}

static void tc_egress(void **state)
{
	run_tc("tc.egress", true, false);
}

/* --- netkit -------------------------------------------------------------------------------- */

static void run_netkit(const char *name, bool peer)
{
	struct netns net;

	need_pair(name, &net, "netkit");
	struct trial trial = {
		.name = name,
		.prog_type = BPF_PROG_TYPE_SCHED_CLS,
		.returns = TC_ACT_UNSPEC,
		.at = {.type = SKEP_ATTACH_NETKIT, .tc = {.ifindex = net.index[0], .egress = peer}},
		.fire = peer ? receive : send_out,
		.data = &net,
		.fires = N_PACKETS,
		.link_type = LINK_TYPE_NETKIT,
		.is_replaced = true,
	};

	trial_run(&trial);
}

static void netkit_primary(void **state)
{
	run_netkit("netkit.primary", false);
}

static void netkit_peer(void **state)
{
	run_netkit("netkit.peer", true);
}

/* --- a network namespace ------------------------------------------------------------------- */

static void run_netns(struct trial *trial)
{
	struct netns net;

	need_pair(trial->name, &net, "veth");
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	trial->at = (struct skep_attach){.type = SKEP_ATTACH_NETNS, .netns.netns_fd = fd};
	trial->fire = receive;
	trial->data = &net;
	trial->link_type = BPF_LINK_TYPE_NETNS;
	trial->is_replaced = true;
	const bool is_here = trial_is_here(trial);
	skep_close(&fd);
	if (!is_here)
		trial_skip(trial);
}

static void sk_lookup(void **state)
{
	struct trial trial = {.name = "sk_lookup",
			      .prog_type = BPF_PROG_TYPE_SK_LOOKUP,
			      .expected_attach_type = BPF_SK_LOOKUP,
			      .returns = SK_PASS,
			      .fires = N_PACKETS};

	run_netns(&trial);
}

/* How often the kernel takes a packet apart depends on who sends it on. */
static void flow_dissector(void **state)
{
	struct trial trial = {.name = "flow_dissector",
			      .prog_type = BPF_PROG_TYPE_FLOW_DISSECTOR,
			      .expected_attach_type = BPF_FLOW_DISSECTOR,
			      .returns = BPF_OK};

	run_netns(&trial);
}

/* --- netfilter ----------------------------------------------------------------------------- */

static void netfilter(void **state)
{
	struct netns net;

	need_pair("netfilter", &net, "veth");
	struct trial trial = {
		.name = "netfilter",
		.prog_type = PROG_TYPE_NETFILTER,
		.expected_attach_type = ATTACH_NETFILTER,
		.returns = NF_ACCEPT,
		.at = {.type = SKEP_ATTACH_NETFILTER,
		       .netfilter = {.pf = NFPROTO_IPV4,
				     .hooknum = NF_INET_LOCAL_IN,
				     .priority = 1}},
		.fire = receive,
		.data = &net,
		.fires = N_PACKETS,
		.link_type = LINK_TYPE_NETFILTER,
	};

	trial_run(&trial);
}

/* --- routes -------------------------------------------------------------------------------- */

#define ROUTE      "198.51.100.0/24"
#define ROUTE_ADDR "198.51.100.1"

/* What comes for others is passed on; behind it comes what is for us, and has been seen by then. */
static void pass_on(struct trial *trial)
{
	netns_forward(trial->data, ROUTE_ADDR);
	netns_receive(trial->data);
}

/* Who is asked for does not answer, so that nothing leaves: the program is before that. */
static void send_by_route(struct trial *trial)
{
	netns_send_to(ROUTE_ADDR);
}

static void run_lwt(const char *name, uint32_t prog_type, void (*fire)(struct trial *trial))
{
	struct netns net;

	need_pair(name, &net, "veth");
	netns_write("/proc/sys/net/ipv4/ip_forward", "1");
	struct trial trial = {
		.name = name,
		.prog_type = prog_type,
		.returns = BPF_OK,
		.at = {.type = SKEP_ATTACH_LWT, .lwt = {.route = ROUTE, .ifindex = net.index[0]}},
		.fire = fire,
		.data = &net,
		.fires = N_PACKETS,
		.link_type = -1,
	};

	trial_run(&trial);
}

static void lwt_in(void **state)
{
	run_lwt("lwt.in", BPF_PROG_TYPE_LWT_IN, pass_on);
}

static void lwt_out(void **state)
{
	run_lwt("lwt.out", BPF_PROG_TYPE_LWT_OUT, send_by_route);
}

static void lwt_xmit(void **state)
{
	run_lwt("lwt.xmit", BPF_PROG_TYPE_LWT_XMIT, send_by_route);
}

/* A packet on its way through two segments, at the first of them: type 4 of routing headers. */
struct segment_frame {
	struct ether_header ether;
	struct ip6_hdr ip;
	uint8_t next, length, type, left, last, flags;
	uint16_t tag;
	struct in6_addr segments[2]; /* the last one first */
} __attribute__((packed));

#define SEGMENT "2001:db8:1::/48"

static struct segment_frame segment_frame(const struct netns *net)
{
	struct segment_frame frame = {
		.ether.ether_type = htons(ETHERTYPE_IPV6),
		.ip = {.ip6_flow = htonl(6U << 28),
		       .ip6_plen = htons(sizeof(frame) - sizeof(frame.ether) - sizeof(frame.ip)),
		       .ip6_nxt = IPPROTO_ROUTING,
		       .ip6_hlim = 64},
		.next = IPPROTO_NONE,
		.length = 4,
		.type = 4,
		.left = 1,
		.last = 1,
	};

	memcpy(frame.ether.ether_dhost, net->mac[0], ETHER_ADDR_LEN);
	memcpy(frame.ether.ether_shost, net->mac[1], ETHER_ADDR_LEN);
	inet_pton(AF_INET6, "2001:db8:2::1", &frame.ip.ip6_src);
	inet_pton(AF_INET6, "2001:db8:1::1", &frame.ip.ip6_dst);
	inet_pton(AF_INET6, "2001:db8:3::1", &frame.segments[0]);
	inet_pton(AF_INET6, "2001:db8:1::1", &frame.segments[1]);
	return frame;
}

/* Behind them comes what is received, so that they have been seen by then. */
static void pass_segments(struct trial *trial)
{
	const struct netns *net = trial->data;
	const struct segment_frame frame = segment_frame(net);
	_cleanup_close_ int wire = netns_socket(AF_PACKET, SOCK_RAW, 0);

	for (int i = 0; i < N_PACKETS; i++)
		netns_put(net, wire, &frame, sizeof(frame));
	netns_receive(net);
}

static void lwt_seg6local(void **state)
{
	struct netns net;

	need_pair("lwt.seg6local", &net, "veth");
	if (!netns_has_ipv6())
		trial_not_here("lwt.seg6local", "this kernel has no IPv6");
	netns_write("/proc/sys/net/ipv6/conf/skep0/disable_ipv6", "0");
	struct trial trial = {
		.name = "lwt.seg6local",
		.prog_type = BPF_PROG_TYPE_LWT_SEG6LOCAL,
		.returns = BPF_OK,
		.at = {.type = SKEP_ATTACH_LWT, .lwt = {.route = SEGMENT, .ifindex = net.index[0]}},
		.fire = pass_segments,
		.data = &net,
		.fires = N_PACKETS,
		.link_type = -1,
	};

	trial_run(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xdp_native),     cmocka_unit_test(xdp_generic),
		cmocka_unit_test(xdp_best),       cmocka_unit_test(tcx_ingress),
		cmocka_unit_test(tcx_egress),     cmocka_unit_test(tc_ingress),
		cmocka_unit_test(tc_egress),      cmocka_unit_test(netkit_primary),
		cmocka_unit_test(netkit_peer),    cmocka_unit_test(sk_lookup),
		cmocka_unit_test(flow_dissector), cmocka_unit_test(netfilter),
		cmocka_unit_test(lwt_in),         cmocka_unit_test(lwt_out),
		cmocka_unit_test(lwt_xmit),       cmocka_unit_test(lwt_seg6local),
	};

	return cmocka_run_group_tests(tests, need_root, NULL);
}
