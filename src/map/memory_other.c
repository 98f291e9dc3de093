/* Systems without files that have no name: only maps that need none; see memory.h. */
#include "map/memory.h"

#include <errno.h>

int skep_memory_file(const char *name, uint64_t bytes)
{
	return -ENOSYS;
}

/* BPF_F_MMAPABLE: the array is one like others, and nobody can map it. */
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
	return -ENOSYS;
}

int skep_memory_clear(int fd, uint64_t off, uint64_t bytes, void *at)
{
	return -ENOSYS;
}

uint64_t skep_memory_next_used(int fd, uint64_t off)
{
	return UINT64_MAX;
}
