/*
 * Opening files as another process sees them. Nothing but regular files is
 * ever opened (a device or a pipe could act on being opened), and a path is
 * never led out of the process's root folder.
 */
#ifndef SKEP_LINUX_PROCROOT_H
#define SKEP_LINUX_PROCROOT_H

#include <stdint.h>
#include <sys/types.h>

/** The root folder of @pid, for skep_procroot_file(); -1 when it has ended or is not ours to see.
 */
int skep_procroot_open(pid_t pid);
/** Open @path (absolute) for reading below @root_fd (-1: our own root). Return fd | -errno */
int skep_procroot_file(int root_fd, const char *path);

#endif
