/*
 * The small texts of /proc and /sys that the linux engine reads. Parsers take
 * the text, so that tests and fuzzers can give them any; nothing here trusts
 * what it reads.
 */
#ifndef SKEP_LINUX_PROCFS_H
#define SKEP_LINUX_PROCFS_H

#include <stddef.h>
#include <stdint.h>

/**
 * A list of numbers as the kernel writes CPUs: "0-3,8,10-11".
 *
 * Return  how many numbers it names; the first @max go to @ret | -EINVAL
 */
int skep_cpulist_parse(const char *text, unsigned *ret, unsigned max);

/**
 * Where a file system of type @fstype is mounted, in the text of /proc/self/mounts; a mount at
 * @prefer wins over others.
 *
 * Return  0 | -ENOENT | -ENAMETOOLONG does not fit in @size
 */
int skep_mounts_find(const char *mounts, const char *fstype, const char *prefer, char *ret,
		     size_t size);

/** The number in a file ("/proc/sys/kernel/perf_event_paranoid"). Return 0 | -EINVAL | -errno */
int skep_file_number(const char *path, int64_t *ret);

#endif
