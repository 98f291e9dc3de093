/*
 * skep profile, by its files:
 *
 *	profile.c  options, and which of the two: a live profile, or files
 *	live.c     a live one: the command, Ctrl-C, the end
 *	targets.c  the processes that it is of, and when they have ended
 *	files.c    skep profile show, skep profile diff
 *	kept.c     windows of what is kept (src/archive), and what says which
 *	serve.c    what is kept, by HTTP; served.c: what its page shows
 *	push.c     what is kept, sent on
 *	beside.c   the processes of these two, beside the one that keeps
 *	continuous.c  a live one that goes on: it is kept, an interval after the other
 *	outputs.c  where a profile goes
 *	said.c     what is said of one beside: how much, what was lost, how whole its stacks are
 */
#ifndef SKEP_CMD_PROFILE_H
#define SKEP_CMD_PROFILE_H

#include <poll.h>

#include "archive/archive.h"
#include "base/buf.h"
#include "base/vec.h"
#include "profile/format.h"
#include "profiler/profiler.h"

#define SKEP_PROFILE_PIDS_MOST 256

/* --- outputs.c ------------------------------------------------------------------------------- */

struct skep_profile_output {
	const char *path; /* borrowed; "-": standard output */
	int fd;           /* owned, but for standard output */
	bool is_new;      /* the file was not there: it goes if nothing is written */
	enum skep_profile_format format;
};

struct skep_profile_outputs {
	SKEP_VEC(struct skep_profile_output) files; /* none: standard output, for people */
	bool for_people;                            /* and where there are some */
	int signal_fd; /* borrowed: readable when whoever waits is to give up; -1: never */
	struct skep_profile_options options;
};

/**
 * Have the profile written to @path, too.
 *
 * @format  name of the format if @path does not say; NULL
 * Return   0 | -EINVAL no such format, see @diag
 */
int skep_profile_outputs_add(struct skep_profile_outputs *outputs, const char *path,
			     const char *format, struct skep_diag *diag);
/** Is that a format, to be written? Return 0 | -EINVAL it is not, see @diag */
int skep_profile_outputs_check(const char *format, struct skep_diag *diag);
/**
 * Open all files, as they are. Of a named pipe a reader is waited for.
 *
 * @signal_fd  of skep_ending_fd(), which ends that wait, and that for a reader who stalls when it
 *             is written; borrowed until then; -1: signals are as usual
 * Return      0 | -ECANCELED it was ended | -errno, see @diag
 */
int skep_profile_outputs_open(struct skep_profile_outputs *outputs, int signal_fd,
			      struct skep_diag *diag);
/** Once they are open. Return 0 | -EPIPE nobody reads any more | -errno, see @diag */
int skep_profile_outputs_write(struct skep_profile_outputs *outputs,
			       const struct skep_profile *profile, struct skep_diag *diag);
void skep_profile_outputs_done(struct skep_profile_outputs *outputs);

/* --- said.c ---------------------------------------------------------------------------------- */

/** "3,120 samples, 31.5 s of cpu, in 10.0 s; 98.7% of stacks are whole", and if asked what was
 *  lost. */
void skep_profile_say(const struct skep_profile *profile, bool with_losses, struct skep_buf *out);
/** How whole stacks are, by process: a table. */
void skep_profile_say_health(const struct skep_profile *profile, struct skep_buf *out);

/* --- targets.c ------------------------------------------------------------------------------- */

/** Zero: none. */
struct skep_profile_targets {
	int fds[SKEP_PROFILE_PIDS_MOST]; /* owned; -1: it has ended */
	uint32_t n;
};
/** Return 0 | -errno, see @diag; skep_profile_targets_done() in any case */
int skep_profile_targets_open(struct skep_profile_targets *targets,
			      const struct skep_profiler_wish *wish, struct skep_diag *diag);
/** To be polled, @ret having room for all. Return how many */
uint32_t skep_profile_targets_fds(const struct skep_profile_targets *targets, struct pollfd *ret);
/** Have they all, by what was polled? If there are none: no. */
bool skep_profile_targets_ended(struct skep_profile_targets *targets, const struct pollfd *fds);
void skep_profile_targets_done(struct skep_profile_targets *targets);

/* --- live.c ---------------------------------------------------------------------------------- */

struct skep_profile_live_job {
	struct skep_profiler_wish wish; /* cpid, cmd_path: filled in here */
	char *const *command;           /* as execv() takes it; NULL: none */
	const char *title;              /* of the profile */
	uint64_t for_ns;                /* 0: until Ctrl-C */
	bool with_health;
	struct skep_profile_outputs *outputs;
};
/** @ret_status  the command's, else 0.  Return 0 | -errno, see @diag */
int skep_profile_live(struct skep_profile_live_job *job, int *ret_status, struct skep_diag *diag);

/* --- kept.c ---------------------------------------------------------------------------------- */

/** Options as they were given; NULL: they were not. */
struct skep_profile_kept_words {
	const char *store, *every, *keep, *keep_size;
};

struct skep_profile_kept {
	const char *store; /* borrowed */
	const char *serve; /* an address; borrowed, NULL: it is not served */
	const char *push;  /* a URL; borrowed, NULL: it is not sent on */
	uint64_t every_ns;
	struct skep_archive_limits limits;
};
/** Return 0 | 2 wrong usage: a message was printed */
int skep_profile_kept_take(const struct skep_profile_kept_words *words,
			   struct skep_profile_kept *ret);

/**
 * A moment: "now", "-1h" (before now), "14:30" (of this day), "2026-01-31", "2026-01-31T14:30:05",
 * "@1700000000" (since 1970).
 *
 * @ret  since 1970; what 64 bits do not hold is none
 */
bool skep_profile_moment(const char *text, uint64_t now_ns, uint64_t *ret_ns);

/** What of a profile is wanted; borrowed. Zero: all. */
struct skep_profile_pick {
	const char *from, *to; /* of one that is kept: moments; NULL: open */
	uint64_t now_ns;       /* since 1970; of all moments */
	uint64_t kind;         /* skep_profile_kind() of what is wanted; 0: the newest */
	struct skep_profile_filter filter;
};
/** Is @name "DIR" or "DIR@FROM..TO", and DIR a folder? */
bool skep_profile_is_kept(const char *name);
/** Is the window that @name and @pick tell of one, and does only one of them tell where it begins,
 *  or ends? What is no folder has none.
 *  Return 0 | -EINVAL, see @diag */
int skep_profile_kept_check(const char *name, const struct skep_profile_pick *pick,
			    struct skep_diag *diag);
/** The profile of a window. Its own "@FROM..TO" goes before @pick's.
 *  Return 0 | -errno, see @diag */
int skep_profile_kept_read(const char *name, const struct skep_profile_pick *pick,
			   struct skep_profile *ret, struct skep_diag *diag);

/* --- continuous.c ---------------------------------------------------------------------------- */

/** What such a profile wants beside. */
void skep_profile_continuous_wish(struct skep_profiler_wish *wish);
/** Until Ctrl-C, for job->for_ns, or until the processes that it is of have ended.
 *  Return 0 | -errno, see @diag; what could not begin leaves nothing behind */
int skep_profile_continuous(struct skep_profile_live_job *job, const struct skep_profile_kept *kept,
			    struct skep_diag *diag);

/* --- beside.c -------------------------------------------------------------------------------- */

/** A process beside this one, that ends with it or by skep_profile_beside_end(). */
struct skep_profile_beside {
	const char *name; /* "the server" */
	pid_t pid;        /* 0: none */
};
/** What it does until @signal_fd, of skep_ending_fd(), is readable. Return 0 | anything else: it
 *  failed */
typedef int (*skep_profile_beside_fn)(void *ctx, int signal_fd);
/** @fd  that it keeps, of all descriptors; -1: none.  Return 0 | -errno */
int skep_profile_beside_start(struct skep_profile_beside *beside, skep_profile_beside_fn fn,
			      void *ctx, int fd);
/** Say so if it has ended. */
void skep_profile_beside_look(struct skep_profile_beside *beside);
/** End it, by force if it takes more than seconds, and wait for it. */
void skep_profile_beside_end(struct skep_profile_beside *beside);

/* --- serve.c --------------------------------------------------------------------------------- */

/**
 * Serve what is kept in @store until Ctrl-C.
 *
 * @address  as of skep_address_listen()
 * Return    0 | -errno, see @diag
 */
int skep_profile_serve(const char *store, const char *address, struct skep_diag *diag);
/** The same by a process of its own. */
int skep_profile_serve_beside(const char *store, const char *address,
			      struct skep_profile_beside *ret, struct skep_diag *diag);

/* --- push.c ---------------------------------------------------------------------------------- */

/**
 * Send each interval that is kept in @store from now on to @url, by a process of its own.
 *
 * @url    of OTLP, or of Pyroscope's /ingest; borrowed until that process ends
 * Return  0 | -EINVAL no address | -errno, see @diag
 */
int skep_profile_push_beside(const char *store, const char *url, struct skep_profile_beside *ret,
			     struct skep_diag *diag);

/* --- files.c --------------------------------------------------------------------------------- */

/** Read a profile, of a file or of what is kept, and write it. Return 0 | -errno, see @diag */
int skep_profile_show(const char *path, const struct skep_profile_pick *pick, bool with_health,
		      struct skep_profile_outputs *outputs, struct skep_diag *diag);
/** The same with what is different between two. */
int skep_profile_show_diff(const char *before, const char *now,
			   const struct skep_profile_pick *pick,
			   struct skep_profile_outputs *outputs, struct skep_diag *diag);

#endif
