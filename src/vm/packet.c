/*
 * Packet loads of classic BPF and arena casts: rare, and the same for both
 * interpreters.
 */
#include "vm/packet.h"

#include <string.h>

#include <skep/helper.h>
#include <skep/map.h>

/* Linux's SKF_NET_OFF and SKF_LL_OFF. */
#define NETWORK_OFF (-0x100000)
#define FRAME_OFF   (-0x200000)

/* Where in the packet; negative: nowhere. */
static int64_t place_of(const struct skep_packet *packet, int32_t off)
{
	if (off >= 0)
		return off;
	if (off >= NETWORK_OFF)
		return (int64_t)packet->network_off + off - NETWORK_OFF;
	if (off >= FRAME_OFF)
		return (int64_t)packet->mac_off + off - FRAME_OFF;
	return -1;
}

/* A load may begin in the linear part and end behind it. */
static bool byte_at(const struct skep_packet *packet, int64_t at, uint8_t *ret)
{
	int64_t linear = packet->end - packet->data;

	if (at < linear)
		*ret = packet->data[at];
	else if (at < linear + packet->frags_bytes)
		*ret = packet->frags[at - linear];
	else
		return false;
	return true;
}

bool skep_vm_load_packet(const struct skep_run *run, int32_t off, unsigned size, uint64_t *ret)
{
	const struct skep_packet *packet = run->world ? run->world->packet : NULL;
	int64_t at = packet ? place_of(packet, off) : -1;
	uint64_t value = 0;
	uint8_t byte = 0;

	if (at < 0)
		return false;
	for (unsigned i = 0; i < size; i++) {
		if (!byte_at(packet, at + i, &byte))
			return false;
		value = value << 8 | byte;
	}
	*ret = value;
	return true;
}

/*
 * A program's arena pointer (space 1) is an address in user space's view; space
 * 0 is where we can reach it. NULL stays NULL towards user space.
 */
uint64_t skep_vm_cast(const struct skep_map *arena, uint64_t address, uint32_t spaces)
{
	if (!arena)
		return address;

	uint64_t base = skep_arena_base(arena);
	if (spaces == 1)
		return base + (uint32_t)address;
	uint32_t low = (uint32_t)(address - base);
	return low ? (skep_arena_user_start(arena) & ~(uint64_t)UINT32_MAX) | low : 0;
}
