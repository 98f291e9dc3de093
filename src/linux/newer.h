/*
 * What is newer than the kernel headers this is built with may be: numbers and
 * layouts of Linux's uapi up to 6.18. Whether the running kernel has them is
 * found by trying.
 */
#ifndef SKEP_LINUX_NEWER_H
#define SKEP_LINUX_NEWER_H

#include <stdint.h>

enum {
	MAP_TYPE_CGRP_STORAGE = 32,
	MAP_TYPE_ARENA = 33,

	PROG_TYPE_NETFILTER = 32,

	ATTACH_STRUCT_OPS = 44,
	ATTACH_NETFILTER = 45,
	ATTACH_TCX_INGRESS = 46,
	ATTACH_TCX_EGRESS = 47,
	ATTACH_UPROBE_MULTI = 48,
	ATTACH_CGROUP_UNIX_CONNECT = 49,
	ATTACH_CGROUP_UNIX_SENDMSG = 50,
	ATTACH_CGROUP_UNIX_RECVMSG = 51,
	ATTACH_CGROUP_UNIX_GETPEERNAME = 52,
	ATTACH_CGROUP_UNIX_GETSOCKNAME = 53,
	ATTACH_NETKIT_PRIMARY = 54,
	ATTACH_NETKIT_PEER = 55,
	ATTACH_KPROBE_SESSION = 56,
	ATTACH_UPROBE_SESSION = 57,

	LINK_TYPE_STRUCT_OPS = 9,
	LINK_TYPE_NETFILTER = 10,
	LINK_TYPE_TCX = 11,
	LINK_TYPE_UPROBE_MULTI = 12,
	LINK_TYPE_NETKIT = 13,
	LINK_TYPE_SOCKMAP = 14,

	UPROBE_MULTI_RETURN = 1 << 0,
	MAP_LINK = 1 << 13, /* map_flags: a struct_ops map that a link attaches */
};

/** What BPF_LINK_CREATE takes, with the fields of every type. */
struct link_create_attr {
	uint32_t fd;     /* of a program; of a map for struct_ops */
	uint32_t target; /* a descriptor, or the index of a device */
	uint32_t attach_type, flags;
	union {
		uint32_t target_btf_id;
		struct {
			uint64_t info; /* union bpf_iter_link_info * */
			uint32_t len;
		} iter;
		struct {
			uint64_t cookie;
		} perf_event;
		struct {
			uint32_t flags, cnt;
			uint64_t syms, addrs, cookies;
		} kprobe_multi;
		struct {
			uint32_t target_btf_id;
			uint64_t cookie;
		} tracing;
		struct {
			uint32_t pf, hooknum;
			int32_t priority;
			uint32_t flags;
		} netfilter;
		struct {
			uint32_t relative;
			uint64_t expected_revision;
		} place; /* tcx, netkit, cgroup */
		struct {
			uint64_t path, offsets, ref_ctr_offsets, cookies;
			uint32_t cnt, flags, pid;
		} uprobe_multi;
	};
};

#endif
