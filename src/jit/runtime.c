/*
 * What compiled code calls beside helpers: tail calls, and the packet loads
 * that classic BPF left behind. Their arguments stand where a helper's do.
 */
#include <skep/helper.h>

#include "jit/jit.h"

JIT_ABI struct jit_tail_result skep_jit_tail_call(uint64_t ctx, uint64_t map, uint64_t index,
						  uint64_t r4, uint64_t r5, struct skep_run *run)
{
	struct jit_tail_result result = {0};
	result.done = skep_run_tail_call(run, (void *)(uintptr_t)ctx,
					 (struct skep_map *)(uintptr_t)map, index, &result.r0);
	return result;
}

JIT_ABI int64_t skep_jit_packet_load(uint64_t off, uint64_t size, uint64_t r3, uint64_t r4,
				     uint64_t r5, struct skep_run *run)
{
	const struct skep_packet *packet = run->world ? run->world->packet : NULL;
	uint64_t value;

	if (!packet || !skep_packet_load(packet, (int32_t)off, (unsigned)size, &value))
		return -1;
	return (int64_t)value;
}
