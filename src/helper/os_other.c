/*
 * Where there is no Linux: clocks of pthreads, the memory of the process as
 * it is, no ids. Memory below 4 GiB is what malloc() happens to give there.
 */
#include "helper/os.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <skep/helper.h>

uint64_t skep_os_clock_ns(enum skep_os_clock clock)
{
	struct timespec at = {0};

	clock_gettime(clock == SKEP_OS_TAI ? CLOCK_REALTIME : CLOCK_MONOTONIC, &at);
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

uint32_t skep_os_ticks(void)
{
	return 250;
}

uint64_t skep_os_random(void)
{
	return skep_os_clock_ns(SKEP_OS_MONOTONIC) ^ (uintptr_t)&errno;
}

uint32_t skep_os_numa_node(void)
{
	return 0;
}

/* Nothing tells whether memory is there: it is not read. */
int skep_os_read(void *to, uint64_t from, size_t len)
{
	return len ? -EFAULT : 0;
}

int skep_os_write(uint64_t to, const void *from, size_t len)
{
	return len ? -EFAULT : 0;
}

int skep_os_area(uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
	return -ENOENT;
}

void skep_os_ids(struct skep_os_ids *ret)
{
	*ret = (struct skep_os_ids){.tgid = 1, .pid = 1};
}

void skep_os_comm(char ret[16])
{
	static const char name[16] = "skep";

	memcpy(ret, name, sizeof(name));
}

uint64_t skep_os_cgroup_id(int level)
{
	return level <= 0;
}

void skep_os_pid_ns(uint64_t *ret_dev, uint64_t *ret_ino)
{
	*ret_dev = *ret_ino = 0;
}

/* The loop device has number 1 everywhere that Linux is not. */
bool skep_device_exists(uint32_t ifindex)
{
	return ifindex == 1;
}

void *skep_low_alloc(size_t bytes)
{
	void *at = calloc(1, bytes);

	if (at && (uint64_t)(uintptr_t)at + bytes <= UINT32_MAX)
		return at;
	free(at);
	return NULL;
}

void skep_low_free(void *at, size_t bytes)
{
	free(at);
}
