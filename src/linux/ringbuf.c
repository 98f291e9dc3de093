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
 * What is mapped is resident, all of it and at once: of a ring of 4 MiB, 8 MiB.
 * So of the data no more is mapped than a window, which moves on with what is
 * read. A move costs some microseconds, a nanosecond a record.
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
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "linux/bpf.h"

#define WINDOW_BYTES ((size_t)256 * 1024)

struct skep_ringbuf {
	_Atomic unsigned long *consumer; /* mapped, ours to write */
	_Atomic unsigned long *producer; /* mapped read-only */
	const char *window;              /* bytes [from, from + len) of the data; NULL: none yet */
	size_t from, len;
	size_t size, page; /* bytes; size is a power of two */
	int map_fd;        /* borrowed */
};

static void unmap_window(struct skep_ringbuf *ring)
{
	if (ring->window)
		munmap((void *)ring->window, ring->len);
	ring->window = NULL;
	ring->len = 0;
}

void skep_ringbuf_free(struct skep_ringbuf *ring)
{
	if (!ring)
		return;
	if (ring->consumer)
		munmap((void *)ring->consumer, ring->page);
	if (ring->producer)
		munmap((void *)ring->producer, ring->page);
	unmap_window(ring);
	free(ring);
}

static int map_pages(struct skep_ringbuf *ring, int map_fd)
{
	void *at = skep_bpf_mmap(ring->page, PROT_READ | PROT_WRITE, map_fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	ring->consumer = at;
	at = skep_bpf_mmap(ring->page, PROT_READ, map_fd, (off_t)ring->page);
	if (at == MAP_FAILED)
		return -errno;
	ring->producer = at;
	return 0;
}

/* Have the window begin in the page of @off, and hold at least @need bytes from there on. */
static int move_window(struct skep_ringbuf *ring, size_t off, size_t need)
{
	size_t from = off & ~(ring->page - 1), most = 2 * ring->size - from;
	size_t len = (off - from + need + ring->page - 1) & ~(ring->page - 1);

	len = len < WINDOW_BYTES ? WINDOW_BYTES : len;
	len = len < most ? len : most;
	unmap_window(ring);
	void *at = skep_bpf_mmap(len, PROT_READ, ring->map_fd, (off_t)(2 * ring->page + from));
	if (at == MAP_FAILED)
		return -errno;
	ring->window = at;
	ring->from = from;
	ring->len = len;
	return 0;
}

/* The @need bytes at position @pos. Return NULL: they cannot be mapped */
static const char *data_at(struct skep_ringbuf *ring, unsigned long pos, size_t need)
{
	size_t off = pos & (ring->size - 1);
	bool is_there = off >= ring->from && off - ring->from + need <= ring->len;

	if (!is_there && move_window(ring, off, need))
		return NULL;
	return ring->window + (off - ring->from);
}

int skep_ringbuf_open(int map_fd, size_t size_bytes, struct skep_ringbuf **ret)
{
	struct skep_ringbuf *ring;
	int err;

	if (!size_bytes || (size_bytes & (size_bytes - 1)) || size_bytes > SIZE_MAX / 4)
		return -EINVAL;
	ring = skep_xcalloc(1, sizeof(*ring));
	ring->size = size_bytes;
	ring->map_fd = map_fd;
	ring->page = (size_t)sysconf(_SC_PAGESIZE);
	err = map_pages(ring, map_fd);
	/* Who has no room for a window is told so now. */
	if (!err && !data_at(ring, *ring->consumer, BPF_RINGBUF_HDR_SZ))
		err = -ENOMEM;
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

/*
 * The whole record at @at, of which no more than @room bytes are there yet.
 * Return 1 | 0 it is not committed | -EBADMSG longer than the room | -ENOMEM
 */
static int take_record(struct skep_ringbuf *ring, unsigned long at, size_t room,
		       uint32_t *ret_header, const char **ret_data)
{
	const char *record = data_at(ring, at, BPF_RINGBUF_HDR_SZ);

	if (!record)
		return -ENOMEM;
	/* pairs with the producer's commit, which clears the busy bit last */
	*ret_header = atomic_load_explicit((const _Atomic uint32_t *)record, memory_order_acquire);
	if (*ret_header & BPF_RINGBUF_BUSY_BIT)
		return 0;
	if (record_span(*ret_header) > room)
		return -EBADMSG;
	record = data_at(ring, at, record_span(*ret_header));
	*ret_data = record ? record + BPF_RINGBUF_HDR_SZ : NULL;
	return record ? 1 : -ENOMEM;
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
	const char *data;
	uint32_t header;
	int64_t n = 0;
	int err = 0;

	while (at != end && !err && (!max || (size_t)n < max)) {
		int got = take_record(ring, at, end - at, &header, &data);
		if (got <= 0) {
			err = got;
			break;
		}
		at += record_span(header);
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
