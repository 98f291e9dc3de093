/* Samples for perf buffers, and stacks. Counters of the processor are not there. */
#include <stdlib.h>
#include <string.h>

#include "helper/os.h"
#include "helper/packet.h"

#define INDEX_MASK  0xffffffffull
#define LENGTH_MASK (0xfffffull << 32) /* of the packet, to come behind the data */

static uint64_t put_sample(struct skep_run *run, struct skep_map *map, uint64_t flags,
			   const void *data, uint64_t bytes)
{
	uint64_t index = flags & INDEX_MASK;

	if (index == INDEX_MASK)
		index = run->cpu;
	if (index >= map->max_entries)
		return as_r0(-E2BIG);
	if (!run->world || !run->world->output)
		return as_r0(-ENOENT);
	return as_r0(run->world->output(run->world->output_ctx, map, index, data, bytes));
}

static uint64_t put_with_packet(struct skep_run *run, struct skep_map *map, uint64_t flags,
				const void *data, uint64_t bytes)
{
	const struct skep_packet *packet = packet_of(run);
	uint32_t more = (uint32_t)((flags & LENGTH_MASK) >> 32);

	if (!more)
		return put_sample(run, map, flags, data, bytes);
	if (!packet || more > packet_bytes(packet))
		return as_r0(-EFAULT);
	uint8_t *all = malloc(bytes + more);
	if (!all)
		return as_r0(-ENOMEM);
	memcpy(all, data, bytes);
	packet_read(packet, 0, all + bytes, more);
	uint64_t ret = put_sample(run, map, flags, all, bytes + more);
	free(all);
	return ret;
}

static uint64_t output(struct skep_run *run, uint64_t map, uint64_t flags, uint64_t data,
		       uint64_t bytes)
{
	uint64_t known = INDEX_MASK | (packet_of(run) ? LENGTH_MASK : 0);

	if (flags & ~known)
		return as_r0(-EINVAL);
	return put_with_packet(run, map_of(map), flags, ptr_of(data), bytes);
}

DEFINE_HELPER(perf_event_output)
{
	return output(run, r2, r3, r4, r5);
}

DEFINE_HELPER(skb_output)
{
	return output(run, r2, r3, r4, r5);
}

DEFINE_HELPER(xdp_output)
{
	return output(run, r2, r3, r4, r5);
}

static uint64_t no_counter(const struct skep_map *map, uint64_t flags)
{
	if (flags & ~INDEX_MASK)
		return as_r0(-EINVAL);
	return as_r0((uint32_t)flags != INDEX_MASK && (uint32_t)flags >= map->max_entries
			     ? -E2BIG
			     : -ENOENT);
}

DEFINE_HELPER(perf_event_read)
{
	return no_counter(map_of(r1), r2);
}

enum { COUNTER_BYTES = 24 };

DEFINE_HELPER(perf_event_read_value)
{
	uint64_t ret = (uint32_t)r4 == COUNTER_BYTES ? no_counter(map_of(r1), r2) : as_r0(-EINVAL);

	memset(ptr_of(r3), 0, (uint32_t)r4);
	return ret;
}

DEFINE_HELPER(read_branch_records)
{
	return as_r0(r4 & ~1ull ? -EINVAL : -ENOENT);
}

DEFINE_HELPER(get_branch_snapshot)
{
	return as_r0(-ENOENT);
}

/* --- Stacks -------------------------------------------------------------------------------
 * The thread's own, by its chain of frame pointers: as far as code was built with them, and
 * never further than memory that is there. There is no kernel's. */

enum {
	SKIP_MASK = 0xff,
	USER_STACK = 1 << 8,
	FAST_COMPARE = 1 << 9,
	REUSE = 1 << 10,
	BUILD_ID = 1 << 11,
	MOST_DEPTH = 127,
	MOST_FRAME_BYTES = 1 << 20,
};

static uint32_t walk_stack(uint64_t *ips, uint32_t most, uint32_t skip)
{
	uint64_t at = (uintptr_t)__builtin_frame_address(0), frame[2];
	uint32_t n = 0;

	while (n < most + skip && !(at & 7) && !skep_os_read(frame, at, sizeof(frame))) {
		if (frame[1] < 4096)
			break;
		if (n >= skip)
			ips[n - skip] = frame[1];
		n++;
		if (frame[0] <= at || frame[0] - at > MOST_FRAME_BYTES)
			break;
		at = frame[0];
	}
	return n > skip ? n - skip : 0;
}

DEFINE_HELPER(get_stackid)
{
	uint64_t ips[MOST_DEPTH];
	struct skep_map *map = map_of(r2);
	uint32_t most = map->value_size / 8;

	if (r3 & ~(uint64_t)(SKIP_MASK | USER_STACK | FAST_COMPARE | REUSE))
		return as_r0(-EINVAL);
	uint32_t n = r3 & USER_STACK ? walk_stack(ips, most < MOST_DEPTH ? most : MOST_DEPTH,
						  r3 & SKIP_MASK)
				     : 0;
	return n ? (uint64_t)skep_stack_map_id(map, ips, n, r3) : as_r0(-EFAULT);
}

static uint64_t copy_stack(void *to, uint32_t bytes, uint64_t flags)
{
	uint64_t ips[MOST_DEPTH];
	uint32_t most = bytes / 8 < MOST_DEPTH ? bytes / 8 : MOST_DEPTH, n = 0;

	memset(to, 0, bytes);
	if (flags & ~(uint64_t)(SKIP_MASK | USER_STACK | BUILD_ID) || bytes % 8 ||
	    (flags & BUILD_ID && (!(flags & USER_STACK) || bytes % 32)))
		return as_r0(-EINVAL);
	if (flags & BUILD_ID || !(flags & USER_STACK))
		return as_r0(-EFAULT);
	n = walk_stack(ips, most, flags & SKIP_MASK);
	memcpy(to, ips, n * sizeof(ips[0]));
	return n ? n * sizeof(ips[0]) : as_r0(-EFAULT);
}

DEFINE_HELPER(get_stack)
{
	return copy_stack(ptr_of(r2), (uint32_t)r3, r4);
}

DEFINE_HELPER(get_task_stack)
{
	return copy_stack(ptr_of(r2), (uint32_t)r3, r4);
}
