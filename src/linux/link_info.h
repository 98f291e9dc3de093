/*
 * Links told: what the kernel knows of one, in words and as fields, whatever
 * its type; and which processes hold it.
 */
#ifndef SKEP_LINUX_LINK_INFO_H
#define SKEP_LINUX_LINK_INFO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/vec.h"

/** A fact about a link that its type alone has. */
struct skep_link_field {
	const char *key; /* "path", as bpftool calls it */
	char *text;      /* owned; NULL: a number */
	int64_t number;
};

struct skep_link {
	uint32_t id, type, prog_id; /* prog_id 0: it has no program (struct_ops) */
	const char *type_name;      /* "perf_event"; "type 40": one that came later */
	struct skep_buf where;      /* in words: "/bin/bash+0x30a10", "lo (tcx_ingress)" */
	SKEP_VEC(struct skep_link_field) fields; /* owned */
	/* kprobe_multi: addresses; uprobe_multi: offsets in the file; empty if not told. */
	SKEP_VEC(uint64_t) places; /* owned */
	uint64_t missed;           /* events the kernel left out, where it tells */
	/* tracing: what the program is at; a program's id (freplace), or a BTF's. 0: no such */
	uint32_t target_id, target_btf_id;
	char unknown[16]; /* where type_name is kept then */
};

/**
 * What the kernel tells of the link at @fd. Texts are cut at 4095 bytes, more than 65,536 places
 * are counted only.
 *
 * @ret    the caller's; ended with skep_link_done(), also after an error
 * Return  0 | -EINVAL no link | -errno
 * Cost    up to four system calls; a control group's path is looked up
 */
int skep_link_describe(int fd, struct skep_link *ret);
void skep_link_done(struct skep_link *link);
/** How often the kernel could not run what the link at @fd attaches, which it counts since 6.7; 0
 *  too where it does not tell. */
uint64_t skep_link_missed(int fd);
/** "cgroup_inet_ingress"; NULL: a number that came later. */
const char *skep_attach_type_name(uint32_t attach_type);

struct skep_link_owner {
	uint32_t link_id;
	pid_t pid;
};
struct skep_link_owners {
	struct skep_link_owner *data; /* owned: skep_vec_done() */
	size_t len, cap;
};
/** The processes that hold links, as far as we may look. Cost: a look at every open file. */
void skep_link_owners_read(struct skep_link_owners *ret);

#endif
