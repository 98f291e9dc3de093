/*
 * Ids of control groups to their paths. An id is what the file system's handles are made of, so a
 * group is opened by it, and the link of its descriptor is its path. It does not change, and no id
 * comes again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "profiler/impl.h"

#define GROUPS_MOST   4096
#define HANDLE_KERNFS 0xfe /* FILEID_KERNFS of the kernel's exportfs.h */

void skep_groups_init(struct skep_groups *groups)
{
	static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

	*groups = (struct skep_groups){.root_fd = -1};
	/* Where both are, the first has no groups of its own. */
	for (size_t i = sizeof(roots) / sizeof(roots[0]); i-- > 0 && groups->root_fd < 0;) {
		char probe[64];
		snprintf(probe, sizeof(probe), "%s/cgroup.controllers", roots[i]);
		snprintf(groups->root, sizeof(groups->root), "%s", roots[i]);
		if (!access(probe, F_OK))
			groups->root_fd = open(roots[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
}

static void forget_all(struct skep_groups *groups)
{
	skep_vec_foreach (struct skep_group, group, &groups->of)
		free(group->path);
	skep_vec_done(&groups->of);
}

void skep_groups_done(struct skep_groups *groups)
{
	forget_all(groups);
	skep_close(&groups->root_fd);
}

static int open_group(const struct skep_groups *groups, uint64_t id)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} handle = {.head = {.handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS}};

	memcpy(handle.head.f_handle, &id, sizeof(id));
	return groups->root_fd < 0
		       ? -1
		       : open_by_handle_at(groups->root_fd, &handle.head, O_PATH | O_CLOEXEC);
}

/* "": it is not there any more, or we may not ask. */
static char *find_path(const struct skep_groups *groups, uint64_t id)
{
	_cleanup_close_ int fd = open_group(groups, id);
	size_t root = strlen(groups->root);
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = fd < 0 ? -1 : readlink(link, path, sizeof(path) - 1);
	if (len < 0 || strncmp(path, groups->root, root) != 0)
		return skep_xstrdup("");
	path[len] = '\0';
	return skep_xstrdup(path[root] ? path + root : "/");
}

const char *skep_groups_path(struct skep_groups *groups, uint64_t id)
{
	skep_vec_foreach (struct skep_group, group, &groups->of) {
		if (group->id == id)
			return group->path;
	}
	if (groups->of.len >= GROUPS_MOST)
		forget_all(groups);
	skep_vec_push(&groups->of, ((struct skep_group){id, find_path(groups, id)}));
	return skep_vec_last(&groups->of)->path;
}
