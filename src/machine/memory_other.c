/*
 * Where there is no Linux: a map's descriptor is a number of the machine's, which nothing can map
 * or wait for. Who embeds the machine has the map itself (skep_machine_map()).
 */
#include "machine/machine.h"

void *skep_machine_mmap(struct skep_machine *machine, void *addr, size_t len, int prot, int flags,
			int fd, int64_t off)
{
	errno = ENOSYS;
	return (void *)(intptr_t)-1;
}

int skep_machine_epoll_ctl(struct skep_machine *machine, int epfd, int op, int fd, void *event)
{
	errno = ENOSYS;
	return -1;
}
