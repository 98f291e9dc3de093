/*
 * Linux's part: clocks, ids, memory that may not be there, memory below 4 GiB.
 *
 * Reading is by process_vm_readv() on the process itself: the kernel answers
 * EFAULT where a load would end in a signal.
 */
#include "helper/os.h"

#include <skep/helper.h> /* before <sys/mman.h>, which has a MAP_TYPE too */

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"

#define LO_IFINDEX 1

uint64_t skep_os_clock_ns(enum skep_os_clock clock)
{
	static const clockid_t ids[] = {
		[SKEP_OS_MONOTONIC] = CLOCK_MONOTONIC,
		[SKEP_OS_BOOT] = CLOCK_BOOTTIME,
		[SKEP_OS_COARSE] = CLOCK_MONOTONIC_COARSE,
		[SKEP_OS_TAI] = CLOCK_TAI,
	};
	struct timespec at;

	clock_gettime(ids[clock], &at);
	return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

uint32_t skep_os_ticks(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || tick.tv_sec || tick.tv_nsec <= 0)
		return 250;
	return (uint32_t)(1000000000 / tick.tv_nsec);
}

uint64_t skep_os_random(void)
{
	uint64_t n = 0;

	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		n = skep_os_clock_ns(SKEP_OS_MONOTONIC);
	return n;
}

uint32_t skep_os_numa_node(void)
{
	unsigned cpu = 0, node = 0;

	return syscall(SYS_getcpu, &cpu, &node, NULL) ? 0 : node;
}

static int vm_copy(long call, void *here, uint64_t there, size_t len)
{
	struct iovec local = {here, len}, remote = {(void *)(uintptr_t)there, len};

	if (!len)
		return 0;
	return syscall(call, getpid(), &local, 1, &remote, 1, 0) == (long)len ? 0 : -EFAULT;
}

int skep_os_read(void *to, uint64_t from, size_t len)
{
	return vm_copy(SYS_process_vm_readv, to, from, len);
}

int skep_os_write(uint64_t to, const void *from, size_t len)
{
	return vm_copy(SYS_process_vm_writev, (void *)(uintptr_t)from, to, len);
}

int skep_os_area(uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
	_cleanup_buf_ struct skep_buf maps = {0};
	unsigned long long start, end;

	if (skep_file_read("/proc/self/maps", 16u << 20, &maps))
		return -ENOENT;
	for (const char *line = maps.data; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%llx-%llx", &start, &end) == 2 && addr < end) {
			*ret_start = start;
			*ret_end = end;
			return addr >= start ? 0 : -ENOENT;
		}
	}
	return -ENOENT;
}

void skep_os_ids(struct skep_os_ids *ret)
{
	*ret = (struct skep_os_ids){
		.tgid = (uint32_t)getpid(),
		.pid = (uint32_t)syscall(SYS_gettid),
		.ppid = (uint32_t)getppid(),
		.uid = getuid(),
		.gid = getgid(),
	};
}

void skep_os_comm(char ret[16])
{
	memset(ret, 0, 16);
	prctl(PR_GET_NAME, ret);
}

/* "0::/system.slice/x.service" is the line of version 2. */
static int cgroup_path(char *ret, size_t size)
{
	_cleanup_buf_ struct skep_buf text = {0};

	if (skep_file_read("/proc/self/cgroup", 1u << 20, &text) || !text.data)
		return -ENOENT;
	const char *line = strncmp(text.data, "0::", 3) ? strstr(text.data, "\n0::") : text.data;
	if (!line)
		return -ENOENT;
	line += *line == '\n' ? 4 : 3;
	int len = (int)strcspn(line, "\n");
	return snprintf(ret, size, "%.*s", len, line) < (int)size ? 0 : -ENAMETOOLONG;
}

/* Cut @path to its first @level names; false: it has not so many. */
static bool cut_path(char *path, int level)
{
	char *at = path;

	for (; level > 0; level--) {
		at += *at == '/';
		if (!*at)
			return false;
		at += strcspn(at, "/");
	}
	*at = 0;
	return true;
}

uint64_t skep_os_cgroup_id(int level)
{
	char path[4096], full[4200];
	struct stat st;

	if (cgroup_path(path, sizeof(path)) || (level >= 0 && !cut_path(path, level)))
		return 0;
	snprintf(full, sizeof(full), "/sys/fs/cgroup%s", path);
	return stat(full, &st) ? 0 : st.st_ino;
}

void skep_os_pid_ns(uint64_t *ret_dev, uint64_t *ret_ino)
{
	struct stat st = {0};

	if (stat("/proc/self/ns/pid", &st))
		memset(&st, 0, sizeof(st));
	*ret_dev = st.st_dev;
	*ret_ino = st.st_ino;
}

/* if_indextoname() would bring half a netlink library into a static program. */
static bool system_has_device(uint32_t ifindex)
{
	struct ifreq request = {.ifr_ifindex = (int)ifindex};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found = fd >= 0 && !ioctl(fd, SIOCGIFNAME, &request);

	if (fd >= 0)
		close(fd);
	return found;
}

bool skep_device_exists(uint32_t ifindex)
{
	return ifindex == LO_IFINDEX || system_has_device(ifindex);
}

/* --- Memory below 4 GiB -------------------------------------------------------------------
 * The first free place at or behind a mark; the mark moves on, and back with what is freed. */

#define LOW_FIRST ((uintptr_t)0x10000000)
#define LOW_LAST  ((uintptr_t)0xf0000000)

static pthread_mutex_t low_lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t low_mark = LOW_FIRST;

static size_t whole_pages(size_t bytes)
{
	return (bytes + 4095) & ~(size_t)4095;
}

static void *map_from(uintptr_t from, uintptr_t to, size_t bytes)
{
	for (uintptr_t at = from; at < to && to - at >= bytes;) {
		void *got = mmap((void *)at, bytes, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (got == (void *)at) {
			low_mark = at + bytes;
			return got;
		}
		if (got != MAP_FAILED)
			munmap(got, bytes);
		at += bytes > 65536 ? bytes : 65536;
	}
	return NULL;
}

/* A packet a run: the last few that were given back are kept mapped, as every mapping that goes
 * makes all CPUs forget what they know of the process's memory. */
#define KEPT_MOST  4
#define KEPT_BYTES (128u << 10) /* larger ones go at once */

static struct kept {
	void *at;
	size_t bytes;
} kept[KEPT_MOST];

/* One of exactly @bytes; the lock is held. */
static void *take_kept(size_t bytes)
{
	for (int i = 0; i < KEPT_MOST; i++) {
		void *at = kept[i].at;

		if (!at || kept[i].bytes != bytes)
			continue;
		kept[i].at = NULL;
		return at;
	}
	return NULL;
}

static bool keep(void *at, size_t bytes)
{
	for (int i = 0; i < KEPT_MOST && bytes <= KEPT_BYTES; i++) {
		if (kept[i].at)
			continue;
		kept[i] = (struct kept){at, bytes};
		return true;
	}
	return false;
}

void *skep_low_alloc(size_t bytes)
{
	void *at = NULL;

	if (!bytes || bytes > LOW_LAST - LOW_FIRST)
		return NULL;
	bytes = whole_pages(bytes);
	pthread_mutex_lock(&low_lock);
	void *used = take_kept(bytes);
	if (!used)
		at = map_from(low_mark, LOW_LAST, bytes);
	if (!used && !at)
		at = map_from(LOW_FIRST, LOW_LAST, bytes);
	pthread_mutex_unlock(&low_lock);
	return used ? memset(used, 0, bytes) : at;
}

void skep_low_free(void *at, size_t bytes)
{
	if (!at)
		return;
	bytes = whole_pages(bytes);
	pthread_mutex_lock(&low_lock);
	bool stays = keep(at, bytes);
	if (!stays && (uintptr_t)at < low_mark)
		low_mark = (uintptr_t)at;
	pthread_mutex_unlock(&low_lock);
	if (!stays)
		munmap(at, bytes);
}
