/*
 * Windows: memory of maps; see memory.h.
 *
 * Nothing maps a descriptor there, so a "file" is a descriptor of nothing, and what is shown of it
 * at an address is memory of that place alone. For a ring buffer that comes to the same: a record
 * is written and read from its start, and where it runs over the end, into the second sight of the
 * data, nobody looks for its rest at the first. An arena has its programs' sight alone; the whole
 * of it, 4 GiB, counts as memory of the process.
 */
#define _CRT_RAND_S /* rand_s() */
#include "map/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

size_t skep_memory_page(void)
{
	return 4096;
}

/* There is no fork() to share it with. */
void *skep_memory_reserve(size_t bytes)
{
	return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void *skep_memory_private(size_t bytes)
{
	return skep_memory_reserve(bytes);
}

void *skep_memory_addresses(size_t bytes)
{
	return VirtualAlloc(NULL, bytes, MEM_RESERVE, PAGE_NOACCESS);
}

void skep_memory_release(void *at, size_t bytes)
{
	if (at)
		VirtualFree(at, 0, MEM_RELEASE);
}

int skep_memory_file(const char *name, uint64_t bytes)
{
	int fd = open("NUL", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void *skep_memory_reserve_fd(const char *name, size_t bytes, int *ret_fd)
{
	*ret_fd = -1;
	return skep_memory_reserve(bytes);
}

intptr_t skep_memory_show(int fd, const struct skep_memory_view *view)
{
	return -ENOSYS;
}

int skep_memory_place(void *at, size_t bytes, int prot, int fd, uint64_t off)
{
	return VirtualAlloc(at, bytes, MEM_COMMIT, PAGE_READWRITE) ? 0 : -ENOMEM;
}

int skep_memory_clear(int fd, uint64_t off, uint64_t bytes, void *at)
{
	memset(at, 0, bytes);
	return 0;
}

uint64_t skep_memory_next_used(int fd, uint64_t off)
{
	return UINT64_MAX;
}

uint64_t skep_memory_seed(void)
{
	unsigned int high = 0, low = 0;

	rand_s(&high);
	rand_s(&low);
	return (uint64_t)high << 32 | low;
}

bool skep_memory_fits(uint64_t bytes)
{
	MEMORYSTATUSEX status = {.dwLength = sizeof(status)};

	return !GlobalMemoryStatusEx(&status) || bytes <= status.ullTotalPhys;
}
