/*
 * Control groups: a program for what the processes of a group and of those
 * below it do: packets, sockets and their addresses and options, sysctls,
 * devices, TCP connections. Which of these, the program's expected attach type
 * says; where a program type has one hook only, it may be left out.
 *
 * All are by link: any number at a group, beside those of the groups above, and
 * replaced in place. A group where something was put by the older command and
 * without leave for others takes no link, nor do those below it.
 */
#include "load/network.h"

#include <errno.h>

static const struct load_reason reasons[] = {
	{-EBADF, "that is no control group of the unified hierarchy (cgroup v2)",
	 "a folder of a mounted cgroup2 file system: grep cgroup2 /proc/mounts"},
	{-EPERM, "a program that tolerates no other is at this group or one above it",
	 "bpftool cgroup tree shows it"},
	{-E2BIG, "a control group takes at most 64 programs of a kind", NULL},
	{-EINVAL, "this kernel's control groups have no such hook, or the program is for another",
	 NULL},
	{0},
};

/* 0 is the number of a hook too: that of packets coming in. */
static uint32_t hook_of(const struct skep_object_prog *prog)
{
	switch (prog->type) {
	case BPF_PROG_TYPE_SOCK_OPS: return BPF_CGROUP_SOCK_OPS;
	case BPF_PROG_TYPE_CGROUP_DEVICE: return BPF_CGROUP_DEVICE;
	case BPF_PROG_TYPE_CGROUP_SYSCTL: return BPF_CGROUP_SYSCTL;
	case BPF_PROG_TYPE_CGROUP_SOCK:
		return prog->expected_attach_type ?: BPF_CGROUP_INET_SOCK_CREATE;
	default: return prog->expected_attach_type;
	}
}

int load_attach_cgroup(struct skep_session *session, const struct skep_attach *at,
		       struct skep_diag *diag)
{
	struct link_create_attr attr = {
		.target = (uint32_t)at->cgroup.cgroup_fd,
		.attach_type = hook_of(&session->object->progs[at->prog]),
	};

	return load_network_link(session, at, &attr, reasons, diag);
}
