/*
 * Where a script's events come out: a ring buffer, or on kernels that have none
 * a perf buffer on each CPU, read as one in order of time. Which of them it is
 * the type of the compiled program's map says.
 */
#ifndef SKEP_TRACE_RING_H
#define SKEP_TRACE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/object.h>

#include "linux/perfring.h"
#include "linux/ringbuf.h"

/** One of the two is there, or none: a ring of zeroes is empty, and is as good as freed. */
struct skep_event_ring {
	struct skep_ringbuf *buffer;
	struct skep_perfrings *perf;
	int map_fd; /* borrowed */
	int err;    /* 0; < 0: it cannot be read any more */
};

/** @bytes  of the ring, a power of two; of perf buffers, of all of them together
 *  Return 0 | -errno */
int skep_event_ring_open(struct skep_event_ring *ring, const struct skep_object_map *map,
			 int map_fd, uint32_t bytes);
void skep_event_ring_done(struct skep_event_ring *ring);
/** Readable when there is something; -1: never. */
int skep_event_ring_fd(const struct skep_event_ring *ring);
/** Up to when all that was sent is there to be taken: a younger event of perf buffers may have an
 *  older one behind it that is still on its way into another CPU's. */
uint64_t skep_event_ring_settled_ns(void);
/**
 * Take what is there. Of perf buffers only what is no younger than @until_ns: rings that are taken
 * up to the same moment, one after the other, are in order; UINT64_MAX: the programs do not run any
 * more, and nothing is on its way.
 *
 * @fn     as of skep_ringbuf_consume(); where it returns < 0 perf buffers' further events are lost
 * Return  whether to come back soon: something was found, or is not old enough yet; not after an
 *         error, see @ring
 */
bool skep_event_ring_consume(struct skep_event_ring *ring, uint64_t until_ns, skep_ringbuf_fn fn,
			     void *ctx);
/** Is nothing in it that is older than what was taken from it last? */
bool skep_event_ring_is_through(const struct skep_event_ring *ring);

#endif
