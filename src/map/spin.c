/* The long way to a lock; see spin.h. */
#include "map/spin.h"

#include <time.h>

#define SPINS_BEFORE_YIELD 256
#define MOST_WAIT_NS       250000000

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool try_for_a_while(struct skep_spin *lock)
{
	for (int i = 0; i < SPINS_BEFORE_YIELD; i++) {
		if (!__atomic_load_n(&lock->held, __ATOMIC_RELAXED) &&
		    !__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
			return true;
		skep_spin_pause();
	}
	return false;
}

bool skep_spin_lock_slowly(struct skep_spin *lock)
{
	uint64_t until = 0;

	while (!try_for_a_while(lock)) {
		uint64_t now = now_ns();

		if (!until)
			until = now + MOST_WAIT_NS;
		if (now > until)
			return false;
		sched_yield();
	}
	return true;
}
