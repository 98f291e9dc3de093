/*
 * What is the host's and not the machine's, as elements of maps and owners of storages: sockets,
 * cgroups, perf events, tasks, files.
 */
#ifndef SKEP_MACHINE_HOST_H
#define SKEP_MACHINE_HOST_H

#include "machine/machine.h"

/** Does a map of @type hold such? */
bool machine_host_suits(uint32_t type);
/**
 * What stands for the host's object behind @fd in @map: the same for the same object as long as the
 * machine is there, with no reference to it. Programs see tasks and cgroups of this process as
 * such. Return NULL and *@ret_err < 0 as the kernel: -EBADF, -ENOTSOCK, -EOPNOTSUPP …
 */
void *machine_host_get(struct skep_machine *machine, const struct skep_map *map, int fd,
		       int *ret_err);
/** A socket's cookie; 0: no socket of the host's. */
uint64_t machine_host_cookie(struct skep_machine *machine, const void *object);
void machine_host_free_all(struct skep_machine *machine);

#endif
