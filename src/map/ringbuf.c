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
#include "map/memory.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#define MOST_RECORD_BYTES (UINT32_MAX / 4)
#define SHORT_BYTES       256
#define FULL              UINT64_MAX

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

/* Under the lock: where a record of @len bytes begins, or FULL. Everything before is looked at. */
static uint64_t find_room(struct skep_ring *ring, uint64_t consumer, uint64_t len)
{
	struct skep_ring_producer *producer = ring->producer;
	uint64_t start = producer->pos, end = start + len;
	uint64_t pending = skip_committed(ring, producer->pending, start);

	producer->pending = pending;
	return end - consumer > ring->mask || end - pending > ring->mask ? FULL : start;
}

static void write_header(const struct skep_ring *ring, uint32_t *header, uint32_t word)
{
	size_t off = (size_t)((uint8_t *)header - (uint8_t *)ring->head);

	__atomic_store_n(&header[0], word, __ATOMIC_RELAXED);
	header[1] = (uint32_t)(off / skep_memory_page());
}

/* The lock and a place for a record of @size bytes. Return false: no room; not locked. */
static bool begin(struct skep_ring *ring, uint64_t size, uint64_t *ret_start)
{
	uint64_t len = skep_ring_up8(size + SKEP_RB_HEADER_BYTES), consumer;

	if (size > MOST_RECORD_BYTES || len > ring->mask + 1)
		return false;
	consumer = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	if (!skep_lock_briefly(&ring->head->lock))
		return false;
	*ret_start = find_room(ring, consumer, len);
	if (*ret_start != FULL)
		return true;
	skep_unlock(&ring->head->lock);
	return false;
}

/* Others see the record. */
static void publish(struct skep_ring *ring, uint64_t start, uint64_t size)
{
	uint64_t end = start + skep_ring_up8(size + SKEP_RB_HEADER_BYTES);

	__atomic_store_n(&ring->producer->pos, end, __ATOMIC_RELEASE);
}

static void *reserve(struct skep_ring *ring, uint64_t size)
{
	uint32_t *header;
	uint64_t start;

	if (!begin(ring, size, &start))
		return NULL;
	header = header_at(ring, start);
	write_header(ring, header, (uint32_t)size | SKEP_RB_BUSY);
	publish(ring, start, size);
	skep_unlock(&ring->head->lock);
	return (uint8_t *)header + SKEP_RB_HEADER_BYTES;
}

/* The record at @pos is there to be read: wake a reader that waits for this very one. */
static void wake(struct skep_map *map, uint64_t consumer, uint64_t mask, uint64_t pos,
		 uint64_t flags)
{
	if (flags & SKEP_RB_FORCE_WAKEUP)
		skep_ring_wake(map, true);
	else if ((consumer & mask) == pos && !(flags & SKEP_RB_NO_WAKEUP))
		skep_ring_wake(map, false);
}

static void commit(void *sample, uint64_t flags, uint32_t discard)
{
	size_t page = skep_memory_page();
	uint32_t *header = (uint32_t *)((uint8_t *)sample - SKEP_RB_HEADER_BYTES);
	uintptr_t at = (uintptr_t)header & ~(uintptr_t)(page - 1);
	struct skep_ring_head *head = (void *)(at - header[1] * page);
	uint8_t *base = (uint8_t *)head;
	uint64_t pos = (uint64_t)((uint8_t *)header - (base + SKEP_RB_FIRST_PAGES * page));
	uint64_t consumer;

	/* Ordered before the look at the consumer: else both might take the other for awake. */
	__atomic_exchange_n(header, (header[0] ^ SKEP_RB_BUSY) | discard, __ATOMIC_SEQ_CST);
	consumer = __atomic_load_n((uint64_t *)(base + page), __ATOMIC_SEQ_CST);
	wake(head->map, consumer, head->mask, pos, flags);
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

/* A short record is written under the lock, never busy: one atomic operation less. */
static int output_short(struct skep_ring *ring, const void *data, uint32_t size, uint64_t flags)
{
	uint32_t *header;
	uint64_t start;

	if (!begin(ring, size, &start))
		return -EAGAIN;
	header = header_at(ring, start);
	write_header(ring, header, size);
	memcpy(header + 2, data, size);
	publish(ring, start, size);
	/* As in commit(): a full barrier before the look at the consumer. */
	__atomic_exchange_n(&ring->head->lock, 0, __ATOMIC_SEQ_CST);
	wake(&ring->map, __atomic_load_n(ring->consumer, __ATOMIC_SEQ_CST), ring->mask,
	     start & ring->mask, flags);
	return 0;
}

int skep_ringbuf_output(struct skep_map *map, const void *data, uint64_t size, uint64_t flags)
{
	void *sample;

	if (flags & ~(uint64_t)(SKEP_RB_NO_WAKEUP | SKEP_RB_FORCE_WAKEUP))
		return -EINVAL;
	if (size <= SHORT_BYTES)
		return output_short((struct skep_ring *)map, data, (uint32_t)size, flags);
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
	if ((prot & PROT_WRITE) && (off || skep_memory_round_page(len) != skep_memory_page()))
		return -EPERM;
#endif
	return skep_ring_map_pages(map, addr, len, prot, flags, off);
}

const struct skep_map_ops skep_map_ringbuf_ops = {
	SKEP_RING_OPS,
	.mmap = map_pages,
};
