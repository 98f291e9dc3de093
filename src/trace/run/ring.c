/* The two kinds of event ring under one roof; see ring.h. */
#include "trace/run/ring.h"

#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <time.h>
#include <unistd.h>

#include "linux/bpf.h"

#define SETTLE_NS       1000000
#define LEAST_CPU_BYTES 65536 /* of a perf buffer, unless less was asked for in all */

/* Its share of what was asked for: a power of two, and at least a page. */
static size_t cpu_bytes(uint32_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), share = bytes;
	unsigned n_cpus = skep_possible_cpus();

	while (share * n_cpus > bytes && share > LEAST_CPU_BYTES)
		share /= 2;
	return share < page ? page : share;
}

int skep_event_ring_open(struct skep_event_ring *ring, const struct skep_object_map *map,
			 int map_fd, uint32_t bytes)
{
	ring->map_fd = map_fd;
	if (map->type == BPF_MAP_TYPE_RINGBUF)
		return skep_ringbuf_open(map_fd, map->max_entries, &ring->buffer);
	return skep_perfrings_open_output(map_fd, cpu_bytes(bytes), &ring->perf);
}

void skep_event_ring_done(struct skep_event_ring *ring)
{
	skep_ringbuf_free(ring->buffer);
	skep_perfrings_free(ring->perf);
	*ring = (struct skep_event_ring){0};
}

int skep_event_ring_fd(const struct skep_event_ring *ring)
{
	if (ring->perf)
		return skep_perfrings_fd(ring->perf);
	return ring->buffer ? ring->map_fd : -1;
}

/* --- Taking ---------------------------------------------------------------------------------- */

struct taking {
	skep_ringbuf_fn fn;
	void *ctx;
	int64_t n;
	bool ended;
};

static int on_record(void *ctx, const void *data, size_t size)
{
	struct taking *taking = ctx;
	int err = taking->fn(taking->ctx, data, size);

	taking->ended = err < 0;
	return err;
}

/* PERF_RECORD_LOST is not looked at: the programs were told, and have counted it. */
static void on_perf_record(void *ctx, const struct skep_perf_record *record)
{
	struct taking *taking = ctx;

	taking->n++;
	if (record->type == PERF_RECORD_SAMPLE && !taking->ended)
		taking->ended = taking->fn(taking->ctx, record->data, record->size) < 0;
}

uint64_t skep_event_ring_settled_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - SETTLE_NS;
}

bool skep_event_ring_consume(struct skep_event_ring *ring, uint64_t until_ns, skep_ringbuf_fn fn,
			     void *ctx)
{
	struct taking taking = {.fn = fn, .ctx = ctx};

	if (ring->buffer) {
		int64_t n = skep_ringbuf_consume(ring->buffer, 0, on_record, &taking);
		ring->err = n < 0 && !taking.ended ? (int)n : 0;
		return n > 0 || taking.ended;
	}
	if (!ring->perf)
		return false;
	skep_perfrings_consume(ring->perf, until_ns, on_perf_record, &taking);
	return taking.n || skep_perfrings_pending(ring->perf);
}

bool skep_event_ring_is_through(const struct skep_event_ring *ring)
{
	return !ring->buffer || !skep_ringbuf_pending(ring->buffer);
}
