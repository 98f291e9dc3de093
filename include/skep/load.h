/*
 * From an object to programs at work: create its maps, load its programs,
 * attach them, and take all of it away again.
 *
 * A session owns every descriptor. Nothing is pinned: when the process ends,
 * however it ends, the kernel removes it all.
 */
#ifndef SKEP_LOAD_H
#define SKEP_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <skep/diag.h>
#include <skep/object.h>

/** Rows of src/load/attach.def: SKEP_ATTACH_TRACEPOINT, … */
enum skep_attach_type {
#define ATTACH(name, ...) SKEP_ATTACH_##name,
#include "attach.def"
#undef ATTACH
	SKEP_ATTACH_CNT
};

/** One place to attach one program to. What it points to, and descriptors, are borrowed until it
 *  is attached. */
struct skep_attach {
	enum skep_attach_type type;
	uint32_t prog;         /* index into the object's programs */
	uint64_t cookie;       /* what bpf_get_attach_cookie() gives there; 0: none */
	struct skep_span span; /* the probe in the script, for messages */
	const char
		*target; /* how to call this place in messages: "tracepoint:sched:sched_switch" */
	union {
		struct {
			uint64_t id; /* of events/CATEGORY/NAME/id */
		} tracepoint;
		struct {
			const char *name;
		} raw_tracepoint;
		struct {
			uint32_t type;   /* PERF_TYPE_SOFTWARE, …; PERF_TYPE_BREAKPOINT */
			uint64_t config; /* PERF_COUNT_SW_…; of a breakpoint: 0 */
			uint64_t period; /* events, or Hz if freq */
			bool freq;
			pid_t pid;        /* -1: all */
			bool one_cpu;     /* on one CPU only (interval) rather than on each */
			uint64_t bp_addr; /* BREAKPOINT: where, HW_BREAKPOINT_…, bytes */
			uint32_t bp_type, bp_len;
		} perf;
		struct {
			const char *path;
			uint64_t file_off;    /* of the instruction, in the file */
			uint64_t ref_ctr_off; /* file offset of a USDT semaphore; 0: none */
			pid_t pid;            /* -1: every process */
			bool ret;             /* at function return */
		} uprobe;
		/** Many places of one file by one link; arrays of n, optional ones may be NULL. */
		struct {
			const char *path;
			const uint64_t *file_offs, *ref_ctr_offs, *cookies;
			uint32_t n;
			pid_t pid;         /* 0: every process */
			bool ret, session; /* session: at entry, and at return if it said 0 */
		} uprobe_multi;
		struct {
			const char *func; /* "vfs_read", "nf_nat:nf_nat_setup_info"; NULL: addr */
			uint64_t addr, off;
			bool ret;
		} kprobe;
		/** Many functions by one link: exactly one of names and addrs. */
		struct {
			const char *const *names;
			const uint64_t *addrs, *cookies;
			uint32_t n;
			bool ret, session;
		} kprobe_multi;
		/** fentry, fexit, fmod_ret, tp_btf, lsm: where to is said when the program
		 *  is loaded (attach_btf_id). freplace says it here. */
		struct {
			int target_fd;   /* a program; 0: as loaded */
			uint32_t btf_id; /* of its function */
		} tracing;
		struct {
			int map_fd;     /* bpf_map_elem, sk_storage: which map; 0: none */
			pid_t pid, tid; /* task iterators: one process, one thread; 0: all */
			int cgroup_fd;  /* cgroup iterators */
			uint32_t cgroup_order;
		} iter;
		struct {
			uint32_t ifindex;
			uint32_t flags; /* XDP_FLAGS_SKB_MODE, _DRV_MODE, _HW_MODE; 0: the best */
		} xdp;
		/** tcx, netkit, and tc's clsact where the kernel has no tcx. */
		struct {
			uint32_t ifindex;
			bool egress; /* netkit: the peer */
			bool clsact; /* a filter of tc, although the kernel has tcx */
		} tc;
		/** A control group: the program's expected_attach_type is the hook. */
		struct {
			int cgroup_fd;
		} cgroup;
		struct {
			int netns_fd; /* sk_lookup, flow_dissector */
		} netns;
		struct {
			uint32_t pf, hooknum, flags; /* NFPROTO_IPV4, NF_INET_LOCAL_IN, … */
			int32_t priority;
		} netfilter;
		struct {
			int fd; /* socket filter, sk_reuseport: a socket; sk_skb, sk_msg: a sockmap */
		} socket;
		struct {
			const char *route; /* "192.0.2.0/24" */
			uint32_t ifindex;
		} lwt;
		struct {
			uint32_t map; /* of the object: a struct_ops map whose value is in place */
		} struct_ops;
	};
};

struct skep_session;

/**
 * Create the object's maps and load its BTF and programs into the running
 * kernel. Loads without a verifier log first; a rejected program is loaded
 * again with one and reported at its source line: in @diag, the kernel's own
 * line kept.
 *
 * @object  borrowed; must outlive the session
 * @log     if not NULL, the verifier's log of every program is appended (-v)
 * Return   0 | -EPERM privileges missing | -EACCES/-EINVAL rejected | -errno
 */
int skep_session_open(const struct skep_object *object, struct skep_buf *log,
		      struct skep_session **ret, struct skep_diag *diag);
/** Detach and close everything. NULL is fine. */
void skep_session_close(struct skep_session *session);
/** Attach at one place. Failure is reported in @diag and leaves the rest as it is. */
int skep_session_attach(struct skep_session *session, const struct skep_attach *at,
			struct skep_diag *diag);
/** Detach everything, keeping maps readable. */
void skep_session_detach_all(struct skep_session *session);
/** The kernel's links of the session, in the order they were made. What is attached without one
 *  (perf events on old kernels, clsact, routes, socket options) is not among them. */
size_t skep_session_n_links(const struct skep_session *session);
int skep_session_link_fd(const struct skep_session *session, size_t i);
/**
 * Begin a pass of iterator link @i: the program runs as the descriptor is read, once for each
 * object and once more at the end, and what it writes is what is read.
 *
 * Return  a descriptor, the caller's | -EINVAL no iterator's link | -errno
 */
int skep_session_iter_open(const struct skep_session *session, size_t i);
/**
 * Put @prog in the place of what link @i runs: every event is seen by one of the two.
 *
 * Return  0 | -EOPNOTSUPP links of this type cannot | -EINVAL other kind of program | -errno
 */
int skep_session_replace(struct skep_session *session, size_t i, uint32_t prog,
			 struct skep_diag *diag);
int skep_session_map_fd(const struct skep_session *session, uint32_t map);
int skep_session_prog_fd(const struct skep_session *session, uint32_t prog);
/** Run a program once through BPF_PROG_TEST_RUN (BEGIN, END, self probes); a uprobe's program by a
 *  call of a function of ours whose arguments are the first three words of @ctx.
 *  @ret_value may be NULL, and of a uprobe's program must be. */
int skep_session_run(struct skep_session *session, uint32_t prog, const void *ctx, size_t ctx_size,
		     uint32_t *ret_value);
/** The same on a CPU. Return 0 | -ENXIO it is not online | -errno */
int skep_session_run_on(struct skep_session *session, uint32_t prog, uint32_t cpu, const void *ctx,
			size_t ctx_size);
/** How often the kernel skipped the session's programs (recursion, misses), summed. */
uint64_t skep_session_missed(const struct skep_session *session);

/** What a verifier's log says of a program it refused, and what that means. */
struct skep_refusal {
	const char *line; /* within the log; len 0: the log says nothing */
	size_t len;
	bool has_insn;
	uint32_t insn;           /* which it is about */
	const char *what, *hint; /* in plain words, and what to try; NULL: not known; "": nothing */
};
/** Any bytes up to a NUL are taken; @log is borrowed. */
struct skep_refusal skep_refusal_read(const char *log);

#endif
