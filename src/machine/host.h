/*
 * What is the host's and not the machine's, as elements of maps and owners of storages: sockets,
 * cgroups, perf events, tasks, files.
 */
#ifndef SKEP_MACHINE_HOST_H
#define SKEP_MACHINE_HOST_H

#include "machine/machine.h"

/* Types of maps, by what they hold. */
#define HOST_TYPE(NAME) (1ull << SKEP_MAP_##NAME)
#define HOST_SOCKETS                                                                               \
	(HOST_TYPE(SOCKMAP) | HOST_TYPE(SOCKHASH) | HOST_TYPE(REUSEPORT_SOCKARRAY) |               \
	 HOST_TYPE(XSKMAP) | HOST_TYPE(SK_STORAGE))
#define HOST_CGROUPS (HOST_TYPE(CGROUP_ARRAY) | HOST_TYPE(CGRP_STORAGE))
#define HOST_OTHERS                                                                                \
	(HOST_TYPE(PERF_EVENT_ARRAY) | HOST_TYPE(TASK_STORAGE) | HOST_TYPE(INODE_STORAGE))

/* A name, that no other object is given. */
enum host_kind { HOST_SOCKET, HOST_CGROUP, HOST_PERF_EVENT, HOST_TASK, HOST_FILE };

struct host_name {
	enum host_kind kind;
	uint64_t a, b;
};

/* host_linux.c, host_other.c */
/** The name of what is behind @fd, for a map of @type. Return 0 | as machine_host_get() */
int machine_host_name(uint32_t type, int fd, struct host_name *ret);

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
