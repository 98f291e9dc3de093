/* perf_event_open(2), the numbers of dynamic PMUs, and the machine's CPUs. */
#include "linux/bpf.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/procfs.h"

enum { LIST_LIMIT_BYTES = 64 * 1024, MOST_PMUS = 4 };

int skep_perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd,
			 unsigned long flags)
{
	long ret = syscall(SYS_perf_event_open, attr, pid, cpu, group_fd,
			   flags | PERF_FLAG_FD_CLOEXEC);

	return ret < 0 ? -errno : (int)ret;
}

/* Asked for each of a thousand probes, and when no more files can be opened: so it is kept. */
struct pmu {
	const char *name; /* a literal of the caller's */
	int type, retprobe_bit;
};

static int read_type(const char *name)
{
	char path[128];
	int64_t type;
	int err;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", name);
	err = skep_file_number(path, &type);
	return err ? err : (int)type;
}

static int read_retprobe_bit(const char *name)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	static const char field[] = "config:";
	char path[128], *end;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/format/retprobe", name);
	int err = skep_file_read(path, LIST_LIMIT_BYTES, &buf);
	if (err)
		return err;
	if (!buf.data || strncmp(buf.data, field, strlen(field)) != 0)
		return -EINVAL;
	const char *digits = buf.data + strlen(field);
	long bit = strtol(digits, &end, 10);
	return end == digits || bit < 0 || bit > 31 ? -EINVAL : (int)bit;
}

static struct pmu find_pmu(const char *name)
{
	static _Thread_local struct pmu kept[MOST_PMUS];

	for (int i = 0; i < MOST_PMUS; i++) {
		struct pmu *pmu = &kept[i];
		if (pmu->name && strcmp(pmu->name, name) != 0)
			continue;
		if (!pmu->name || pmu->type < 0)
			*pmu = (struct pmu){name, read_type(name), read_retprobe_bit(name)};
		return *pmu;
	}
	return (struct pmu){name, read_type(name), read_retprobe_bit(name)};
}

int skep_pmu_type(const char *name)
{
	return find_pmu(name).type;
}

int skep_pmu_retprobe_bit(const char *name)
{
	return find_pmu(name).retprobe_bit;
}

static int read_cpulist(const char *path, unsigned *ret, unsigned max)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	int err = skep_file_read(path, LIST_LIMIT_BYTES, &buf);

	if (err)
		return err;
	return buf.data ? skep_cpulist_parse(buf.data, ret, max) : -EINVAL;
}

/* Without sysfs there is only what the C library guesses. */
unsigned skep_possible_cpus(void)
{
	static atomic_uint cached;
	unsigned n = atomic_load_explicit(&cached, memory_order_relaxed);

	if (n)
		return n;
	int found = read_cpulist("/sys/devices/system/cpu/possible", NULL, 0);
	long guess = sysconf(_SC_NPROCESSORS_CONF);
	n = found > 0 ? (unsigned)found : guess > 0 ? (unsigned)guess : 1;
	atomic_store_explicit(&cached, n, memory_order_relaxed);
	return n;
}

unsigned skep_online_cpus(unsigned *ret, unsigned max)
{
	int found = read_cpulist("/sys/devices/system/cpu/online", ret, max);
	long guess = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = found > 0 ? (unsigned)found : guess > 0 ? (unsigned)guess : 1;

	n = n < max ? n : max;
	for (unsigned i = 0; found <= 0 && i < n; i++)
		ret[i] = i;
	return n;
}
