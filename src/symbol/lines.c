/*
 * Asks the processes that read files' DWARF (dwarf/worker.h) and keeps what they answered: samples
 * are of the same places again and again.
 *
 * Of a worker nothing is kept but its answers, so that it may be ended when there are too many, and
 * started again.
 */
#include "symbol/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <skep/elf.h>

#include "base/fd.h"
#include "base/overlay.h"
#include "dwarf/worker.h"
#include "symbol/debugfile.h"
#include "symbol/files.h"
#include "symbol/names.h"

/* --- Where the DWARF is ---------------------------------------------------------------------- */

void skep_line_source_init(struct skep_line_source *ret)
{
	*ret = (struct skep_line_source){.fd = -1, .alt_fd = -1};
}

void skep_line_source_done(struct skep_line_source *source)
{
	if (source->worker)
		skep_dwarf_worker_stop(source->worker);
	skep_close(&source->fd);
	skep_close(&source->alt_fd);
}

bool skep_line_source_is_in(const struct skep_elf *elf)
{
	struct skep_elf_section section;

	for (uint32_t i = 1; i < skep_elf_n_sections(elf); i++) {
		if (skep_elf_section_info(elf, i, &section) == 0 &&
		    strcmp(section.name, ".debug_info") == 0)
			return true;
	}
	return false;
}

static int keep_fd(const struct skep_elf *elf)
{
	return fcntl(skep_elf_fd(elf), F_DUPFD_CLOEXEC, 0);
}

void skep_line_source_take(struct skep_line_source *source, const struct skep_elf *elf, int root_fd)
{
	_cleanup_elf_ struct skep_elf *alt = NULL;
	bool needs_alt;

	if (!skep_line_source_is_in(elf))
		return;
	source->fd = keep_fd(elf);
	if (skep_debugfile_open_alt(elf, root_fd, &alt, &needs_alt) == 0)
		source->alt_fd = keep_fd(alt);
	source->lacks_alt = needs_alt && source->alt_fd < 0;
}

/* --- Asking ---------------------------------------------------------------------------------- */

/* Those that nobody asked for longest are ended. */
static void make_room(struct skep_files *files)
{
	for (;;) {
		struct skep_file *oldest = NULL;
		size_t n = 0;
		for (size_t i = 0; i < files->n_slots; i++) {
			struct skep_file *file = &files->slots[i];
			n += file->lines.worker != NULL;
			if (file->lines.worker && (!oldest || file->last_use < oldest->last_use))
				oldest = file;
		}
		if (n < SKEP_LINES_WORKERS_MOST)
			return;
		skep_dwarf_worker_stop(oldest->lines.worker);
		oldest->lines.worker = NULL;
	}
}

static int start(struct skep_files *files, struct skep_file *file)
{
	int err = skep_overlay_load();

	if (err)
		return err;
	make_room(files);
	return skep_dwarf_worker_start(file->lines.fd, file->lines.alt_fd, &file->lines.worker);
}

static void report(struct skep_lines *lines, struct skep_file *file, const char *why,
		   struct skep_names *names)
{
	struct skep_line_source *source = &file->lines;

	if (!source->trouble) {
		const char *path = skep_names_plain(names, file->path);
		why = skep_names_plain(names, why);
		skep_vec_push(&lines->troubles, ((struct skep_lines_trouble){
							.path = path ? path : "",
							.why = why ? why : "",
						}));
		source->trouble = (uint32_t)lines->troubles.len;
	}
}

/* Return 0 | -ENOENT nothing is known | another error: for trouble with the file, which is told */
static int ask(struct skep_lines *lines, struct skep_files *files, struct skep_file *file,
	       uint64_t addr, struct skep_names *names, struct skep_dwarf_answer *ret)
{
	struct skep_line_source *source = &file->lines;
	const char *why =
		source->lacks_alt ? "the file that it shares with others is not there" : NULL;

	if (source->is_over)
		return -EPIPE;
	int err = source->worker ? 0 : start(files, file);
	if (err) {
		source->is_over = true;
		report(lines, file, strerror(-err), names);
		return err;
	}
	err = skep_dwarf_worker_ask(source->worker, addr, ret);
	if (skep_dwarf_worker_why(source->worker))
		why = skep_dwarf_worker_why(source->worker);
	if (why)
		report(lines, file, why, names);
	if (err == -EPIPE) {
		source->is_over = true;
		skep_dwarf_worker_stop(TAKE_PTR(source->worker));
	}
	return err;
}

/* --- Answers --------------------------------------------------------------------------------- */

struct skep_lines *skep_lines_new(void)
{
	struct skep_lines *lines = skep_xcalloc(1, sizeof(*lines));

	skep_arena_init(&lines->arena);
	return lines;
}

void skep_lines_free(struct skep_lines *lines)
{
	if (!lines)
		return;
	skep_strmap_done(&lines->known);
	skep_arena_done(&lines->arena);
	skep_vec_done(&lines->troubles);
	free(lines);
}

static struct skep_line_answer *keep(struct skep_lines *lines,
				     const struct skep_dwarf_answer *answer,
				     struct skep_names *names, bool demangle)
{
	struct skep_line_answer *kept = skep_arena_alloc(
		&lines->arena, sizeof(*kept) + answer->n * sizeof(kept->frames[0]));

	kept->n = answer->n;
	for (uint32_t i = 0; i < answer->n; i++) {
		const struct skep_dwarf_frame *frame = &answer->frames[i];
		const char *text = answer->text.data;
		kept->frames[i].line = frame->line;
		if (frame->name)
			kept->frames[i].name =
				skep_names_symbol(names, text + frame->name, demangle);
		if (frame->file)
			kept->frames[i].file = skep_names_plain(names, text + frame->file);
	}
	return kept;
}

static void forget_if_full(struct skep_lines *lines)
{
	if (lines->arena.used_bytes < SKEP_LINES_CACHE_BYTES)
		return;
	skep_strmap_done(&lines->known);
	skep_arena_done(&lines->arena);
	skep_arena_init(&lines->arena);
}

const struct skep_line_answer *skep_lines_find(struct skep_lines *lines, struct skep_files *files,
					       struct skep_file *file, uint64_t addr,
					       struct skep_names *names, bool demangle)
{
	const uint64_t key[2] = {file->gen, addr};
	struct skep_dwarf_answer answer = {0};
	void **known;

	if (file->lines.fd < 0)
		return NULL;
	known = skep_strmap_get(&lines->known, (const char *)key, sizeof(key));
	if (known)
		return *known;
	forget_if_full(lines);
	int err = ask(lines, files, file, addr, names, &answer);
	if (err && err != -ENOENT && file->lines.trouble)
		lines->troubles.data[file->lines.trouble - 1].n++;
	const char *kept_key = skep_arena_dup(&lines->arena, key, sizeof(key));
	known = skep_strmap_put(&lines->known, kept_key, sizeof(key));
	*known = err ? NULL : keep(lines, &answer, names, demangle);
	skep_dwarf_answer_done(&answer);
	return *known;
}
