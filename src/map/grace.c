/*
 * Grace periods; see grace.h.
 *
 * What waits is in two lists, as in the kernel's RCU. Those in `waiting` go when every section of
 * `sections` has ended; what comes meanwhile is in `fresh` and begins its period when theirs ends.
 *
 *	defer ─► fresh ─► waiting ─► let go
 *	                  sections[cpu] as they were when the period began
 *
 * Invariant: an object was taken out of its map before it came here. So a section that begins after
 * the CPUs were looked at can not come by it (skep_cpu_barrier()).
 *
 * A child of fork() has copies of what waited, and no thread that could look at them: sections of
 * other processes are none (skep_cpu_section()).
 */
#include "map/grace.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <skep/map.h>

#include "base/arena.h"
#include "map/cpu.h"

struct parting {
	void (*let_go)(void *map, void *object);
	void *map, *object;
	struct parting *next;
};

uint32_t skep_grace_waiting;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct parting *fresh, *waiting;
static uint64_t *sections; /* of each CPU; 0: has ended */

void skep_grace_hold(void)
{
	pthread_mutex_lock(&lock);
}

void skep_grace_release(void)
{
	pthread_mutex_unlock(&lock);
}

#ifdef _WIN32
static void keep_whole_in_fork(void)
{
}
#else
static void keep_whole_in_fork(void)
{
	pthread_atfork(skep_grace_hold, skep_grace_release, skep_grace_release);
}
#endif

static void begin_period(void)
{
	uint32_t n = skep_map_n_cpus();

	if (!sections) {
		sections = skep_xcalloc(n, sizeof(*sections));
		keep_whole_in_fork();
	}
	skep_cpu_barrier();
	for (uint32_t cpu = 0; cpu < n; cpu++)
		sections[cpu] = skep_cpu_section(cpu);
	waiting = fresh;
	fresh = NULL;
}

static bool period_is_over(void)
{
	uint32_t n = skep_map_n_cpus();
	bool over = true;

	for (uint32_t cpu = 0; cpu < n; cpu++) {
		if (sections[cpu] && skep_cpu_section(cpu) != sections[cpu])
			sections[cpu] = 0;
		over &= !sections[cpu];
	}
	return over;
}

/* What may go now; NULL: nothing. The lock is held. */
static struct parting *take_ready(void)
{
	struct parting *ready;

	if (!waiting)
		begin_period();
	if (!period_is_over())
		return NULL;
	ready = waiting;
	waiting = NULL;
	return ready;
}

static uint32_t let_all_go(struct parting *ready)
{
	uint32_t n = 0;

	for (struct parting *next; ready; ready = next, n++) {
		next = ready->next;
		ready->let_go(ready->map, ready->object);
		free(ready);
	}
	return n;
}

/* Not as a CPU: what goes may wait for something that waits for one. */
void skep_grace_poll(void)
{
	uint32_t gone = !skep_cpu_inside();

	while (gone && __atomic_load_n(&skep_grace_waiting, __ATOMIC_RELAXED)) {
		struct parting *ready;

		pthread_mutex_lock(&lock);
		ready = take_ready();
		pthread_mutex_unlock(&lock);
		gone = let_all_go(ready);
		__atomic_sub_fetch(&skep_grace_waiting, gone, __ATOMIC_RELAXED);
	}
}

void skep_grace_wait(void)
{
	while (__atomic_load_n(&skep_grace_waiting, __ATOMIC_RELAXED)) {
		skep_grace_poll();
		sched_yield();
	}
}

void skep_grace_defer(void (*let_go)(void *map, void *object), void *map, void *object)
{
	struct parting *parting = skep_xmalloc(sizeof(*parting));

	*parting = (struct parting){let_go, map, object, NULL};
	__atomic_add_fetch(&skep_grace_waiting, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&lock);
	parting->next = fresh;
	fresh = parting;
	pthread_mutex_unlock(&lock);
	skep_grace_poll();
}
