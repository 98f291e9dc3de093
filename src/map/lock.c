/* The long way to a lock; see lock.h. */
#include "map/lock.h"

#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool try_for_a_while(uint32_t *lock)
{
	for (int i = 0; i < SKEP_LOCK_SPINS; i++) {
		if (!__atomic_load_n(lock, __ATOMIC_RELAXED) &&
		    !__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
			return true;
		skep_spin_pause();
	}
	return false;
}

bool skep_lock_slowly(uint32_t *lock, uint64_t most_ns)
{
	uint64_t until = 0;

	while (!try_for_a_while(lock)) {
		uint64_t now = most_ns ? now_ns() : 0;

		if (!until)
			until = now + most_ns;
		if (now > until)
			return false;
		sched_yield();
	}
	return true;
}
