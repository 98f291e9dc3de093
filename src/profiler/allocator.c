/*
 * Who has malloc() in a process: its own program if that is linked statically or brings one, a
 * library that is made for it (jemalloc, tcmalloc, mimalloc), else the C library. It is named as
 * the process itself would: a probe's files are looked up as it sees them, which may be in
 * another mount namespace than ours (trace/provider/binary.h).
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "profiler/impl.h"
#include "trace/provider/binary.h"

#define C_LIBRARY "libc"
#define PROGRAM   "" /* that of the process */

static bool has_malloc(struct skep_usyms *usyms, const char *path)
{
	uint64_t addr;

	return skep_usyms_find(usyms, path, "malloc", &addr) == 0;
}

static bool is_named_for_it(const char *path)
{
	return strstr(strrchr(path, '/'), "malloc");
}

/* @path as @pid sees it, which it is reached by through a link of ours. */
static const char *as_seen(pid_t pid, const char *path)
{
	char root[64];
	int len = snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);

	return strncmp(path, root, (size_t)len) ? path : path + len;
}

static const char *find_library(struct skep_usyms *usyms, pid_t pid, struct skep_arena *arena)
{
	_cleanup_names_ struct skep_names mapped = {0};

	if (skep_binary_mapped(arena, pid, &mapped))
		return NULL;
	for (size_t i = 0; i < mapped.len; i++) {
		if (is_named_for_it(mapped.data[i]) && has_malloc(usyms, mapped.data[i]))
			return as_seen(pid, mapped.data[i]);
	}
	return NULL;
}

static const char *find(struct skep_usyms *usyms, const struct skep_profiler_wish *wish,
			struct skep_arena *arena)
{
	const char *found = NULL;

	if (wish->cpid)
		return has_malloc(usyms, wish->cmd_path) ? wish->cmd_path : C_LIBRARY;
	if (!wish->n_pids)
		return C_LIBRARY;
	if (has_malloc(usyms, skep_arena_printf(arena, "/proc/%d/exe", (int)wish->pids[0])))
		return PROGRAM;
	found = find_library(usyms, wish->pids[0], arena);
	return found ? found : C_LIBRARY;
}

void skep_profiler_allocator(struct skep_usyms *usyms, const struct skep_profiler_wish *wish,
			     struct skep_buf *ret)
{
	struct skep_arena arena;

	skep_arena_init(&arena);
	skep_buf_puts(ret, find(usyms, wish, &arena));
	skep_arena_done(&arena);
}
