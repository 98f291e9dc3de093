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

#define GROUPS_MOST   (SKEP_GROUPS_SLOTS / 2)
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
	groups->of.len = 0;
	memset(groups->slots, 0, sizeof(groups->slots));
}

void skep_groups_done(struct skep_groups *groups)
{
	forget_all(groups);
	skep_vec_done(&groups->of);
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

/* Is it not known for want of something that there may be the next time? */
static bool is_passing(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == EINTR;
}

/* The kernel's mark for one that was removed since it was opened: its path is what it was. */
static void cut_mark(char *path, size_t len)
{
	static const char mark[] = " (deleted)";
	const size_t mark_len = sizeof(mark) - 1;

	if (len > mark_len && !strcmp(path + len - mark_len, mark) && access(path, F_OK))
		path[len - mark_len] = '\0';
}

/* For free(). "": it is not there any more, or we may not ask; NULL: not known this time. */
static char *find_path(const struct skep_groups *groups, uint64_t id)
{
	_cleanup_close_ int fd = open_group(groups, id);
	size_t root = strlen(groups->root);
	char link[64], path[PATH_MAX];

	if (fd < 0)
		return groups->root_fd >= 0 && is_passing(errno) ? NULL : skep_xstrdup("");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	if (len < 0 || len == sizeof(path) - 1)
		return skep_xstrdup("");
	path[len] = '\0';
	cut_mark(path, (size_t)len);
	/* Outside of what we see of the file system it has no path. */
	if (strncmp(path, groups->root, root) != 0 || (path[root] && path[root] != '/'))
		return skep_xstrdup("");
	return skep_xstrdup(path[root] ? path + root : "/");
}

/* Where the number of @id is, or is to be; 0: it is not known. */
static uint16_t *slot_of(struct skep_groups *groups, uint64_t id)
{
	size_t at = (id * 0x9e3779b97f4a7c15u >> 32) % SKEP_GROUPS_SLOTS;

	while (groups->slots[at] && groups->of.data[groups->slots[at] - 1].id != id)
		at = (at + 1) % SKEP_GROUPS_SLOTS;
	return &groups->slots[at];
}

const char *skep_groups_path(struct skep_groups *groups, uint64_t id)
{
	uint16_t *slot = slot_of(groups, id);

	if (*slot)
		return groups->of.data[*slot - 1].path;
	char *path = find_path(groups, id);
	if (!path)
		return "";
	if (groups->of.len >= GROUPS_MOST) {
		forget_all(groups);
		slot = slot_of(groups, id);
	}
	skep_vec_push(&groups->of, ((struct skep_group){id, path}));
	*slot = (uint16_t)groups->of.len;
	return path;
}
