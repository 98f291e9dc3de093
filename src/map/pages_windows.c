/*
 * Windows: memory for ring buffers and arenas; see pages.h.
 *
 * Nothing maps a descriptor there, so a "file" is a descriptor of nothing, and what is shown of it
 * at an address is memory of that place alone. For a ring buffer that comes to the same: a record
 * is written and read from its start, and where it runs over the end, into the second sight of the
 * data, nobody looks for its rest at the first. An arena has its programs' sight alone; the whole
 * of it, 4 GiB, counts as memory of the process.
 */
#include "map/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <windows.h>

size_t skep_pages_bytes(void)
{
	return 4096;
}

void *skep_pages_zeroed(size_t bytes)
{
	return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void *skep_pages_reserve(size_t bytes)
{
	return VirtualAlloc(NULL, bytes, MEM_RESERVE, PAGE_NOACCESS);
}

void skep_pages_release(void *at, size_t bytes)
{
	if (at)
		VirtualFree(at, 0, MEM_RELEASE);
}

int skep_pages_file(const char *name, uint64_t bytes)
{
	int fd = open("NUL", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int skep_pages_place(void *at, size_t bytes, int prot, int fd, uint64_t off)
{
	return VirtualAlloc(at, bytes, MEM_COMMIT, PAGE_READWRITE) ? 0 : -ENOMEM;
}

int skep_pages_clear(int fd, uint64_t off, uint64_t bytes, void *at)
{
	memset(at, 0, bytes);
	return 0;
}

uint64_t skep_pages_next_used(int fd, uint64_t off)
{
	return UINT64_MAX;
}
