/*
 * How much room a machine needs that is as it is now, see arrays.h. Arrays do not grow: what comes
 * later has room where it is no more than what there was, else tables that are not needed go for
 * those that are (store.h).
 */
#include <dirent.h>
#include <stdlib.h>

#include "base/vec.h"
#include "linux/maps.h"
#include "unwind/arrays.h"

#define TEXT_A_ROW     32 /* bytes of code that a row is for: in all of Debian's libraries, 43 */
#define ROWS_A_PAGE    16 /* at least that many, as pages of code have */
#define ROWS_A_RULE    32
#define MAPS_A_PROCESS 128 /* entries: more than most have, twice */
#define SHARE_LEAST    4   /* a quarter of the default is the least */

struct code {
	uint64_t inode, bytes;
	uint32_t dev;
};

struct found {
	SKEP_VEC(struct code) codes;
	uint32_t n_processes;
};

static void look_at(struct found *found, pid_t pid)
{
	struct skep_maps maps;

	if (skep_maps_read(pid, &maps))
		return;
	found->n_processes += maps.n > 0;
	for (size_t i = 0; i < maps.n; i++) {
		const struct skep_mapping *m = &maps.data[i];
		struct code code = {.inode = m->inode, .bytes = m->end - m->start, .dev = m->dev};
		if (m->exec && m->inode)
			skep_vec_push(&found->codes, code);
	}
	skep_maps_done(&maps);
}

static void look_at_all(struct found *found)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);
		if (pid > 0 && !*end)
			look_at(found, (pid_t)pid);
	}
	if (proc)
		closedir(proc);
}

static int compare(const void *a, const void *b)
{
	const struct code *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return (x->dev > y->dev) - (x->dev < y->dev);
}

/* Of each file once. */
static uint64_t text_bytes(struct found *found)
{
	const struct code *codes = found->codes.data;
	uint64_t bytes = 0;

	if (found->codes.len)
		qsort(found->codes.data, found->codes.len, sizeof(*codes), compare);
	for (size_t i = 0; i < found->codes.len; i++) {
		if (!i || compare(&codes[i - 1], &codes[i]))
			bytes += codes[i].bytes;
	}
	return bytes;
}

/* The least power of two from a share of @most on that has @n, or @most. */
static uint32_t room_for(uint64_t n, uint32_t most)
{
	uint32_t size = most / SHARE_LEAST;

	while (size < most && size < n)
		size *= 2;
	return size;
}

void skep_unwind_sizes_here(struct skep_unwind_sizes *ret)
{
	const struct skep_unwind_sizes *most = &skep_unwind_default_sizes;
	struct found found = {0};

	look_at_all(&found);
	uint64_t rows = text_bytes(&found) / TEXT_A_ROW;
	*ret = *most;
	ret->mappings = room_for((uint64_t)found.n_processes * MAPS_A_PROCESS, most->mappings);
	ret->rows = room_for(rows, most->rows);
	ret->pages = room_for(rows / ROWS_A_PAGE, most->pages);
	ret->rules = room_for(rows / ROWS_A_RULE, most->rules);
	skep_vec_done(&found.codes);
}
