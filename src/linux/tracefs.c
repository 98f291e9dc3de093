/*
 * Where tracefs is. Tracing needs it for the ids and fields of tracepoints
 * only; it is mounted where the kernel keeps its place for it if nobody did.
 */
#include "linux/bpf.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "base/fd.h"
#include "linux/procfs.h"

#define PLACE "/sys/kernel/tracing"

enum { MOUNTS_LIMIT_BYTES = 16 << 20 };

/* Nearly always it is at its place, and the list of mounts takes the kernel a while to write. */
static bool is_at_its_place(void)
{
	struct statfs fs;

	return !statfs(PLACE, &fs) && fs.f_type == TRACEFS_MAGIC;
}

static int find_mounted(char *ret, size_t size)
{
	_cleanup_buf_ struct skep_buf mounts = {0};
	int err;

	if (is_at_its_place()) {
		snprintf(ret, size, "%s", PLACE);
		return 0;
	}
	err = skep_file_read("/proc/self/mounts", MOUNTS_LIMIT_BYTES, &mounts);
	if (err)
		return err;
	return mounts.data ? skep_mounts_find(mounts.data, "tracefs", PLACE, ret, size) : -ENOENT;
}

static int mount_tracefs(char *ret, size_t size)
{
	if (mount("tracefs", PLACE, "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	return find_mounted(ret, size);
}

/* Only success is kept: a mount may appear later. */
const char *skep_tracefs(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char path[PATH_MAX];
	int err = 0;

	pthread_mutex_lock(&lock);
	if (!path[0]) {
		char found[PATH_MAX] = "";

		err = find_mounted(found, sizeof(found));
		if (err == -ENOENT)
			err = mount_tracefs(found, sizeof(found));
		if (!err)
			__builtin_memcpy(path, found, sizeof(path));
	}
	pthread_mutex_unlock(&lock);
	errno = -err;
	return err ? NULL : path;
}
