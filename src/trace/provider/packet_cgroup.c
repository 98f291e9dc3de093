/*
 * cgroup: what the processes of a control group, and of those below it, do with
 * sockets, settings and devices, and their packets.
 *
 * The group is a folder of the cgroup2 file system, written as there
 * (/sys/fs/cgroup/user.slice) or from its root on (/user.slice, as cgroup_path()
 * prints it). Its descriptor is open from here on: see skep_probe_close().
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"

/* Where cgroup2 is mounted; NULL: nowhere. */
static const char *find_root(struct skep_arena *arena)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const char *root = NULL;
	struct mntent *entry;

	while (mounts && !root && (entry = getmntent(mounts))) {
		if (!strcmp(entry->mnt_type, "cgroup2"))
			root = skep_arena_strdup(arena, entry->mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return root;
}

/* @path as a folder of the file system. */
static const char *folder_of(struct skep_expand *x, const char *path)
{
	const char *root = find_root(x->arena);
	size_t len = root ? strlen(root) : 0;

	if (!root || (!strncmp(path, root, len) && (path[len] == '/' || !path[len])))
		return path;
	return skep_arena_printf(x->arena, "%s%s%s", root, path[0] == '/' ? "" : "/", path);
}

static int fail_hook(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_names_ struct skep_names names = {0};

	for (int id = 0; id < SKEP_AT_CNT; id++) {
		if (!strcmp(skep_hook(id)->provider, "cgroup"))
			skep_vec_push(&names, skep_hook(id)->name);
	}
	return skep_expand_missing(
		x, skep_spec_span(x, spec, 2),
		skep_arena_printf(x->arena, "hook %s of control groups", spec->parts[2]),
		spec->parts[2], &names);
}

static int add_place(struct skep_expand *x, const struct skep_probe_spec *spec,
		     const struct skep_trace_hook *hook, const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct skep_probe *probe;

	if (fd < 0)
		return skep_diag_fail(x->diag, -errno, SKEP_DIAG_CGROUP_PATH,
				      skep_spec_span(x, spec, 1), folder, strerror(errno));
	probe = skep_expand_add(x, skep_provider_find("cgroup"), spec);
	if (!probe) {
		close(fd);
		return -E2BIG;
	}
	probe->hook = hook;
	probe->link = hook->link;
	probe->attach.type = SKEP_ATTACH_CGROUP;
	probe->attach.cgroup.cgroup_fd = fd;
	skep_probe_name(x, probe, "cgroup:%s:%s", spec->parts[1], hook->name);
	return 0;
}

int skep_cgroup_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	uint32_t before = x->n_probes;
	int err = 0;

	if (spec->n_parts != 3)
		return skep_spec_bad_parts(x, skep_provider_find("cgroup"), spec);
	for (int id = 0; id < SKEP_AT_CNT && !err; id++) {
		const struct skep_trace_hook *hook = skep_hook(id);
		if (!strcmp(hook->provider, "cgroup") &&
		    skep_wildcard_match(spec->parts[2], hook->name))
			err = add_place(x, spec, hook, folder_of(x, spec->parts[1]));
	}
	return err || x->n_probes > before ? err : fail_hook(x, spec);
}

int skep_cgroup_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		     struct skep_buf *out)
{
	const char *path = pattern->n_parts > 2 && !skep_has_wildcard(pattern->parts[1])
				   ? pattern->parts[1]
				   : "/";
	const char *wanted = pattern->n_parts > 2 ? pattern->parts[2] : "*";

	for (int id = 0; id < SKEP_AT_CNT; id++) {
		const struct skep_trace_hook *hook = skep_hook(id);
		if (!strcmp(hook->provider, "cgroup") && skep_wildcard_match(wanted, hook->name))
			skep_buf_printf(out, "cgroup:%s:%s\n", path, hook->name);
	}
	return 0;
}
