/*
 * Processes and what each has mapped of code, as /proc shows it once and as the
 * kernel's records tell from then on; written to the arrays of layout.h when a
 * batch of records has been taken in.
 *
 * What is told of a process up to `told_ns` is in its mappings: records that are
 * older are passed over, as /proc was read after them.
 */
#ifndef SKEP_UNWIND_PROCESSES_H
#define SKEP_UNWIND_PROCESSES_H

#include "unwind/blocks.h"

struct skep_perf_record;

#define SKEP_UNWIND_PROCESS_BUCKETS 8192 /* a power of two */
#define SKEP_UNWIND_MISSED          64

struct skep_unwind_known {
	uint32_t tgid;
	uint32_t scan, flush;            /* of /proc, and of `dirty`, that it was last seen by */
	struct skep_unwind_block *block; /* a use of it */
	uint64_t told_ns;
	bool is_dirty;        /* in `dirty`: to be written */
	bool is_short;        /* there was no room for its mappings, which has been counted */
	bool is_told;         /* the arrays have it */
	bool has_threads;     /* may have */
	bool is_leader_ended; /* its first thread has ended, others go on */
	struct skep_unwind_known *next; /* in its bucket */
};

struct skep_unwind_processes {
	const struct skep_unwind_arrays *arrays; /* borrowed */
	struct skep_unwind_losses *losses;       /* borrowed */
	struct skep_unwind_objects objects;
	struct skep_unwind_blocks blocks;
	struct skep_unwind_known *buckets[SKEP_UNWIND_PROCESS_BUCKETS]; /* owned chains */
	SKEP_VEC(uint32_t) dirty;                                       /* their tgids */
	uint32_t n, n_leaders_ended, scan, flush, visit;
	uint32_t missed[SKEP_UNWIND_MISSED], n_missed; /* tgids that were asked for too late */
};

/** @arrays and @losses are borrowed until skep_unwind_processes_done(). */
void skep_unwind_processes_init(struct skep_unwind_processes *ret,
				const struct skep_unwind_arrays *arrays,
				struct skep_unwind_losses *losses);
/** The arrays are left as they are. */
void skep_unwind_processes_done(struct skep_unwind_processes *processes);

/** Read what @tgid has mapped from /proc. Return 0 | -ESRCH it is no more, or the kernel's own */
int skep_unwind_processes_read(struct skep_unwind_processes *processes, uint32_t tgid);
/** A new scan of all processes begins. */
void skep_unwind_processes_begin_scan(struct skep_unwind_processes *processes);
/** All of /proc has been read: what has not been seen in this scan is no more. */
void skep_unwind_processes_end_scan(struct skep_unwind_processes *processes);

/* --- Records, in the order of their time ------------------------------------------------------ */

/** Whatever it tells, by the functions below. Its bytes may be any. */
void skep_unwind_processes_on_record(struct skep_unwind_processes *processes,
				     const struct skep_perf_record *record);
void skep_unwind_processes_on_map(struct skep_unwind_processes *processes,
				  const struct skep_unwind_place *place, uint64_t time_ns);
void skep_unwind_processes_on_fork(struct skep_unwind_processes *processes, uint32_t tgid,
				   uint32_t parent, uint64_t time_ns);
void skep_unwind_processes_on_exec(struct skep_unwind_processes *processes, uint32_t tgid,
				   uint64_t time_ns);
void skep_unwind_processes_on_exit(struct skep_unwind_processes *processes, uint32_t tgid,
				   uint32_t tid, uint64_t time_ns);

/** Let go of those whose last thread has ended, where that could not be seen at once. */
void skep_unwind_processes_sweep(struct skep_unwind_processes *processes);
/** Write what has changed to the arrays; a process that has mapped nothing yet is none to them, so
 *  that they ask for it. True: some could not be, for want of room. */
bool skep_unwind_processes_flush(struct skep_unwind_processes *processes);
/**
 * A program in the kernel found an address of @tgid in mapping @number, whose table is not loaded;
 * or nothing of @tgid at all. See to it.
 *
 * Return  0 it is as it will be | -EAGAIN there is no room now | -ENOENT it is no more
 */
int skep_unwind_processes_answer(struct skep_unwind_processes *processes, uint32_t tgid,
				 uint32_t number);
/** The same, before any program finds it so: such a table makes room for those that are asked
 *  for. */
int skep_unwind_processes_expect(struct skep_unwind_processes *processes, uint32_t tgid,
				 uint32_t number);
/** Load files that are mapped once again without anybody having asked for them, @most at once:
 *  programs that are started time and again, and end before they can be asked for. */
void skep_unwind_processes_load_wanted(struct skep_unwind_processes *processes, uint32_t most);
size_t skep_unwind_processes_memory(const struct skep_unwind_processes *processes);

#endif
