/*
 * usdt: probes that programs declare themselves, in ELF notes. One name may have
 * several notes, where the function around it was inlined: each is a place of its
 * own, with its own arguments.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"
#include "trace/provider/binary.h"

/** A note; strings on the arena. */
struct note {
	const char *provider, *name, *args;
	uint64_t off, semaphore_off;
};

struct notes {
	struct note *data; /* owned */
	size_t len, cap;
};

static void free_notes(struct notes *notes)
{
	skep_vec_done(notes);
}
#define _cleanup_notes_ __attribute__((cleanup(free_notes)))

/** What is looked for. */
struct search {
	struct skep_arena *arena;
	const char *provider, *name;
	struct notes *ret;
};

static int add_note(void *ctx, const struct skep_elf_usdt *usdt)
{
	const struct search *search = ctx;

	if (!skep_wildcard_match(search->provider, usdt->provider) ||
	    !skep_wildcard_match(search->name, usdt->name))
		return 0;
	struct note *note = skep_vec_add(search->ret);
	note->provider = skep_arena_strdup(search->arena, usdt->provider);
	note->name = skep_arena_strdup(search->arena, usdt->name);
	note->args = skep_arena_strdup(search->arena, usdt->args);
	note->off = usdt->off;
	note->semaphore_off = usdt->semaphore_off;
	return 0;
}

static int compare_notes(const void *a, const void *b)
{
	const struct note *left = a, *right = b;
	int order = strcmp(left->provider, right->provider);

	order = order ? order : strcmp(left->name, right->name);
	return order ? order : (left->off > right->off) - (left->off < right->off);
}

/* Return 0 | -errno @path cannot be read as ELF (see @diag) */
static int read_notes(const char *path, const struct search *search, uint16_t *ret_machine,
		      struct skep_diag *diag)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	int err = skep_elf_open(path, &elf, diag);

	if (err)
		return err;
	*ret_machine = skep_elf_machine(elf);
	skep_elf_for_each_usdt(elf, add_note, (void *)search);
	if (search->ret->len)
		qsort(search->ret->data, search->ret->len, sizeof(*search->ret->data),
		      compare_notes);
	return 0;
}

/* --- Expansion ------------------------------------------------------------------------------ */

/** A spec taken apart. */
struct place {
	const struct skep_probe_spec *spec;
	const char *target, *ns, *name;
	uint32_t target_part, name_part;
};

/* usdt[:BINARY][:NAMESPACE]:NAME; with two parts the binary is that of the process. */
static int parse_spec(struct skep_expand *x, const struct skep_probe_spec *spec, struct place *ret)
{
	uint32_t n = spec->n_parts;
	bool no_target = n == 2 && (x->pid >= 0 || x->cmd_path);

	if (!no_target && n != 3 && n != 4)
		return skep_spec_bad_parts(x, skep_provider_find("usdt"), spec);
	/* -p and no file, or an empty one: all that the process has mapped. */
	bool whole = x->pid >= 0 && (no_target || !spec->parts[1][0]);
	ret->spec = spec;
	ret->target = whole ? "*" : no_target ? "" : spec->parts[1];
	ret->target_part = no_target ? 0 : 1;
	ret->ns = n == 4 && spec->parts[2][0] ? spec->parts[2] : "*";
	ret->name = spec->parts[n - 1];
	ret->name_part = n - 1;
	if (!ret->name[0])
		return skep_spec_bad_parts(x, skep_provider_find("usdt"), spec);
	return 0;
}

static int add_place(struct skep_expand *x, const struct place *place, const char *path,
		     uint16_t machine, const struct note *note)
{
	struct skep_probe *probe = skep_expand_add(x, skep_provider_find("usdt"), place->spec);

	if (!probe)
		return -E2BIG;
	probe->func = note->name;
	probe->usdt_text = note->args;
	probe->usdt_machine = machine;
	probe->attach.type = SKEP_ATTACH_UPROBE;
	probe->attach.uprobe.path = path;
	probe->attach.uprobe.file_off = note->off;
	probe->attach.uprobe.ref_ctr_off = note->semaphore_off;
	probe->attach.uprobe.pid = x->pid;
	skep_probe_name(x, probe, "usdt:%s:%s:%s", path, note->provider, note->name);
	return 0;
}

static int fail_missing(struct skep_expand *x, const struct place *place, const char *path)
{
	_cleanup_notes_ struct notes notes = {0};
	_cleanup_names_ struct skep_names names = {0};
	struct search all = {x->arena, "*", "*", &notes};
	uint16_t machine;

	if (x->diag)
		read_notes(path, &all, &machine, NULL);
	for (size_t i = 0; i < notes.len; i++)
		skep_vec_push(&names, notes.data[i].name);
	const char *what = skep_arena_printf(x->arena, "USDT probe %s in %s", place->name, path);
	size_t items = x->diag ? x->diag->n_items : 0;
	int err = skep_expand_missing(x, skep_spec_span(x, place->spec, place->name_part), what,
				      place->name, &names);
	if (x->diag && x->diag->n_items > items && !notes.len)
		skep_diag_why(x->diag, "it has no USDT probes at all");
	return err;
}

static int add_in_binary(struct skep_expand *x, const struct place *place, const char *path)
{
	_cleanup_notes_ struct notes notes = {0};
	struct search search = {x->arena, place->ns, place->name, &notes};
	bool glob = skep_has_wildcard(place->target);
	uint16_t machine;
	int err = read_notes(path, &search, &machine, glob ? NULL : x->diag);

	if (err)
		return glob ? 0 : err;
	for (size_t i = 0; i < notes.len && !err; i++)
		err = add_place(x, place, path, machine, &notes.data[i]);
	return notes.len || glob ? err : fail_missing(x, place, path);
}

int skep_usdt_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_names_ struct skep_names paths = {0};
	uint32_t before = x->n_probes;
	struct place place = {0};
	int err = parse_spec(x, spec, &place);

	if (err)
		return err;
	err = skep_binary_find(x, spec, place.target_part, place.target, &paths);
	for (size_t i = 0; i < paths.len && !err; i++)
		err = add_in_binary(x, &place, paths.data[i]);
	if (err || x->n_probes > before || !skep_has_wildcard(place.target))
		return err;
	return skep_expand_missing(
		x, spec->span,
		skep_arena_printf(x->arena, "USDT probe that matches %s", spec->text), NULL, NULL);
}

/* --- Arguments ------------------------------------------------------------------------------ */

int skep_usdt_layout(struct skep_expand *x, struct skep_probe *probe)
{
	struct skep_usdt_arg *args =
		skep_arena_array(x->arena, struct skep_usdt_arg, SKEP_USDT_MAX_ARGS);
	int n = skep_usdt_parse_args(probe->usdt_text, probe->usdt_machine, args,
				     SKEP_USDT_MAX_ARGS);

	if (n < 0) {
		skep_diag_add(x->diag, SKEP_DIAG_PROBE_USDT_ARGS, probe->spec->span,
			      probe->attach.target);
		skep_diag_why(x->diag, "its note says: %s", probe->usdt_text);
		return n;
	}
	probe->usdt_args = args;
	probe->n_usdt_args = (uint32_t)n;
	return 0;
}

/* --- Listing -------------------------------------------------------------------------------- */

/* "    int32 arg0" for each; nothing if the note cannot be understood. */
static void list_args(const struct note *note, uint16_t machine, struct skep_buf *out)
{
	struct skep_usdt_arg args[SKEP_USDT_MAX_ARGS];
	int n = skep_usdt_parse_args(note->args, machine, args, SKEP_USDT_MAX_ARGS);

	for (int i = 0; i < n; i++)
		skep_buf_printf(out, "    %s%d arg%d\n", args[i].size < 0 ? "int" : "uint",
				8 * abs(args[i].size), i);
}

static void list_binary(struct skep_expand *x, const char *path, const struct search *search,
			bool verbose, struct skep_buf *out)
{
	const struct notes *notes = search->ret;
	uint16_t machine;

	if (read_notes(path, search, &machine, NULL))
		return;
	for (size_t i = 0; i < notes->len; i++) {
		const struct note *note = &notes->data[i];
		if (i && !strcmp(note[-1].provider, note->provider) &&
		    !strcmp(note[-1].name, note->name))
			continue;
		skep_buf_printf(out, "usdt:%s:%s:%s\n", path, note->provider, note->name);
		if (verbose)
			list_args(note, machine, out);
	}
}

int skep_usdt_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		   struct skep_buf *out)
{
	_cleanup_names_ struct skep_names paths = {0};
	uint32_t n = pattern->n_parts;
	bool has_target = n > 2 || (n == 2 && strchr(pattern->parts[1], '/'));
	const char *name = n == 1 || (n == 2 && has_target) ? "*" : pattern->parts[n - 1];
	int err = skep_binary_find(x, pattern, has_target, has_target ? pattern->parts[1] : "*",
				   &paths);

	for (size_t i = 0; i < paths.len; i++) {
		_cleanup_notes_ struct notes notes = {0};
		struct search search = {
			.arena = x->arena,
			.provider = n > 3 && pattern->parts[2][0] ? pattern->parts[2] : "*",
			.name = name[0] ? name : "*",
			.ret = &notes};
		list_binary(x, paths.data[i], &search, verbose, out);
	}
	return err;
}
