/*
 * Keeps the arrays of layout.h in step with the machine: which processes there
 * are, what they have mapped, and the tables of the files that are asked for.
 *
 *	/proc ─► at first, and again where records were lost ─┐
 *	records of the kernel (perfring.h) ───────────────────┼─► processes ─► arrays
 *	what programs in the kernel ask for ──────────────────┘
 *
 * It never waits. Its descriptor becomes readable when there is something to do,
 * and each step does a little of it.
 */
#ifndef SKEP_UNWIND_TRACKER_H
#define SKEP_UNWIND_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux/perfring.h"
#include "unwind/losses.h"

struct skep_unwind_arrays;
struct skep_unwind_tracker;

struct skep_unwind_counts {
	struct skep_unwind_losses losses;
	uint32_t n_processes, n_objects; /* that are known now */
	uint32_t n_tables, n_rows;       /* that are in the arrays now */
	uint32_t n_asked;                /* of these tables, that a stack needed */
	uint64_t n_built, n_rows_built;  /* tables, since it began */
	uint64_t n_records, n_scans;     /* of the kernel; of /proc */
	uint64_t n_sweeps;               /* for processes whose first thread has ended */
	uint64_t n_useful;               /* steps that had something to do */
	size_t memory_bytes; /* beside the arrays, and rings of 4 MB or 64 KB a CPU at most */
};

/**
 * Begin. Processes that are there are read from /proc by the first steps; until then, and where one
 * is new, a program in the kernel asks.
 *
 * @arrays  borrowed; zeroed, with set_process; it must stay where it is
 * @ret     skep_unwind_tracker_free()
 * Return   0 | -EPERM, -EACCES records of the kernel are not allowed | -errno
 */
int skep_unwind_tracker_new(const struct skep_unwind_arrays *arrays,
			    struct skep_unwind_tracker **ret);
void skep_unwind_tracker_free(struct skep_unwind_tracker *tracker);
/** Take records in 30 ms later, and so less often: processes that have begun are walked by what the
 *  kernel tells of them until then. */
void skep_unwind_tracker_relax(struct skep_unwind_tracker *tracker);
/** Have @fn told of all records, too, in order of time, those of lost ones (PERF_RECORD_LOST)
 *  included: that is once for both what else would be read twice. NULL: no more */
void skep_unwind_tracker_listen(struct skep_unwind_tracker *tracker, skep_perf_record_fn fn,
				void *ctx);
/** Take in now what was recorded until half a millisecond ago. */
void skep_unwind_tracker_catch_up(struct skep_unwind_tracker *tracker);
/** To be polled for reading. */
int skep_unwind_tracker_fd(const struct skep_unwind_tracker *tracker);
/** When that is readable; it does no harm to call it more often. */
void skep_unwind_tracker_step(struct skep_unwind_tracker *tracker);
/** Read all processes that have not been read yet, at once. Cost some 0.1 ms each */
void skep_unwind_tracker_finish_scan(struct skep_unwind_tracker *tracker);
/**
 * A program in the kernel found an address of @tgid in its mapping @number, whose table is not
 * loaded, or does not know @tgid at all (then any number will do).
 *
 * Return  true   it is seen to: there may be something to find now
 *         false  there is no room now. It is tried again; asking again changes nothing
 */
bool skep_unwind_tracker_ask(struct skep_unwind_tracker *tracker, uint32_t tgid, uint32_t number);
/** The same, where a program is likely to find that soon: nobody waits for it, and such a table
 *  goes first where others need its room. */
bool skep_unwind_tracker_expect(struct skep_unwind_tracker *tracker, uint32_t tgid,
				uint32_t number);
void skep_unwind_tracker_counts(const struct skep_unwind_tracker *tracker,
				struct skep_unwind_counts *ret);

#endif
