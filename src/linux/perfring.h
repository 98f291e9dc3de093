/*
 * Perf rings, one for each CPU, read as one stream in order of time: what the
 * kernel reports of processes (mappings, forks, execs), or what BPF programs
 * send by bpf_perf_event_output() where the kernel has no ring buffer.
 */
#ifndef SKEP_LINUX_PERFRING_H
#define SKEP_LINUX_PERFRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "linux/maps.h"

struct skep_perfrings;

/** One record, valid until the callback returns. */
struct skep_perf_record {
	uint32_t type; /* PERF_RECORD_SAMPLE: sent by a program */
	uint16_t misc;
	const void *data; /* 8-byte aligned: what was sent, or what is behind the header */
	size_t size;      /* of data; of what was sent, up to 7 bytes more than that */
	uint64_t time_ns; /* CLOCK_MONOTONIC */
};

typedef void (*skep_perf_record_fn)(void *ctx, const struct skep_perf_record *record);

/**
 * Have every CPU report the mappings of code (PERF_RECORD_MMAP2), forks, exits and executions of
 * all processes from now on.
 *
 * @bytes         of each ring, a power of two and at least a page
 * @wakeup_bytes  how many of them make the descriptor readable; 1: any record
 * Return         0 | -EPERM, -EACCES not allowed | -errno
 */
int skep_perfrings_open(size_t bytes, uint32_t wakeup_bytes, struct skep_perfrings **ret);
/**
 * Take what programs send to the map behind @map_fd (BPF_MAP_TYPE_PERF_EVENT_ARRAY with an element
 * for each possible CPU; borrowed while the rings are there) with BPF_F_CURRENT_CPU. On a CPU that
 * comes online later they get -ENOENT, and -ENOSPC where a ring is full: they know what is lost.
 *
 * @bytes  of each ring, as above
 * Return  0 | -EPERM, -EACCES not allowed | -errno
 */
int skep_perfrings_open_output(int map_fd, size_t bytes, struct skep_perfrings **ret);
void skep_perfrings_free(struct skep_perfrings *rings);
/** Readable when a ring has wakeup_bytes of records, or any that a program sent. */
int skep_perfrings_fd(const struct skep_perfrings *rings);
/**
 * Consume what was recorded before @until_ns, in order of time over all CPUs. A record is in its
 * ring microseconds after its time: what is asked for should be a little older than that.
 */
void skep_perfrings_consume(struct skep_perfrings *rings, uint64_t until_ns, skep_perf_record_fn fn,
			    void *ctx);
/** Is there anything that was not consumed yet? */
bool skep_perfrings_pending(const struct skep_perfrings *rings);
/** Records that a full ring had no room for, as far as it was consumed. */
uint64_t skep_perfrings_lost(const struct skep_perfrings *rings);
/** How many records before it a full ring had no room for. */
uint64_t skep_perf_record_lost(const struct skep_perf_record *record);

/** What became of a process. */
enum skep_perf_change_kind {
	SKEP_PERF_MAPPED,   /* it has mapped code */
	SKEP_PERF_FORKED,   /* it has been made */
	SKEP_PERF_EXECUTED, /* it is another program */
	SKEP_PERF_EXITED,
};

struct skep_perf_change {
	enum skep_perf_change_kind kind;
	uint32_t pid, tid;
	uint32_t parent; /* of FORKED: the process; @pid if it is a new thread of that */
	struct skep_mapping mapping; /* of MAPPED */
	const char *path;            /* of MAPPED; in the record */
};

/** What a record says of a process, whatever bytes it has. False: nothing, or it is malformed. */
bool skep_perf_record_change(const struct skep_perf_record *record, struct skep_perf_change *ret);

#endif
