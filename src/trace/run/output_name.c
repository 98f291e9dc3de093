/*
 * Numbers that are printed as names: users, addresses, errors, signals, probes,
 * control groups.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/vec.h"
#include "sink/number.h"
#include "trace/run/output_impl.h"

#define FILE_MOST    (16u << 20)
#define CGROUP_DEPTH 64
#define PATH_ROOM    4096

/* What was looked up, kept: the same few users and groups come again and again. */
struct name {
	uint64_t id, filter;
	char *text; /* owned */
};
struct skep_names {
	SKEP_VEC(struct name) users, groups;
	struct skep_buf passwd; /* /etc/passwd, read once */
	bool has_passwd;
};

static struct skep_names *names_of(struct skep_output *out)
{
	struct skep_output_state *state = skep_output_state(out);

	if (!state->names)
		state->names = skep_xcalloc(1, sizeof(*state->names));
	return state->names;
}

void skep_names_free(struct skep_names *names)
{
	if (!names)
		return;
	skep_vec_foreach (struct name, name, &names->users)
		free(name->text);
	skep_vec_foreach (struct name, name, &names->groups)
		free(name->text);
	skep_vec_done(&names->users);
	skep_vec_done(&names->groups);
	skep_buf_done(&names->passwd);
	free(names);
}

/* --- Users --------------------------------------------------------------------------------- */

/* Up to the colon behind a field, or the end of its line. */
static const char *field_end(const char *field)
{
	return field + strcspn(field, ":\n");
}

/* The line of @id in text like "root:x:0:0:…"; its first field is the name. */
static char *find_user(const char *passwd, uint64_t id)
{
	for (const char *line = passwd; line && *line;) {
		const char *name_end = field_end(line), *next = strchr(line, '\n');
		const char *password_end = *name_end == ':' ? field_end(name_end + 1) : name_end;
		if (*password_end == ':' && isdigit((unsigned char)password_end[1]) &&
		    strtoull(password_end + 1, NULL, 10) == id)
			return strndup(line, (size_t)(name_end - line));
		line = next ? next + 1 : NULL;
	}
	return strdup("");
}

void skep_text_username(struct skep_printer *p, const struct skep_view *view)
{
	struct skep_names *names = names_of(p->out);
	uint64_t id = skep_view_int(view);

	skep_vec_foreach (struct name, name, &names->users) {
		if (name->id == id) {
			skep_buf_puts(p->buf, name->text);
			return;
		}
	}
	if (!names->has_passwd)
		skep_file_read("/etc/passwd", FILE_MOST, &names->passwd);
	names->has_passwd = true;
	struct name name = {.id = id, .text = find_user(names->passwd.data, id)};
	if (!name.text)
		skep_oom();
	skep_vec_push(&names->users, name);
	skep_buf_puts(p->buf, name.text);
}

/* --- Addresses ------------------------------------------------------------------------------- */

void skep_text_inet(struct skep_printer *p, const struct skep_view *view)
{
	char text[INET6_ADDRSTRLEN];
	uint32_t family;

	if (view->len < sizeof(family) + 16)
		return;
	memcpy(&family, view->at, sizeof(family));
	if ((family == AF_INET || family == AF_INET6) &&
	    inet_ntop((int)family, view->at + sizeof(family), text, sizeof(text)))
		skep_buf_puts(p->buf, text);
}

void skep_text_mac(struct skep_printer *p, const struct skep_view *view)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < 6 && i < view->len; i++) {
		if (i)
			skep_buf_addc(p->buf, ':');
		skep_buf_addc(p->buf, digits[view->at[i] >> 4]);
		skep_buf_addc(p->buf, digits[view->at[i] & 15]);
	}
}

/* --- Errors, signals, probes ----------------------------------------------------------------- */

/* Of -EPERM as of EPERM: what the kernel returns is what scripts have at hand. */
void skep_text_strerror(struct skep_printer *p, const struct skep_view *view)
{
	int nr = (int)skep_view_int(view);
	const char *text = nr == INT_MIN ? NULL : strerrordesc_np(abs(nr));

	skep_buf_puts(p->buf, text ? text : "Unknown error");
}

void skep_text_signal(struct skep_printer *p, const struct skep_view *view)
{
	uint64_t nr = skep_view_int(view);

	skep_buf_puts(p->buf, nr < NSIG ? strsignal((int)nr) : "N/A");
}

void skep_text_probe(struct skep_printer *p, const struct skep_view *view)
{
	const struct skep_trace_program *program = p->out->program;
	uint64_t index = skep_view_int(view);

	if (index < program->n_probes)
		skep_buf_puts(p->buf, program->probes[index]->name);
}

/* --- Control groups -------------------------------------------------------------------------- */

/* A folder with inode @id under @path (room for PATH_ROOM), depth first. */
static bool find_inode(char *path, size_t len, uint64_t id, int depth)
{
	DIR *dir = depth < CGROUP_DEPTH ? opendir(path) : NULL;
	bool found = false;

	for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		int n = snprintf(path + len, PATH_ROOM - len, "/%s", entry->d_name);
		if (n < 0 || (size_t)n >= PATH_ROOM - len)
			continue;
		found = entry->d_ino == id || find_inode(path, len + (size_t)n, id, depth + 1);
	}
	if (!found)
		path[len] = '\0';
	if (dir)
		closedir(dir);
	return found;
}

/* "NAME:PATH" of one hierarchy, after a comma if it is not the first. */
static void add_hierarchy(const char *name, const char *root, uint64_t id, struct skep_buf *out)
{
	char path[PATH_ROOM];
	struct stat st;
	size_t len = strlen(root);

	if (len >= sizeof(path) || stat(root, &st))
		return;
	memcpy(path, root, len + 1);
	if (st.st_ino != id && !find_inode(path, len, id, 0))
		return;
	if (out->len)
		skep_buf_addc(out, ',');
	skep_buf_puts(out, name);
	skep_buf_addc(out, ':');
	skep_buf_puts(out, path[len] ? path + len : "/");
}

struct hierarchy {
	char name[256], root[512];
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct hierarchy *)a)->name, ((const struct hierarchy *)b)->name);
}

/* The word at @at, cut to @size. Return what is behind it and its blank. */
static const char *take_word(const char *at, char *ret, size_t size)
{
	size_t len = strcspn(at, " \n");

	snprintf(ret, size, "%.*s", (int)len, at);
	return at + len + (at[len] == ' ');
}

/* One line of /proc/mounts: a hierarchy of version 2 is called "unified", the others by their
 * folder. */
static bool parse_mount(const char *line, struct hierarchy *ret, bool *ret_is_v2)
{
	char type[16];

	line += strcspn(line, " \n");
	line = take_word(line + (*line == ' '), ret->root, sizeof(ret->root));
	take_word(line, type, sizeof(type));
	if (strncmp(type, "cgroup", 6))
		return false;
	*ret_is_v2 = !strcmp(type, "cgroup2");
	const char *last = strrchr(ret->root, '/');
	snprintf(ret->name, sizeof(ret->name), "%s", *ret_is_v2 ? "unified" : last ? last + 1 : "");
	return *ret_is_v2 || !strcmp(type, "cgroup");
}

/* Version 2 first, then the others by name, as bpftrace has them. */
static char *find_group(uint64_t id, const char *filter)
{
	_cleanup_buf_ struct skep_buf mounts = {0}, found = {0};
	SKEP_VEC(struct hierarchy) old = {0};

	skep_file_read("/proc/mounts", FILE_MOST, &mounts);
	for (const char *line = mounts.data; line && *line;) {
		struct hierarchy hierarchy;
		const char *next = strchr(line, '\n');
		bool is_v2;
		if (parse_mount(line, &hierarchy, &is_v2) &&
		    skep_wildcard_match(filter, hierarchy.name)) {
			if (is_v2)
				add_hierarchy(hierarchy.name, hierarchy.root, id, &found);
			else
				skep_vec_push(&old, hierarchy);
		}
		line = next ? next + 1 : NULL;
	}
	if (old.len)
		qsort(old.data, old.len, sizeof(*old.data), by_name);
	skep_vec_foreach (struct hierarchy, it, &old)
		add_hierarchy(it->name, it->root, id, &found);
	skep_vec_done(&old);
	return skep_xstrdup(found.data ? found.data : "");
}

void skep_text_cgroup_path(struct skep_printer *p, const struct skep_view *view)
{
	const struct skep_trace_program *program = p->out->program;
	struct skep_names *names = names_of(p->out);
	uint64_t id, filter;

	if (view->len < 16)
		return;
	memcpy(&id, view->at, 8);
	memcpy(&filter, view->at + 8, 8);
	skep_vec_foreach (struct name, name, &names->groups) {
		if (name->id == id && name->filter == filter) {
			skep_buf_puts(p->buf, name->text);
			return;
		}
	}
	if (filter >= program->n_strings)
		return;
	struct name name = {
		.id = id, .filter = filter, .text = find_group(id, program->strings[filter])};
	skep_vec_push(&names->groups, name);
	skep_buf_puts(p->buf, name.text);
}
