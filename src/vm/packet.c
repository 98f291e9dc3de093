/*
 * Packet loads of classic BPF and arena casts: rare, and the same for both
 * interpreters.
 */
#include "vm/packet.h"

#include <skep/helper.h>
#include <skep/map.h>

bool skep_vm_load_packet(const struct skep_run *run, int32_t off, unsigned size, uint64_t *ret)
{
	const struct skep_packet *packet = run->world ? run->world->packet : NULL;

	return packet && skep_packet_load(packet, off, size, ret);
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
