/*
 * mmap() and epoll_ctl() of a map's descriptor, for those who route these calls here.
 *
 * Maps with BPF_F_MMAPABLE are mapped by the system itself, as their descriptor is of their memory;
 * what it could not know (frozen maps, access of the descriptor) is checked first. Ring buffers and
 * arenas are mapped by src/map.
 *
 * Waiting: a descriptor in memory can not be waited for, so an event of ours is put in its place.
 * The kernel's ring buffer is readable as long as there is something in it; an event is set when
 * something comes, and seen once (EPOLLET). A reader that empties the buffer when it is woken, as
 * libbpf's does, sees no difference. Elsewhere: memory_other.c.
 */
#include "machine/machine.h"
#include "machine/map.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>

static void *fail(int err)
{
	errno = -err;
	return MAP_FAILED;
}

static int check_access(const struct skep_map *map, int mode, int prot, int flags)
{
	bool writes = prot & PROT_WRITE;

	if (!(flags & MAP_SHARED))
		return writes ? -EINVAL : 0;
	if (writes && __atomic_load_n(&map->frozen, __ATOMIC_SEQ_CST))
		return -EPERM;
	return (writes && mode == O_RDONLY) || mode == O_WRONLY ? -EACCES : 0;
}

void *skep_machine_mmap(struct skep_machine *machine, void *addr, size_t len, int prot, int flags,
			int fd, int64_t off)
{
	struct map_object *object;
	intptr_t at;
	int mode, err;

	if (fd < 0 || machine_map_object_get(machine, fd, &object, &mode))
		return mmap(addr, len, prot, flags, fd, off);
	err = check_access(object->map, mode, prot, flags);
	at = err ? err : skep_map_mmap(object->map, addr, len, prot, flags, (uint64_t)off);
	machine_object_put(&object->object);
	return at < 0 && at > -4096 ? fail((int)at) : (void *)at;
}

static int event_of(struct map_object *object)
{
	int fd = __atomic_load_n(&object->event_fd, __ATOMIC_ACQUIRE), none = -1;

	if (fd >= 0)
		return fd;
	fd = machine_event_new();
	if (fd < 0)
		return fd;
	if (__atomic_compare_exchange_n(&object->event_fd, &none, fd, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return fd;
	close(fd);
	return none;
}

static int control(struct map_object *object, int epfd, int op, const struct epoll_event *event)
{
	struct epoll_event once;
	int fd = event_of(object), result;

	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	if (!event)
		return epoll_ctl(epfd, op, fd, NULL);
	once = *event;
	once.events |= EPOLLET;
	result = epoll_ctl(epfd, op, fd, &once);
	/* What came before anyone waited. */
	if (!result && op == EPOLL_CTL_ADD)
		machine_event_wake(fd);
	return result;
}

int skep_machine_epoll_ctl(struct skep_machine *machine, int epfd, int op, int fd, void *event)
{
	struct map_object *object;
	int result;

	if (machine_map_object_get(machine, fd, &object, NULL))
		return epoll_ctl(epfd, op, fd, event);
	result = control(object, epfd, op, event);
	machine_object_put(&object->object);
	return result;
}
