/*
 * A spin lock of 4 bytes that works between processes: bucket locks, list
 * locks, and the struct bpf_spin_lock in values. Held for tens of nanoseconds;
 * who waits long lets others run, so that a holder that was preempted can end.
 */
#ifndef SKEP_MAP_LOCK_H
#define SKEP_MAP_LOCK_H

#include <sched.h>
#include <stdint.h>

#define SKEP_LOCK_SPINS 200

static inline void skep_lock(uint32_t *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		for (int i = 0; __atomic_load_n(lock, __ATOMIC_RELAXED); i++)
			if (i >= SKEP_LOCK_SPINS)
				sched_yield();
}

static inline void skep_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
