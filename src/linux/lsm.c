/*
 * The list of security modules is decided when the kernel boots (lsm=…, or
 * CONFIG_LSM). It is a file of securityfs: "lockdown,capability,bpf". Where
 * nobody has mounted that, it is mounted for a moment where no one else sees it.
 */
#include "linux/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"

#define LIST_FILE  "lsm"
#define LIST_BYTES 4096

/* The root of a securityfs that is mounted nowhere. */
static int open_securityfs(void)
{
	_cleanup_close_ int fs = fsopen("securityfs", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	int root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return root < 0 ? -errno : root;
}

static int open_list(void)
{
	int fd = open("/sys/kernel/security/" LIST_FILE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	_cleanup_close_ int root = open_securityfs();
	if (root < 0)
		return root;
	fd = openat(root, LIST_FILE, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool skep_lsm_is_active(const char *name)
{
	_cleanup_close_ int fd = open_list();
	char list[LIST_BYTES];
	ssize_t len = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);
	char *save;

	if (len < 0)
		return true;
	list[len] = '\0';
	for (char *word = strtok_r(list, ",\n", &save); word; word = strtok_r(NULL, ",\n", &save)) {
		if (!strcmp(word, name))
			return true;
	}
	return false;
}
