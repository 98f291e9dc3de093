/*
 * Live profiles: a script whose map is keyed by stacks, at work in the kernel, becomes a profile.
 *
 *	wish -> script.c -> the script -> skep_live -> its maps -> collect.c, frames.c -> profile
 *
 * What can be profiled is the table sources.def; each row's script is in scripts/. What is asked
 * for beside (filters, threads, a half of the stacks) fills its gaps (gaps.def), so the whole is
 * a script like any other, which skep trace runs, too.
 */
#ifndef SKEP_PROFILER_PROFILER_H
#define SKEP_PROFILER_PROFILER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <skep/diag.h>

#include "profile/profile.h"

struct skep_buf;

enum skep_profiler_source {
#define SOURCE(ID, option, arg, script, n, total, unit, flags, words) SKEP_PROFILER_##ID,
#include "profiler/sources.def"
#undef SOURCE
	SKEP_PROFILER_SOURCE_CNT
};

enum skep_profiler_flag {
	SKEP_PROFILER_IS_SAMPLED = 1,    /* by a timer, HERTZ times a second */
	SKEP_PROFILER_OPEN_IS_SINCE = 2, /* @open: began then, and lasts until now */
	SKEP_PROFILER_OPEN_IS_SUM = 4,   /* @open: counts so much */
	SKEP_PROFILER_OF_PROCESS = 8,    /* probes are put into one process, or a command */
};

struct skep_profiler_source_info {
	const char *option;           /* "off-cpu" */
	const char *script;           /* its text, with gaps */
	const char *n, *total, *unit; /* of what is counted; "": not a value */
	uint32_t flags;               /* enum skep_profiler_flag */
};
extern const struct skep_profiler_source_info skep_profiler_sources[SKEP_PROFILER_SOURCE_CNT];

/** What is asked for; borrowed. Zero: everything, and all of it. */
struct skep_profiler_wish {
	enum skep_profiler_source source;
	uint32_t hertz;
	const pid_t *pids;
	uint32_t n_pids;
	pid_t tid;                 /* 0: any */
	const char *comm, *cgroup; /* NULL: any */
	const char *event, *value; /* of EVENT: the probe; an expression, NULL: how often */
	pid_t but;                 /* not this one, of all: who looks; 0: all */
	pid_t cpid;                /* a command, with what it starts; 0: none */
	const char *cmd_path;      /* its program */
	const char *allocator;     /* the file that has malloc(); NULL: it is found */
	bool with_threads, with_wakers, no_kernel, no_user;
	bool with_groups;       /* samples have their control group; not with with_wakers */
	bool is_taken;          /* by skep_profiler_take(), again and again: maps need less room */
	bool with_lines;        /* of source, and inlined functions */
	bool no_interpreters;   /* their own frames as they are, not what they run */
	bool by_frame_pointers; /* user stacks; else by what programs tell of their frames */
};

/** The script that is run for @wish, appended. */
void skep_profiler_script(const struct skep_profiler_wish *wish, struct skep_buf *out);

/**
 * What the values of its profile count: types, a period, and of what that is. Profiles of which
 * skep_profile_kind() is the same can be added up.
 */
void skep_profiler_types(const struct skep_profiler_wish *wish, struct skep_profile *profile);

struct skep_profiler;

/**
 * Put the probes in place.
 *
 * @wish   copied; what it points to is borrowed until it is closed
 * Return  0 | -errno (see @diag); nothing is left in the kernel then
 */
int skep_profiler_open(const struct skep_profiler_wish *wish, struct skep_profiler **ret,
		       struct skep_diag *diag);
#define SKEP_PROFILER_FDS 2
/** To be polled: one is readable when skep_profiler_step() is to be called. -1: not needed. */
void skep_profiler_fds(const struct skep_profiler *profiler, int ret[SKEP_PROFILER_FDS]);
/** Note what processes map, so that code of those that end has names and stacks are walked. Returns
 *  whether there is more to do at once. */
bool skep_profiler_step(struct skep_profiler *profiler);
/**
 * Take the probes off and make a profile of what they saw.
 *
 * @ret    skep_profile_done(); untouched on error
 * Return  0 | -errno (see @diag)
 */
int skep_profiler_finish(struct skep_profiler *profiler, struct skep_profile *ret,
			 struct skep_diag *diag);
/**
 * Make a profile of what was seen since the last time, or since the start, and go on. Waits and
 * what else lasts count when they end. Stacks that were not seen for an interval leave the
 * kernel's memory: one that comes back at that very moment is without its frames, and says so.
 *
 * @ret    skep_profile_done(); untouched on error
 * Return  0 | -errno (see @diag)
 */
int skep_profiler_take(struct skep_profiler *profiler, struct skep_profile *ret,
		       struct skep_diag *diag);
/** How long its programs ran, in all; false: the kernel does not count that
 *  (kernel.bpf_stats_enabled). */
bool skep_profiler_kernel_ns(const struct skep_profiler *profiler, uint64_t *ret);
/** NULL is fine. */
void skep_profiler_close(struct skep_profiler *profiler);

#endif
