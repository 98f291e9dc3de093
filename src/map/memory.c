/*
 * Memory of maps. A reservation is shared (children of fork() see the same map)
 * and counts only as far as it is used, so every map takes its worst size at
 * once and never moves.
 *
 * Invariant: what was reserved stays until it is released, zeroed where it was
 * not written.
 */
#define _CRT_RAND_S /* Windows: rand_s() */
#include "map/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifdef _WIN32
#include <windows.h>

size_t skep_memory_page(void)
{
	SYSTEM_INFO info;

	GetSystemInfo(&info);
	return info.dwPageSize;
}

void *skep_memory_reserve(size_t bytes)
{
	return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

/* Nothing maps descriptors there. */
void *skep_memory_reserve_fd(const char *name, size_t bytes, int *ret_fd)
{
	*ret_fd = -1;
	return skep_memory_reserve(bytes);
}

void skep_memory_release(void *at, size_t bytes)
{
	if (at)
		VirtualFree(at, 0, MEM_RELEASE);
}

intptr_t skep_memory_show(int fd, const struct skep_memory_view *view)
{
	return -ENOSYS;
}

uint64_t skep_memory_seed(void)
{
	unsigned int high = 0, low = 0;

	rand_s(&high);
	rand_s(&low);
	return (uint64_t)high << 32 | low;
}

static uint64_t physical_bytes(void)
{
	MEMORYSTATUSEX status = {.dwLength = sizeof(status)};

	return GlobalMemoryStatusEx(&status) ? status.ullTotalPhys : UINT64_MAX;
}

#else
#include <sys/mman.h>

size_t skep_memory_page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void *map_shared(size_t bytes, int fd)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

void *skep_memory_reserve(size_t bytes)
{
	return map_shared(skep_memory_round_page(bytes), -1);
}

void *skep_memory_reserve_fd(const char *name, size_t bytes, int *ret_fd)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	void *at;

	if (fd < 0)
		return NULL;
	bytes = skep_memory_round_page(bytes);
	at = ftruncate(fd, (off_t)bytes) ? NULL : map_shared(bytes, fd);
	if (!at)
		close(fd);
	else
		*ret_fd = fd;
	return at;
}

void skep_memory_release(void *at, size_t bytes)
{
	if (at)
		munmap(at, skep_memory_round_page(bytes));
}

intptr_t skep_memory_show(int fd, const struct skep_memory_view *view)
{
	void *at = mmap(view->addr, view->len, view->prot, view->flags, fd, (off_t)view->off);

	return at == MAP_FAILED ? -errno : (intptr_t)at;
}

uint64_t skep_memory_seed(void)
{
	uint64_t seed = 0;

	if (getentropy(&seed, sizeof(seed)))
		seed = (uint64_t)time(NULL) ^ (uintptr_t)&seed; /* a kernel without getrandom(2) */
	return seed;
}

static uint64_t physical_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);

	return pages > 0 ? (uint64_t)pages * skep_memory_page() : UINT64_MAX;
}
#endif

size_t skep_memory_round_page(size_t bytes)
{
	size_t page = skep_memory_page();

	return (bytes + page - 1) & ~(page - 1);
}

bool skep_memory_fits(uint64_t bytes)
{
	return bytes <= physical_bytes();
}
