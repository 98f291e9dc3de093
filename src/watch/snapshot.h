/*
 * What happened in a stretch of time: tallies, some numbers of the machine, and what the looking
 * itself cost and lost. A snapshot is made by a watcher (watcher.h) or, in tests, by hand; panels
 * and findings only read it. Snapshots of stretches in a row add up to that of all of them.
 */
#ifndef SKEP_WATCH_SNAPSHOT_H
#define SKEP_WATCH_SNAPSHOT_H

#include "trace/run/live.h"
#include "watch/rows.h"

#define SKEP_COMM 16
/** Buckets of the scripts' hist(…, 2) and hist(…, 1), microseconds; see watch/histogram.h. */
#define SKEP_HIST_FINE_BITS   2
#define SKEP_HIST_COARSE_BITS 1
#define SKEP_HIST_FINE        (((65 - SKEP_HIST_FINE_BITS) << SKEP_HIST_FINE_BITS) + 1)
#define SKEP_HIST_COARSE      (((65 - SKEP_HIST_COARSE_BITS) << SKEP_HIST_COARSE_BITS) + 1)

enum skep_source_id {
#define SOURCE(name, ...) SKEP_SOURCE_##name,
#include "watch/sources.def"
#undef SOURCE
	SKEP_SOURCE_CNT
};

/** Words of the PROCESSES' values. */
enum {
	SKEP_USED_CPU_NS,
	SKEP_USED_WAIT_NS,
	SKEP_USED_WAITS,
	SKEP_USED_MINOR,
	SKEP_USED_MAJOR,
	SKEP_USED_READ,
	SKEP_USED_WRITTEN,
	SKEP_USED_ENDED, /* how many processes ended */
	SKEP_USED_CNT
};
/** Words of the PEERS' values. */
enum {
	SKEP_PEER_SENT,
	SKEP_PEER_RECEIVED,
	SKEP_PEER_AGAIN,  /* segments that were sent again */
	SKEP_PEER_RTT_US, /* sum over SKEP_PEER_RTTS */
	SKEP_PEER_RTTS,
	SKEP_PEER_CNT
};
/** Words of LIVED. */
enum { SKEP_LIVED_NS, SKEP_LIVED_N, SKEP_LIVED_CNT };
/** Operations on disks, as the kernel numbers them. */
enum { SKEP_OP_READ, SKEP_OP_WRITE, SKEP_OP_FLUSH, SKEP_OP_DISCARD };

struct skep_key_none {
};
struct skep_key_number {
	uint64_t n;
};
struct skep_key_name {
	char comm[SKEP_COMM];
};
/** pid 0: all of a name that ended, see skep_snapshot_fold(). */
struct skep_key_process {
	uint64_t pid, cgroup;
	char comm[SKEP_COMM];
};
struct skep_key_address {
	uint64_t pid;
	char comm[SKEP_COMM];
	uint64_t ip;
};
struct skep_key_function {
	uint64_t is_kernel;
	char comm[SKEP_COMM], name[64];
};
struct skep_key_disk {
	char disk[32];
	uint64_t op;
};
struct skep_key_file {
	char folder[32], name[48]; /* the last two names of the path */
	uint64_t op;
};
struct skep_key_states {
	uint64_t from, to;
};
struct skep_key_refused {
	uint64_t family, port, v4;
	uint8_t v6[16];
	uint64_t err;
};
/** port: of the service; is_inbound: it is ours. An IPv4 address is the first four bytes. */
struct skep_key_peer {
	uint64_t family, port, is_inbound;
	uint8_t address[16];
};
struct skep_key_exec {
	char parent[SKEP_COMM], comm[SKEP_COMM];
};
struct skep_key_exit {
	char comm[SKEP_COMM];
	uint64_t code; /* as of wait(2) */
};
struct skep_key_signal {
	uint64_t nr;
	char from[SKEP_COMM], to[SKEP_COMM];
};
struct skep_key_failed {
	char comm[SKEP_COMM];
	uint64_t nr, err;
};

enum skep_tally {
#define TALLY(name, ...) SKEP_TALLY_##name,
#include "watch/tallies.def"
#undef TALLY
	SKEP_TALLY_CNT
};

struct skep_tally_row {
	const char *name;
	enum skep_source_id source;
	const char *map; /* NULL: MADE */
	uint32_t key_bytes, words;
	bool is_taken;
};
extern const struct skep_tally_row skep_tallies[SKEP_TALLY_CNT];

struct skep_overhead {
	uint64_t own_ns;               /* CPU time of this process */
	uint64_t runs, runs_ns;        /* of the scripts' programs, … */
	uint64_t measured_ns;          /* … in so much of the time */
	uint64_t readings, reading_ns; /* how often, and how long that took */
	uint64_t resident;             /* bytes, at the end */
	uint64_t unread;               /* samples that only their file could be said of */
};

struct skep_snapshot {
	uint64_t ns; /* how long */
	unsigned n_cpus;
	struct skep_rows rows[SKEP_TALLY_CNT];
	struct {
		uint64_t busy, all; /* ticks of all CPUs */
	} cpu;
	struct {
		uint64_t total, available, swap_total, swap_free; /* bytes, at the end */
	} memory;
	struct skep_overhead overhead;
	struct skep_live_losses losses;
	const char *why_not[SKEP_SOURCE_CNT]; /* borrowed of the watcher; NULL: it is at work */
};

void skep_snapshot_init(struct skep_snapshot *snapshot);
void skep_snapshot_done(struct skep_snapshot *snapshot);
void skep_snapshot_clear(struct skep_snapshot *snapshot);
/** Add what happened in @later. */
void skep_snapshot_add(struct skep_snapshot *snapshot, const struct skep_snapshot *later);
/** Put the rows of processes that ended together, by name: to be done once, to what is shown. */
void skep_snapshot_fold(struct skep_snapshot *snapshot);
/** @n in the snapshot's time as so many a second. */
double skep_snapshot_rate(const struct skep_snapshot *snapshot, uint64_t n);

#endif
