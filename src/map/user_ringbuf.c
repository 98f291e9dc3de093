/*
 * user_ringbuf: records from user space to programs. Everything in the ring
 * but the consumer's position is user space's to write, and so is checked when
 * it is read, once.
 *
 * Source    Linux 6.18, kernel/bpf/ringbuf.c, for behaviour.
 */
#include "map/ringbuf.h"

#include <errno.h>

#include "map/ops.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#define MOST_SAMPLES      (128 * 1024) /* of one drain */
#define MOST_SAMPLE_BYTES ((1u << 24) - 1)

static void advance(struct skep_ring *ring, uint64_t pos, uint32_t size)
{
	uint64_t len = skep_ring_up8((uint64_t)size + SKEP_RB_HEADER_BYTES);

	__atomic_store_n(ring->consumer, pos + len, __ATOMIC_RELEASE);
}

/* The next sample. Return 0 | -ENODATA none | -EAGAIN one was passed over | what is wrong. */
static int peek(struct skep_ring *ring, void **ret_sample, uint32_t *ret_size)
{
	uint64_t produced = __atomic_load_n(&ring->producer->pos, __ATOMIC_ACQUIRE);
	uint64_t consumed = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE), len;
	uint8_t *header = ring->data + (consumed & ring->mask);
	uint32_t word, size;

	if (produced % 8)
		return -EINVAL;
	if (consumed >= produced)
		return -ENODATA;
	word = __atomic_load_n((uint32_t *)header, __ATOMIC_ACQUIRE);
	size = word & ~(SKEP_RB_BUSY | SKEP_RB_DISCARD);
	len = skep_ring_up8((uint64_t)size + SKEP_RB_HEADER_BYTES);
	if (len > produced - consumed)
		return -EINVAL;
	if (len > ring->mask + 1 || size > MOST_SAMPLE_BYTES)
		return -E2BIG;
	if (word & SKEP_RB_DISCARD) {
		advance(ring, consumed, size);
		return -EAGAIN;
	}
	if (word & SKEP_RB_BUSY)
		return -ENODATA;
	*ret_sample = ring->data + ((consumed + SKEP_RB_HEADER_BYTES) & ring->mask);
	*ret_size = size;
	return 0;
}

/* Return how many samples were seen, those passed over not counted, or -errno; @ret_any: whether
 * the consumer moved. */
static long drain(struct skep_ring *ring, long (*each)(void *sample, uint32_t size, void *ctx),
		  void *ctx, bool *ret_any)
{
	long n = 0, passed = 0, stop = 0;

	for (; n < MOST_SAMPLES && !stop; n++) {
		uint32_t size = 0;
		void *sample = NULL;
		int err = peek(ring, &sample, &size);

		if (err == -ENODATA)
			break;
		if (err == -EAGAIN) {
			passed++;
			continue;
		}
		*ret_any = n > 0;
		if (err)
			return err;
		stop = each(sample, size, ctx);
		advance(ring, *ring->consumer, size);
	}
	*ret_any = n > 0;
	return n - passed;
}

long skep_user_ringbuf_drain(struct skep_map *map,
			     long (*each)(void *sample, uint32_t size, void *ctx), void *ctx,
			     uint64_t flags)
{
	struct skep_ring *ring = (struct skep_ring *)map;
	uint32_t idle = 0;
	bool any = false;
	long n;

	if (flags & ~(uint64_t)(SKEP_RB_NO_WAKEUP | SKEP_RB_FORCE_WAKEUP))
		return -EINVAL;
	if (!__atomic_compare_exchange_n(&ring->head->busy, &idle, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return -EBUSY;
	n = drain(ring, each, ctx, &any);
	__atomic_store_n(&ring->head->busy, 0, __ATOMIC_RELEASE);
	if (flags & SKEP_RB_FORCE_WAKEUP)
		skep_ring_wake(map, true);
	else if (!(flags & SKEP_RB_NO_WAKEUP) && any)
		skep_ring_wake(map, false);
	return n;
}

/* User space may write everything but the consumer's page. */
static intptr_t map_pages(struct skep_map *map, void *addr, size_t len, int prot, int flags,
			  uint64_t off)
{
#ifdef __linux__
	if ((prot & PROT_WRITE) && !off)
		return -EPERM;
#endif
	return skep_ring_map_pages(map, addr, len, prot, flags, off);
}

const struct skep_map_ops skep_map_user_ringbuf_ops = {
	SKEP_RING_OPS,
	.mmap = map_pages,
};
