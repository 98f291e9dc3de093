/* Snapshots made by hand: rows put into tallies. */
#ifndef SKEP_TEST_WATCH_SNAPSHOTS_H
#define SKEP_TEST_WATCH_SNAPSHOTS_H

#include <string.h>

#include "watch/histogram.h"
#include "watch/snapshot.h"

#define SECOND 1000000000ull
#define MIB    (1ull << 20)

static inline void put(struct skep_snapshot *snapshot, enum skep_tally tally, const void *key,
		       uint32_t word, uint64_t n)
{
	((uint64_t *)skep_rows_at(&snapshot->rows[tally], key))[word] += n;
}

/* Cut as the kernel cuts them. */
static inline void put_comm(char comm[SKEP_COMM], const char *name)
{
	size_t len = strlen(name);

	memcpy(comm, name, len < SKEP_COMM ? len : SKEP_COMM);
}

static inline struct skep_key_name name_key(const char *name)
{
	struct skep_key_name key = {{0}};

	put_comm(key.comm, name);
	return key;
}

static inline struct skep_key_process process_key(uint64_t pid, const char *name)
{
	struct skep_key_process key = {.pid = pid};

	put_comm(key.comm, name);
	return key;
}

static inline struct skep_key_disk disk_key(const char *disk, uint64_t op)
{
	struct skep_key_disk key = {.op = op};

	memcpy(key.disk, disk, strlen(disk));
	return key;
}

static inline void put_used(struct skep_snapshot *snapshot, uint64_t pid, const char *name,
			    uint32_t word, uint64_t n)
{
	struct skep_key_process key = process_key(pid, name);

	put(snapshot, SKEP_TALLY_PROCESSES, &key, word, n);
}

/* @n operations of @us each. */
static inline void put_took(struct skep_snapshot *snapshot, const char *disk, uint64_t op,
			    uint64_t us, uint64_t n)
{
	struct skep_key_disk key = disk_key(disk, op);

	put(snapshot, SKEP_TALLY_TOOK, &key, skep_histogram_bucket(us, SKEP_HIST_FINE_BITS), n);
}

static inline void init_snapshot(struct skep_snapshot *snapshot, uint64_t seconds)
{
	skep_snapshot_init(snapshot);
	snapshot->ns = seconds * SECOND;
	snapshot->n_cpus = 2;
	snapshot->memory.total = 100 * MIB;
	snapshot->memory.available = 50 * MIB;
	snapshot->cpu.busy = 10;
	snapshot->cpu.all = 100;
}

#endif
