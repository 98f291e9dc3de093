/*
 * ringbuf: records from programs to user space, in the order in which they
 * were reserved.
 *
 * A producer takes its room under the lock, in nanoseconds, and fills it
 * without; the record is busy until it is submitted or discarded. A reader
 * stops at the first busy record. Room is taken only while everything between
 * the reader (and the oldest record still busy) and the new end fits, so
 * nothing is ever overwritten.
 *
 * Source    Linux 6.18, kernel/bpf/ringbuf.c, for behaviour.
 */
#include "map/ringbuf.h"

#include <errno.h>
#include <string.h>

#include "map/ops.h"
#include "map/pages.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#define MOST_RECORD_BYTES (UINT32_MAX / 4)

/* What bpf_ringbuf_query() can be asked. */
enum { AVAIL_DATA, RING_SIZE, CONS_POS, PROD_POS };

static uint32_t *header_at(const struct skep_ring *ring, uint64_t pos)
{
	return (uint32_t *)(ring->data + (pos & ring->mask));
}

/* Past all committed records from @pending on; under the lock. */
static uint64_t skip_committed(const struct skep_ring *ring, uint64_t pending, uint64_t end)
{
	while (pending < end) {
		uint32_t len = __atomic_load_n(header_at(ring, pending), __ATOMIC_RELAXED);

		if (len & SKEP_RB_BUSY)
			break;
		pending += skep_ring_up8((uint64_t)(len & ~SKEP_RB_DISCARD) + SKEP_RB_HEADER_BYTES);
	}
	return pending;
}

/* Under the lock: the new record's header, or NULL. */
static uint32_t *take_room(struct skep_ring *ring, uint64_t consumer, uint32_t size, uint64_t len)
{
	struct skep_ring_producer *producer = ring->producer;
	uint64_t start = producer->pos, end = start + len;
	uint64_t pending = skip_committed(ring, producer->pending, start);
	uint32_t *header = header_at(ring, start);

	producer->pending = pending;
	if (end - consumer > ring->mask || end - pending > ring->mask)
		return NULL;
	__atomic_store_n(&header[0], size | SKEP_RB_BUSY, __ATOMIC_RELAXED);
	header[1] = (uint32_t)(((uint8_t *)header - (uint8_t *)ring->head) / skep_pages_bytes());
	__atomic_store_n(&producer->pos, end, __ATOMIC_RELEASE);
	return header;
}

static void *reserve(struct skep_ring *ring, uint64_t size)
{
	uint64_t len = skep_ring_up8(size + SKEP_RB_HEADER_BYTES), consumer;
	uint32_t *header;

	if (size > MOST_RECORD_BYTES || len > ring->mask + 1)
		return NULL;
	consumer = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	if (!skep_spin_lock(&ring->head->lock))
		return NULL;
	header = take_room(ring, consumer, (uint32_t)size, len);
	skep_spin_unlock(&ring->head->lock);
	return header ? (uint8_t *)header + SKEP_RB_HEADER_BYTES : NULL;
}

static void commit(void *sample, uint64_t flags, uint32_t discard)
{
	size_t page = skep_pages_bytes();
	uint32_t *header = (uint32_t *)((uint8_t *)sample - SKEP_RB_HEADER_BYTES);
	uintptr_t at = (uintptr_t)header & ~(uintptr_t)(page - 1);
	struct skep_ring_head *head = (void *)(at - header[1] * page);
	uint8_t *base = (uint8_t *)head;
	uint64_t pos = (uint64_t)((uint8_t *)header - (base + SKEP_RB_FIRST_PAGES * page));
	uint64_t consumer;

	/* Ordered before the look at the consumer: else both might take the other for awake. */
	__atomic_exchange_n(header, (header[0] ^ SKEP_RB_BUSY) | discard, __ATOMIC_SEQ_CST);
	consumer = __atomic_load_n((uint64_t *)(base + page), __ATOMIC_SEQ_CST);
	if (flags & SKEP_RB_FORCE_WAKEUP)
		skep_ring_wake(head->map, true);
	else if ((consumer & head->mask) == pos && !(flags & SKEP_RB_NO_WAKEUP))
		skep_ring_wake(head->map, false);
}

void *skep_ringbuf_reserve(struct skep_map *map, uint64_t size)
{
	return reserve((struct skep_ring *)map, size);
}

void skep_ringbuf_submit(void *sample, uint64_t flags)
{
	commit(sample, flags, 0);
}

void skep_ringbuf_discard(void *sample, uint64_t flags)
{
	commit(sample, flags, SKEP_RB_DISCARD);
}

int skep_ringbuf_output(struct skep_map *map, const void *data, uint64_t size, uint64_t flags)
{
	void *sample;

	if (flags & ~(uint64_t)(SKEP_RB_NO_WAKEUP | SKEP_RB_FORCE_WAKEUP))
		return -EINVAL;
	sample = reserve((struct skep_ring *)map, size);
	if (!sample)
		return -EAGAIN;
	memcpy(sample, data, size);
	commit(sample, flags, 0);
	return 0;
}

uint64_t skep_ringbuf_query(struct skep_map *map, uint64_t flags)
{
	const struct skep_ring *ring = (const struct skep_ring *)map;
	uint64_t consumer = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	uint64_t producer = __atomic_load_n(&ring->producer->pos, __ATOMIC_ACQUIRE);

	switch (flags) {
	case AVAIL_DATA: return producer - consumer;
	case RING_SIZE: return ring->mask + 1;
	case CONS_POS: return consumer;
	case PROD_POS: return producer;
	default: return 0;
	}
}

/* User space may write the consumer's page, alone. */
static intptr_t map_pages(struct skep_map *map, void *addr, size_t len, int prot, int flags,
			  uint64_t off)
{
#ifdef __linux__
	if ((prot & PROT_WRITE) && (off || skep_pages_up(len) != skep_pages_bytes()))
		return -EPERM;
#endif
	return skep_ring_map_pages(map, addr, len, prot, flags, off);
}

const struct skep_map_ops skep_map_ringbuf_ops = {
	.check = skep_ring_check,
	.create = skep_ring_create,
	.free = skep_ring_free,
	.lookup = skep_ring_lookup,
	.update = skep_ring_update,
	.delete = skep_ring_delete,
	.sys_lookup = skep_ring_sys_lookup,
	.next_key = skep_ring_next_key,
	.mmap = map_pages,
};
