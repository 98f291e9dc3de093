/*
 * Probes of network hooks. What belongs to a network namespace is tried in a
 * new one, in a thread of its own, so that no packet of the machine ever meets
 * a probe; what belongs to a cgroup, in a new cgroup that holds nobody.
 */
#include "linux/feature_try.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/bpf_route.h"
#include "linux/netlink.h"
#include "linux/procfs.h"
#include "linux/tc_filter.h"

enum { LOOPBACK = 1, CGROUP_ALLOW = 1, XDP_VERDICT = 2 /* pass */, SK_VERDICT = 1 /* pass */ };

/* --- in a network namespace ---------------------------------------------------------------- */

/* What is tried there: descriptor or -errno. */
struct attempt {
	int (*run)(const struct attempt *attempt);
	uint32_t prog_type, attach_type;
	int value; /* what the program returns */
	int result;
};

static uint32_t target_of(const struct attempt *attempt, int netns)
{
	if (attempt->prog_type == BPF_PROG_TYPE_SK_LOOKUP ||
	    attempt->prog_type == BPF_PROG_TYPE_FLOW_DISSECTOR)
		return (uint32_t)netns;
	return attempt->prog_type == PROG_TYPE_NETFILTER ? 0 : LOOPBACK;
}

static int link_in_namespace(const struct attempt *attempt)
{
	_cleanup_close_ int prog =
		try_prog(attempt->prog_type, attempt->attach_type, 0, attempt->value);
	_cleanup_close_ int netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct link_create_attr attr = {.attach_type = attempt->attach_type};

	if (prog < 0)
		return prog;
	attr.fd = (uint32_t)prog;
	attr.target = target_of(attempt, netns);
	if (attempt->prog_type == PROG_TYPE_NETFILTER) {
		attr.netfilter.pf = NFPROTO_IPV4;
		attr.netfilter.priority = 1;
	}
	return skep_bpf(BPF_LINK_CREATE, (union bpf_attr *)&attr, sizeof(attr));
}

/* The namespace goes with the thread; the link lives on until the caller closes it. */
static void *run_attempt(void *arg)
{
	struct attempt *attempt = arg;

	attempt->result = unshare(CLONE_NEWNET) < 0 ? -errno : attempt->run(attempt);
	return NULL;
}

static int try_in_namespace(struct attempt attempt)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, run_attempt, &attempt);

	if (err)
		return -err;
	pthread_join(thread, NULL);
	return attempt.result;
}

static int try_link(uint32_t prog_type, uint32_t attach_type, int value)
{
	return try_in_namespace((struct attempt){.run = link_in_namespace,
						 .prog_type = prog_type,
						 .attach_type = attach_type,
						 .value = value});
}

int probe_xdp(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_link(BPF_PROG_TYPE_XDP, BPF_XDP, XDP_VERDICT);
}

int probe_tcx(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_link(BPF_PROG_TYPE_SCHED_CLS, ATTACH_TCX_INGRESS, 0);
}

/* arg: the program's type; arg2: the hook */
int probe_netns(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	int got = try_link((uint32_t)feature->arg, (uint32_t)feature->arg2,
			   feature->arg == BPF_PROG_TYPE_SK_LOOKUP ? SK_VERDICT : 0);

	if (got == -EEXIST) {
		snprintf(ret->why, sizeof(ret->why),
			 "one is at the machine's first network namespace, and so everybody's");
		snprintf(ret->hint, sizeof(ret->hint), "bpftool net shows which");
	}
	return got;
}

int probe_netfilter(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_link(PROG_TYPE_NETFILTER, ATTACH_NETFILTER, NF_ACCEPT);
}

static int filter_in_namespace(const struct attempt *attempt)
{
	_cleanup_close_ int prog = try_prog(BPF_PROG_TYPE_SCHED_CLS, 0, 0, 0);
	struct skep_tc_filter filter;
	int err = prog < 0 ? prog : skep_tc_filter_add(LOOPBACK, false, prog, "probe", &filter);

	if (!err)
		skep_tc_filter_remove(&filter);
	return err;
}

int probe_clsact(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_in_namespace((struct attempt){.run = filter_in_namespace});
}

/* The kernel names the pair. */
static int make_netkit(void)
{
	_cleanup_close_ int fd = skep_netlink_open();
	const struct ifinfomsg head = {0};
	struct skep_netlink_request request;

	if (fd < 0)
		return fd;
	skep_netlink_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	size_t info = skep_netlink_nest(&request, IFLA_LINKINFO);
	skep_netlink_put_text(&request, IFLA_INFO_KIND, "netkit");
	skep_netlink_end(&request, info);
	return skep_netlink_ask(fd, &request, NULL, NULL, NULL);
}

static int netkit_in_namespace(const struct attempt *attempt)
{
	return make_netkit();
}

int probe_netkit(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_in_namespace((struct attempt){.run = netkit_in_namespace});
}

/* Without its device up there is no route, and the loopback device is not. */
static int raise_loopback(void)
{
	_cleanup_close_ int fd = skep_netlink_open();
	const struct ifinfomsg head = {
		.ifi_index = LOOPBACK, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct skep_netlink_request request;

	if (fd < 0)
		return fd;
	skep_netlink_begin(&request, RTM_NEWLINK, 0, &head, sizeof(head));
	return skep_netlink_ask(fd, &request, NULL, NULL, NULL);
}

static int route_in_namespace(const struct attempt *attempt)
{
	_cleanup_close_ int prog = try_prog(BPF_PROG_TYPE_LWT_XMIT, 0, 0, 0);
	struct skep_bpf_route route = {.ifindex = LOOPBACK};
	int err = prog < 0 ? prog : raise_loopback();

	err = err ?: skep_bpf_route_parse("192.0.2.0/24", &route);
	err = err ?: skep_bpf_route_add(&route, BPF_PROG_TYPE_LWT_XMIT, prog, "probe");
	if (!err)
		skep_bpf_route_remove(&route);
	return err;
}

int probe_lwt(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_in_namespace((struct attempt){.run = route_in_namespace});
}

/* --- in a cgroup --------------------------------------------------------------------------- */

static int make_cgroup(char *path, size_t size)
{
	_cleanup_buf_ struct skep_buf mounts = {0};
	char root[PATH_MAX];
	int err = skep_file_read("/proc/self/mounts", 16 << 20, &mounts);

	if (err)
		return err;
	err = skep_mounts_find(mounts.data ? mounts.data : "", "cgroup2", "/sys/fs/cgroup", root,
			       sizeof(root));
	if (err)
		return err;
	if ((size_t)snprintf(path, size, "%s/skep-probe-%d", root, (int)getpid()) >= size)
		return -ENAMETOOLONG;
	return mkdir(path, 0700) < 0 ? -errno : 0;
}

static int link_in_cgroup(const struct skep_feature *feature, const char *path)
{
	_cleanup_close_ int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int prog =
		try_prog((uint32_t)feature->arg, (uint32_t)feature->arg2, 0, CGROUP_ALLOW);

	if (cgroup < 0)
		return -errno;
	if (prog < 0)
		return prog;
	return skep_bpf_link_create(prog, cgroup, (enum bpf_attach_type)feature->arg2, 0);
}

/* arg: the program's type; arg2: the hook */
int probe_cgroup(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	char path[PATH_MAX + 64];
	int err = make_cgroup(path, sizeof(path));

	if (err == -ENOENT) {
		snprintf(ret->why, sizeof(ret->why), "no cgroup2 file system is mounted");
		snprintf(ret->hint, sizeof(ret->hint), "mount -t cgroup2 none /sys/fs/cgroup");
	}
	if (err)
		return err;
	_cleanup_close_ int link = link_in_cgroup(feature, path);
	int got = link < 0 ? link : 0;
	skep_close(&link);
	rmdir(path);
	return got;
}
