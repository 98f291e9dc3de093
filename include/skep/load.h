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

/** One place to attach one program to. Strings are borrowed until attached. */
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
			uint32_t type, config; /* PERF_TYPE_SOFTWARE, PERF_COUNT_SW_… */
			uint64_t period;       /* events, or Hz if freq */
			bool freq;
			pid_t pid;    /* -1: all */
			bool one_cpu; /* on one CPU only (interval) rather than on each */
		} perf;
		struct {
			const char *path;
			uint64_t file_off;    /* of the instruction, in the file */
			uint64_t ref_ctr_off; /* file offset of a USDT semaphore; 0: none */
			pid_t pid;            /* -1: every process */
			bool ret;             /* at function return */
		} uprobe;
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
int skep_session_map_fd(const struct skep_session *session, uint32_t map);
int skep_session_prog_fd(const struct skep_session *session, uint32_t prog);
/** Run a program once through BPF_PROG_TEST_RUN (BEGIN, END, self probes). @ret_value may be
 *  NULL. */
int skep_session_run(struct skep_session *session, uint32_t prog, const void *ctx, size_t ctx_size,
		     uint32_t *ret_value);
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
