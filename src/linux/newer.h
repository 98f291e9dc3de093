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

	KPROBE_MULTI_RETURN = 1 << 0,
	UPROBE_MULTI_RETURN = 1 << 0,
	MAP_LINK = 1 << 13, /* map_flags: a struct_ops map that a link attaches */

	/* enum bpf_perf_event_type, of links since 6.6 */
	PERF_LINK_UNSPEC = 0,
	PERF_LINK_UPROBE = 1,
	PERF_LINK_URETPROBE = 2,
	PERF_LINK_KPROBE = 3,
	PERF_LINK_KRETPROBE = 4,
	PERF_LINK_TRACEPOINT = 5,
	PERF_LINK_EVENT = 6,

	KERNEL_ENOTSUPP = 524, /* an error number that was not meant for user space */
};

/** What the kernel tells of a link, of every type (as of 6.12). Addresses are where it is to put
 *  texts and arrays, lengths and counts are theirs, before, and the true ones, after. */
struct link_info {
	uint32_t type, id, prog_id, pad;
	union {
		struct {
			uint64_t name;
			uint32_t len;
		} raw_tracepoint;
		struct {
			uint32_t attach_type, target_id, btf_id;
		} tracing;
		struct {
			uint64_t id;
			uint32_t attach_type;
		} cgroup;
		struct {
			uint64_t name;
			uint32_t len, map_id;
			union {
				struct {
					uint64_t id;
					uint32_t order;
				} cgroup;
				struct {
					uint32_t tid, pid;
				} task;
			};
		} iter;
		struct {
			uint32_t target, attach_type; /* inode of a namespace, device, map */
		} place; /* netns, xdp, tcx, netkit, struct_ops, sockmap */
		struct {
			uint32_t pf, hook;
			int32_t priority;
			uint32_t flags;
		} netfilter;
		struct {
			uint64_t addrs;
			uint32_t count, flags;
			uint64_t missed, cookies;
		} kprobe_multi;
		struct {
			uint64_t path, offs, ref_ctr_offs, cookies;
			uint32_t path_len, count, flags, pid;
		} uprobe_multi;
		struct {
			uint32_t type, pad;
			union {
				struct {
					uint64_t name;
					uint32_t len, off;
					uint64_t cookie;
				} uprobe;
				struct {
					uint64_t name;
					uint32_t len, off;
					uint64_t addr, missed, cookie;
				} kprobe;
				struct {
					uint64_t name;
					uint32_t len, pad;
					uint64_t cookie;
				} tracepoint;
				struct {
					uint64_t config;
					uint32_t type, pad;
					uint64_t cookie;
				} event;
			};
		} perf_event;
	};
};

/**
 * What BPF_LINK_CREATE takes, with the fields of every type. The kernel wants all others to be 0,
 * and a compiler need not clear the rest of a union that has an initializer for one of its members:
 * so these are set one by one, in what has been initialized without them.
 */
struct link_create_attr {
	uint32_t fd;     /* of a program; of a map for struct_ops */
	uint32_t target; /* a descriptor, or the index of a device */
	uint32_t attach_type, flags;
	union {
		uint64_t all[6]; /* the first: what is cleared if nothing is said */
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
