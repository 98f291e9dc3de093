/*
 * A lock of four bytes that may lie in memory shared between processes.
 *
 * As the kernel's resilient lock it is not waited for without end: a process
 * that dies with the lock held costs the others records, not their lives.
 */
#ifndef SKEP_MAP_SPIN_H
#define SKEP_MAP_SPIN_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

struct skep_spin {
	uint32_t held;
};

static inline void skep_spin_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

bool skep_spin_lock_slowly(struct skep_spin *lock);

/** Return false: not to be had in a quarter of a second. */
static inline bool skep_spin_lock(struct skep_spin *lock)
{
	if (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) == 0)
		return true;
	return skep_spin_lock_slowly(lock);
}

static inline void skep_spin_unlock(struct skep_spin *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#endif
