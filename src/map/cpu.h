/* CPUs as the rest of this folder sees them: who runs where, for how long. */
#ifndef SKEP_MAP_CPU_H
#define SKEP_MAP_CPU_H

#include <stdbool.h>
#include <stdint.h>

/** Is this thread a CPU now? */
bool skep_cpu_inside(void);
/** The program that runs on @cpu now, by a number that no run before or after it has there; 0: none
 *  of this process. What the caller wrote before is seen by whoever comes after. */
uint64_t skep_cpu_section(uint32_t cpu);

/** Between a claim and what is read of maps after it; between what is written to a map and a look
 *  at the claims. On x86 the locked instructions that are there see to it. */
static inline void skep_cpu_barrier(void)
{
#if defined(__aarch64__)
	__asm__ volatile("dmb ish" ::: "memory");
#endif
}

#endif
