/*
 * Addresses of processes to names: ties together the processes (process.c),
 * the files they map (files.c) and the names handed out (names.c).
 *
 * An address is looked for in the newest mappings first, then in older ones,
 * then in the code made at run time. Only one that is found nowhere makes us
 * read the process again. follow.c keeps processes by what the kernel reports.
 */
#include <skep/symbol.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <skep/elf.h>

#include "base/arena.h"
#include "base/fd.h"
#include "symbol/debugfile.h"
#include "symbol/usyms.h"

struct skep_usyms *skep_usyms_new(bool demangle)
{
	struct skep_usyms *syms = skep_xcalloc(1, sizeof(*syms));

	syms->demangle = demangle;
	skep_names_init(&syms->names);
	skep_files_init(&syms->files);
	return syms;
}

void skep_usyms_free(struct skep_usyms *syms)
{
	if (!syms)
		return;
	for (size_t i = 0; i < SKEP_USYMS_BUCKETS; i++) {
		struct skep_process_node *next;

		for (struct skep_process_node *node = syms->buckets[i]; node; node = next) {
			next = node->next;
			skep_process_done(&node->process);
			free(node);
		}
	}
	skep_files_done(&syms->files);
	skep_vec_done(&syms->expected);
	skep_vec_done(&syms->places);
	skep_lines_free(syms->lines);
	skep_names_done(&syms->names);
	free(syms);
}

void skep_usyms_be_lean(struct skep_usyms *syms)
{
	syms->files.are_lean = true;
}

size_t skep_usyms_names_bytes(const struct skep_usyms *syms)
{
	return syms->names.arena.used_bytes;
}

static struct skep_process_node **bucket_of(struct skep_usyms *syms, pid_t pid)
{
	return &syms->buckets[(uint32_t)pid % SKEP_USYMS_BUCKETS];
}

static void link_newest(struct skep_usyms *syms, struct skep_process_node *node)
{
	node->newer = NULL;
	node->older = syms->newest;
	*(syms->newest ? &syms->newest->newer : &syms->oldest) = node;
	syms->newest = node;
	node->process.last_use = ++syms->clock;
}

static void unlink_use(struct skep_usyms *syms, struct skep_process_node *node)
{
	*(node->older ? &node->older->newer : &syms->oldest) = node->newer;
	*(node->newer ? &node->newer->older : &syms->newest) = node->older;
}

void skep_usyms_touch(struct skep_usyms *syms, struct skep_process_node *node)
{
	unlink_use(syms, node);
	link_newest(syms, node);
}

static void drop(struct skep_usyms *syms, struct skep_process_node **at)
{
	struct skep_process_node *node = *at;

	*at = node->next;
	unlink_use(syms, node);
	syms->followed_bytes -= node->followed_bytes;
	skep_process_done(&node->process);
	free(node);
	syms->n_processes--;
}

void skep_usyms_drop_oldest(struct skep_usyms *syms)
{
	struct skep_process_node **at = bucket_of(syms, syms->oldest->process.pid);

	while (*at != syms->oldest)
		at = &(*at)->next;
	drop(syms, at);
}

/* Of those that are not there their number tells: what comes under it later is another. */
void skep_usyms_forget_ended(struct skep_usyms *syms)
{
	for (size_t i = 0; i < SKEP_USYMS_BUCKETS; i++) {
		for (struct skep_process_node **at = &syms->buckets[i]; *at;) {
			const struct skep_process *process = &(*at)->process;
			if (process->last_use <= syms->settled[0] && kill(process->pid, 0) &&
			    errno == ESRCH)
				drop(syms, at);
			else
				at = &(*at)->next;
		}
	}
	memset(syms->seen, 0, sizeof(syms->seen));
	syms->settled[0] = syms->settled[1];
	syms->settled[1] = syms->clock;
}

/* Hold on to the files of its code while it is there to show them. */
static void pin_files(struct skep_usyms *syms, struct skep_process *process)
{
	struct skep_maps *maps = &process->maps[0];

	for (size_t i = 0; process->n_maps && i < maps->n; i++)
		if (maps->data[i].exec)
			skep_files_pin(&syms->files, process->pid, maps, &maps->data[i]);
}

struct skep_process_node *skep_usyms_put_process(struct skep_usyms *syms,
						 const struct skep_process *process)
{
	struct skep_process_node *node, **bucket = bucket_of(syms, process->pid);

	if (syms->n_processes == SKEP_USYMS_MAX_PROCESSES)
		skep_usyms_drop_oldest(syms);
	node = skep_xcalloc(1, sizeof(*node));
	node->process = *process;
	link_newest(syms, node);
	node->next = *bucket;
	*bucket = node;
	syms->n_processes++;
	return node;
}

static struct skep_process *add_process(struct skep_usyms *syms, pid_t pid)
{
	struct skep_process process;
	struct skep_process_node *node;

	syms->process_err = skep_process_init(&process, pid);
	if (syms->process_err < 0)
		return NULL;
	node = skep_usyms_put_process(syms, &process);
	pin_files(syms, &node->process);
	return &node->process;
}

struct skep_process_node *skep_usyms_find_process(struct skep_usyms *syms, pid_t pid)
{
	struct skep_process_node *node = *bucket_of(syms, pid);

	while (node && node->process.pid != pid)
		node = node->next;
	return node;
}

static struct skep_process *get_process(struct skep_usyms *syms, pid_t pid)
{
	struct skep_process_node *node = skep_usyms_find_process(syms, pid);

	if (!node)
		return add_process(syms, pid);
	if (!syms->followed && skep_process_check(&node->process))
		pin_files(syms, &node->process);
	skep_usyms_touch(syms, node);
	return &node->process;
}

void skep_usyms_note_process(struct skep_usyms *syms, pid_t pid)
{
	get_process(syms, pid);
}

/* Its file cannot be opened any more, in what is left of the process or by its path. */
static void report_missing(struct skep_usyms *syms, const struct skep_mapping *m, const char *path,
			   struct skep_symbol *ret)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_printf(&text, "%s (%s)", path,
			skep_files_lacks_fd(m) ? "not opened: no descriptor left"
			: m->deleted           ? "deleted"
					       : "deleted or moved");
	ret->module = skep_names_plain(&syms->names, text.data);
	ret->file_missing = true;
}

static const char *find_in_file(struct skep_usyms *syms, const struct skep_file_place *place,
				uint64_t *ret_start, struct skep_symbol *ret)
{
	struct skep_found_entry found = {0};
	const char *raw;

	if (!place->file->is_lean) {
		raw = skep_table_find(&place->file->table, place->addr, ret_start);
		return raw ? skep_names_symbol(&syms->names, raw, syms->demangle) : NULL;
	}
	if (skep_usyms_find_lean(syms, place, &found))
		report_missing(syms, place->m, place->path, ret);
	*ret_start = found.from - found.behind;
	return found.name;
}

/* Fill in what mapping @m tells of @addr; true if that includes a name. */
static bool name_in_mapping(struct skep_usyms *syms, pid_t pid, const struct skep_maps *maps,
			    struct skep_mapping *m, uint64_t addr, struct skep_symbol *ret)
{
	struct skep_file_place place = {.file = skep_files_get(&syms->files, pid, maps, m),
					.off = addr - m->start + m->off,
					.pid = pid,
					.path = maps->paths + m->path,
					.m = m};
	uint64_t start;

	ret->name = NULL;
	ret->module = place.path[0] ? skep_names_plain(&syms->names, place.path) : NULL;
	ret->offset = place.off;
	if (!place.file && place.path[0] == '/')
		report_missing(syms, m, place.path, ret);
	if (!place.file || skep_table_off_to_addr(&place.file->table, place.off, &place.addr) < 0)
		return false;
	ret->offset = place.addr;
	ret->name = find_in_file(syms, &place, &start, ret);
	if (ret->name)
		ret->offset = place.addr - start;
	return ret->name;
}

struct skep_mapping *skep_usyms_mapping(const struct skep_process *process, uint64_t addr,
					const struct skep_maps **ret_maps)
{
	struct skep_mapping *m = NULL;

	for (size_t i = 0; i < process->n_maps && !m; i++) {
		*ret_maps = &process->maps[i];
		m = skep_maps_find(*ret_maps, addr);
	}
	return m;
}

/* 1: named; 0: lies in a mapping, no name; -ENOENT: in none. */
static int name_in_maps(struct skep_usyms *syms, struct skep_process *process, uint64_t addr,
			struct skep_symbol *ret)
{
	const struct skep_maps *maps;
	struct skep_mapping *m = skep_usyms_mapping(process, addr, &maps);

	return m ? name_in_mapping(syms, process->pid, maps, m, addr, ret) : -ENOENT;
}

static bool name_in_perfmap(struct skep_usyms *syms, struct skep_process *process, uint64_t addr,
			    struct skep_symbol *ret)
{
	const char *raw, *name;
	uint64_t start;

	raw = skep_perfmap_find(&process->perfmap, addr, &start);
	if (!raw && skep_process_refresh_perfmap(process))
		raw = skep_perfmap_find(&process->perfmap, addr, &start);
	name = raw ? skep_names_plain(&syms->names, raw) : NULL;
	if (!name)
		return false;
	ret->name = name;
	ret->offset = addr - start;
	return true;
}

int skep_usyms_lookup(struct skep_usyms *syms, pid_t pid, uint64_t addr, struct skep_symbol *ret)
{
	struct skep_process *process = get_process(syms, pid);
	struct skep_symbol found = {0};
	int where;

	if (!process)
		return -ENOENT;
	where = name_in_maps(syms, process, addr, &found);
	if (where == -ENOENT && skep_process_refresh(process)) {
		pin_files(syms, process);
		where = name_in_maps(syms, process, addr, &found);
	}
	if (where != 1)
		name_in_perfmap(syms, process, addr, &found);
	if (!found.name && !found.module)
		return -ENOENT;
	*ret = found;
	return 0;
}

/* --- Source lines ---------------------------------------------------------------------------- */

void skep_usyms_want_lines(struct skep_usyms *syms)
{
	syms->files.wants_lines = true;
	if (!syms->lines)
		syms->lines = skep_lines_new();
}

void skep_usyms_want_debuginfod(struct skep_usyms *syms, struct skep_debuginfod *debuginfod)
{
	syms->files.debuginfod = debuginfod;
}

static void lose_process(struct skep_usyms *syms, pid_t pid, uint64_t addr)
{
	char path[64];

	snprintf(path, sizeof(path), "process %d", (int)pid);
	skep_lines_lose(syms->lines, pid, addr, path, syms->process_err, &syms->names);
}

/* In the file that was mapped there last. */
static const struct skep_line_answer *lines_in_maps(struct skep_usyms *syms,
						    struct skep_process *process, uint64_t addr)
{
	for (size_t i = 0; i < process->n_maps; i++) {
		const struct skep_maps *maps = &process->maps[i];
		struct skep_mapping *m = skep_maps_find(maps, addr);
		if (!m)
			continue;
		struct skep_file *file = skep_files_get(&syms->files, process->pid, maps, m);
		uint64_t file_addr;
		if (!file && skep_files_lacks_fd(m))
			skep_lines_lose(syms->lines, process->pid, addr, maps->paths + m->path,
					-EMFILE, &syms->names);
		if (!file ||
		    skep_table_off_to_addr(&file->table, addr - m->start + m->off, &file_addr) < 0)
			return NULL;
		return skep_lines_find(syms->lines, &syms->files, file, file_addr, &syms->names,
				       syms->demangle);
	}
	return NULL;
}

uint32_t skep_usyms_lines(struct skep_usyms *syms, pid_t pid, uint64_t addr,
			  const struct skep_source_frame **ret)
{
	struct skep_process *process = syms->lines ? get_process(syms, pid) : NULL;
	const struct skep_line_answer *answer = process ? lines_in_maps(syms, process, addr) : NULL;

	if (syms->lines && !process && skep_fd_is_short(syms->process_err))
		lose_process(syms, pid, addr);
	if (!answer)
		return 0;
	*ret = answer->frames;
	return answer->n;
}

bool skep_usyms_lines_trouble(const struct skep_usyms *syms, size_t i,
			      struct skep_lines_trouble *ret)
{
	if (!syms->lines || i >= syms->lines->troubles.len)
		return false;
	*ret = syms->lines->troubles.data[i];
	return true;
}

/* --- Without processes ----------------------------------------------------------------------- */

int skep_usyms_find(struct skep_usyms *syms, const char *path, const char *name, uint64_t *ret_addr)
{
	_cleanup_elf_ struct skep_elf *elf = NULL, *debug = NULL;
	struct skep_elf_sym sym;
	int err = skep_elf_open(path, &elf, NULL);

	if (err)
		return err;
	err = skep_elf_find_any_symbol(elf, name, &sym);
	if (err && skep_debugfile_open(elf, path, -1, NULL, &debug) == 0)
		err = skep_elf_find_any_symbol(debug, name, &sym);
	if (err)
		return err;
	*ret_addr = sym.addr;
	return 0;
}
