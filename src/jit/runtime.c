/*
 * What compiled code calls beside helpers: tail calls, and the packet loads
 * that classic BPF left behind. Their arguments stand where a helper's do.
 */
#include <string.h>

#include <skep/helper.h>

#include "jit/jit.h"

/* Offsets below 0 in packet loads count from a header: Linux's SKF_NET_OFF and SKF_LL_OFF. */
#define FROM_NETWORK_HEADER (-0x100000)
#define FROM_MAC_HEADER     (-0x200000)

JIT_ABI struct jit_tail_result skep_jit_tail_call(uint64_t ctx, uint64_t map, uint64_t index,
						  uint64_t r4, uint64_t r5, struct skep_run *run)
{
	struct jit_tail_result result = {0};
	result.done = skep_run_tail_call(run, (void *)(uintptr_t)ctx,
					 (struct skep_map *)(uintptr_t)map, index, &result.r0);
	return result;
}

static int64_t linear_at(const struct skep_packet *packet, int32_t off)
{
	if (off >= 0)
		return off;
	if (off >= FROM_NETWORK_HEADER)
		return (int64_t)packet->network_off + off - FROM_NETWORK_HEADER;
	if (off >= FROM_MAC_HEADER)
		return (int64_t)packet->mac_off + off - FROM_MAC_HEADER;
	return -1;
}

/* Bytes [@at, @at + @size) of the packet, wherever they are. */
static bool copy_bytes(const struct skep_packet *packet, int64_t at, uint64_t size, uint8_t *to)
{
	int64_t linear = packet->end - packet->data;
	if (at < 0 || at + (int64_t)size > linear + packet->frags_bytes)
		return false;
	for (uint64_t i = 0; i < size; i++, at++)
		to[i] = at < linear ? packet->data[at] : packet->frags[at - linear];
	return true;
}

JIT_ABI int64_t skep_jit_packet_load(uint64_t off, uint64_t size, uint64_t r3, uint64_t r4,
				     uint64_t r5, struct skep_run *run)
{
	const struct skep_packet *packet = run->world ? run->world->packet : NULL;
	uint8_t bytes[4];
	int64_t value = 0;
	if (!packet || !copy_bytes(packet, linear_at(packet, (int32_t)off), size, bytes))
		return -1;
	for (uint64_t i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}
