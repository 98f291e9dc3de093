/*
 * Single mappings of a process, see maps.h. Linux 6.11 answers for one address by ioctl(2) on
 * /proc/PID/maps, in some microseconds however many mappings there are. Before that, all of them
 * are read at the first question.
 */
#include "linux/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"

#define DELETED     " (deleted)"
#define EXECUTABLE_ 4 /* of flags, as of query_flags */
#define QUERY_      _IOWR('f', 17, struct query)

/* struct procmap_query of <linux/fs.h>, which many systems' headers are too old for. */
struct query {
	uint64_t size, query_flags, query_addr;
	uint64_t start, end, flags, page_bytes, off, inode;
	uint32_t dev_major, dev_minor;
	uint32_t name_bytes, build_id_bytes; /* room; then how much was written */
	uint64_t name_at, build_id_at;
};
_Static_assert(sizeof(struct query) == 104, "as the kernel has it");

int skep_maps_asker_init(struct skep_maps_asker *asker, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*asker = (struct skep_maps_asker){.fd = fd};
	return 0;
}

void skep_maps_asker_done(struct skep_maps_asker *asker)
{
	skep_close(&asker->fd);
	skep_maps_done(&asker->all);
}

static bool cut_deleted(char *path)
{
	size_t len = strlen(path), tail = sizeof(DELETED) - 1;

	if (len <= tail || strcmp(path + len - tail, DELETED) != 0)
		return false;
	path[len - tail] = '\0';
	return true;
}

static int ask_kernel(const struct skep_maps_asker *asker, uint64_t addr, struct skep_mapping *ret,
		      char *path)
{
	struct query query = {.size = sizeof(query),
			      .query_addr = addr,
			      .name_bytes = SKEP_MAPS_PATH_BYTES,
			      .name_at = (uintptr_t)path};

	path[0] = '\0';
	if (ioctl(asker->fd, QUERY_, &query) < 0)
		return -errno;
	*ret = (struct skep_mapping){
		.start = query.start,
		.end = query.end,
		.off = query.off,
		.inode = query.inode,
		.dev = query.dev_major << 20 | query.dev_minor,
		.exec = query.flags & EXECUTABLE_,
		.deleted = cut_deleted(path),
	};
	return 0;
}

static int ask_text(struct skep_maps_asker *asker, uint64_t addr, struct skep_mapping *ret,
		    char *path)
{
	_cleanup_buf_ struct skep_buf text = {0};

	if (!asker->all.paths) {
		int err = skep_fd_read(asker->fd, SKEP_MAPS_MAX_BYTES, &text);
		if (err)
			return err;
		skep_maps_parse(text.data ? text.data : "", text.len, &asker->all);
	}
	const struct skep_mapping *found = skep_maps_find(&asker->all, addr);
	if (!found)
		return -ENOENT;
	*ret = *found;
	snprintf(path, SKEP_MAPS_PATH_BYTES, "%s", asker->all.paths + found->path);
	ret->path = 0;
	return 0;
}

int skep_maps_ask(struct skep_maps_asker *asker, uint64_t addr, struct skep_mapping *ret,
		  char *path)
{
	int err = asker->reads_all ? -ENOTTY : ask_kernel(asker, addr, ret, path);

	if (err != -ENOTTY)
		return err;
	asker->reads_all = true;
	return ask_text(asker, addr, ret, path);
}
