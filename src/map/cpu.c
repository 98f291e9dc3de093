/*
 * CPUs as programs see them: a number that no other thread has meanwhile.
 *
 * The table of who is which CPU is shared with children of fork(), because the
 * maps are. A claim holds the thread's number, so that one left behind by a
 * process that died can be taken over.
 *
 *	claims[cpu].owner   0: free   else process << 32 | thread that runs there
 *	claims[cpu].ended   sections that have ended there; the owner's to count
 */
#include <skep/map.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "map/cpu.h"
#include "map/grace.h"
#include "map/memory.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/syscall.h>
#endif

#define MOST_CPUS       4096
#define YIELDS_TO_SLEEP 64
#define NAP_NS          20000

struct claim {
	uint64_t owner;
	uint64_t ended;
	uint64_t pad[6]; /* a cache line each */
};

static struct claim *claims;
static uint32_t n_cpus;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static _Thread_local uint32_t self_cpu, self_depth;
static _Thread_local uint64_t self_id;
static uint64_t self_process; /* in the upper half, as in self_id */

#ifdef _WIN32
static uint32_t count_cpus(void)
{
	return GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
}

static uint32_t running_on(void)
{
	return GetCurrentProcessorNumber();
}

static uint64_t process_id(void)
{
	return GetCurrentProcessId();
}

static uint32_t thread_id(void)
{
	return GetCurrentThreadId();
}

static bool is_gone(uint64_t owner)
{
	return false;
}

static void forget_after_fork(void)
{
}
#else
/* "0-3" or "0,2-5": the CPUs that may ever be; the highest counts. */
static uint32_t count_possible(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int at = 0, last = 0;
	bool any = false;
	int c;

	if (!file)
		return 0;
	for (; fscanf(file, "%u", &at) == 1; any = true) {
		last = at > last ? at : last;
		c = fgetc(file);
		if (c != '-' && c != ',')
			break;
	}
	fclose(file);
	return any || at ? (at > last ? at : last) + 1 : 0;
}

static uint32_t count_cpus(void)
{
	uint32_t n = count_possible("/sys/devices/system/cpu/possible");

	return n ? n : (uint32_t)sysconf(_SC_NPROCESSORS_CONF);
}

static uint32_t running_on(void)
{
	int cpu = sched_getcpu();

	return cpu < 0 ? 0 : (uint32_t)cpu;
}

static uint64_t process_id(void)
{
	return (uint32_t)getpid();
}

static uint32_t thread_id(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

static bool is_gone(uint64_t owner)
{
	return syscall(SYS_tkill, (uint32_t)owner, 0) && errno == ESRCH;
}

static void forget_id(void)
{
	self_id = 0;
	self_depth = 0;
	self_process = process_id() << 32;
}

static void forget_after_fork(void)
{
	pthread_atfork(NULL, NULL, forget_id);
}
#endif

static void set_up(void)
{
	uint32_t n = count_cpus();

	n_cpus = !n ? 1 : n > MOST_CPUS ? MOST_CPUS : n;
	claims = skep_memory_reserve(n_cpus * sizeof(*claims));
	if (!claims)
		skep_oom();
	self_process = process_id() << 32;
	forget_after_fork();
}

uint32_t skep_map_n_cpus(void)
{
	pthread_once(&once, set_up);
	return n_cpus;
}

static bool claim(uint32_t cpu)
{
	uint64_t nobody = 0;

	return !__atomic_load_n(&claims[cpu].owner, __ATOMIC_RELAXED) &&
	       __atomic_compare_exchange_n(&claims[cpu].owner, &nobody, self_id, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

uint64_t skep_cpu_section(uint32_t cpu)
{
	uint64_t owner = __atomic_load_n(&claims[cpu].owner, __ATOMIC_SEQ_CST);

	if (!owner || (owner ^ self_process) >> 32)
		return 0;
	return __atomic_load_n(&claims[cpu].ended, __ATOMIC_ACQUIRE) + 1;
}

/* A process that was killed while its program ran keeps no CPU. */
static void drop_dead_claims(void)
{
	for (uint32_t cpu = 0; cpu < n_cpus; cpu++) {
		uint64_t owner = __atomic_load_n(&claims[cpu].owner, __ATOMIC_RELAXED);

		if (owner && is_gone(owner))
			__atomic_compare_exchange_n(&claims[cpu].owner, &owner, 0, false,
						    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	}
}

static void wait_a_little(uint32_t round)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};

	if (round % YIELDS_TO_SLEEP) {
		sched_yield();
		return;
	}
	drop_dead_claims();
	nanosleep(&nap, NULL);
}

static uint32_t claim_any(uint32_t first)
{
	for (uint32_t round = 1;; round++) {
		for (uint32_t i = 0; i < n_cpus; i++) {
			uint32_t cpu = (first + i) % n_cpus;

			if (claim(cpu))
				return cpu;
		}
		wait_a_little(round);
	}
}

uint32_t skep_cpu_enter(void)
{
	if (self_depth++)
		return self_cpu;
	if (!self_id) {
		pthread_once(&once, set_up);
		self_id = self_process | thread_id();
	}
	self_cpu = claim_any(running_on());
	skep_cpu_barrier(); /* nothing of a map is read before the claim is seen */
	return self_cpu;
}

void skep_cpu_leave(void)
{
	struct claim *mine = &claims[self_cpu];

	if (--self_depth)
		return;
	__atomic_store_n(&mine->ended, mine->ended + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&mine->owner, 0, __ATOMIC_RELEASE);
	if (__atomic_load_n(&skep_grace_waiting, __ATOMIC_RELAXED))
		skep_grace_poll();
}

bool skep_cpu_inside(void)
{
	return self_depth;
}

uint32_t skep_cpu_current(void)
{
	return self_depth ? self_cpu : running_on() % skep_map_n_cpus();
}
