/*
 * Opening files below another process's root. That root, and every symbolic
 * link in it, may be made by somebody who would like us to open something else:
 * openat2(2) with RESOLVE_IN_ROOT keeps us inside.
 */
#include "linux/procroot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"

int skep_procroot_open(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_path(int root_fd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (root_fd < 0)
		return open(path, O_PATH | O_CLOEXEC);
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS) /* before Linux 5.6: links are followed out of the root */
		fd = openat(root_fd, path + 1, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	return fd;
}

int skep_procroot_file(int root_fd, const char *path)
{
	_cleanup_close_ int fd = -1;
	char self[64];
	struct stat st;
	int file;

	if (path[0] != '/')
		return -EINVAL;
	fd = open_path(root_fd, path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	file = open(self, O_RDONLY | O_CLOEXEC);
	return file < 0 ? -errno : file;
}
