/*
 * A control group of the test's own, below the root of the unified hierarchy,
 * in which it is alone: cgroup_enter() and cgroup_leave() are a program's setup
 * and teardown. The network is the test's own too.
 */
#ifndef TESTS_LOAD_CGROUP_H
#define TESTS_LOAD_CGROUP_H

#include "netns.h"

#include <limits.h>
#include <sys/stat.h>

#include "linux/procfs.h"

static struct {
	char root[PATH_MAX], path[PATH_MAX + 64], home[PATH_MAX + PATH_MAX];
	int fd;
} cgroup_own = {.fd = -1};

static inline bool cgroup_find_root(void)
{
	_cleanup_buf_ struct skep_buf mounts = {0};

	return skep_file_read("/proc/self/mounts", 16 << 20, &mounts) == 0 && mounts.data &&
	       skep_mounts_find(mounts.data, "cgroup2", "/sys/fs/cgroup", cgroup_own.root,
				sizeof(cgroup_own.root)) == 0;
}

/* The group that the test came from, to which it goes back. */
static inline void cgroup_find_home(void)
{
	_cleanup_buf_ struct skep_buf text = {0};
	const char *line;

	assert_int_equal(skep_file_read("/proc/self/cgroup", 1 << 20, &text), 0);
	line = strstr(text.data, "0::/");
	assert_non_null(line);
	snprintf(cgroup_own.home, sizeof(cgroup_own.home), "%s%.*s/cgroup.procs", cgroup_own.root,
		 (int)strcspn(line + 3, "\n"), line + 3);
}

static inline int cgroup_enter(void **state)
{
	char procs[PATH_MAX + 128];

	need_root(state);
	if (!cgroup_find_root()) {
		print_message("skipped: no cgroup2 file system is mounted\n");
		exit(77);
	}
	cgroup_find_home();
	snprintf(cgroup_own.path, sizeof(cgroup_own.path), "%s/skep-test-%d", cgroup_own.root,
		 (int)getpid());
	assert_int_equal(mkdir(cgroup_own.path, 0700), 0);
	cgroup_own.fd = open(cgroup_own.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(cgroup_own.fd >= 0);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup_own.path);
	netns_write(procs, "0");
	netns_enter();
	return 0;
}

static inline int cgroup_leave(void **state)
{
	netns_write(cgroup_own.home, "0");
	close(cgroup_own.fd);
	return rmdir(cgroup_own.path);
}

#endif
