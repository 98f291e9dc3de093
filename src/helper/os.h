/*
 * What helpers ask of the operating system: os_linux.c, os_windows.c, and
 * os_other.c elsewhere. Everything else in this folder is plain C.
 */
#ifndef SKEP_HELPER_OS_H
#define SKEP_HELPER_OS_H

#include <stddef.h>
#include <stdint.h>

enum skep_os_clock { SKEP_OS_MONOTONIC, SKEP_OS_BOOT, SKEP_OS_COARSE, SKEP_OS_TAI };

uint64_t skep_os_clock_ns(enum skep_os_clock clock);
/** Clock ticks of the kernel in a second. */
uint32_t skep_os_ticks(void);
uint64_t skep_os_random(void);
uint32_t skep_os_numa_node(void);

/** Memory of this process, whether it is there or not. 0 | -EFAULT */
int skep_os_read(void *to, uint64_t from, size_t len);
int skep_os_write(uint64_t to, const void *from, size_t len);
/** The mapped area that has @addr or begins next after it. 0 | -ENOENT */
int skep_os_area(uint64_t addr, uint64_t *ret_start, uint64_t *ret_end);

struct skep_os_ids {
	uint32_t tgid, pid, ppid, uid, gid;
};
void skep_os_ids(struct skep_os_ids *ret);
/** The thread's name, NUL-terminated and padded with NULs. */
void skep_os_comm(char ret[16]);
/** The id of this process's cgroup (version 2) @level steps below the root; -1: its own. 0: none.
 */
uint64_t skep_os_cgroup_id(int level);
/** Device and inode of the process's pid name space. */
void skep_os_pid_ns(uint64_t *ret_dev, uint64_t *ret_ino);

#endif
