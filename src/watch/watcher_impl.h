/* What the watcher's files share. */
#ifndef SKEP_WATCH_WATCHER_IMPL_H
#define SKEP_WATCH_WATCHER_IMPL_H

#include <skep/symbol.h>

#include "base/buf.h"
#include "base/vec.h"
#include "watch/watcher.h"

/** As scripts/tasks.bt writes it. */
struct skep_task_record {
	uint64_t pid;
	char comm[SKEP_COMM];
	uint64_t start_ns;
	uint64_t used[SKEP_USED_ENDED]; /* what its process' row counts */
	uint64_t cgroup, netns;
};

/** As scripts/network.bt writes it. */
struct skep_socket_record {
	uint64_t family, port, peer_port, v4;
	uint8_t v6[16];
	uint64_t sent, received, rtt_us, again;
};

/** Going over all objects of a kind takes so long that it is not done at each reading. */
struct skep_pace {
	uint64_t next_ns;
};

/* tasks.c */
struct skep_tasks {
	struct skep_rows known;  /* by thread: struct task, see tasks.c */
	struct skep_rows spaces; /* network namespaces, by number: one of its processes */
	uint64_t pass, began_ns;
	struct skep_pace pace;
};
void skep_tasks_init(struct skep_tasks *tasks);
void skep_tasks_done(struct skep_tasks *tasks);
/** @into NULL: only note where everything stands. */
void skep_tasks_read(struct skep_tasks *tasks, const struct skep_live *live, bool whole,
		     struct skep_snapshot *into);
/** The name of a process, as the last pass found it; NULL: not known. */
const char *skep_tasks_name(const struct skep_tasks *tasks, uint64_t pid);

/* sockets.c */
struct skep_sockets {
	struct skep_rows known;     /* by address: struct socket, see sockets.c */
	struct skep_rows listening; /* ports: the pass that saw it last */
	uint64_t pass;
	struct skep_pace pace;
	int own_fd; /* our network namespace; -1: not to be had */
};
void skep_sockets_init(struct skep_sockets *sockets);
void skep_sockets_done(struct skep_sockets *sockets);
/** @spaces  of skep_tasks */
void skep_sockets_read(struct skep_sockets *sockets, const struct skep_live *live,
		       const struct skep_rows *spaces, bool whole, struct skep_snapshot *into);

/* functions.c: the addresses of ON become names in FUNCTIONS. */
struct skep_functions {
	struct skep_ksyms *kernel;
	struct skep_spots *processes;
	SKEP_VEC(struct skep_spot) spots; /* of a reading */
};
void skep_functions_init(struct skep_functions *functions);
void skep_functions_done(struct skep_functions *functions);
void skep_functions_name(struct skep_functions *functions, struct skep_snapshot *into);

/* cost.c: what the watching takes. */
struct skep_cost {
	int stats_fd; /* while it is open, the kernel measures programs; -1 */
	uint64_t readings, since_ns, last_own_ns;
	struct skep_live_cost before[SKEP_SOURCE_CNT];
	struct skep_overhead measured; /* the last time: runs, runs_ns, measured_ns */
};
void skep_cost_init(struct skep_cost *cost, struct skep_live *const *live);
void skep_cost_done(struct skep_cost *cost);
void skep_cost_read(struct skep_cost *cost, struct skep_live *const *live,
		    struct skep_overhead *into);

struct skep_watcher {
	struct skep_btf *btf;                    /* owned; of all scripts. NULL: there is none */
	struct skep_live *live[SKEP_SOURCE_CNT]; /* owned; NULL: it is not at work, … */
	char *why_not[SKEP_SOURCE_CNT];          /* … for this reason; owned */
	const struct skep_trace_map *maps[SKEP_TALLY_CNT];
	struct skep_rows before[SKEP_TALLY_CNT]; /* DIFFERS: value words, then readings without
						    a difference */
	struct skep_live_losses losses[SKEP_SOURCE_CNT];
	struct skep_tasks tasks;
	struct skep_sockets sockets;
	struct skep_functions functions;
	struct skep_cost cost;
	uint64_t last_ns, busy_ticks, all_ticks;
};

/** Is it time again? */
bool skep_pace_is_due(const struct skep_pace *pace, uint64_t now_ns);
/** A pass began at @began_ns and ends now: when the next one may be. */
void skep_pace_passed(struct skep_pace *pace, uint64_t began_ns);

#endif
