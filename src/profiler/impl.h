/* What the profiler's files share. */
#ifndef SKEP_PROFILER_IMPL_H
#define SKEP_PROFILER_IMPL_H

#include <skep/symbol.h>

#include "base/vec.h"
#include "interp/merge.h"
#include "interp/names.h"
#include "profiler/profiler.h"
#include "trace/run/live.h"

/** Frames of one stack. */
#define SKEP_PROFILER_FRAMES_MOST 1024

/* --- named.c ---------------------------------------------------------------------------------- */

enum skep_named_kind {
	SKEP_NAMED_NOTHING, /* an empty place */
	SKEP_NAMED_INSTRUCTION,
	SKEP_NAMED_RETURN,    /* an address that a call returns to */
	SKEP_NAMED_STACK,     /* a user stack: its number is the address */
	SKEP_NAMED_READ_USER, /* one that was read, by its number; not the same as a named one */
	SKEP_NAMED_READ_KERNEL,
};

struct skep_namer_losses {
	uint64_t n_unread,
		n_displaced;  /* interpreters' frames: nameless, that do not fit the stack */
	uint64_t n_chainless; /* stacks that have lost them */
};

/** An address or a stack that an interval has named. */
struct skep_named {
	uint64_t addr;
	uint32_t pid;  /* 0: of the kernel */
	uint8_t kind;  /* enum skep_named_kind */
	bool is_asked; /* else it is only expected to be */
	uint32_t at;   /* in the profile: the frame, 0: not made; of a stack its node */
	union {
		struct skep_symbol symbol;
		struct skep_namer_losses lost; /* of a stack; */
		size_t read_at; /* of one that was read: where it is in the namer's `read` */
	};
};

struct skep_named_set {
	struct skep_named *slots; /* owned */
	uint32_t cap, n;          /* cap: 0, or a power of two */
};

/** The place of that; *@ret_is_new: nothing is known of it yet. Good until the next call. */
struct skep_named *skep_named_find(struct skep_named_set *set, enum skep_named_kind kind,
				   uint64_t addr, uint32_t pid, bool *ret_is_new);
void skep_named_clear(struct skep_named_set *set);
void skep_named_done(struct skep_named_set *set);

/** Names of code, and the profile that they go into. */
struct skep_namer {
	struct skep_ksyms *ksyms; /* owned, as the next */
	struct skep_usyms *usyms;
	const struct skep_map_reader *maps; /* borrowed; where stacks are */
	struct skep_profile *profile;       /* borrowed */
	SKEP_VEC(bool) has_asked;           /* for a module's build, by the number of its path */
	bool with_lines;
	struct skep_debuginfod *debuginfod; /* borrowed; NULL: nothing is fetched */
	struct skep_interp_names *interp;   /* borrowed; NULL: interpreters are not looked into */
	struct skep_namer_losses lost;
	struct skep_named_set named;      /* in this profile */
	struct skep_buf read;             /* stacks that were: it takes a system call each */
	struct skep_unwind_stack unwound; /* the stack that is being named */
	uint64_t addrs[SKEP_PROFILER_FRAMES_MOST];
	/* what stands in place of each, of this stack */
	struct skep_interp_run runs[SKEP_PROFILER_FRAMES_MOST];
	struct skep_interp_stack interp_stack;
	struct skep_interp_run outer; /* and outside of all of them */
};

/* What of a stack is wanted and known. */
struct skep_stacks {
	struct skep_stack_key kernel, user;
	bool wants_user, wants_kernel; /* asked for: what is not there may be missing */
};

/** Are its probes in the code of a process? (script.c) */
bool skep_profiler_is_of_process(const struct skep_profiler_wish *wish);

/** Where malloc() is: a path, or "libc", appended (allocator.c). */
void skep_profiler_allocator(struct skep_usyms *usyms, const struct skep_profiler_wish *wish,
			     struct skep_buf *ret);

/* prepare.c */
struct skep_prepared_file {
	void *at;
	dev_t dev;
	ino_t inode;
};
struct skep_prepared {
	SKEP_VEC(pid_t) pids;
	SKEP_VEC(struct skep_prepared_file) files;
};
/** The processes whose tables are to be there before probes are; until skep_prepared_done(). */
void skep_prepared_init(const struct skep_profiler_wish *wish, struct skep_prepared *ret);
void skep_prepared_done(struct skep_prepared *prepared);

/* frames.c */
void skep_namer_init(struct skep_namer *namer, bool with_lines);
void skep_namer_done(struct skep_namer *namer);
/** Fetch debug files that are not here; @debuginfod is borrowed until it is done. NULL is fine. */
void skep_namer_want_debuginfod(struct skep_namer *namer, struct skep_debuginfod *debuginfod);
/** Begin anew, as all that was named is kept: but for what was lost, which is counted on. */
void skep_namer_renew(struct skep_namer *namer);
/** What is named from here on is for @profile, borrowed. */
void skep_namer_begin(struct skep_namer *namer, struct skep_profile *profile);
/** What was of use for that profile only goes. */
void skep_namer_end(struct skep_namer *namer);
/** These stacks will be named: what is to be read for that is, once for all, when
 *  skep_namer_settle() says so. */
void skep_namer_expect(struct skep_namer *namer, const struct skep_stacks *stacks);
void skep_namer_settle(struct skep_namer *namer);
/** The node of a stack of both halves. */
uint32_t skep_namer_stacks(struct skep_namer *namer, const struct skep_stacks *stacks);
/** The same the other way round, the innermost frame next to @node: who woke it. */
uint32_t skep_namer_waker(struct skep_namer *namer, const struct skep_stacks *stacks,
			  const char *comm, uint32_t node);

/* groups.c: control groups by their ids. */
#define SKEP_GROUPS_SLOTS 8192
struct skep_groups {
	SKEP_VEC(struct skep_group {
		uint64_t id;
		char *path; /* owned; "": not known */
	})
	of;
	uint16_t slots[SKEP_GROUPS_SLOTS]; /* numbers of these + 1, by their ids; 0: none */
	int root_fd;                       /* of the file system; -1: there is none */
	char root[64];
};
void skep_groups_init(struct skep_groups *groups);
void skep_groups_done(struct skep_groups *groups);
/** "/system.slice/cron.service", "": not known. Good until the next call. */
const char *skep_groups_path(struct skep_groups *groups, uint64_t id);

/* stacks.c: numbers of stacks that an interval has seen. */
struct skep_stack_ids {
	/* those of the interval before are sorted, each once */
	SKEP_VEC(uint32_t) of[SKEP_STACK_KIND_CNT];
};
struct skep_stacks_seen {
	struct skep_stack_ids before, now;
	uint32_t intervals;
};
void skep_stacks_see(struct skep_stacks_seen *seen, const struct skep_stack_key *kernel,
		     const struct skep_stack_key *user);
/** The interval has ended, and all its stacks were read: forget those that only the one before
 *  had. */
void skep_stacks_forget(struct skep_stacks_seen *seen, const struct skep_map_reader *maps);
void skep_stacks_seen_done(struct skep_stacks_seen *seen);

/* collect.c */
struct skep_collect {
	struct skep_namer *namer;
	const struct skep_profiler_wish *wish;
	const struct skep_profiler_source_info *source;
	uint64_t end_ns; /* of looking, by the clock of nsecs */
	struct skep_groups *groups;
	struct skep_stacks_seen *seen; /* NULL: it is the end, nothing is seen again */
};
/** All that the script's maps hold, into the namer's profile; with `seen` it is removed from them,
 *  and what lasts still is left. Return 0 | -errno */
int skep_collect_all(const struct skep_collect *collect, const struct skep_live *live);

#endif
