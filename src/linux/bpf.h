/*
 * bpf(2), perf_event_open(2) and friends of the running kernel, and nothing
 * above them. Every function returns >= 0 or -errno.
 */
#ifndef SKEP_LINUX_BPF_H
#define SKEP_LINUX_BPF_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* This folder has the system's name for its headers, and this file that of one of them: whoever
 * asks for <linux/bpf.h> gets both. */
#include_next <linux/bpf.h>

/** bpf(2) itself. Program loads that a signal interrupts (EAGAIN) are tried again a few times;
 *  the first EPERM of a map or program raises RLIMIT_MEMLOCK, which kernels before 5.11 need. */
int skep_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size);

int skep_bpf_map_lookup(int map_fd, const void *key, void *ret_value, uint64_t flags);
int skep_bpf_map_update(int map_fd, const void *key, const void *value, uint64_t flags);
int skep_bpf_map_delete(int map_fd, const void *key);
/** Look up and delete: at once since Linux 5.14, before that what is written in between is lost. */
int skep_bpf_map_take(int map_fd, const void *key, void *ret_value);
/** @key NULL: the first key. -ENOENT: no further key. */
int skep_bpf_map_next_key(int map_fd, const void *key, void *ret_next);
/** One batch; *count in: room, out: filled. -ENOENT with *count set: the last batch.
 *  -ENOSPC: a hash bucket holds more than the room; nothing is filled, come back with more. */
int skep_bpf_map_lookup_batch(int map_fd, const void *in_batch, void *out_batch, void *keys,
			      void *values, uint32_t *count, bool and_delete);
int skep_bpf_map_freeze(int map_fd);
int skep_bpf_btf_load(const void *data, size_t size);
/** A link of @prog_fd at @target_fd (a perf event for BPF_PERF_EVENT), with its cookie. */
int skep_bpf_link_create(int prog_fd, int target_fd, enum bpf_attach_type type, uint64_t cookie);
int skep_bpf_raw_tracepoint_open(const char *name, int prog_fd);
/** What the kernel knows of a program, map, link or BTF; @ret_info of @size bytes is read too
 *  (pointers in it say where arrays go): zero it first. */
int skep_bpf_info(int fd, void *ret_info, size_t size);

/** The id behind @id (0: the first), by BPF_MAP_GET_NEXT_ID and its like. Return 0 | -ENOENT there
 *  is none | -EPERM even that is not told */
int skep_bpf_next_id(enum bpf_cmd cmd, uint32_t id, uint32_t *ret_next);
/** By BPF_MAP_GET_FD_BY_ID and its like. Return a descriptor | -errno */
int skep_bpf_open_id(enum bpf_cmd cmd, uint32_t id);

/** Memory of a map or ring buffer from @off on, ours and the kernel's: no process that we start has
 *  it. Return MAP_FAILED as mmap() does */
void *skep_bpf_mmap(size_t bytes, int prot, int map_fd, off_t off);

int skep_perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd,
			 unsigned long flags);
/** The perf event type of a dynamic PMU ("uprobe", "kprobe": a literal); -ENOENT: there is none.
 *  Read once a thread. */
int skep_pmu_type(const char *name);
/** Which bit of "config" asks such a PMU for returns ("config:0": 0); -ENOENT: there is no PMU. */
int skep_pmu_retprobe_bit(const char *name);
/** Number of possible CPUs (per-CPU map values have one copy for each). Cached. */
unsigned skep_possible_cpus(void);
/** Ids of the online CPUs into @ret (up to @max); returns how many. */
unsigned skep_online_cpus(unsigned *ret, unsigned max);

/** Where tracefs is mounted ("/sys/kernel/tracing"); mounts it there if we may and nothing is.
 *  NULL: not to be had (errno says why). Cached. */
const char *skep_tracefs(void);

#endif
