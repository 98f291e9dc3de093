/*
 * The probes of features.def, and the small pieces they are made of: tiny
 * programs and maps. A probe returns >= 0 (a descriptor is the caller's to
 * close) or -errno, and may set the words itself.
 */
#ifndef SKEP_LINUX_FEATURE_TRY_H
#define SKEP_LINUX_FEATURE_TRY_H

#include "linux/bpf.h"
#include "linux/feature.h"
#include "linux/newer.h"

enum probe_insns { INSNS_ATOMIC, INSNS_V4, INSNS_MAY_GOTO, INSNS_LOAD_ACQUIRE, INSNS_CALL };
enum probe_file { FILE_BTF };
enum probe_table { TABLE_TCP_CONGESTION, TABLE_SCHED_EXT, TABLE_HID_BPF };

#define PROBE(name)                                                                                \
	int probe_##name(const struct skep_feature *feature, struct skep_feature_result *ret)
/* feature_host.c */
PROBE(bpf);
PROBE(jit);
PROBE(file);
PROBE(tracefs);
PROBE(kallsyms);
PROBE(lockdown);
PROBE(io_uring);
PROBE(cap);
PROBE(sysctl);
/* feature_object.c */
PROBE(map);
PROBE(batch);
PROBE(noprealloc);
PROBE(prog);
PROBE(helper);
PROBE(insns);
PROBE(loop);
PROBE(run);
/* feature_attach.c */
PROBE(tracepoint);
PROBE(raw_tp);
PROBE(perf);
PROBE(cookie);
PROBE(watchpoint);
PROBE(uprobe);
PROBE(uprobe_multi);
PROBE(kprobe);
PROBE(kprobe_multi);
PROBE(tp_btf);
PROBE(fentry);
PROBE(btf_link);
PROBE(struct_ops);
/* feature_net.c */
PROBE(xdp);
PROBE(tcx);
PROBE(cgroup);
PROBE(netns);
PROBE(netfilter);
PROBE(clsact);
PROBE(netkit);
PROBE(lwt);
/* feature_socket.c */
PROBE(sockmap);
PROBE(sockmap_link);
PROBE(reuseport);
#undef PROBE

/** Load "return @value" as @type. */
int try_prog(uint32_t type, uint32_t attach_type, uint32_t btf_id, int value);
/** A small map of that type (feature_object.c); -1: no BTF, no inner map. */
int try_map(uint32_t type, uint32_t flags, int btf_fd, int inner_fd);
/** Load any instructions; @log may be NULL. */
int try_insns(uint32_t type, const struct bpf_insn *insns, uint32_t n, char *log,
	      uint32_t log_size);
/** The id of the kernel's BTF type of that name and kind (4-bit BTF kind). 0 < id | -errno */
int try_btf_id(const char *name, unsigned kind);

#endif
