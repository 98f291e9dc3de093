/*
 * Systems with mmap(): memory of maps that is no file's; see memory.h. Files are in memory_linux.c,
 * or nowhere: memory_other.c.
 */
#include "map/memory.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

size_t skep_memory_page(void)
{
#if defined(__x86_64__) && defined(__linux__)
	return 4096;
#else
	static size_t bytes; /* every thread writes the same */
	size_t b = __atomic_load_n(&bytes, __ATOMIC_RELAXED);

	if (!b) {
		b = (size_t)sysconf(_SC_PAGESIZE);
		__atomic_store_n(&bytes, b, __ATOMIC_RELAXED);
	}
	return b;
#endif
}

static void *map_or_null(size_t bytes, int prot, int sharing)
{
	void *at = mmap(NULL, bytes, prot, sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

void *skep_memory_reserve(size_t bytes)
{
	return map_or_null(bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
}

void *skep_memory_private(size_t bytes)
{
	return map_or_null(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

void *skep_memory_addresses(size_t bytes)
{
	return map_or_null(bytes, PROT_NONE, MAP_PRIVATE);
}

void skep_memory_release(void *at, size_t bytes)
{
	if (at)
		munmap(at, bytes);
}

uint64_t skep_memory_seed(void)
{
	uint64_t seed = 0;

	if (getentropy(&seed, sizeof(seed)))
		seed = (uint64_t)time(NULL) ^ (uintptr_t)&seed; /* a kernel without getrandom(2) */
	return seed;
}

bool skep_memory_fits(uint64_t bytes)
{
	long pages = sysconf(_SC_PHYS_PAGES);

	return pages <= 0 || bytes <= (uint64_t)pages * skep_memory_page();
}
