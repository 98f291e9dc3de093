/*
 * The user-space end of a BPF ring buffer.
 *
 * The kernel gives three things to map: a page with the consumer's position
 * (ours to write), a page with the producers' position, and the data, mapped
 * twice in a row so that a record that wraps is still contiguous:
 *
 *	+----------+----------+--------------+--------------+
 *	| consumer | producer | data         | data again   |
 *	+----------+----------+--------------+--------------+
 *
 * Positions are byte counts that only grow; masked with the size they are
 * offsets. A record is a 4-byte length (top bits: busy, discarded), 4 bytes of
 * the kernel's own, and the data, rounded up to 8.
 *
 * Invariant: everything before consumer_pos has been handed out or discarded;
 * consumer_pos is published before consume() returns. A record the kernel has
 * reserved but not committed (busy) stops consumption: records come in order.
 */
#include "linux/ringbuf.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "linux/bpf.h"

struct skep_ringbuf {
	_Atomic unsigned long *consumer; /* mapped, ours to write */
	_Atomic unsigned long *producer; /* mapped read-only; the data follow a page later */
	const char *data;
	size_t size, page; /* bytes; size is a power of two */
};

static size_t producer_map_size(const struct skep_ringbuf *ring)
{
	return ring->page + 2 * ring->size;
}

void skep_ringbuf_free(struct skep_ringbuf *ring)
{
	if (!ring)
		return;
	if (ring->consumer)
		munmap((void *)ring->consumer, ring->page);
	if (ring->producer)
		munmap((void *)ring->producer, producer_map_size(ring));
	free(ring);
}

static int map_pages(struct skep_ringbuf *ring, int map_fd)
{
	void *at = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	ring->consumer = at;
	at = mmap(NULL, producer_map_size(ring), PROT_READ, MAP_SHARED, map_fd, (off_t)ring->page);
	if (at == MAP_FAILED)
		return -errno;
	ring->producer = at;
	ring->data = (const char *)at + ring->page;
	return 0;
}

int skep_ringbuf_open(int map_fd, size_t size_bytes, struct skep_ringbuf **ret)
{
	struct skep_ringbuf *ring;
	int err;

	if (!size_bytes || (size_bytes & (size_bytes - 1)) || size_bytes > SIZE_MAX / 4)
		return -EINVAL;
	ring = skep_xcalloc(1, sizeof(*ring));
	ring->size = size_bytes;
	ring->page = (size_t)sysconf(_SC_PAGESIZE);
	err = map_pages(ring, map_fd);
	if (err) {
		skep_ringbuf_free(ring);
		return err;
	}
	*ret = ring;
	return 0;
}

/* Bytes the record takes in the ring, with its header. */
static size_t record_span(uint32_t header)
{
	uint32_t len = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

	return ((size_t)len + BPF_RINGBUF_HDR_SZ + 7) & ~(size_t)7;
}

static uint32_t load_header(const struct skep_ringbuf *ring, unsigned long pos)
{
	const _Atomic uint32_t *header =
		(const _Atomic uint32_t *)(ring->data + (pos & (ring->size - 1)));

	/* pairs with the producer's commit, which clears the busy bit last */
	return atomic_load_explicit(header, memory_order_acquire);
}

/*
 * The producers' position is read once, so that one call does a bounded amount
 * of work however fast records come; poll(2) on the map is level-triggered and
 * says so when more is there. Positions are published in steps of a sixteenth
 * of the ring: often enough that producers find room, seldom enough that the
 * cache line does not travel for each record.
 */
int64_t skep_ringbuf_consume(struct skep_ringbuf *ring, size_t max, skep_ringbuf_fn fn, void *ctx)
{
	unsigned long at = atomic_load_explicit(ring->consumer, memory_order_relaxed);
	unsigned long end = atomic_load_explicit(ring->producer, memory_order_acquire);
	unsigned long published = at;
	int64_t n = 0;
	int err = 0;

	while (at != end && !err && (!max || (size_t)n < max)) {
		uint32_t header = load_header(ring, at);
		size_t span = record_span(header);
		const char *data = ring->data + (at & (ring->size - 1)) + BPF_RINGBUF_HDR_SZ;

		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		if (span > end - at) {
			err = -EBADMSG;
			break;
		}
		at += span;
		if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
			err = fn(ctx, data, header);
			n++;
		}
		if (at - published >= ring->size / 16) {
			atomic_store_explicit(ring->consumer, at, memory_order_release);
			published = at;
		}
	}
	atomic_store_explicit(ring->consumer, at, memory_order_release);
	return err < 0 ? err : n;
}

size_t skep_ringbuf_pending(const struct skep_ringbuf *ring)
{
	unsigned long at = atomic_load_explicit(ring->consumer, memory_order_relaxed);

	return atomic_load_explicit(ring->producer, memory_order_acquire) - at;
}
