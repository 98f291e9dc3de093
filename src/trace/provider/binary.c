/*
 * From what a person calls a binary to paths. Three things make it more than a
 * look-up: globs, processes (what they have mapped, which may be another libc
 * than ours), and mount namespaces, whose files are seen through /proc/PID/root.
 */
#include "trace/provider/binary.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"

#define MAPS_LIMIT_BYTES (64u << 20)

/* --- Processes ------------------------------------------------------------------------------ */

static bool same_mount_ns(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	if (stat("/proc/self/ns/mnt", &ours) < 0 || stat(path, &theirs) < 0)
		return true;
	return ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

/* What goes before a path of @pid's mount namespace: "" if that is ours. */
static const char *root_of(struct skep_arena *arena, pid_t pid)
{
	if (pid < 0 || same_mount_ns(pid))
		return "";
	return skep_arena_printf(arena, "/proc/%d/root", (int)pid);
}

/* The path of a line of /proc/PID/maps if it maps a file executable: "00400000-00452000 r-xp
 * 00000000 08:02 173521 /usr/bin/dbus-daemon". NULL: it does not. */
static const char *mapped_path(char *line)
{
	char *slash = strchr(line, '/'), *perms = strchr(line, ' ');

	if (!slash || !perms || strlen(perms) < 5 || perms[3] != 'x')
		return NULL;
	size_t len = strlen(slash), deleted = strlen(" (deleted)");
	if (len > deleted && !strcmp(slash + len - deleted, " (deleted)"))
		return NULL;
	return slash;
}

int skep_binary_mapped(struct skep_arena *arena, pid_t pid, struct skep_names *ret)
{
	_cleanup_buf_ struct skep_buf text = {0};
	const char *root = root_of(arena, pid), *last = "";
	char path[64], *save;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	err = skep_file_read(path, MAPS_LIMIT_BYTES, &text);
	if (err)
		return err;
	for (char *line = text.data ? strtok_r(text.data, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *file = mapped_path(line);
		if (!file || !strcmp(file, last))
			continue;
		skep_vec_push(ret, skep_arena_printf(arena, "%s%s", root, file));
		last = file;
	}
	return 0;
}

static void add_all_mapped(struct skep_arena *arena, struct skep_names *ret)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			skep_binary_mapped(arena, atoi(entry->d_name), ret);
	}
	if (proc)
		closedir(proc);
}

/* --- Commands ------------------------------------------------------------------------------- */

#define LIBRARIES_MAX 256 /* of one command */

/** What a command will have mapped when it has started. */
struct loaded {
	struct skep_arena *arena;
	struct skep_names *files;
};

static void add_loaded(void *ctx, const char *name)
{
	const struct loaded *loaded = ctx;
	struct skep_names *files = loaded->files;
	char path[PATH_MAX];

	if (files->len >= LIBRARIES_MAX || skep_elf_resolve_path(name, path, sizeof(path)))
		return;
	for (size_t i = 0; i < files->len; i++) {
		if (!strcmp(files->data[i], path))
			return;
	}
	skep_vec_push(files, skep_arena_strdup(loaded->arena, path));
}

/* The program, the libraries it needs, those that they need. */
static void add_command(struct skep_expand *x, struct skep_names *ret)
{
	struct loaded loaded = {x->arena, ret};

	add_loaded(&loaded, x->cmd_path);
	for (size_t i = 0; i < ret->len; i++) {
		_cleanup_elf_ struct skep_elf *elf = NULL;
		if (!skep_elf_open(ret->data[i], &elf, NULL))
			skep_elf_for_each_needed(elf, add_loaded, &loaded);
	}
}

/* --- What a pattern means ------------------------------------------------------------------- */

static int find_mapped(struct skep_expand *x, const struct skep_probe_spec *spec, uint32_t part,
		       struct skep_names *ret)
{
	int err = 0;

	if (x->cmd_path)
		add_command(x, ret);
	else if (x->pid >= 0)
		err = skep_binary_mapped(x->arena, x->pid, ret);
	else
		add_all_mapped(x->arena, ret);
	if (err)
		return skep_diag_fail(x->diag, err, SKEP_DIAG_PROBE_PROCESS,
				      skep_spec_span(x, spec, part), (int)x->pid, strerror(-err));
	return 0;
}

static int find_program(struct skep_expand *x, const struct skep_probe_spec *spec,
			struct skep_names *ret)
{
	char link[64], path[PATH_MAX];
	ssize_t len;

	if (x->pid < 0 && x->cmd_path) {
		skep_vec_push(ret, skep_arena_strdup(x->arena, x->cmd_path));
		return 0;
	}
	if (x->pid < 0)
		return skep_spec_bad_parts(x, skep_provider_find(spec->parts[0]), spec);
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)x->pid);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return skep_diag_fail(x->diag, -errno, SKEP_DIAG_PROBE_PROCESS, spec->span,
				      (int)x->pid, strerror(errno));
	path[len] = '\0';
	const char *full = skep_arena_printf(x->arena, "%s%s", root_of(x->arena, x->pid), path);
	/* A program that was replaced since it started is still there behind the link. */
	skep_vec_push(ret, access(full, F_OK) ? skep_arena_strdup(x->arena, link) : full);
	return 0;
}

/* --- Names ---------------------------------------------------------------------------------- */

/* "libc" is libc.so.6 and libc-2.31.so. */
static bool is_called(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t len = strlen(name);

	if (strncmp(base, name, len) != 0)
		return false;
	base += len;
	return !*base || !strncmp(base, ".so", 3) ||
	       (base[0] == '-' && isdigit((unsigned char)base[1]) && strstr(base, ".so"));
}

/* The library as the process has it: it may not be the one that we would get. */
static const char *find_in_process(struct skep_expand *x, const char *name)
{
	_cleanup_names_ struct skep_names mapped = {0};

	if (x->pid < 0 || skep_binary_mapped(x->arena, x->pid, &mapped))
		return NULL;
	for (size_t i = 0; i < mapped.len; i++) {
		if (is_called(mapped.data[i], name))
			return mapped.data[i];
	}
	return NULL;
}

static const char *resolve(struct skep_expand *x, const char *target)
{
	const char *root = root_of(x->arena, x->pid), *path;
	char buf[PATH_MAX];

	if (!strchr(target, '/') && (path = find_in_process(x, target)))
		return path;
	if (!root[0])
		return skep_elf_resolve_path(target, buf, sizeof(buf))
			       ? NULL
			       : skep_arena_strdup(x->arena, buf);
	static const char *const dirs[] = {"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"};
	if (strchr(target, '/')) {
		path = skep_arena_printf(x->arena, "%s/%s", root, target + (target[0] == '/'));
		return access(path, F_OK) ? NULL : path;
	}
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		path = skep_arena_printf(x->arena, "%s%s/%s", root, dirs[i], target);
		if (!access(path, X_OK))
			return path;
	}
	return NULL;
}

/* The other files of the folder that @target is said to be in. */
static void add_neighbours(struct skep_arena *arena, const char *target, struct skep_names *names)
{
	const char *slash = strrchr(target, '/');
	const struct dirent *entry;

	if (!slash)
		return;
	const char *folder = skep_arena_printf(arena, "%.*s/", (int)(slash - target), target);
	DIR *dir = opendir(folder);
	while (dir && (entry = readdir(dir)))
		skep_vec_push(names, skep_arena_printf(arena, "%s%s", folder, entry->d_name));
	if (dir)
		closedir(dir);
}

static int fail_missing(struct skep_expand *x, const struct skep_probe_spec *spec, uint32_t part,
			const char *target)
{
	_cleanup_names_ struct skep_names names = {0};

	if (!x->diag)
		return -ENOENT;
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_BINARY, skep_spec_span(x, spec, part), target);
	if (strchr(target, '@')) {
		skep_diag_why(x->diag,
			      "places by source line (BINARY@FILE:LINE) are not supported");
		return -ENOENT;
	}
	if (strchr(target, '/') && access(target, R_OK) && errno != ENOENT) {
		skep_diag_why(x->diag, "%s", strerror(errno));
		return -ENOENT;
	}
	add_neighbours(x->arena, target, &names);
	skep_diag_did_you_mean(x->diag, target, names.data, names.len);
	return -ENOENT;
}

/* A shell's glob, which the C library has too; but its own looks up users for "~" and so brings
 * name services and a resolver into a static program. @folder  "" or ending in '/' */
static void walk_glob(struct skep_arena *arena, const char *folder, const char *pattern,
		      struct skep_names *ret);

/* @name is what one part of the pattern came to; @rest is behind it. */
static void walk_on(struct skep_arena *arena, const char *folder, const char *name,
		    const char *rest, struct skep_names *ret)
{
	size_t slashes = strspn(rest, "/");
	const char *path = skep_arena_printf(arena, "%s%s%s", folder, name, slashes ? "/" : "");

	if (rest[slashes])
		walk_glob(arena, path, rest + slashes, ret);
	else if (!access(path, F_OK))
		skep_vec_push(ret, path);
}

static void walk_glob(struct skep_arena *arena, const char *folder, const char *pattern,
		      struct skep_names *ret)
{
	size_t len = strcspn(pattern, "/");
	const char *part = skep_arena_printf(arena, "%.*s", (int)len, pattern);
	struct dirent *entry;
	DIR *dir;

	if (!skep_has_wildcard(part)) {
		walk_on(arena, folder, part, pattern + len, ret);
		return;
	}
	dir = opendir(folder[0] ? folder : ".");
	while (dir && (entry = readdir(dir))) {
		bool hidden = entry->d_name[0] == '.' && part[0] != '.';

		if (!hidden && skep_wildcard_match(part, entry->d_name))
			walk_on(arena, folder, entry->d_name, pattern + len, ret);
	}
	if (dir)
		closedir(dir);
}

static void find_glob(struct skep_expand *x, const char *target, struct skep_names *ret)
{
	walk_glob(x->arena, "",
		  skep_arena_printf(x->arena, "%s%s", root_of(x->arena, x->pid), target), ret);
}

int skep_binary_open(struct skep_expand *x, const char *path, const struct skep_elf **ret,
		     struct skep_diag *diag)
{
	struct skep_elf *elf;

	if (!x->elf || strcmp(x->elf_path, path) != 0) {
		int err = skep_elf_open(path, &elf, diag);
		if (err)
			return err;
		skep_elf_free(x->elf);
		x->elf = elf;
		x->elf_path = path;
	}
	*ret = x->elf;
	return 0;
}

void skep_binary_close(struct skep_expand *x)
{
	skep_elf_free(x->elf);
	x->elf = NULL;
	x->target = NULL;
}

int skep_binary_find(struct skep_expand *x, const struct skep_probe_spec *spec, uint32_t part,
		     const char *target, struct skep_names *ret)
{
	int err = 0;

	if (!target[0])
		return find_program(x, spec, ret);
	if (!skep_has_wildcard(target)) {
		if (!x->target || strcmp(x->target, target) != 0) {
			x->target_path = resolve(x, target);
			x->target = target;
		}
		if (!x->target_path)
			return fail_missing(x, spec, part, target);
		skep_vec_push(ret, x->target_path);
		return 0;
	}
	if (!strcmp(target, "*"))
		err = find_mapped(x, spec, part, ret);
	else
		find_glob(x, target, ret);
	skep_spec_names_sort_unique(ret);
	return err;
}
