/*
 * Asks the processes that read files' DWARF (dwarf/worker.h) and keeps what they answered: samples
 * are of the same places again and again.
 *
 * Of a worker nothing is kept but its answers, so that it may be ended when there are too many, and
 * started again.
 *
 * Each address that is not answered, or not whole, counts once, for the file that it is of and the
 * reason. None is waited for while a signal waits to end us, and all files share a budget of time.
 */
#include "symbol/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include <skep/elf.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/overlay.h"
#include "dwarf/worker.h"
#include "linux/ending.h"
#include "symbol/debugfile.h"
#include "symbol/files.h"
#include "symbol/names.h"

#define BUDGET_SHARE 10           /* of time; the budget is beside it */
#define NO_FILE      (1ull << 32) /* in place of a generation, with a process's number */

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

/* Return it, the caller's | -errno */
static int keep_fd(const struct skep_elf *elf)
{
	int fd = fcntl(skep_elf_fd(elf), F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

void skep_line_source_take(struct skep_line_source *source, const struct skep_elf *elf, int root_fd,
			   int err)
{
	_cleanup_elf_ struct skep_elf *alt = NULL;
	bool needs_alt;

	if (!skep_line_source_is_in(elf)) {
		source->err = err == -ENOENT ? 0 : err;
		return;
	}
	int fd = keep_fd(elf);
	source->fd = fd < 0 ? -1 : fd;
	source->err = fd < 0 ? fd : 0;
	fd = skep_debugfile_open_alt(elf, root_fd, &alt, &needs_alt);
	if (!fd)
		fd = keep_fd(alt);
	source->alt_fd = fd < 0 ? -1 : fd;
	source->alt_err = needs_alt && fd < 0 ? fd : 0;
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

static int start(struct skep_lines *lines, struct skep_files *files, struct skep_file *file)
{
	struct skep_line_source *source = &file->lines;
	int err = source->err ? source->err : skep_overlay_load();

	if (err)
		return err;
	make_room(files);
	return skep_dwarf_worker_start(source->fd, source->alt_fd, lines->ending_fd,
				       &source->worker);
}

/* One file may be met again and again, as another build, in another container. */
static struct skep_lines_trouble *find_trouble(struct skep_lines *lines, const char *path,
					       const char *why)
{
	if (lines->troubles.len >= SKEP_LINES_TROUBLES_MOST) {
		path = "other files";
		why = "of several reasons";
	}
	skep_vec_foreach (struct skep_lines_trouble, trouble, &lines->troubles) {
		if (!strcmp(trouble->path, path) && !strcmp(trouble->why, why))
			return trouble;
	}
	skep_vec_push(&lines->troubles, ((struct skep_lines_trouble){.path = path, .why = why}));
	return skep_vec_last(&lines->troubles);
}

/* Of one address nothing is known, or not all (@is_partial), for @why. */
static void lose(struct skep_lines *lines, const char *path, const char *why, bool is_partial,
		 struct skep_names *names)
{
	path = skep_names_plain(names, path);
	why = skep_names_plain(names, why);
	struct skep_lines_trouble *trouble = find_trouble(lines, path ? path : "", why ? why : "");
	*(is_partial ? &trouble->n_partial : &trouble->n) += 1;
}

void skep_lines_trouble_words(const struct skep_lines_trouble *trouble, bool is_partial,
			      struct skep_buf *ret)
{
	skep_buf_printf(ret,
			is_partial
				? "addresses of which not all source lines may be known, the DWARF "
				  "of %s is not read whole: %s"
				: "addresses without source lines, the DWARF of %s is not read: %s",
			trouble->path, trouble->why);
}

static bool has_time(const struct skep_lines *lines)
{
	return lines->waited_ns <
	       lines->budget_ns + (skep_clock_ns() - lines->began_ns) / BUDGET_SHARE;
}

static bool is_ending(const struct skep_lines *lines)
{
	struct pollfd ending = {.fd = lines->ending_fd, .events = POLLIN};

	return poll(&ending, 1, 0) > 0;
}

/* Return as skep_dwarf_worker_ask(), or -errno: there is no worker */
static int ask_worker(struct skep_lines *lines, struct skep_files *files, struct skep_file *file,
		      uint64_t addr, struct skep_dwarf_answer *ret)
{
	struct skep_line_source *source = &file->lines;
	uint64_t before_ns = skep_clock_ns();
	int err = 0;

	if (is_ending(lines))
		return -ECANCELED;
	if (!source->worker)
		err = start(lines, files, file);
	if (err)
		return err;
	err = skep_dwarf_worker_ask(source->worker, addr, ret);
	lines->waited_ns += skep_clock_ns() - before_ns;
	if (err == -ECANCELED) /* another one will begin anew */
		skep_dwarf_worker_stop(TAKE_PTR(source->worker));
	return err;
}

/* Of one that has none, the words are those of @err. */
static const char *why_not(const struct skep_line_source *source, int err)
{
	const char *why = source->worker ? skep_dwarf_worker_why(source->worker) : NULL;

	if (err == -ECANCELED)
		return "a signal ended the reading";
	if (source->alt_err && source->alt_err != -ENOENT)
		return strerror(-source->alt_err);
	return why ? why : strerror(-err);
}

/* Return 0 | -ENOENT nothing is known | another error: for trouble with the file, which is noted */
static int ask(struct skep_lines *lines, struct skep_files *files, struct skep_file *file,
	       uint64_t addr, struct skep_names *names, struct skep_dwarf_answer *ret)
{
	struct skep_line_source *source = &file->lines;
	const char *why;
	int err;

	if (source->is_over || !has_time(lines)) {
		why = source->is_over ? source->why : "reading files has taken too long";
		lose(lines, file->path, why, false, names);
		return source->is_over ? -EPIPE : -ETIME;
	}
	err = ask_worker(lines, files, file, addr, ret);
	why = why_not(source, err);
	if (err != -ENOENT && (err || ret->is_partial))
		lose(lines, file->path, why, !err, names);
	if (err == -EPIPE) {
		source->is_over = true;
		source->why = skep_names_plain(names, why);
		skep_dwarf_worker_stop(TAKE_PTR(source->worker));
	}
	return err;
}

/* --- Answers --------------------------------------------------------------------------------- */

struct skep_lines *skep_lines_new(void)
{
	struct skep_lines *lines = skep_xcalloc(1, sizeof(*lines));

	skep_arena_init(&lines->arena);
	lines->ending_fd = skep_ending_peek_fd();
	lines->budget_ns = SKEP_LINES_BUDGET_NS;
	lines->began_ns = skep_clock_ns();
	return lines;
}

void skep_lines_free(struct skep_lines *lines)
{
	if (!lines)
		return;
	skep_strmap_done(&lines->known);
	skep_arena_done(&lines->arena);
	skep_vec_done(&lines->troubles);
	skep_close(&lines->ending_fd);
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

static void **remember(struct skep_lines *lines, const uint64_t key[2])
{
	const char *kept = skep_arena_dup(&lines->arena, key, 2 * sizeof(*key));

	return skep_strmap_put(&lines->known, kept, 2 * sizeof(*key));
}

void skep_lines_lose(struct skep_lines *lines, pid_t pid, uint64_t addr, const char *path, int err,
		     struct skep_names *names)
{
	const uint64_t key[2] = {NO_FILE | (uint32_t)pid, addr};

	forget_if_full(lines);
	if (skep_strmap_get(&lines->known, (const char *)key, sizeof(key)))
		return;
	*remember(lines, key) = NULL;
	lose(lines, path, strerror(-err), false, names);
}

const struct skep_line_answer *skep_lines_find(struct skep_lines *lines, struct skep_files *files,
					       struct skep_file *file, uint64_t addr,
					       struct skep_names *names, bool demangle)
{
	const uint64_t key[2] = {file->gen, addr};
	struct skep_dwarf_answer answer = {0};
	void **known;

	if (file->lines.fd < 0 && !file->lines.err)
		return NULL;
	known = skep_strmap_get(&lines->known, (const char *)key, sizeof(key));
	if (known)
		return *known;
	forget_if_full(lines);
	int err = ask(lines, files, file, addr, names, &answer);
	if (err == -ECANCELED) { /* the signal may not have been for what is asked next */
		skep_dwarf_answer_done(&answer);
		return NULL;
	}
	known = remember(lines, key);
	*known = err ? NULL : keep(lines, &answer, names, demangle);
	skep_dwarf_answer_done(&answer);
	return *known;
}
