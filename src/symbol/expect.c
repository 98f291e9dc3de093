/*
 * Names from files whose tables are not kept. A table has all functions of its file, of which few
 * are ever met, so that for whoever names for days it is memory for nothing; and to build one anew
 * for each that is met takes longer than looking for it. Therefore what is to be named is said
 * before, and each file is gone through once for all that is asked of it; the answers are kept
 * (found.h), as ranges: soon most are there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skep/elf.h>

#include "base/fd.h"
#include "linux/procroot.h"
#include "symbol/debugfile.h"
#include "symbol/usyms.h"

#define EXPECTED_MOST 65536

/* --- Going through a file -------------------------------------------------------------------- */

static struct skep_found_entry entry_of(struct skep_usyms *syms,
					const struct skep_pass_place *place)
{
	const uint64_t from = place->addr - (place->off - place->from);
	const uint64_t start = !place->name     ? from
			       : place->held.of ? place->held.start
						: place->last.start;
	const uint64_t bytes = place->to - place->from;

	return (struct skep_found_entry){
		.from = from,
		.bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
		.behind = from > start ? (uint32_t)(from - start) : 0,
		.name = place->name ? skep_names_symbol(&syms->names, place->name, syms->demangle)
				    : NULL,
	};
}

/* Where the names have no room, it is asked again. */
static void note_all(struct skep_usyms *syms, struct skep_file *file)
{
	skep_vec_foreach (const struct skep_pass_place, place, &syms->places) {
		const struct skep_found_entry entry = entry_of(syms, place);
		if (place->seg_bytes && (entry.name || !place->name))
			skep_files_note(&syms->files, file, &entry);
	}
}

/* What is stripped of one may have the other. */
static void go_through(struct skep_usyms *syms, struct skep_file *file, const struct skep_elf *elf)
{
	_cleanup_close_ int root_fd = -1;
	_cleanup_elf_ struct skep_elf *debug = NULL;

	if (!skep_elf_has_symtab(elf)) {
		root_fd = skep_procroot_open(file->pid);
		skep_debugfile_open(elf, file->path, root_fd, syms->files.debuginfod, &debug);
	}
	skep_pass(elf, debug, syms->places.data, syms->places.len);
	note_all(syms, file);
}

/* For all that is in `places`. Return 0 | -ENOENT the file is gone */
static int look_for(struct skep_usyms *syms, const struct skep_file_place *at)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	int fd = skep_files_reopen(&syms->files, at->file, at->pid, at->path, at->m);

	if (fd < 0 || skep_elf_open_fd(fd, at->file->path, &elf, NULL))
		return -ENOENT;
	go_through(syms, at->file, elf);
	return 0;
}

int skep_usyms_find_lean(struct skep_usyms *syms, const struct skep_file_place *place,
			 struct skep_found_entry *ret)
{
	const struct skep_found_entry *known = skep_found_get(&place->file->found, place->addr);
	int err = 0;

	*ret = (struct skep_found_entry){.from = place->addr, .bytes = 1};
	if (!known) {
		syms->places.len = 0;
		skep_vec_push(&syms->places, (struct skep_pass_place){.off = place->off});
		err = look_for(syms, place);
		known = skep_found_get(&place->file->found, place->addr);
	}
	if (known)
		*ret = *known;
	return err;
}

/* --- Ahead of the questions ------------------------------------------------------------------ */

void skep_usyms_expect(struct skep_usyms *syms, pid_t pid, uint64_t addr)
{
	skep_usyms_note_process(syms, pid);
	struct skep_process_node *node = skep_usyms_find_process(syms, pid);
	const struct skep_maps *maps;
	uint64_t file_addr;

	if (!node || syms->expected.len == EXPECTED_MOST)
		return;
	struct skep_mapping *m = skep_usyms_mapping(&node->process, addr, &maps);
	struct skep_file *file = m ? skep_files_get(&syms->files, pid, maps, m) : NULL;
	if (!file || !file->is_lean ||
	    skep_table_off_to_addr(&file->table, addr - m->start + m->off, &file_addr) ||
	    skep_found_get(&file->found, file_addr))
		return;
	skep_vec_push(&syms->expected, ((struct skep_expected){.slot = m->file_slot,
							       .gen = m->file_gen,
							       .pid = pid,
							       .addr = addr,
							       .off = addr - m->start + m->off}));
}

static int by_file(const void *a, const void *b)
{
	const struct skep_expected *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return (x->off > y->off) - (x->off < y->off);
}

/* Those of the file of @first, which follow it; of each offset one. Return how many they are. */
static size_t take_places(struct skep_usyms *syms, const struct skep_expected *first, size_t n)
{
	size_t i = 0;

	syms->places.len = 0;
	for (; i < n && first[i].slot == first->slot; i++) {
		if (!i || first[i].off != first[i - 1].off)
			skep_vec_push(&syms->places, (struct skep_pass_place){.off = first[i].off});
	}
	return i;
}

static void settle_file(struct skep_usyms *syms, const struct skep_expected *first)
{
	struct skep_file *file = &syms->files.slots[first->slot];
	const struct skep_process_node *node = skep_usyms_find_process(syms, first->pid);
	const struct skep_maps *maps;
	const struct skep_mapping *m =
		node ? skep_usyms_mapping(&node->process, first->addr, &maps) : NULL;

	if (!m || file->gen != first->gen || m->file_slot != first->slot)
		return;
	const struct skep_file_place place = {
		.file = file, .pid = first->pid, .path = maps->paths + m->path, .m = m};
	look_for(syms, &place);
}

void skep_usyms_settle(struct skep_usyms *syms)
{
	const struct skep_expected *at = syms->expected.data;

	if (syms->expected.len)
		qsort(syms->expected.data, syms->expected.len, sizeof(*at), by_file);
	for (size_t i = 0; i < syms->expected.len;) {
		const struct skep_expected *first = &at[i];
		i += take_places(syms, first, syms->expected.len - i);
		settle_file(syms, first);
	}
	syms->expected.len = 0;
}
