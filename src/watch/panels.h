/* The panels: from a snapshot to what is shown of it. */
#ifndef SKEP_WATCH_PANELS_H
#define SKEP_WATCH_PANELS_H

#include "watch/snapshot.h"
#include "watch/table.h"

enum skep_panel_id {
#define PANEL(name, ...) SKEP_PANEL_##name,
#include "watch/panels.def"
#undef PANEL
	SKEP_PANEL_CNT
};

/** Which processes' rows are shown; facts stay those of the machine. */
struct skep_filter {
	uint64_t pid;     /* 0: any */
	uint64_t cgroup;  /* 0: any */
	const char *name; /* a part of it; NULL: any. With pid, the process' name: for rows that
			   * know names only. */
};

struct skep_panel {
	const char *name, *title, *tools, *shows;
	void (*build)(const struct skep_snapshot *snapshot, const struct skep_filter *filter,
		      struct skep_shown *ret);
};

extern const struct skep_panel skep_panels[SKEP_PANEL_CNT];

/** Is a row of this process, or of this name (pid 0), among those wanted? */
bool skep_filter_takes(const struct skep_filter *filter, const struct skep_key_process *key);
bool skep_filter_takes_name(const struct skep_filter *filter, const char comm[SKEP_COMM]);

/** The peer's address as text. */
void skep_peer_text(uint64_t family, const uint8_t address[16], struct skep_buf *buf);
/** The histogram of a tally with one row; counts NULL: there is none. */
struct skep_histogram skep_snapshot_histogram(const struct skep_snapshot *snapshot,
					      enum skep_tally tally, unsigned bits);
/** Of all rows with a key of skep_key_disk and this operation, added up in @sum, which has
 *  SKEP_HIST_FINE words. */
struct skep_histogram skep_snapshot_took(const struct skep_snapshot *snapshot, uint64_t op,
					 const char *disk, uint64_t *sum);

#endif
