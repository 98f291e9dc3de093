/*
 * uprobe and uretprobe: functions of programs and libraries, by name, pattern,
 * name as written in C++ or Rust, offset, or address. The kernel is given a file
 * and an offset in it, so everything is found in the file's symbol table, whether
 * anything runs it or not.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"
#include "trace/provider/binary.h"
#include "trace/provider/symbols.h"

/** A spec taken apart. */
struct place {
	const struct skep_provider *provider;
	const struct skep_probe_spec *spec;
	const char *target;
	uint32_t target_part, func_part;
	const char *lang; /* "cpp", "rust", or NULL */
	const char *func; /* NULL: addr */
	uint64_t addr, off;
	/* of the binary at hand: */
	const char *path;
	const struct skep_elf *elf;
};

/* --- Reading the spec ------------------------------------------------------------------------ */

static bool is_language(const char *word)
{
	return !strcmp(word, "cpp") || !strcmp(word, "rust");
}

/* "func", "func+0x10", "0x1234". A plus that no number follows belongs to the name (operator+). */
static void parse_func(struct skep_arena *arena, const char *text, struct place *ret)
{
	const char *plus = strrchr(text, '+');

	ret->func = text;
	if (!ret->lang && !skep_parse_uint(text, &ret->addr))
		ret->func = NULL;
	else if (plus && plus != text && !skep_parse_uint(plus + 1, &ret->off))
		ret->func = skep_arena_printf(arena, "%.*s", (int)(plus - text), text);
}

/* PROVIDER[:BINARY][:LANGUAGE]:FUNCTION; the binary may be left out for a known process. */
static int parse_spec(struct skep_expand *x, const struct skep_probe_spec *spec, struct place *ret)
{
	bool known = x->pid >= 0 || x->cmd_path;
	bool no_target = known && (spec->n_parts == 2 ||
				   (spec->n_parts == 3 && is_language(spec->parts[1])));
	uint32_t lang = no_target ? 1 : 2, n = spec->n_parts + no_target;

	if (n != 3 && n != 4)
		return skep_spec_bad_parts(x, ret->provider, spec);
	ret->spec = spec;
	ret->target = no_target ? "" : spec->parts[1];
	ret->target_part = no_target ? 0 : 1;
	ret->func_part = spec->n_parts - 1;
	ret->lang = n == 4 ? spec->parts[lang] : NULL;
	if (ret->lang && !is_language(ret->lang))
		return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_LANGUAGE,
				      skep_spec_span(x, spec, lang), ret->lang);
	if (!spec->parts[ret->func_part][0])
		return skep_spec_bad_parts(x, ret->provider, spec);
	parse_func(x->arena, spec->parts[ret->func_part], ret);
	if (ret->provider->is_return && ret->off)
		return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_RETURN_OFFSET,
				      skep_spec_span(x, spec, ret->func_part));
	return 0;
}

/* --- Adding places --------------------------------------------------------------------------- */

static int fail_address(struct skep_expand *x, const struct place *place, uint64_t addr)
{
	return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_ADDRESS,
			      skep_spec_span(x, place->spec, place->func_part),
			      (unsigned long long)addr, place->path);
}

/* @what: the last part of the name. */
static int add_place(struct skep_expand *x, const struct place *place, uint64_t addr,
		     const char *func, const char *what)
{
	struct skep_probe *probe;
	uint64_t off;

	if (!skep_elf_is_code(place->elf, addr) || skep_elf_addr_to_off(place->elf, addr, &off))
		return fail_address(x, place, addr);
	probe = skep_expand_add(x, place->provider, place->spec);
	if (!probe)
		return -E2BIG;
	probe->func = func;
	probe->attach.type = SKEP_ATTACH_UPROBE;
	probe->attach.uprobe.path = place->path;
	probe->attach.uprobe.file_off = off;
	probe->attach.uprobe.pid = x->pid;
	probe->attach.uprobe.ret = place->provider->is_return;
	skep_probe_name(x, probe, "%s:%s:%s%s%s", place->provider->name, place->path,
			place->lang ? place->lang : "", place->lang ? ":" : "", what);
	return 0;
}

static const char *func_name(const struct skep_expand *x, const struct skep_func *func)
{
	return x->config && !x->config->cpp_demangle ? func->name : func->shown;
}

/* A probe in the midst of an instruction would break the program that runs it. */
static void note_boundary(struct skep_expand *x, const struct place *place)
{
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_BOUNDARY,
		      skep_spec_span(x, place->spec, place->func_part),
		      place->spec->parts[place->func_part]);
}

static int add_address(struct skep_expand *x, const struct place *place)
{
	const char *what = skep_arena_printf(x->arena, "%llu", (unsigned long long)place->addr);
	struct skep_func func;
	bool known = !skep_funcs_find_addr(x->arena, place->elf, place->addr, &func);

	if (!skep_elf_is_code(place->elf, place->addr))
		return fail_address(x, place, place->addr);
	if (known && func.addr == place->addr)
		return add_place(x, place, place->addr, func_name(x, &func), what);
	if (place->provider->is_return)
		return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_RETURN_OFFSET,
				      skep_spec_span(x, place->spec, place->func_part));
	note_boundary(x, place);
	return add_place(x, place, place->addr, known ? func_name(x, &func) : NULL, what);
}

static int add_offset(struct skep_expand *x, const struct place *place,
		      const struct skep_func *func)
{
	unsigned long long off = place->off;

	if (off >= func->end - func->addr) {
		skep_diag_add(x->diag, SKEP_DIAG_PROBE_OFFSET,
			      skep_spec_span(x, place->spec, place->func_part), place->func, off);
		skep_diag_why(x->diag, "%s is %llu bytes long", place->func,
			      (unsigned long long)(func->end - func->addr));
		return -EINVAL;
	}
	if (off)
		note_boundary(x, place);
	return add_place(x, place, func->addr + off, func_name(x, func),
			 off ? skep_arena_printf(x->arena, "%s+%llu", func->name, off)
			     : func->name);
}

static int fail_missing(struct skep_expand *x, const struct place *place)
{
	_cleanup_funcs_ struct skep_funcs funcs = {0};
	_cleanup_names_ struct skep_names names = {0};
	bool demangle = place->lang || strstr(place->func, "::");

	if (x->diag && !skep_has_wildcard(place->func))
		skep_funcs_match(x->arena, place->elf, "*", demangle, false, &funcs);
	for (size_t i = 0; i < funcs.len; i++)
		skep_vec_push(&names, funcs.data[i].shown);
	size_t items = x->diag ? x->diag->n_items : 0;
	int err = skep_expand_missing(
		x, skep_spec_span(x, place->spec, place->func_part),
		skep_arena_printf(x->arena, "function %s in %s", place->func, place->path),
		place->func, &names);
	if (x->diag && x->diag->n_items > items && !skep_elf_has_symtab(place->elf))
		skep_diag_why(x->diag, "%s is stripped: only exported functions have names there",
			      place->path);
	return err;
}

/* Several functions: a pattern, or a source name, which overloaded functions share. */
static int add_matches(struct skep_expand *x, const struct place *place, bool demangle)
{
	_cleanup_funcs_ struct skep_funcs funcs = {0};
	int err = 0;

	skep_funcs_match(x->arena, place->elf, place->func, demangle, true, &funcs);
	for (size_t i = 0; i < funcs.len && !err; i++) {
		const struct skep_func *func = &funcs.data[i];
		/* Labels of data in code sections and the like: nothing to stop for. */
		if (skep_elf_is_code(place->elf, func->addr))
			err = add_place(x, place, func->addr, func_name(x, func), func->name);
	}
	return err;
}

static int add_in_binary(struct skep_expand *x, const struct place *place)
{
	uint32_t before = x->n_probes;
	struct skep_func func;
	int err;

	if (!place->func)
		return add_address(x, place);
	bool pattern = place->lang || skep_has_wildcard(place->func);
	if (!pattern && !skep_funcs_find(x->arena, place->elf, place->func, &func))
		return add_offset(x, place, &func);
	if (pattern && !strstr(place->func, "::")) {
		err = add_matches(x, place, place->lang);
	} else {
		/* ns::f is in no symbol table as such. */
		err = strstr(place->func, "::") ? add_matches(x, place, true) : 0;
	}
	if (err || x->n_probes > before || skep_has_wildcard(place->target))
		return err;
	return fail_missing(x, place);
}

static int expand(struct skep_expand *x, const struct skep_probe_spec *spec, const char *name)
{
	struct place place = {.provider = skep_provider_find(name)};
	_cleanup_names_ struct skep_names paths = {0};
	uint32_t before = x->n_probes;
	int err = parse_spec(x, spec, &place);

	if (err)
		return err;
	err = skep_binary_find(x, spec, place.target_part, place.target, &paths);
	bool glob = skep_has_wildcard(place.target);
	for (size_t i = 0; i < paths.len && !err; i++) {
		err = skep_binary_open(x, paths.data[i], &place.elf, glob ? NULL : x->diag);
		place.path = paths.data[i];
		err = err ? (glob ? 0 : err) : add_in_binary(x, &place);
	}
	if (err || !glob || x->n_probes > before)
		return err;
	return skep_expand_missing(
		x, spec->span, skep_arena_printf(x->arena, "function that matches %s", spec->text),
		NULL, NULL);
}

int skep_uprobe_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, "uprobe");
}

int skep_uretprobe_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, "uretprobe");
}

/* --- Listing --------------------------------------------------------------------------------- */

static void list_binary(struct skep_expand *x, const char *provider, const char *path,
			const char *func, struct skep_buf *out)
{
	_cleanup_funcs_ struct skep_funcs funcs = {0};
	_cleanup_elf_ struct skep_elf *elf = NULL;

	if (skep_elf_open(path, &elf, NULL))
		return;
	skep_funcs_match(x->arena, elf, func, strstr(func, "::"), false, &funcs);
	for (size_t i = 0; i < funcs.len; i++)
		skep_buf_printf(out, "%s:%s:%s\n", provider, path, funcs.data[i].name);
}

/* uprobe:PATTERN is about functions; uprobe:/bin/bash about a file. */
static int list(struct skep_expand *x, const struct skep_probe_spec *pattern, const char *provider,
		struct skep_buf *out)
{
	_cleanup_names_ struct skep_names paths = {0};
	uint32_t n = pattern->n_parts;
	bool has_target = n > 2 || (n == 2 && strchr(pattern->parts[1], '/'));
	const char *target = has_target ? pattern->parts[1] : "*";
	const char *func = n == 1 || (n == 2 && has_target) ? "*" : pattern->parts[n - 1];
	int err = skep_binary_find(x, pattern, has_target, target, &paths);

	for (size_t i = 0; i < paths.len; i++)
		list_binary(x, provider, paths.data[i], func[0] ? func : "*", out);
	return err;
}

int skep_uprobe_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		     struct skep_buf *out)
{
	return list(x, pattern, "uprobe", out);
}

int skep_uretprobe_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
			struct skep_buf *out)
{
	return list(x, pattern, "uretprobe", out);
}
