/*
 * Windows' part: clocks, ids, memory that may not be there, memory below 4 GiB.
 *
 * Reading is by ReadProcessMemory() on the process itself: it fails where a load would raise an
 * exception.
 */
#define _CRT_RAND_S /* rand_s() */
#include <stdlib.h>

#include <windows.h>

#include "helper/os.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <skep/helper.h>

#define LOW_FIRST ((uintptr_t)0x10000000)
#define LOW_LAST  ((uintptr_t)0xf0000000)
#define LOW_STEP  65536 /* where reservations begin */

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
	unsigned high = 0, low = 0;

	rand_s(&high);
	rand_s(&low);
	return (uint64_t)high << 32 | low;
}

uint32_t skep_os_numa_node(void)
{
	return 0;
}

int skep_os_read(void *to, uint64_t from, size_t len)
{
	SIZE_T done = 0;

	ReadProcessMemory(GetCurrentProcess(), (const void *)(uintptr_t)from, to, len, &done);
	return done == len ? 0 : -EFAULT;
}

int skep_os_write(uint64_t to, const void *from, size_t len)
{
	SIZE_T done = 0;

	WriteProcessMemory(GetCurrentProcess(), (void *)(uintptr_t)to, from, len, &done);
	return done == len ? 0 : -EFAULT;
}

int skep_os_area(uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
	MEMORY_BASIC_INFORMATION area;

	for (uint64_t at = addr; VirtualQuery((void *)(uintptr_t)at, &area, sizeof(area));) {
		uint64_t start = (uintptr_t)area.BaseAddress, end = start + area.RegionSize;

		if (area.State == MEM_COMMIT) {
			*ret_start = start;
			*ret_end = end;
			return addr >= start ? 0 : -ENOENT;
		}
		at = end;
	}
	return -ENOENT;
}

void skep_os_ids(struct skep_os_ids *ret)
{
	*ret = (struct skep_os_ids){.tgid = GetCurrentProcessId(), .pid = GetCurrentThreadId()};
}

/* The program's name: threads have none that is surely there. */
void skep_os_comm(char ret[16])
{
	char path[MAX_PATH];
	DWORD len = GetModuleFileNameA(NULL, path, sizeof(path));
	const char *name = path;

	memset(ret, 0, 16);
	for (DWORD i = 0; i < len && i < sizeof(path); i++)
		if (path[i] == '\\' || path[i] == '/')
			name = path + i + 1;
	for (int i = 0; i < 15 && name + i < path + len; i++)
		ret[i] = name[i];
}

uint64_t skep_os_cgroup_id(int level)
{
	return level <= 0;
}

/* Numbers of devices are Linux's: there is the loopback alone. */
bool skep_device_exists(uint32_t ifindex)
{
	return ifindex == 1;
}

void skep_os_pid_ns(uint64_t *ret_dev, uint64_t *ret_ino)
{
	*ret_dev = *ret_ino = 0;
}

/* --- Memory below 4 GiB: the first free place ------------------------------------------------ */

static uintptr_t up(uintptr_t at)
{
	return (at + LOW_STEP - 1) & ~(uintptr_t)(LOW_STEP - 1);
}

void *skep_low_alloc(size_t bytes)
{
	MEMORY_BASIC_INFORMATION area;

	if (!bytes || bytes > LOW_LAST - LOW_FIRST)
		return NULL;
	for (uintptr_t at = LOW_FIRST;
	     at <= LOW_LAST - bytes && VirtualQuery((void *)at, &area, sizeof(area));) {
		uintptr_t end = (uintptr_t)area.BaseAddress + area.RegionSize;
		void *got = NULL;

		if (area.State == MEM_FREE && at < end && end - at >= bytes)
			got = VirtualAlloc((void *)at, bytes, MEM_RESERVE | MEM_COMMIT,
					   PAGE_READWRITE);
		if (got)
			return got;
		at = up(end > at ? end : at + 1);
	}
	return NULL;
}

void skep_low_free(void *at, size_t bytes)
{
	if (at)
		VirtualFree(at, 0, MEM_RELEASE);
}
