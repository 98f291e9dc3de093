/*
 * Reading a ring buffer without descriptors, mmap() and libbpf: for who has the map in the same
 * process. The memory and the protocol are those of ringbuf.c; one reader at a time, here or there.
 */
#include <errno.h>

#include "map/ops.h"
#include "map/ringbuf.h"

#define LENGTH_MASK (~(SKEP_RB_BUSY | SKEP_RB_DISCARD))

long skep_ringbuf_read(struct skep_map *map, int (*each)(void *ctx, void *sample, uint32_t size),
		       void *ctx)
{
	const struct skep_ring *ring = (const struct skep_ring *)map;
	uint64_t pos;
	long n = 0;

	if (map->type != SKEP_MAP_RINGBUF)
		return -EINVAL;
	pos = __atomic_load_n(ring->consumer, __ATOMIC_RELAXED);
	while (pos < __atomic_load_n(&ring->producer->pos, __ATOMIC_ACQUIRE)) {
		uint8_t *record = ring->data + (pos & ring->mask);
		uint32_t word = __atomic_load_n((uint32_t *)record, __ATOMIC_ACQUIRE);
		int result = 0;

		if (word & SKEP_RB_BUSY)
			break;
		if (!(word & SKEP_RB_DISCARD)) {
			result = each(ctx, record + SKEP_RB_HEADER_BYTES, word & LENGTH_MASK);
			n++;
		}
		pos += skep_ring_up8((word & LENGTH_MASK) + SKEP_RB_HEADER_BYTES);
		__atomic_store_n(ring->consumer, pos, __ATOMIC_SEQ_CST);
		if (result)
			return result < 0 ? result : n;
	}
	return n;
}
