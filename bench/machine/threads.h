/*
 * What the benchmark of maps under threads asks of the kernel: the same
 * operations on a map of the kernel's, by a program that does many of them a
 * run.
 */
#ifndef BENCH_MACHINE_THREADS_H
#define BENCH_MACHINE_THREADS_H

#include <stdint.h>

#define THREADS_KERNEL_OPS 1000 /* operations in one run */

/** Keys from @first on, @n of them: a power of two. */
struct threads_keys {
	uint32_t first, n;
};

/** What is done to a key, in assembly: it is at r10 - 8, the loop goes on at `next`. */
extern const char threads_kernel_nothing[], threads_kernel_look_up[], threads_kernel_update[],
	threads_kernel_count[], threads_kernel_add[], threads_kernel_exchange[],
	threads_kernel_replace[];

/** A map with values of 8 bytes and the keys 0 to @filled - 1. Return its descriptor | -errno */
int threads_kernel_map(uint32_t type, uint32_t key_size, uint32_t entries, uint32_t filled);
/** The program that does @body to random ones of @keys. Return its descriptor | -errno */
int threads_kernel_program(int map, const char *body, struct threads_keys keys);
/** One run of it, on the CPU that the caller is on. */
void threads_kernel_run(int program);

#endif
