/*
 * The archive: profiles of short intervals, one after the other, kept on disk for as long as there
 * is room; and the profile of any window of them.
 *
 *	DIR/00000001.seg  intervals; begun, appended to, never changed
 *	DIR/00000002.seg  …
 *	DIR/skep.lock     held by the one process that writes
 *
 * A segment keeps each string, frame and stack once, and is one deflated stream, so an interval
 * takes what is new in it and its samples. A writer that is killed leaves at most one interval
 * that is cut; checksums tell. Who reads needs no lock: what is not whole yet is not there yet.
 * What has a segment's name and is none, or one of another version, is left as it is, and told.
 *
 * Read next: segment.h, the layout.
 */
#ifndef SKEP_ARCHIVE_H
#define SKEP_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "profile/merge.h"
#include "profile/profile.h"

struct skep_diag;

#define SKEP_ARCHIVE_LEAST_BYTES (1u << 20) /* of a whole archive */

/** An interval, as far as a time line shows it. What it cost is the profiler's own. */
struct skep_archive_note {
	uint64_t begin_ns; /* since 1970 */
	uint64_t duration_ns;
	uint64_t own_ns;        /* of CPU, in user space */
	uint64_t kernel_ns;     /* of CPU, in its programs; UINT64_MAX: the kernel did not count */
	uint64_t memory_bytes;  /* that were resident at its end */
	uint64_t stacks, whole; /* weighed by the last value: how often */
};

/* --- Writing --------------------------------------------------------------------------------- */

struct skep_archive_limits {
	uint64_t keep_ns;    /* what is older goes; 0: nothing does */
	uint64_t keep_bytes; /* SKEP_ARCHIVE_LEAST_BYTES at least */
};

struct skep_archive_writer;

/**
 * Begin to write; @dir is made if it is not there. What a writer before left unfinished is cut off,
 * which @ret_cut_bytes counts. Files that are not of this version count for no limit and stay.
 *
 * Return  0 | -EWOULDBLOCK another process writes | -errno; see @diag
 */
int skep_archive_create(const char *dir, const struct skep_archive_limits *limits,
			struct skep_archive_writer **ret, uint64_t *ret_cut_bytes,
			struct skep_diag *diag);
/**
 * Append an interval.
 *
 * What cannot be written is not there afterwards; the next one that can be says so among its
 * losses.
 *
 * Return  0 | -ENOSPC, -EIO, … of the system
 */
int skep_archive_append(struct skep_archive_writer *writer, const struct skep_profile *interval,
			const struct skep_archive_note *note);
/** Intervals that could not be written, in all. */
uint64_t skep_archive_lost(const struct skep_archive_writer *writer);
/** NULL is fine. */
void skep_archive_close(struct skep_archive_writer *writer);
/** The same, where it came to nothing: what skep_archive_create() made goes, if it is empty. */
void skep_archive_undo(struct skep_archive_writer *writer);

/* --- Reading --------------------------------------------------------------------------------- */

struct skep_archive_interval {
	struct skep_archive_note note;
	int64_t totals[SKEP_PROFILE_VALUES_MOST]; /* of all samples, by type */
	uint64_t lost;                            /* of all causes together */
	uint64_t kind;                            /* skep_profile_kind() */
	uint32_t segment, at;                     /* its number; how many are before it there */
	uint32_t samples;                         /* different ones */
};

struct skep_archive_segment {
	uint32_t number;
	uint64_t bytes; /* that are whole */
	uint64_t torn_bytes;
	uint64_t created_ns; /* since 1970; tells it from another one of this number */
	bool is_other;       /* of another version */
	bool is_none;        /* no segment, or its head is broken */
	uint32_t first, n;   /* of the archive's intervals */
};

struct skep_archive {
	char *dir;                                        /* owned */
	SKEP_VEC(struct skep_archive_segment) segments;   /* by number */
	SKEP_VEC(struct skep_archive_interval) intervals; /* as they were written */
	bool has_writer; /* what is torn may be what is being written */
};

/** Return  0 | -ENOENT no archive is there | -errno; see @diag */
int skep_archive_open(const char *dir, struct skep_archive *ret, struct skep_diag *diag);
void skep_archive_done(struct skep_archive *archive);
/**
 * What came and went since. Cost O(what came), and a list of the folder.
 *
 * Return  0 | -errno; what could be looked at is there then
 */
int skep_archive_refresh(struct skep_archive *archive, struct skep_diag *diag);

/** Behind so many intervals of that segment, and all of those before it. */
struct skep_archive_place {
	uint32_t segment, n;
};
/** Behind all that is there. */
struct skep_archive_place skep_archive_end(const struct skep_archive *archive);

/** Intervals that begin at @from_ns or later, and before @to_ns; since 1970. */
struct skep_archive_window {
	uint64_t from_ns, to_ns;
	struct skep_archive_place first, end; /* and lie between them; 0: open */
	uint64_t kind;                        /* skep_profile_kind(); 0: of the last one of these */
};
/** Is it in the window? Of any kind. */
bool skep_archive_is_in(const struct skep_archive_interval *interval,
			const struct skep_archive_window *window);
/** The kind that is shown of it. 0: it has no interval */
uint64_t skep_archive_kind(const struct skep_archive *archive,
			   const struct skep_archive_window *window);

#define SKEP_ARCHIVE_WINDOW_MOST (1u << 23) /* different samples of one profile */

/**
 * The profile of a window.
 *
 * @filter  NULL: everybody
 * @ret     skep_profile_done(); it has no types if nothing could be read. What is broken, has gone
 *          meanwhile, counts other things or is more than a profile holds is among its losses
 */
void skep_archive_read(const struct skep_archive *archive, const struct skep_archive_window *window,
		       const struct skep_profile_filter *filter, struct skep_profile *ret);

#endif
