/* What the kernel reports of processes (mappings, forks, execs), through one perf ring per CPU. */
#ifndef SKEP_LINUX_PERFRING_H
#define SKEP_LINUX_PERFRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_perfrings;

/** One record, valid until the callback returns; @data begins behind the header. */
struct skep_perf_record {
	uint32_t type;
	uint16_t misc;
	const void *data; /* 8-byte aligned */
	size_t size;      /* of data, without the time at its end */
	uint64_t time_ns; /* CLOCK_MONOTONIC */
};

typedef void (*skep_perf_record_fn)(void *ctx, const struct skep_perf_record *record);

/**
 * Have every CPU report the mappings of code (PERF_RECORD_MMAP2), forks, exits and executions of
 * all processes from now on.
 *
 * @bytes  of each ring, a power of two and at least a page
 * Return  0 | -EPERM, -EACCES not allowed | -errno
 */
int skep_perfrings_open(size_t bytes, struct skep_perfrings **ret);
void skep_perfrings_free(struct skep_perfrings *rings);
/** Readable when a ring has more than a few records. */
int skep_perfrings_fd(const struct skep_perfrings *rings);
/**
 * Consume what was recorded before @until_ns, in order of time over all CPUs. A record is in its
 * ring microseconds after its time: what is asked for should be a little older than that.
 */
void skep_perfrings_consume(struct skep_perfrings *rings, uint64_t until_ns, skep_perf_record_fn fn,
			    void *ctx);
/** Records that a full ring had no room for, as far as it was consumed. */
uint64_t skep_perfrings_lost(const struct skep_perfrings *rings);

#endif
