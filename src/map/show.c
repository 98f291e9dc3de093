/*
 * skep_map_mmap(): what is the same for all maps that can be mapped, in the
 * kernel's order. How a type shows its memory is its own business (ops->mmap).
 */
#include <errno.h>

#include "map/ops.h"
#include "map/memory.h"

#ifdef __linux__
#include <sys/mman.h>

static int check(const struct skep_map *map, int prot, int flags)
{
	/* Values with fields of the kernel's own are not shown. */
	if (!map->ops->mmap || map->n_fields)
		return -SKEP_ENOTSUPP;
	if (!(flags & MAP_SHARED))
		return -EINVAL;
	if (!(prot & PROT_WRITE))
		return 0;
	if (__atomic_load_n(&map->frozen, __ATOMIC_ACQUIRE))
		return -EPERM;
	return map->flags & SKEP_F_RDONLY_PROG ? -EACCES : 0;
}

intptr_t skep_map_mmap(struct skep_map *map, void *addr, size_t len, int prot, int flags,
		       uint64_t off)
{
	int err = check(map, prot, flags);

	if (!err && off % skep_memory_page())
		err = -EINVAL;
	return err ? err : map->ops->mmap(map, addr, len, prot, flags, off);
}

#else

intptr_t skep_map_mmap(struct skep_map *map, void *addr, size_t len, int prot, int flags,
		       uint64_t off)
{
	return -ENOSYS;
}

#endif
