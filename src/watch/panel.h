/* What the panels' files share: building tables from tallies. */
#ifndef SKEP_WATCH_PANEL_H
#define SKEP_WATCH_PANEL_H

#include <math.h>

#include "watch/panels.h"

/** Rows of one kind in a table at most: the rest is below what anybody reads. */
#define SKEP_PANEL_ROWS    200

#define WORD(i)            (1ull << (i))
#define N_COLUMNS(columns) (sizeof(columns) / sizeof((columns)[0]))

#define PANEL(name, ...)                                                                           \
	void skep_panel_##name(const struct skep_snapshot *snapshot,                               \
			       const struct skep_filter *filter, struct skep_shown *ret);
#include "watch/panels.def"
#undef PANEL

/** The value of a key; zeroes where there is none. */
const uint64_t *skep_panel_words(const struct skep_snapshot *snapshot, enum skep_tally tally,
				 const void *key);
/** All of a tally, a second. */
double skep_panel_rate(const struct skep_snapshot *snapshot, enum skep_tally tally);
/** @value, where what @tally counts can be seen on this machine; else NAN. */
double skep_panel_known(const struct skep_snapshot *snapshot, enum skep_tally tally, double value);
/** What rows are made of, and where they go. */
struct skep_panel_walk {
	const struct skep_snapshot *snapshot;
	const struct skep_filter *filter;
	struct skep_shown *view;
	struct skep_table *table;
};
/** Call @add for the rows that have something in the words that are bits of @order_by, greatest sum
 *  first, SKEP_PANEL_ROWS at most. */
typedef void skep_panel_add(struct skep_panel_walk *walk, const void *key, const uint64_t *words);
void skep_panel_walk(struct skep_panel_walk *walk, const struct skep_rows *rows, uint64_t order_by,
		     skep_panel_add *add);

/** The first two cells of a process' row: its number and its name. */
void skep_panel_process(struct skep_panel_walk *walk, const struct skep_key_process *key,
			const uint64_t *words);

/* Shared with the findings. */

/** The wait for a CPU that 99 of 100 waits of processes of this name do not exceed; 0: below the
 *  least that is kept by name. @waits: how many there were. */
double skep_panel_wait_p99_ns(const struct skep_snapshot *snapshot, const char comm[SKEP_COMM],
			      uint64_t waits);
/** Of all CPUs. */
double skep_panel_busy_percent(const struct skep_snapshot *snapshot);
/** How long processes of a name lived that ended, on average; NAN: none did. */
double skep_panel_lives_ns(const struct skep_snapshot *snapshot, const char comm[SKEP_COMM]);
/** "SIGSEGV" */
void skep_panel_signal_name(uint64_t nr, char *ret, size_t size);
void skep_panel_syscall_name(uint64_t nr, char *ret, size_t size);
uint64_t skep_panel_failed_exits(const struct skep_snapshot *snapshot);
void skep_panel_refused_address(const struct skep_key_refused *key, struct skep_buf *buf);

#endif
