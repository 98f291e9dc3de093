/*
 * A spin lock of 4 bytes that works between processes: bucket locks, list
 * locks, and the struct bpf_spin_lock in values. Held for tens of nanoseconds;
 * who waits long lets others run, so that a holder that was preempted can end.
 */
#ifndef SKEP_MAP_LOCK_H
#define SKEP_MAP_LOCK_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#define SKEP_LOCK_SPINS      256 /* before others may run */
#define SKEP_LOCK_BRIEFLY_NS 250000000

static inline void skep_spin_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/** The long way to a lock. @most_ns: how long to try, 0: until it is there. Return whether it is.
 */
bool skep_lock_slowly(uint32_t *lock, uint64_t most_ns);

static inline void skep_lock(uint32_t *lock)
{
	if (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		skep_lock_slowly(lock, 0);
}

/** As the kernel's resilient lock, not waited for without end: a process that dies with it held
 *  costs the others records, not their lives. Return false: not to be had. */
static inline bool skep_lock_briefly(uint32_t *lock)
{
	return !__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) ||
	       skep_lock_slowly(lock, SKEP_LOCK_BRIEFLY_NS);
}

static inline void skep_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
