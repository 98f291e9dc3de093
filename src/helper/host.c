/* What the host shows: clocks, random numbers, the CPU. A run may have them fixed. */
#include "helper/helpers.h"
#include "helper/os.h"

static uint64_t now(const struct skep_run *run, enum skep_os_clock clock)
{
	if (run->world && run->world->fixed_clock)
		return run->world->now_ns;
	return skep_os_clock_ns(clock);
}

DEFINE_HELPER(ktime_get_ns)
{
	return now(run, SKEP_OS_MONOTONIC);
}

DEFINE_HELPER(ktime_get_boot_ns)
{
	return now(run, SKEP_OS_BOOT);
}

DEFINE_HELPER(ktime_get_coarse_ns)
{
	return now(run, SKEP_OS_COARSE);
}

DEFINE_HELPER(ktime_get_tai_ns)
{
	return now(run, SKEP_OS_TAI);
}

/* The kernel's count starts five minutes before 2^32. */
DEFINE_HELPER(jiffies64)
{
	uint64_t ticks = skep_os_ticks();

	return (1ull << 32) - 300 * ticks + now(run, SKEP_OS_COARSE) / (1000000000u / ticks);
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

DEFINE_HELPER(get_prandom_u32)
{
	static _Thread_local uint64_t state;

	if (run->world && run->world->fixed_random)
		return (uint32_t)next_random(&run->world->seed);
	if (!state)
		state = skep_os_random();
	return (uint32_t)next_random(&state);
}

DEFINE_HELPER(get_smp_processor_id)
{
	return run->cpu;
}

DEFINE_HELPER(get_numa_node_id)
{
	return skep_os_numa_node();
}
