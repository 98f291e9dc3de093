/*
 * What the network's attach types are refused for, in words; and that what no
 * descriptor holds is taken off, while what others made stays.
 */
#include "cgroup.h"
#include "netns.h"

#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>

#include "linux/feature.h"
#include "linux/tc_filter.h"

enum { NO_DEVICE = 9999, LOOPBACK = 1 };

/* Two programs of one type that do nothing. */
struct bench {
	struct skep_object object;
	struct skep_session *session; /* NULL: this kernel has no such programs */
};

static void open_bench(struct bench *ret, uint32_t type, uint32_t attach_type, int32_t returns)
{
	_cleanup_diag_ struct skep_diag diag = {0};

	object_with_counters(&ret->object);
	for (int i = 0; i < 2; i++) {
		struct code code = {0};
		emit_return(&code, returns);
		const uint32_t prog = add_prog(&ret->object, type, &code);
		ret->object.progs[prog].expected_attach_type = attach_type;
	}
	ret->session = NULL;
	skep_session_open(&ret->object, NULL, &ret->session, &diag);
}

static void close_bench(struct bench *bench)
{
	skep_session_close(bench->session);
	skep_object_done(&bench->object);
}

static void assert_says(const struct skep_diag *diag, const char *words)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_diag_render(diag, false, &text);
	if (!text.data || !strstr(text.data, words))
		fail_msg("not said: %s\n%s", words, text.data ? text.data : "");
}

static void refused(struct bench *bench, struct skep_attach at, int err, const char *words)
{
	_cleanup_diag_ struct skep_diag diag = {0};

	at.target = "the place";
	assert_int_equal(skep_session_attach(bench->session, &at, &diag), err);
	assert_says(&diag, words);
}

static void taken(struct bench *bench, struct skep_attach at)
{
	at.target = "the place";
	attach(bench->session, &at);
}

/* --- XDP ----------------------------------------------------------------------------------- */

static struct skep_attach xdp_at(uint32_t ifindex, uint32_t flags)
{
	return (struct skep_attach){.type = SKEP_ATTACH_XDP,
				    .xdp = {.ifindex = ifindex, .flags = flags}};
}

static void xdp(void **state)
{
	struct bench bench;

	netns_enter();
	open_bench(&bench, BPF_PROG_TYPE_XDP, BPF_XDP, XDP_PASS);
	assert_non_null(bench.session);
	refused(&bench, xdp_at(NO_DEVICE, 0), -ENODEV, "no such network device");
	refused(&bench, xdp_at(LOOPBACK, XDP_FLAGS_DRV_MODE), -EOPNOTSUPP, "driver has no XDP");
	refused(&bench, xdp_at(LOOPBACK, XDP_FLAGS_HW_MODE), -EOPNOTSUPP, "no XDP in hardware");
	taken(&bench, xdp_at(LOOPBACK, 0));
	refused(&bench, xdp_at(LOOPBACK, XDP_FLAGS_SKB_MODE), -EBUSY, "another XDP program");
	close_bench(&bench);
}

static void read_mode(const struct nlmsghdr *message, void *arg)
{
	const struct ifinfomsg *head = NLMSG_DATA(message);
	const struct nlattr *xdp_attr = skep_netlink_find(
		IFLA_RTA(head), message->nlmsg_len - NLMSG_LENGTH(sizeof(*head)), IFLA_XDP);
	const struct nlattr *mode =
		xdp_attr ? skep_netlink_find(xdp_attr + 1, xdp_attr->nla_len - NLA_HDRLEN,
					     IFLA_XDP_ATTACHED)
			 : NULL;

	if (mode)
		*(uint8_t *)arg = *(const uint8_t *)(mode + 1);
}

/* XDP_ATTACHED_NONE, _DRV, _SKB, … as the kernel says. */
static int mode_of(uint32_t ifindex)
{
	const struct ifinfomsg head = {.ifi_index = (int)ifindex};
	struct skep_netlink_request request;
	_cleanup_close_ int fd = skep_netlink_open();
	uint8_t mode = 255;

	skep_netlink_begin(&request, RTM_GETLINK, 0, &head, sizeof(head));
	assert_int_equal(skep_netlink_ask(fd, &request, read_mode, &mode, NULL), 0);
	return mode;
}

static void xdp_modes(void **state)
{
	struct bench bench;
	struct netns net;

	if (!netns_make(&net, "veth"))
		skip();
	open_bench(&bench, BPF_PROG_TYPE_XDP, BPF_XDP, XDP_PASS);
	assert_non_null(bench.session);
	taken(&bench, xdp_at(net.index[0], 0));
	assert_int_equal(mode_of(net.index[0]), XDP_ATTACHED_DRV);
	refused(&bench, xdp_at(net.index[0], XDP_FLAGS_SKB_MODE), -EEXIST, "exclude each other");
	taken(&bench, xdp_at(net.index[1], XDP_FLAGS_SKB_MODE));
	assert_int_equal(mode_of(net.index[1]), XDP_ATTACHED_SKB);
	taken(&bench, xdp_at(LOOPBACK, 0));
	assert_int_equal(mode_of(LOOPBACK), XDP_ATTACHED_SKB);
	skep_session_detach_all(bench.session);
	assert_int_equal(mode_of(net.index[0]), XDP_ATTACHED_NONE);
	assert_int_equal(mode_of(LOOPBACK), XDP_ATTACHED_NONE);
	close_bench(&bench);
}

/* --- traffic control ----------------------------------------------------------------------- */

static void count_clsact(const struct nlmsghdr *message, void *arg)
{
	const struct tcmsg *head = NLMSG_DATA(message);

	*(unsigned *)arg += message->nlmsg_type == RTM_NEWQDISC && head->tcm_parent == TC_H_CLSACT;
}

static unsigned clsacts(void)
{
	const struct tcmsg head = {0};
	struct skep_netlink_request request;
	_cleanup_close_ int fd = skep_netlink_open();
	unsigned n = 0;

	skep_netlink_begin(&request, RTM_GETQDISC, NLM_F_DUMP, &head, sizeof(head));
	assert_int_equal(skep_netlink_ask(fd, &request, count_clsact, &n, NULL), 0);
	return n;
}

static struct skep_attach tc_at(uint32_t ifindex, bool egress)
{
	return (struct skep_attach){.type = SKEP_ATTACH_TC,
				    .tc = {.ifindex = ifindex, .egress = egress, .clsact = true}};
}

static void need_clsact(void)
{
	struct skep_feature_result probe;

	skep_feature_try(SKEP_FEATURE_CLSACT, &probe);
	if (!probe.yes)
		trial_not_here("clsact", "%s", probe.why);
}

static void clsact_goes_with_its_last_filter(void **state)
{
	struct bench bench;

	need_clsact();
	netns_enter();
	open_bench(&bench, BPF_PROG_TYPE_SCHED_CLS, 0, TC_ACT_UNSPEC);
	assert_non_null(bench.session);
	taken(&bench, tc_at(LOOPBACK, false));
	taken(&bench, tc_at(LOOPBACK, true));
	assert_int_equal(clsacts(), 1);
	skep_session_detach_all(bench.session);
	assert_int_equal(clsacts(), 0);
	close_bench(&bench);
}

/* The first session made the clsact and leaves before the second. */
static void clsact_stays_for_others(void **state)
{
	struct bench first, second;

	need_clsact();
	netns_enter();
	open_bench(&first, BPF_PROG_TYPE_SCHED_CLS, 0, TC_ACT_UNSPEC);
	open_bench(&second, BPF_PROG_TYPE_SCHED_CLS, 0, TC_ACT_UNSPEC);
	assert_true(first.session && second.session);
	taken(&first, tc_at(LOOPBACK, false));
	taken(&second, tc_at(LOOPBACK, true));
	close_bench(&first);
	assert_int_equal(clsacts(), 1);
	close_bench(&second);
	assert_int_equal(clsacts(), 1); /* the second found it there */
}

/* What was attached is taken off where it was attached, wherever the process is by then. */
static void clsact_is_left_from_elsewhere(void **state)
{
	struct bench bench;

	need_clsact();
	netns_enter();
	_cleanup_close_ int there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	open_bench(&bench, BPF_PROG_TYPE_SCHED_CLS, 0, TC_ACT_UNSPEC);
	assert_non_null(bench.session);
	taken(&bench, tc_at(LOOPBACK, false));
	netns_enter();
	close_bench(&bench);
	assert_int_equal(setns(there, CLONE_NEWNET), 0);
	assert_int_equal(clsacts(), 0);
}

static void tc(void **state)
{
	struct bench bench;
	struct skep_attach at = {.type = SKEP_ATTACH_TC, .tc.ifindex = NO_DEVICE};

	netns_enter();
	open_bench(&bench, BPF_PROG_TYPE_SCHED_CLS, 0, TC_ACT_UNSPEC);
	assert_non_null(bench.session);
	refused(&bench, at, -ENODEV, "no such network device");
	refused(&bench, tc_at(NO_DEVICE, false), -ENODEV, "no such network device");
	at.tc.ifindex = LOOPBACK;
	at.cookie = 1;
	refused(&bench, at, -EINVAL, "no cookies");
	at = (struct skep_attach){.type = SKEP_ATTACH_NETKIT, .tc.ifindex = LOOPBACK};
	if (skep_has_feature(SKEP_FEATURE_NETKIT))
		refused(&bench, at, -ENXIO, "not a netkit device");
	else
		refused(&bench, at, -EINVAL, "no netkit");
	assert_int_equal(clsacts(), 0);
	close_bench(&bench);
}

static void netkit_peer(void **state)
{
	struct bench bench;
	struct netns net;

	if (!netns_make(&net, "netkit"))
		trial_not_here("netkit.peer", "this kernel has no netkit devices");
	open_bench(&bench, BPF_PROG_TYPE_SCHED_CLS, 0, TC_ACT_UNSPEC);
	assert_non_null(bench.session);
	refused(&bench,
		(struct skep_attach){.type = SKEP_ATTACH_NETKIT, .tc.ifindex = net.index[1]},
		-EACCES, "at the primary one");
	close_bench(&bench);
}

/* --- namespaces and netfilter -------------------------------------------------------------- */

static void netns(void **state)
{
	struct bench bench;
	_cleanup_close_ int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct skep_attach at = {.type = SKEP_ATTACH_NETNS, .netns.netns_fd = file};

	netns_enter();
	_cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	open_bench(&bench, BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR, BPF_OK);
	assert_non_null(bench.session);
	refused(&bench, at, -EINVAL, "no network namespace");
	at.netns.netns_fd = here;
	taken(&bench, at);
	at.prog = 1;
	refused(&bench, at, -E2BIG, "another program is there already");
	close_bench(&bench);
	open_bench(&bench, BPF_PROG_TYPE_XDP, BPF_XDP, XDP_PASS);
	assert_non_null(bench.session);
	refused(&bench, at, -EINVAL, "of another type");
	close_bench(&bench);
}

static struct skep_attach netfilter_at(uint32_t pf, uint32_t hooknum, int32_t priority)
{
	return (struct skep_attach){
		.type = SKEP_ATTACH_NETFILTER,
		.netfilter = {.pf = pf, .hooknum = hooknum, .priority = priority}};
}

static void netfilter(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct bench bench;

	netns_enter();
	open_bench(&bench, PROG_TYPE_NETFILTER, ATTACH_NETFILTER, NF_ACCEPT);
	if (!bench.session) {
		close_bench(&bench);
		trial_not_here("netfilter", "this kernel has no such programs");
	}
	refused(&bench, netfilter_at(NFPROTO_ARP, 0, 1), -EAFNOSUPPORT, "IPv4 and IPv6 only");
	refused(&bench, netfilter_at(NFPROTO_IPV4, 99, 1), -EPROTO, "no hook of that number");
	refused(&bench, netfilter_at(NFPROTO_IPV4, 1, INT32_MIN), -ERANGE, "the kernel's own");
	taken(&bench, netfilter_at(NFPROTO_IPV4, NF_INET_LOCAL_IN, 1));
	refused(&bench, netfilter_at(NFPROTO_IPV4, NF_INET_LOCAL_IN, 1), -EBUSY,
		"another priority");
	assert_true(skep_session_replace(bench.session, 0, 1, &diag) < 0);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_LINK_REPLACE);
	close_bench(&bench);
}

/* --- sockets ------------------------------------------------------------------------------- */

static void socket_filter(void **state)
{
	struct bench bench;
	struct skep_attach at = {.type = SKEP_ATTACH_SOCKET_FILTER};

	open_bench(&bench, BPF_PROG_TYPE_SOCKET_FILTER, 0, -1);
	assert_non_null(bench.session);
	_cleanup_close_ int fd = netns_socket(AF_INET, SOCK_DGRAM, 0);
	_cleanup_close_ int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	at.socket.fd = file;
	refused(&bench, at, -ENOTSOCK, "no socket");
	at.socket.fd = fd;
	taken(&bench, at);
	refused(&bench, at, -EBUSY, "has a filter already");
	skep_session_detach_all(bench.session);
	taken(&bench, at);
	at.type = SKEP_ATTACH_REUSEPORT;
	refused(&bench, at, -EINVAL, "SO_REUSEPORT is not set");
	close_bench(&bench);
}

static void sockmap(void **state)
{
	struct bench bench;
	struct skep_attach at = {.type = SKEP_ATTACH_SK_MSG};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_SOCKMAP;
	attr.key_size = attr.value_size = 4;
	attr.max_entries = 1;
	_cleanup_close_ int map = skep_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	assert_true(map >= 0);
	open_bench(&bench, BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT, SK_PASS);
	assert_non_null(bench.session);
	at.socket.fd = skep_session_map_fd(bench.session, 0);
	refused(&bench, at, -EOPNOTSUPP, "no sockmap");
	at.socket.fd = map;
	taken(&bench, at);
	at.prog = 1;
	refused(&bench, at, -EBUSY, "another program is there already");
	skep_session_detach_all(bench.session);
	taken(&bench, at);
	close_bench(&bench);
}

/* --- routes -------------------------------------------------------------------------------- */

static struct skep_attach lwt_at(const char *route, uint32_t ifindex)
{
	return (struct skep_attach){.type = SKEP_ATTACH_LWT,
				    .lwt = {.route = route, .ifindex = ifindex}};
}

static void lwt(void **state)
{
	static const char *const no_routes[] = {"",
						"192.0.2.0/",
						"192.0.2.0/33",
						"192.0.2/24",
						"2001:db8::/129",
						"192.0.2.0/24x",
						"192.0.2.0/-1",
						"skep"};
	struct bench bench;

	if (!skep_has_feature(SKEP_FEATURE_LWT))
		trial_not_here("lwt", "this kernel has no programs at routes");
	netns_enter();
	open_bench(&bench, BPF_PROG_TYPE_LWT_XMIT, 0, BPF_OK);
	assert_non_null(bench.session);
	for (size_t i = 0; i < sizeof(no_routes) / sizeof(*no_routes); i++)
		refused(&bench, lwt_at(no_routes[i], LOOPBACK), -EINVAL, "no prefix");
	refused(&bench, lwt_at("192.0.2.0/24", NO_DEVICE), -ENODEV, "no such network device");
	refused(&bench, lwt_at("192.0.2.3/24", LOOPBACK), -EINVAL,
		"the kernel says: Invalid prefix");
	taken(&bench, lwt_at("192.0.2.0/24", LOOPBACK));
	refused(&bench, lwt_at("192.0.2.0/24", LOOPBACK), -EEXIST, "such a route already");
	taken(&bench, lwt_at("192.0.2.0", LOOPBACK));
	if (netns_has_ipv6())
		taken(&bench, lwt_at("2001:db8::/32", LOOPBACK));
	skep_session_detach_all(bench.session);
	taken(&bench, lwt_at("192.0.2.0/24", LOOPBACK));
	close_bench(&bench);
}

/* --- control groups ------------------------------------------------------------------------ */

static struct skep_attach cgroup_at(int fd)
{
	return (struct skep_attach){.type = SKEP_ATTACH_CGROUP, .cgroup.cgroup_fd = fd};
}

/* Some machines have groups of both kinds. */
static void what_is_no_group(void **state)
{
	static const char *const paths[] = {"/proc", "/sys/fs/cgroup/devices", "/nowhere"};
	struct bench bench;

	open_bench(&bench, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 1);
	assert_non_null(bench.session);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int folder = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		refused(&bench, cgroup_at(folder), -EBADF, "no control group");
		skep_close(&folder);
	}
	close_bench(&bench);
}

/* By the older command, and without leave for others. */
static int put_alone(int prog, enum bpf_cmd cmd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_own.fd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_INET_EGRESS;
	return skep_bpf(cmd, &attr, sizeof(attr));
}

static void a_group_that_is_taken(void **state)
{
	struct bench bench;

	open_bench(&bench, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 1);
	assert_non_null(bench.session);
	const int prog = skep_session_prog_fd(bench.session, 0);
	assert_int_equal(put_alone(prog, BPF_PROG_ATTACH), 0);
	refused(&bench, cgroup_at(cgroup_own.fd), -EPERM, "tolerates no other");
	assert_int_equal(put_alone(prog, BPF_PROG_DETACH), 0);
	taken(&bench, cgroup_at(cgroup_own.fd));
	close_bench(&bench);
}

/* --- rights -------------------------------------------------------------------------------- */

/* Who is not root has none of its rights until it is root again. */
static void refused_to_nobody(uint32_t prog_type, uint32_t attach_type, struct skep_attach at)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct bench bench;

	open_bench(&bench, prog_type, attach_type, 1);
	assert_non_null(bench.session);
	at.target = "the place";
	const int became = seteuid(65534);
	const int err = skep_session_attach(bench.session, &at, &diag);
	const int returned = seteuid(0);
	assert_true(became == 0 && returned == 0);
	assert_int_equal(err, -EPERM);
	assert_says(&diag, "lacks CAP_NET_ADMIN and CAP_BPF");
	close_bench(&bench);
}

static void missing_rights_are_told(void **state)
{
	netns_enter();
	refused_to_nobody(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS,
			  cgroup_at(cgroup_own.fd));
	refused_to_nobody(BPF_PROG_TYPE_SCHED_CLS, 0, tc_at(LOOPBACK, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xdp),
		cmocka_unit_test(xdp_modes),
		cmocka_unit_test(clsact_goes_with_its_last_filter),
		cmocka_unit_test(clsact_stays_for_others),
		cmocka_unit_test(clsact_is_left_from_elsewhere),
		cmocka_unit_test(tc),
		cmocka_unit_test(netkit_peer),
		cmocka_unit_test(netns),
		cmocka_unit_test(netfilter),
		cmocka_unit_test(socket_filter),
		cmocka_unit_test(sockmap),
		cmocka_unit_test(lwt),
		cmocka_unit_test(what_is_no_group),
		cmocka_unit_test(a_group_that_is_taken),
		cmocka_unit_test(missing_rights_are_told),
	};

	return cmocka_run_group_tests(tests, cgroup_enter, cgroup_leave);
}
