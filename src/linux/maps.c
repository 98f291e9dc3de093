/*
 * Parses /proc/PID/maps:
 *
 *	7f0c7a228000-7f0c7a37e000 r-xp 00028000 08:01 262221    /usr/lib/libc.so.6
 *
 * The kernel writes it, but the path is a process's to choose: it may hold
 * blanks, look like a number, or end in " (deleted)" without being so. It
 * begins behind the inode's blanks and goes to the line's end.
 */
#include "linux/maps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/strmap.h"
#include "base/vec.h"

#define DELETED " (deleted)"

struct cursor {
	const char *at, *end;
};

static bool take_number(struct cursor *c, unsigned base, uint64_t *ret)
{
	const char *start = c->at;
	uint64_t n = 0;

	for (; c->at < c->end; c->at++) {
		unsigned char lower = (unsigned char)*c->at | 0x20;
		unsigned digit = 99;

		if (*c->at >= '0' && *c->at <= '9')
			digit = (unsigned)(*c->at - '0');
		else if (lower >= 'a' && lower <= 'f')
			digit = lower - 'a' + 10U;
		if (digit >= base)
			break;
		n = n * base + digit;
	}
	*ret = n;
	return c->at > start;
}

static bool take_char(struct cursor *c, char want)
{
	if (c->at == c->end || *c->at != want)
		return false;
	c->at++;
	return true;
}

static bool take_flags(struct cursor *c, bool *ret_exec)
{
	if (c->end - c->at < 4)
		return false;
	*ret_exec = c->at[2] == 'x';
	c->at += 4;
	return true;
}

static bool take_fields(struct cursor *c, struct skep_mapping *m)
{
	uint64_t major, minor;

	if (!take_number(c, 16, &m->start) || !take_char(c, '-') || !take_number(c, 16, &m->end) ||
	    !take_char(c, ' ') || !take_flags(c, &m->exec) || !take_char(c, ' ') ||
	    !take_number(c, 16, &m->off) || !take_char(c, ' ') || !take_number(c, 16, &major) ||
	    !take_char(c, ':') || !take_number(c, 16, &minor) || !take_char(c, ' ') ||
	    !take_number(c, 10, &m->inode))
		return false;
	m->dev = (uint32_t)(major << 20 | minor);
	while (take_char(c, ' '))
		;
	return m->end > m->start;
}

/* The kernel writes a newline in a path as \012 and nothing else so. */
static void add_path(struct skep_buf *paths, const char *path, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (len - i >= 4 && memcmp(path + i, "\\012", 4) == 0) {
			skep_buf_addc(paths, '\n');
			i += 3;
		} else {
			skep_buf_addc(paths, path[i]);
		}
	}
	skep_buf_addc(paths, '\0');
}

struct parse {
	SKEP_VEC(struct skep_mapping) mappings;
	struct skep_buf paths;
	const char *last; /* the path added last, in the text */
	size_t last_len;
	uint32_t last_at; /* the same in paths */
};

/* One file's mappings follow each other and share one copy of the path. */
static uint32_t path_offset(struct parse *parse, const char *path, size_t len)
{
	if (len == 0)
		return 0;
	if (len != parse->last_len || memcmp(path, parse->last, len) != 0) {
		parse->last = path;
		parse->last_len = len;
		parse->last_at = (uint32_t)parse->paths.len;
		add_path(&parse->paths, path, len);
	}
	return parse->last_at;
}

static void take_line(struct parse *parse, struct cursor c)
{
	uint64_t bound = parse->mappings.len ? skep_vec_last(&parse->mappings)->end : 0;
	size_t tail = sizeof(DELETED) - 1;
	struct skep_mapping m = {0};
	size_t len;

	if (!take_fields(&c, &m) || m.start < bound)
		return;
	len = (size_t)(c.end - c.at);
	m.deleted = len > tail && memcmp(c.end - tail, DELETED, tail) == 0;
	m.path = path_offset(parse, c.at, m.deleted ? len - tail : len);
	skep_vec_push(&parse->mappings, m);
}

void skep_maps_parse(const char *text, size_t len, struct skep_maps *ret)
{
	const char *at = text, *end = text + len;
	struct parse parse = {0};

	skep_buf_addc(&parse.paths, '\0');
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *line_end = newline ? newline : end;

		take_line(&parse, (struct cursor){at, line_end});
		at = line_end + 1;
	}
	*ret = (struct skep_maps){
		.data = parse.mappings.data,
		.n = parse.mappings.len,
		.paths = parse.paths.data,
		.paths_len = parse.paths.len,
		.hash = skep_hash_bytes(text, len),
	};
}

void skep_maps_done(struct skep_maps *maps)
{
	free(maps->data);
	free(maps->paths);
	*maps = (struct skep_maps){0};
}

int skep_maps_read(pid_t pid, struct skep_maps *ret)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	err = skep_file_read(path, SKEP_MAPS_MAX_BYTES, &text);
	if (err)
		return err == -ENOENT ? -ESRCH : err;
	skep_maps_parse(text.data ? text.data : "", text.len, ret);
	return 0;
}

struct skep_mapping *skep_maps_find(const struct skep_maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (maps->data[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < maps->n && maps->data[low].start <= addr ? &maps->data[low] : NULL;
}

/* --- One at a time --------------------------------------------------------------------------- */

/* A path that is there already is shared. */
static uint32_t put_path(struct skep_maps *maps, const char *path)
{
	size_t len = strlen(path) + 1;

	for (size_t i = 0; i < maps->n; i++) {
		if (!strcmp(maps->paths + maps->data[i].path, path))
			return maps->data[i].path;
	}
	if (maps->paths_len && len == 1)
		return 0;
	size_t at = maps->paths_len ? maps->paths_len : 1;
	maps->paths = skep_xrealloc(maps->paths, at + len);
	maps->paths[0] = maps->paths_len ? maps->paths[0] : '\0';
	memcpy(maps->paths + at, path, len);
	maps->paths_len = at + len;
	return (uint32_t)at;
}

static void insert_at(struct skep_maps *maps, size_t i, const struct skep_mapping *mapping)
{
	memmove(&maps->data[i + 1], &maps->data[i], (maps->n - i) * sizeof(*maps->data));
	maps->data[i] = *mapping;
	maps->n++;
}

/* Clear [start, end): what lies across an end is cut there. Room for one more is needed. */
static void clear(struct skep_maps *maps, uint64_t start, uint64_t end)
{
	size_t kept = 0;

	for (size_t i = 0; i < maps->n; i++) {
		struct skep_mapping m = maps->data[i], rest = m;
		if (m.start < start && m.end > end) { /* both ends are left, and no other has any */
			maps->data[i].end = start;
			rest.off += end - m.start;
			rest.start = end;
			insert_at(maps, i + 1, &rest);
			return;
		}
		if (m.start < start)
			m.end = m.end < start ? m.end : start;
		else if (m.end > end && m.start < end) {
			m.off += end - m.start;
			m.start = end;
		} else if (m.start < end)
			continue;
		maps->data[kept++] = m;
	}
	maps->n = kept;
}

struct skep_mapping *skep_maps_add(struct skep_maps *maps, const struct skep_mapping *mapping,
				   const char *path)
{
	struct skep_mapping m = *mapping;
	size_t i = 0;

	if (m.end <= m.start || maps->n + 2 > SKEP_MAPS_MAX_ADDED)
		return NULL;
	maps->data = skep_xrealloc(maps->data, (maps->n + 2) * sizeof(*maps->data));
	clear(maps, m.start, m.end);
	m.path = put_path(maps, path);
	while (i < maps->n && maps->data[i].start < m.start)
		i++;
	insert_at(maps, i, &m);
	maps->hash = 0;
	return &maps->data[i];
}

static size_t count_code(const struct skep_maps *maps)
{
	size_t n = 0;

	for (size_t i = 0; i < maps->n; i++)
		n += maps->data[i].exec;
	return n;
}

/* Many more fork than ever are asked for: once over them, without looking for known paths. */
void skep_maps_copy_code(const struct skep_maps *from, struct skep_maps *ret)
{
	struct skep_buf paths = {0};
	const struct skep_mapping *last = NULL;
	size_t n = 0;

	skep_buf_addc(&paths, '\0');
	*ret = (struct skep_maps){.data = skep_xcalloc(count_code(from), sizeof(*ret->data))};
	for (size_t i = 0; i < from->n && n < SKEP_MAPS_MAX_ADDED; i++) {
		const struct skep_mapping *m = &from->data[i];
		const char *path = from->paths + m->path;
		if (!m->exec)
			continue;
		ret->data[n] = *m;
		if (last && last->path == m->path)
			ret->data[n].path = ret->data[n - 1].path;
		else
			ret->data[n].path = *path ? (uint32_t)paths.len : 0;
		if (*path && ret->data[n].path == paths.len)
			skep_buf_add(&paths, path, strlen(path) + 1);
		last = m;
		n++;
	}
	ret->n = n;
	ret->paths = paths.data;
	ret->paths_len = paths.len;
}

size_t skep_maps_memory(const struct skep_maps *maps)
{
	return maps->n * sizeof(*maps->data) + maps->paths_len;
}
