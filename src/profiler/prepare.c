/*
 * Whose stacks are to be whole from the first one: the processes that were asked for, or all that
 * there are. A command is not there yet; so what it will map is mapped here for a moment.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <skep/elf.h>

#include "base/fd.h"
#include "profiler/impl.h"

#define FILES_MOST     64
#define PROCESSES_MOST 4096

static bool is_mapped(const struct skep_prepared *prepared, const struct stat *file)
{
	skep_vec_foreach (struct skep_prepared_file, it, &prepared->files) {
		if (it->dev == file->st_dev && it->inode == file->st_ino)
			return true;
	}
	return false;
}

static void map_file(struct skep_prepared *prepared, const char *path);

static void map_library(void *ctx, const char *name)
{
	char path[PATH_MAX];

	if (skep_elf_resolve_path(name, path, sizeof(path)) == 0)
		map_file(ctx, path);
}

static void map_needed(struct skep_prepared *prepared, const char *path)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;

	if (skep_elf_open(path, &elf, NULL))
		return;
	skep_elf_for_each_needed(elf, map_library, prepared);
}

/* Of a file and of what is loaded with it a page each, as of code. */
static void map_file(struct skep_prepared *prepared, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) || !S_ISREG(info.st_mode) || !info.st_size ||
	    prepared->files.len >= FILES_MOST || is_mapped(prepared, &info))
		return;
	void *at = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return;
	skep_vec_push(&prepared->files,
		      ((struct skep_prepared_file){at, info.st_dev, info.st_ino}));
	map_needed(prepared, path);
}

static void add_all(struct skep_prepared *prepared)
{
	DIR *proc = opendir("/proc");

	for (const struct dirent *entry; proc && (entry = readdir(proc));) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);
		if (pid > 0 && !*end && prepared->pids.len < PROCESSES_MOST)
			skep_vec_push(&prepared->pids, (pid_t)pid);
	}
	if (proc)
		closedir(proc);
}

void skep_prepared_init(const struct skep_profiler_wish *wish, struct skep_prepared *ret)
{
	*ret = (struct skep_prepared){0};
	if (wish->no_user || wish->by_frame_pointers)
		return;
	for (uint32_t i = 0; i < wish->n_pids; i++)
		skep_vec_push(&ret->pids, wish->pids[i]);
	if (wish->cpid) {
		map_file(ret, wish->cmd_path);
		skep_vec_push(&ret->pids, getpid());
	} else if (!wish->n_pids) {
		add_all(ret);
	}
}

void skep_prepared_done(struct skep_prepared *prepared)
{
	skep_vec_foreach (struct skep_prepared_file, it, &prepared->files)
		munmap(it->at, 1);
	skep_vec_done(&prepared->files);
	skep_vec_done(&prepared->pids);
}
