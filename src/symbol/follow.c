/*
 * Following processes by what the kernel reports of them, see watch.c: what a
 * short-lived one had mapped is known after it ended, though nobody looked at
 * it while it lived.
 *
 * Reports come in order of time, a moment late. A process that is not known yet
 * was there before they began; it is read from /proc, now or never.
 */
#include <string.h>

#include "symbol/usyms.h"

#define DELETED   " (deleted)"
#define ANONYMOUS "//anon" /* what the kernel's records call memory without a file */

static void keep_within_room(struct skep_usyms *syms, struct skep_process_node *node)
{
	size_t bytes = 0;

	for (size_t i = 0; i < node->process.n_maps; i++)
		bytes += skep_maps_memory(&node->process.maps[i]);
	syms->followed_bytes += bytes - node->followed_bytes;
	node->followed_bytes = bytes;
	while (syms->followed_bytes > SKEP_USYMS_MAX_FOLLOWED && syms->n_processes > 1) {
		skep_usyms_drop_oldest(syms);
		syms->n_dropped++;
	}
}

static struct skep_process_node *put(struct skep_usyms *syms, const struct skep_process *process)
{
	syms->n_dropped += syms->n_processes == SKEP_USYMS_MAX_PROCESSES;
	return skep_usyms_put_process(syms, process);
}

/* One that is known, or can still be read; else one of which only what comes now is known. */
static struct skep_process_node *get(struct skep_usyms *syms, pid_t pid, bool read)
{
	struct skep_process_node *node = skep_usyms_find_process(syms, pid);
	struct skep_process process;

	if (!node) {
		if (!read || skep_process_init(&process, pid) < 0)
			skep_process_unread(&process, pid);
		node = put(syms, &process);
	}
	skep_usyms_touch(syms, node);
	return node;
}

/* Whoever keeps no tables opens a file again when it is asked for; so one that is mapped time and
 * again, as libraries are, is held on to once, until ended processes are forgotten. Where another
 * one has its number meanwhile, and is deleted at once, the names of that one are missing. */
static bool was_seen(struct skep_usyms *syms, const struct skep_mapping *m)
{
	const uint64_t mixed = (m->inode ^ (uint64_t)m->dev << 40 ^ (uint64_t)m->generation << 32) *
			       0x9e3779b97f4a7c15ull;
	uint64_t *seen = &syms->seen[(mixed >> 32) % SKEP_USYMS_SEEN];
	bool was = *seen == mixed;

	if (!syms->files.are_lean)
		return false;
	*seen = mixed;
	return was;
}

/* Hold on to the file while there is a process that shows it; not at the price of reading it. */
static void pin(struct skep_usyms *syms, pid_t pid, const struct skep_maps *maps,
		struct skep_mapping *m)
{
	if (!skep_files_share(&syms->files, m) && !was_seen(syms, m) &&
	    syms->files.n_open < SKEP_FILES_MAX_OPEN)
		skep_files_pin(&syms->files, pid, maps, m);
}

/* The path is a process's to choose: it may end so without being deleted, as in maps.c. */
static const char *without_deleted(const char *path, char *room, size_t size, bool *ret_deleted)
{
	size_t len = strlen(path), tail = strlen(DELETED);

	*ret_deleted = len > tail && len < size && !strcmp(path + len - tail, DELETED);
	if (!*ret_deleted)
		return path;
	memcpy(room, path, len - tail);
	room[len - tail] = '\0';
	return room;
}

void skep_usyms_on_map(struct skep_usyms *syms, pid_t pid, const struct skep_mapping *mapping,
		       const char *path)
{
	struct skep_process_node *node = get(syms, pid, true);
	struct skep_process *process = &node->process;
	struct skep_mapping m = *mapping;
	char room[4200];

	if (!process->n_maps)
		skep_process_push(process, &(struct skep_maps){0});
	m.exec = true;
	m.file_slot = m.file_gen = 0;
	path = without_deleted(path, room, sizeof(room), &m.deleted);
	if (!strcmp(path, ANONYMOUS))
		path = "";
	struct skep_mapping *added = skep_maps_add(&process->maps[0], &m, path);
	if (!added)
		syms->n_dropped++;
	else
		pin(syms, pid, &process->maps[0], added);
	keep_within_room(syms, node);
}

/* The child has what its parent has until it executes another program. What an older process of
 * the same pid had stays behind it. */
void skep_usyms_on_fork(struct skep_usyms *syms, pid_t pid, pid_t parent)
{
	struct skep_maps copy = {0};

	if (pid == parent)
		return; /* a thread */
	struct skep_process_node *from = get(syms, parent, true);
	if (from->process.n_maps)
		skep_maps_copy_code(&from->process.maps[0], &copy);
	struct skep_process_node *to = get(syms, pid, false);
	skep_process_renew(&to->process);
	skep_process_push(&to->process, &copy);
	keep_within_room(syms, to);
}

void skep_usyms_on_exec(struct skep_usyms *syms, pid_t pid)
{
	struct skep_process_node *node = get(syms, pid, false);

	if (!node->process.n_maps || node->process.maps[0].n)
		skep_process_push(&node->process, &(struct skep_maps){0});
	keep_within_room(syms, node);
}

void skep_usyms_on_sight(struct skep_usyms *syms, pid_t pid)
{
	struct skep_process process;

	if (skep_usyms_find_process(syms, pid) || skep_process_init(&process, pid) < 0)
		return;
	/* It may be about to execute another program, whose first address is looked up before that
	 * is heard of: the maps of then are read at once. */
	process.maps_read_ns = 0;
	if (process.n_maps)
		keep_within_room(syms, put(syms, &process));
	else
		skep_process_done(&process); /* a kernel thread */
}

uint64_t skep_usyms_dropped(const struct skep_usyms *syms)
{
	return syms->n_dropped;
}
