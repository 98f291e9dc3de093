/*
 * tracepoint: places from tracefs, events/CATEGORY/EVENT/id; arguments from the
 * format file beside it, read only for scripts that use them.
 *
 * Matching hundreds of events must stay cheap: directories are read, then one id
 * file for each match, and nothing else.
 */
#include "trace/provider/provider.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"
#include "linux/bpf.h"
#include "trace/provider/format.h"
#include "trace/provider/tracepoint.h"

#define FORMAT_LIMIT_BYTES (1u << 20)

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}
#define _cleanup_dir_ __attribute__((cleanup(close_dir)))

/* --- tracefs ------------------------------------------------------------------------------ */

static int open_events(struct skep_expand *x, struct skep_span span, int *ret_fd)
{
	const char *root = skep_tracefs();
	char path[4096];
	int fd = -1;

	if (root) {
		snprintf(path, sizeof(path), "%s/events", root);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return skep_diag_fail(x->diag, -errno, SKEP_DIAG_PROBE_TRACEFS, span,
				      strerror(errno));
	*ret_fd = fd;
	return 0;
}

static DIR *open_dir_at(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		close(fd);
	return dir;
}

/* Directories in @name of @dir_fd that match @pattern, each as PREFIX + its name. */
static void match_dirs(struct skep_arena *arena, int dir_fd, const char *name, const char *pattern,
		       const char *prefix, struct skep_names *names)
{
	_cleanup_dir_ DIR *dir = open_dir_at(dir_fd, name);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
		    !skep_wildcard_match(pattern, entry->d_name))
			continue;
		skep_vec_push(names, skep_arena_printf(arena, "%s%s", prefix, entry->d_name));
	}
}

/* The events of "ftrace" are records the function tracers write; nothing attaches to them. */
static bool is_attachable(const char *category)
{
	return strcmp(category, "ftrace") != 0;
}

/* "CATEGORY:EVENT" for all that match, sorted. */
static void match_events(struct skep_arena *arena, int events_fd, const char *category,
			 const char *event, struct skep_names *names)
{
	_cleanup_names_ struct skep_names categories = {0};

	if (skep_has_wildcard(category))
		match_dirs(arena, events_fd, ".", category, "", &categories);
	else if (!strchr(category, '/') && category[0] != '.')
		skep_vec_push(&categories, category);
	for (size_t i = 0; i < categories.len; i++) {
		const char *prefix = skep_arena_printf(arena, "%s:", categories.data[i]);
		if (is_attachable(categories.data[i]))
			match_dirs(arena, events_fd, categories.data[i], event, prefix, names);
	}
	skep_spec_names_sort(names);
}

int skep_tracepoint_match(struct skep_expand *x, const char *category, const char *event,
			  struct skep_names *names)
{
	_cleanup_close_ int fd = -1;
	int err = open_events(x, SKEP_NOWHERE, &fd);

	if (!err)
		match_events(x->arena, fd, category, event, names);
	return err;
}

/* The @file of "CATEGORY:EVENT". To open the folder of all events, @events_fd, pays where many are
 * asked for; -1: it is not open. Return it, the caller's | -ENOENT there is none | -errno */
static int open_file(int events_fd, const char *name, const char *file)
{
	const char *colon = strchr(name, ':'), *root = events_fd < 0 ? skep_tracefs() : "";
	char path[4096];

	if (!root)
		return -errno;
	if (!colon || strchr(name, '/') || name[0] == '.' || colon[1] == '.')
		return -ENOENT;
	int len = snprintf(path, sizeof(path), "%s%s%.*s/%s/%s", root,
			   events_fd < 0 ? "/events/" : "", (int)(colon - name), name, colon + 1,
			   file);
	if (len >= (int)sizeof(path))
		return -ENOENT;
	int fd = openat(events_fd < 0 ? AT_FDCWD : events_fd, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_id(int events_fd, const char *name, uint64_t *ret)
{
	_cleanup_close_ int fd = open_file(events_fd, name, "id");
	char text[24];

	if (fd < 0)
		return fd;
	ssize_t len = read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return len ? -errno : -ENOENT;
	text[len] = '\0';
	uint64_t id = strtoull(text, NULL, 10);
	if (!id)
		return -ENOENT;
	*ret = id;
	return 0;
}

/* --- Expansion ---------------------------------------------------------------------------- */

static int add_place(struct skep_expand *x, const struct skep_probe_spec *spec, const char *name,
		     uint64_t id)
{
	struct skep_probe *probe = skep_expand_add(x, skep_provider_find("tracepoint"), spec);

	if (!probe)
		return -E2BIG;
	probe->attach.type = SKEP_ATTACH_TRACEPOINT;
	probe->attach.tracepoint.id = id;
	skep_probe_name(x, probe, "tracepoint:%s", name);
	return 0;
}

static int expand_matches(struct skep_expand *x, const struct skep_probe_spec *spec, int events_fd,
			  const char *category, const char *event)
{
	_cleanup_names_ struct skep_names names = {0};
	uint32_t before = x->n_probes;
	int err = 0;

	match_events(x->arena, events_fd, category, event, &names);
	for (size_t i = 0; i < names.len && !err; i++) {
		uint64_t id = 0;
		if (!read_id(events_fd, names.data[i], &id))
			err = add_place(x, spec, names.data[i], id);
	}
	if (x->n_probes > before || err)
		return err;
	return skep_expand_missing(
		x, spec->span,
		skep_arena_printf(x->arena, "tracepoint that matches %s:%s", category, event), NULL,
		NULL);
}

/* The same event in another category is the best guess; else the event is wrong if the category
 * exists, or the category is. */
static int fail_missing(struct skep_expand *x, const struct skep_probe_spec *spec, int events_fd)
{
	_cleanup_names_ struct skep_names same = {0}, events = {0}, categories = {0};
	const char *category = spec->parts[1], *event = spec->parts[2];

	if (x->diag)
		match_events(x->arena, events_fd, "*", event, &same);
	match_dirs(x->arena, events_fd, ".", "*", "", &categories);
	if (!strchr(category, '/') && category[0] != '.')
		match_dirs(x->arena, events_fd, category, "*", "", &events);
	if (events.len)
		return skep_expand_missing(
			x, skep_spec_span(x, spec, 2),
			skep_arena_printf(x->arena, "tracepoint %s in %s", event, category),
			same.len ? skep_arena_printf(x->arena, "%s:%s", category, event) : event,
			same.len ? &same : &events);
	return skep_expand_missing(x, skep_spec_span(x, spec, 1),
				   skep_arena_printf(x->arena, "tracepoint category %s", category),
				   same.len ? skep_arena_printf(x->arena, "%s:%s", category, event)
					    : category,
				   same.len ? &same : &categories);
}

int skep_tracepoint_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_close_ int events_fd = -1;
	uint64_t id = 0;
	int err;

	/* tracepoint:*sleep* means the event's name. */
	bool any_category = spec->n_parts == 2 && skep_has_wildcard(spec->parts[1]);
	if (spec->n_parts != 3 && !any_category)
		return skep_spec_bad_parts(x, skep_provider_find("tracepoint"), spec);
	const char *category = any_category ? "*" : spec->parts[1];
	const char *event = any_category ? spec->parts[1] : spec->parts[2];

	bool is_pattern = skep_has_wildcard(category) || skep_has_wildcard(event);
	const char *name = skep_arena_printf(x->arena, "%s:%s", category, event);
	err = is_pattern ? -ENOENT : read_id(-1, name, &id);
	if (!err)
		return add_place(x, spec, name, id);
	if (err == -EACCES || err == -EPERM)
		return skep_diag_fail(x->diag, err, SKEP_DIAG_PROBE_TRACEFS, spec->span,
				      strerror(-err));
	err = open_events(x, spec->span, &events_fd);
	if (err)
		return err;
	return is_pattern ? expand_matches(x, spec, events_fd, category, event)
			  : fail_missing(x, spec, events_fd);
}

/* --- Arguments ---------------------------------------------------------------------------- */

static const struct skep_type *pointer_or_int(struct skep_expand *x,
					      const struct skep_format_field *field,
					      enum skep_space space)
{
	if (strchr(field->type, '*'))
		return skep_type_ptr(x->types, &skep_type_none, space);
	if (field->size == 1 || field->size == 2 || field->size == 4 || field->size == 8)
		return skep_type_int(field->size, field->is_signed);
	return skep_type_array(x->types, &skep_type_u8, field->size);
}

/* Pointers of syscalls come from user space; all others are the kernel's. */
static const struct skep_type *single_type(struct skep_expand *x,
					   const struct skep_format_field *field,
					   enum skep_space space)
{
	const struct skep_type *type = skep_type_by_name(x->types, field->type, space);

	if (!type || type->kind == SKEP_T_NONE || type->size > field->size)
		return pointer_or_int(x, field, space);
	if (type->kind == SKEP_T_RECORD)
		return skep_type_record(x->types, type->record, SKEP_SPACE_CTX);
	/* A syscall's "int dfd" has a slot of 8 bytes: the low ones are what it means (both
	 * architectures are little-endian), and so -100 reads as -100. */
	return type;
}

static const struct skep_type *array_type(struct skep_expand *x,
					  const struct skep_format_field *field,
					  enum skep_space space)
{
	const struct skep_type *elem = skep_type_by_name(x->types, field->type, space);

	if (!elem || !elem->size)
		elem = &skep_type_u8;
	if (!strcmp(field->type, "char") && field->size)
		return skep_type_string(x->types, field->size);
	return skep_type_array(x->types, elem, field->size / elem->size);
}

/* The record holds the place of the data, which is in the record too, so in kernel memory. */
static const struct skep_type *loc_type(struct skep_expand *x,
					const struct skep_format_field *field)
{
	const struct skep_type *elem = skep_type_by_name(x->types, field->type, SKEP_SPACE_KERNEL);

	return skep_type_ptr(x->types, elem && elem->size ? elem : &skep_type_u8,
			     SKEP_SPACE_KERNEL);
}

static const struct skep_type *field_type(struct skep_expand *x,
					  const struct skep_format_field *field, bool of_syscall)
{
	bool user = of_syscall || strstr(field->type, "__user");
	enum skep_space space = user ? SKEP_SPACE_USER : SKEP_SPACE_KERNEL;

	if (field->is_data_loc || field->is_rel_loc)
		return loc_type(x, field);
	return field->is_array ? array_type(x, field, space) : single_type(x, field, space);
}

static bool is_syscall(const char *target)
{
	return !strncmp(target, "tracepoint:syscalls:", 20);
}

static const struct skep_record *make_record(struct skep_expand *x, const char *target,
					     const struct skep_format *format)
{
	struct skep_record *record = skep_arena_new(x->arena, struct skep_record);
	struct skep_field *fields =
		skep_arena_array(x->arena, struct skep_field, format->n_fields + 1);

	for (uint32_t i = 0; i < format->n_fields; i++) {
		const struct skep_format_field *from = &format->fields[i];
		fields[i].name = from->name;
		fields[i].off = from->off;
		fields[i].is_data_loc = from->is_data_loc;
		fields[i].is_rel_loc = from->is_rel_loc;
		fields[i].type = field_type(x, from, is_syscall(target));
		if (from->off + from->size > record->size)
			record->size = from->off + from->size;
	}
	record->name = skep_arena_printf(x->arena, "args of %s", target);
	record->fields = fields;
	record->n_fields = format->n_fields;
	return record;
}

/* @target: "tracepoint:CATEGORY:EVENT" */
static int read_format(struct skep_expand *x, const char *target, struct skep_span span,
		       struct skep_format *ret)
{
	_cleanup_buf_ struct skep_buf text = {0};
	_cleanup_close_ int fd = open_file(-1, strchr(target, ':') + 1, "format");
	uint32_t line = 0;
	int err = fd < 0 ? fd : skep_fd_read(fd, FORMAT_LIMIT_BYTES, &text);

	if (!err)
		err = skep_format_parse(x->arena, text.data ? text.data : "", text.len, ret, &line);
	if (!err)
		return 0;
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_FORMAT, span, target);
	if (line)
		skep_diag_why(x->diag, "line %u of its format file makes no sense", line);
	else
		skep_diag_why(x->diag, "its format file cannot be read: %s", strerror(-err));
	return err;
}

/* From the end: what all records have comes first. */
static bool is_same_format(const struct skep_format *a, const struct skep_format *b)
{
	if (a->n_fields != b->n_fields)
		return false;
	for (uint32_t i = a->n_fields; i-- > 0;) {
		const struct skep_format_field *x = &a->fields[i], *y = &b->fields[i];
		if (x->off != y->off || x->size != y->size || x->is_signed != y->is_signed ||
		    strcmp(x->decl, y->decl) != 0)
			return false;
	}
	return true;
}

/* A place of the same body whose records look the same: both may have one program. Who called it
 * decides whose memory pointers are in. */
static const struct skep_probe *find_alike(const struct skep_expand *x,
					   const struct skep_probe *probe)
{
	for (uint32_t i = 0; i < x->n_probes; i++) {
		const struct skep_probe *other = x->probes[i];
		if (other->def == probe->def && other->format && other != probe &&
		    is_syscall(other->attach.target) == is_syscall(probe->attach.target) &&
		    is_same_format(other->format, probe->format))
			return other;
	}
	return NULL;
}

int skep_tracepoint_layout(struct skep_expand *x, struct skep_probe *probe)
{
	struct skep_format *format = skep_arena_new(x->arena, struct skep_format);
	int err = read_format(x, probe->attach.target, probe->spec->span, format);

	if (err)
		return err;
	probe->format = format;
	const struct skep_probe *alike = find_alike(x, probe);
	probe->args = alike ? alike->args : make_record(x, probe->attach.target, format);
	return 0;
}

/* --- Listing ------------------------------------------------------------------------------ */

static void list_fields(struct skep_expand *x, const char *name, struct skep_buf *out)
{
	const char *target = skep_arena_printf(x->arena, "tracepoint:%s", name);
	struct skep_format format;

	if (read_format(x, target, SKEP_NOWHERE, &format))
		return;
	for (uint32_t i = 0; i < format.n_fields; i++) {
		if (!format.fields[i].is_common)
			skep_buf_printf(out, "    %s\n", format.fields[i].decl);
	}
}

int skep_tracepoint_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
			 struct skep_buf *out)
{
	_cleanup_names_ struct skep_names names = {0};
	const char *category = pattern->n_parts > 2 ? pattern->parts[1] : "*";
	const char *event = pattern->n_parts > 1 ? pattern->parts[pattern->n_parts - 1] : "*";
	_cleanup_close_ int events_fd = -1;
	int err = open_events(x, pattern->span, &events_fd);

	if (err)
		return err;
	match_events(x->arena, events_fd, category, event, &names);
	for (size_t i = 0; i < names.len; i++) {
		skep_buf_printf(out, "tracepoint:%s\n", names.data[i]);
		if (verbose)
			list_fields(x, names.data[i], out);
	}
	return 0;
}
