/* What the files of skep watch share. */
#ifndef SKEP_CMD_WATCH_H
#define SKEP_CMD_WATCH_H

#include "watch/findings.h"
#include "watch/panels.h"
#include "watch/watcher.h"

struct skep_watch_opts {
	struct skep_filter filter;
	uint64_t interval_ns; /* of the screen */
	uint64_t for_ns;      /* of the summary */
	uint32_t rows;        /* of each of its tables */
	bool json;
	int out_fd;    /* of the summary; borrowed */
	int signal_fd; /* readable when the user has enough; borrowed */
};

/** Watch for a time, or until Ctrl-C, and write the summary.
 *  Return 0 | -errno it could not be written (EPIPE: its reader has gone) */
int skep_watch_summary(struct skep_watcher *watcher, const struct skep_watch_opts *opts);

/** The screen, until the user has enough (screen.c).
 *  Return 0 | -ENOTTY this terminal cannot do it */
int skep_watch_screen(struct skep_watcher *watcher, struct skep_watch_opts *opts);

/** The summary as text (text.c). */
void skep_watch_text(const struct skep_snapshot *snapshot, const struct skep_watch_opts *opts,
		     struct skep_buf *out);
/** "skep itself takes …": what it costs, and what was lost (text.c). One line, or two. */
void skep_watch_cost_text(const struct skep_snapshot *snapshot, struct skep_buf *out);
void skep_watch_lost_text(const struct skep_snapshot *snapshot, struct skep_buf *out);
/** As one object (json.c). */
void skep_watch_json(const struct skep_snapshot *snapshot, const struct skep_watch_opts *opts,
		     struct skep_buf *out);

/** What the scripts' programs take of one CPU, in percent; NAN: not measured (text.c). */
double skep_watch_probes_percent(const struct skep_overhead *overhead);

#endif
