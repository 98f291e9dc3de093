/*
 * From what a person types ("bash", "libc", "c", "./a.out") to a path: looks
 * where a shell and the dynamic linker would look.
 */
#include <skep/elf.h>

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"
#include "elf/ldcache.h"

#define LDCACHE_PATH      "/etc/ld.so.cache"
#define LDCACHE_MAX_BYTES (16UL << 20)

#if defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#define MULTIARCH "x86_64-linux-gnu"
#endif

static const char default_folders[] =
	"/lib/" MULTIARCH ":/usr/lib/" MULTIARCH ":/lib64:/usr/lib64:/lib:/usr/lib:/usr/local/lib";

static bool is_file(const char *path, int access_mode)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, access_mode) == 0;
}

/* "libc.so" may be a linker script, which has no code to trace. */
static bool is_elf_file(const char *path)
{
	char magic[SELFMAG];
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
	       memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/* The next part of a list with ':' between its parts; false at its end. */
static bool next_folder(const char **list, char folder[PATH_MAX])
{
	const char *at = *list;
	size_t len;

	if (!at)
		return false;
	len = strcspn(at, ":");
	*list = at[len] ? at + len + 1 : NULL;
	if (len >= PATH_MAX)
		len = 0;
	memcpy(folder, at, len);
	folder[len] = '\0';
	if (len == 0) /* an empty part means the current folder */
		strcpy(folder, ".");
	return true;
}

static bool find_command(const char *name, char path[PATH_MAX])
{
	const char *list = getenv("PATH");
	char folder[PATH_MAX];

	if (!list)
		list = "/usr/local/bin:/usr/bin:/bin";
	while (next_folder(&list, folder)) {
		int len = snprintf(path, PATH_MAX, "%s/%s", folder, name);

		if (len > 0 && len < PATH_MAX && is_file(path, X_OK))
			return true;
	}
	return false;
}

/* Of the names that match, the first in order of the alphabet: always the same one. */
static bool search_folder(const char *folder, const char *name, char path[PATH_MAX])
{
	char best[NAME_MAX + 1] = "", file[PATH_MAX];
	const struct dirent *entry;
	DIR *dir = opendir(folder);

	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		if (!skep_elf_library_matches(entry->d_name, name) ||
		    (best[0] && strcmp(entry->d_name, best) >= 0))
			continue;
		if (snprintf(file, sizeof(file), "%s/%s", folder, entry->d_name) >=
			    (int)sizeof(file) ||
		    !is_elf_file(file))
			continue;
		snprintf(best, sizeof(best), "%s", entry->d_name);
		strcpy(path, file);
	}
	closedir(dir);
	return best[0];
}

static bool search_folders(const char *list, const char *name, char path[PATH_MAX])
{
	char folder[PATH_MAX];

	while (list && *list && next_folder(&list, folder))
		if (search_folder(folder, name, path))
			return true;
	return false;
}

static bool search_cache(const char *name, char path[PATH_MAX])
{
	_cleanup_buf_ struct skep_buf cache = {0};
	const char *found;

	if (skep_file_read(LDCACHE_PATH, LDCACHE_MAX_BYTES, &cache) < 0)
		return false;
	found = skep_elf_ldcache_find(cache.data, cache.len, name);
	return found && snprintf(path, PATH_MAX, "%s", found) < PATH_MAX && is_elf_file(path);
}

static bool find_library(const char *name, char path[PATH_MAX])
{
	return search_folders(getenv("LD_LIBRARY_PATH"), name, path) || search_cache(name, path) ||
	       search_folders(default_folders, name, path);
}

static bool find_bare(const char *name, char path[PATH_MAX])
{
	if (strncmp(name, "lib", 3) == 0 || strstr(name, ".so"))
		return find_library(name, path) || find_command(name, path);
	return find_command(name, path) || find_library(name, path);
}

int skep_elf_resolve_path(const char *name, char *ret_path, size_t size)
{
	char path[PATH_MAX];
	size_t len = strlen(name);

	if (len == 0 || len >= sizeof(path))
		return len ? -ENAMETOOLONG : -ENOENT;
	if (strchr(name, '/')) {
		if (!is_file(name, F_OK))
			return -ENOENT;
		memcpy(path, name, len + 1);
	} else if (!find_bare(name, path)) {
		return -ENOENT;
	}
	len = strlen(path);
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(ret_path, path, len + 1);
	return 0;
}
