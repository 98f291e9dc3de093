/*
 * What is behind a descriptor: an empty file in memory (memfd), or the memory of a map that can be
 * mapped. Elsewhere: fd_other.c.
 *
 * Identity. All descriptors of an object are of one file; its inode says which object it is. Every
 * descriptor that the machine hands out is opened anew through /proc/self/fd, so it has a file
 * description (and an access mode) of its own; dup(), fork() and SCM_RIGHTS share it.
 *
 * Life. A description that is handed out holds a lock on the file, of the kind that belongs to the
 * description (F_OFD_SETLK) and goes when its last descriptor is closed, in whatever process and by
 * whatever means. The machine keeps one description of its own, which holds none, and asks it
 * whether anyone does (F_OFD_GETLK). Nothing has to be told of a close(), and nothing polls:
 * objects are looked at when new ones are made and when ids are asked for (machine_object_sweep()).
 *
 * A read lock asks for a readable description and a write lock for a writable one, so descriptors
 * that only write lock a byte of their own each.
 */
#include "machine/machine.h"
#include "machine/map.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define WATCH_FD_MIN 256 /* ours are out of the way of those that the program counts */

static int new_file(void)
{
	_cleanup_close_ int fd = memfd_create("bpf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	return TAKE_FD(fd);
}

/* A descriptor with a high number if there is room for it. */
static int move_up(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, WATCH_FD_MIN);

	return high < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : high;
}

int machine_handle_new(int memory_fd, struct handle *ret)
{
	_cleanup_close_ int fresh = memory_fd < 0 ? new_file() : -1;
	_cleanup_close_ int watch = -1;
	struct stat st;

	if (memory_fd < 0 && fresh < 0)
		return fresh;
	watch = move_up(memory_fd < 0 ? fresh : memory_fd);
	if (watch < 0 || fstat(watch, &st) < 0)
		return -errno;
	*ret = (struct handle){.watch_fd = TAKE_FD(watch), .dev = st.st_dev, .inode = st.st_ino};
	return 0;
}

void machine_handle_done(struct handle *handle)
{
	if (handle->watch_fd >= 0)
		skep_close(&handle->watch_fd);
}

static int hold(int fd, int flags)
{
	static uint64_t writers;
	struct flock lock = {.l_whence = SEEK_SET, .l_type = F_RDLCK, .l_len = 1};

	if ((flags & O_ACCMODE) == O_WRONLY) {
		lock.l_type = F_WRLCK;
		lock.l_start = (off_t)(1 + __atomic_fetch_add(&writers, 1, __ATOMIC_RELAXED));
	}
	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

int machine_handle_open(const struct handle *handle, int flags)
{
	_cleanup_close_ int fd = -1;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", handle->watch_fd);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = hold(fd, flags);
	return err ? err : TAKE_FD(fd);
}

bool machine_handle_is_open(const struct handle *handle)
{
	struct flock lock = {.l_whence = SEEK_SET, .l_type = F_WRLCK};

	if (handle->watch_fd < 0)
		return false;
	/* Not to be asked: rather a leak than an object that goes while it is used. */
	return fcntl(handle->watch_fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

int machine_handle_identify(int fd, struct handle *ret, int *ret_mode)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0)
		return -EBADF;
	*ret = (struct handle){.watch_fd = -1, .dev = st.st_dev, .inode = st.st_ino};
	*ret_mode = flags & O_ACCMODE;
	return 0;
}

int machine_handle_close(int fd)
{
	return close(fd) ? -errno : 0;
}

int machine_netns_open(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int machine_text_new(const void *data, size_t len)
{
	_cleanup_close_ int file = memfd_create("bpf_iter", MFD_CLOEXEC);
	char path[32];
	int fd, err;

	if (file < 0)
		return -errno;
	err = skep_fd_write(file, data, len);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int machine_handle_no_token(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -EBADF : -EINVAL;
}

bool machine_handle_process_exists(uint32_t pid)
{
	return pid && pid <= INT32_MAX && (!kill((pid_t)pid, 0) || errno == EPERM);
}

/* --- Waiting for a ring buffer ------------------------------------------------------------- */

int machine_event_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

void machine_event_wake(int fd)
{
	if (fd >= 0)
		eventfd_write(fd, 1);
}
