/*
 * A pin is an empty file that the machine makes where the caller says, in any folder they may write
 * to (the kernel wants bpffs and says EPERM elsewhere). It is known by its device and inode, which
 * an open descriptor keeps from being given to another. Removing the file ends the pin: the next
 * look at it, or at ids, finds that it is gone.
 */
#include "machine/machine.h"

#include <fcntl.h>
#include <sys/stat.h>

int machine_pin_place_new(int folder_fd, const char *path, struct pin_place *ret)
{
	int flags = O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC;
	_cleanup_close_ int fd = openat(folder_fd, path, flags, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*ret = (struct pin_place){.fd = TAKE_FD(fd), .dev = st.st_dev, .inode = st.st_ino};
	return 0;
}

int machine_pin_place_at(int folder_fd, const char *path, struct pin_place *ret)
{
	struct stat st;

	if (fstatat(folder_fd, path, &st, 0) < 0)
		return -errno;
	*ret = (struct pin_place){.fd = -1, .dev = st.st_dev, .inode = st.st_ino};
	return 0;
}

bool machine_pin_place_is(const struct pin_place *place, const struct pin_place *other)
{
	return place->dev == other->dev && place->inode == other->inode;
}

bool machine_pin_place_is_gone(const struct pin_place *place)
{
	struct stat st;

	return fstat(place->fd, &st) == 0 && !st.st_nlink;
}

void machine_pin_place_done(struct pin_place *place)
{
	skep_close(&place->fd);
}
