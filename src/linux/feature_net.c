/*
 * Probes of network hooks. What belongs to a network namespace is tried in a
 * new one, in a thread of its own, so that no packet of the machine ever meets
 * a probe; what belongs to a cgroup, in a new cgroup that holds nobody.
 */
#include "linux/feature_try.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/procfs.h"

enum { LOOPBACK = 1, CGROUP_ALLOW = 1, XDP_VERDICT = 2 /* pass */, SK_VERDICT = 1 /* pass */ };

/* --- in a network namespace ---------------------------------------------------------------- */

struct attempt {
	uint32_t prog_type, attach_type;
	int value; /* what the program returns */
	int result;
};

/* BPF_LINK_CREATE at a device, a namespace or a netfilter hook: the rest of the fields differ. */
struct link_attr {
	uint32_t prog_fd, target, attach_type, flags;
	uint32_t words[4]; /* of netfilter: protocol family, hook, priority, flags */
};

static uint32_t target_of(const struct attempt *attempt, int netns)
{
	if (attempt->prog_type == BPF_PROG_TYPE_SK_LOOKUP)
		return (uint32_t)netns;
	return attempt->prog_type == PROG_TYPE_NETFILTER ? 0 : LOOPBACK;
}

static int link_in_namespace(const struct attempt *attempt)
{
	_cleanup_close_ int prog =
		try_prog(attempt->prog_type, attempt->attach_type, 0, attempt->value);
	_cleanup_close_ int netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct link_attr attr = {.attach_type = attempt->attach_type};

	if (prog < 0)
		return prog;
	attr.prog_fd = (uint32_t)prog;
	attr.target = target_of(attempt, netns);
	if (attempt->prog_type == PROG_TYPE_NETFILTER) {
		attr.words[0] = NFPROTO_IPV4;
		attr.words[2] = 1;
	}
	return skep_bpf(BPF_LINK_CREATE, (union bpf_attr *)&attr, sizeof(attr));
}

/* The namespace goes with the thread; the link lives on until the caller closes it. */
static void *run_attempt(void *arg)
{
	struct attempt *attempt = arg;

	attempt->result = unshare(CLONE_NEWNET) < 0 ? -errno : link_in_namespace(attempt);
	return NULL;
}

static int try_in_namespace(uint32_t prog_type, uint32_t attach_type, int value)
{
	struct attempt attempt = {prog_type, attach_type, value, -ENOMEM};
	pthread_t thread;
	int err = pthread_create(&thread, NULL, run_attempt, &attempt);

	if (err)
		return -err;
	pthread_join(thread, NULL);
	return attempt.result;
}

int probe_xdp(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_in_namespace(BPF_PROG_TYPE_XDP, BPF_XDP, XDP_VERDICT);
}

int probe_tcx(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_in_namespace(BPF_PROG_TYPE_SCHED_CLS, ATTACH_TCX_INGRESS, 0);
}

int probe_netns(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_in_namespace(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, SK_VERDICT);
}

int probe_netfilter(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_in_namespace(PROG_TYPE_NETFILTER, ATTACH_NETFILTER, NF_ACCEPT);
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
