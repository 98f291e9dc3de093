/*
 * Spin locks in map values: a word that is 0 or 1, in memory that processes share.
 *
 * A program that waits for itself, or for a holder that died, would wait for
 * ever: the first is seen, the second given up on, and both end the run.
 */
#include "helper/lock.h"

#include <sched.h>

#define MOST_TRIES (1u << 22)

static _Thread_local uint32_t *held;

static bool try_lock(uint32_t *word)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

int lock_take(uint32_t *word)
{
	if (held == word && __atomic_load_n(word, __ATOMIC_RELAXED))
		return -EDEADLK;
	for (uint32_t tries = 0; !try_lock(word); tries++) {
		if (tries == MOST_TRIES)
			return -ETIMEDOUT;
		if (tries % 64 == 63)
			sched_yield();
	}
	held = word;
	return 0;
}

void lock_release(uint32_t *word)
{
	if (held == word)
		held = NULL;
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

DEFINE_HELPER(spin_lock)
{
	if (lock_take(ptr_of(r1)))
		run->stop = SKEP_STOP_FAULT;
	return 0;
}

DEFINE_HELPER(spin_unlock)
{
	lock_release(ptr_of(r1));
	return 0;
}
