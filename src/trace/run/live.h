/*
 * A script that runs beside a program of ours, which reads its maps when it likes: what
 * skep_trace_run() is without the loop, the output and the signals.
 *
 * Such a script prints nothing: it has no begin and no end, and what it would send as an event is
 * not read. Not for several threads at a time.
 */
#ifndef SKEP_TRACE_LIVE_H
#define SKEP_TRACE_LIVE_H

#include <skep/diag.h>

#include "interp/names.h"
#include "linux/perfring.h"
#include "trace/run/maps.h"
#include "unwind/losses.h"

struct skep_live;

/**
 * Compile a script, load it and attach all of its probes. What config.missing_probes is
 * (unless the script says so: "error") decides whether it goes on without some of them.
 *
 * @name, @text  of the script; borrowed until it is closed
 * @params       $1…, borrowed during the call
 * Return        0 | -errno (see @diag)
 */
int skep_live_open(const char *name, const char *text, const char *const *params, uint32_t n_params,
		   struct skep_live **ret, struct skep_diag *diag);
/** What a script may be given besides its text; borrowed during the call. */
struct skep_live_opts {
	const char *const *params; /* $1… */
	uint32_t n_params;
	pid_t pid;            /* where probes in user space are put; 0: in all processes */
	uint32_t cpid;        /* cpid; 0: there is no command */
	const char *cmd_path; /* the command's program; NULL */
	/* The kernel's types, borrowed until it is closed; NULL: it opens them itself. */
	struct skep_btf *btf;
	/* Processes whose stacks are to be whole from the first (see run/unwinding.h). */
	const pid_t *prepared;
	size_t n_prepared;
	bool is_lasting; /* it goes on for days: see is_frugal, and skep_unwind_tracker_relax() */
};
/** As skep_live_open(), for scripts that take more than parameters. */
int skep_live_open_with(const char *name, const char *text, const struct skep_live_opts *opts,
			struct skep_live **ret, struct skep_diag *diag);
/** Takes the probes off; its maps can still be read. */
void skep_live_detach(struct skep_live *live);
/** Takes the probes off. NULL is fine. */
void skep_live_close(struct skep_live *live);

/** A map of the script by its name, "@x"; NULL: it has none of that name. */
const struct skep_trace_map *skep_live_map(const struct skep_live *live, const char *name);
/** The run time's view of all of its maps, for skep_map_read(), skep_map_take() and others. */
const struct skep_map_reader *skep_live_maps(const struct skep_live *live);
/** Run the script's iterators once over all objects there are. Return 0 | -errno */
int skep_live_iterate(const struct skep_live *live);

/** What was lost since it was opened, as the script's end would tell. */
struct skep_live_losses {
	uint64_t by_cause[SKEP_LOSS_CNT];
	uint64_t map_full;   /* additions to maps that had no room */
	uint64_t missed;     /* hits of probes that the kernel left out */
	uint32_t unattached; /* places where no probe could be put */
	struct skep_unwind_losses unwinding;
};
struct skep_live_losses skep_live_losses(const struct skep_live *live);

/**
 * A script whose user stacks are taken by call frame information (config.unwind) needs tables of
 * what it meets: this descriptor is readable when there is something to do, and skep_live_step()
 * does it. -1: there never is.
 */
int skep_live_fd(const struct skep_live *live);
void skep_live_step(struct skep_live *live);
/** Such a script follows what processes map: have @fn told of that as well, by the kernel's
 *  records. False: it takes no such stacks, nobody is told */
bool skep_live_listen(struct skep_live *live, skep_perf_record_fn fn, void *ctx);
/** Whoever listens is told of all until half a millisecond ago. */
void skep_live_catch_up(struct skep_live *live);

/** Names of interpreters' frames (config.interpreters); NULL: such are not taken. */
struct skep_interp_names *skep_live_names(const struct skep_live *live);

/** How often its programs ran, and how long in all: since they were loaded, but only while the
 *  kernel counts that (BPF_ENABLE_STATS, kernel.bpf_stats_enabled). */
struct skep_live_cost {
	uint64_t runs, ns;
};
struct skep_live_cost skep_live_cost(const struct skep_live *live);

#endif
