/*
 * Which process holds which link: /proc/PID/fd/N is a link of ours where it is
 * named "anon_inode:bpf_link", and /proc/PID/fdinfo/N tells its number.
 */
#include "linux/link_info.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { FDINFO_BYTES = 4096 };

static bool is_number(const char *name)
{
	return isdigit((unsigned char)name[0]);
}

/* "link_id:\t17"; 0: there is no such line. Thousands of lines on places may come behind it. */
static uint32_t link_id_of(const char *pid, const char *fd)
{
	_cleanup_buf_ struct skep_buf text = {0};
	static const char field[] = "link_id:";
	char path[640];

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	int err = skep_file_read(path, FDINFO_BYTES, &text);
	if ((err && err != -EFBIG) || !text.data)
		return 0;
	const char *line = strstr(text.data, field);
	return line ? (uint32_t)strtoul(line + strlen(field), NULL, 10) : 0;
}

static void read_process(const char *pid, struct skep_link_owners *ret)
{
	char path[300], target[64];

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		target[len < 0 ? 0 : len] = '\0';
		/* "anon_inode:bpf-link", with an underscore before 6.9 */
		if (strncmp(target, "anon_inode:bpf", 14) != 0 || strcmp(target + 15, "link") != 0)
			continue;
		struct skep_link_owner owner = {link_id_of(pid, entry->d_name), atoi(pid)};
		if (owner.link_id)
			skep_vec_push(ret, owner);
	}
	if (dir)
		closedir(dir);
}

void skep_link_owners_read(struct skep_link_owners *ret)
{
	DIR *dir = opendir("/proc");

	*ret = (struct skep_link_owners){0};
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (is_number(entry->d_name))
			read_process(entry->d_name, ret);
	}
	if (dir)
		closedir(dir);
}
