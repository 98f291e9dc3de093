/*
 * Memory of maps: reservations that children of fork() share, and memfds for
 * what may be mapped again. The one place that knows how the system does it.
 */
#ifndef SKEP_MAP_MEMORY_H
#define SKEP_MAP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What mmap() is asked for. */
struct skep_memory_view {
	void *addr;
	size_t len;
	int prot, flags;
	uint64_t off;
};

/** @bytes (rounded up to pages) of zeros; pages come with use. NULL: no address space. */
void *skep_memory_reserve(size_t bytes);
/** The same behind a descriptor of its own, which the caller closes. */
void *skep_memory_reserve_fd(const char *name, size_t bytes, int *ret_fd);
/** mmap() of such a descriptor, with its arguments. Return the address | -errno */
intptr_t skep_memory_show(int fd, const struct skep_memory_view *view);
void skep_memory_release(void *at, size_t bytes);
size_t skep_memory_page(void);
size_t skep_memory_round_page(size_t bytes);
/** What nobody can guess. */
uint64_t skep_memory_seed(void);
/** Could the machine ever hold so much? What is allocated in full asks first. */
bool skep_memory_fits(uint64_t bytes);

#endif
