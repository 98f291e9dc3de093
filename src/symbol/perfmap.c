/*
 * Reads /tmp/perf-PID.map; see perfmap.h. The file only grows while its process
 * compiles, so each reading goes on where the last one stopped.
 */
#include "symbol/perfmap.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES (256 * 1024)
/* How many entries that start before an address may be looked at for one that holds it. */
#define LOOK_BACK 16

void skep_perfmap_done(struct skep_perfmap *map)
{
	skep_vec_done(&map->entries);
	skep_buf_done(&map->names);
	*map = (struct skep_perfmap){0};
}

static bool take_hex(const char **at, const char *end, uint64_t *ret)
{
	const char *s = *at;
	uint64_t n = 0;

	if (end - s > 2 && s[0] == '0' && (s[1] | 0x20) == 'x')
		s += 2;
	*at = s;
	for (; s < end; s++) {
		unsigned char lower = (unsigned char)*s | 0x20;

		if (*s >= '0' && *s <= '9')
			n = n << 4 | (uint64_t)(*s - '0');
		else if (lower >= 'a' && lower <= 'f')
			n = n << 4 | (uint64_t)(lower - 'a' + 10);
		else
			break;
	}
	if (s == *at || s - *at > 16 || s == end || *s != ' ')
		return false;
	*at = s + 1;
	*ret = n;
	return true;
}

bool skep_perfmap_line(const char *at, const char *end, struct skep_perfmap_line *ret)
{
	struct skep_perfmap_line line;

	if (!take_hex(&at, end, &line.start) || !take_hex(&at, end, &line.size))
		return false;
	while (at < end && *at == ' ')
		at++;
	line.name = at;
	line.name_len = strnlen(at, (size_t)(end - at));
	if (!line.name_len || !line.size || line.size > UINT64_MAX - line.start)
		return false;
	*ret = line;
	return true;
}

static void take_line(struct skep_perfmap *map, const char *at, const char *end)
{
	struct skep_perfmap_line line;

	if (!skep_perfmap_line(at, end, &line) || map->entries.len == SKEP_PERFMAP_MAX_ENTRIES)
		return;
	skep_vec_push(&map->entries, ((struct skep_perfmap_entry){
					     .start = line.start,
					     .size = line.size,
					     .name = (uint32_t)map->names.len,
					     .order = (uint32_t)map->entries.len,
				     }));
	skep_buf_add(&map->names, line.name,
		     line.name_len < SKEP_PERFMAP_NAME_MAX ? line.name_len : SKEP_PERFMAP_NAME_MAX);
	skep_buf_addc(&map->names, '\0');
	map->sorted = false;
}

size_t skep_perfmap_parse(struct skep_perfmap *map, const char *text, size_t len)
{
	const char *at = text, *end = text + len, *newline;

	while (at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		take_line(map, at, newline);
		at = newline + 1;
	}
	return (size_t)(at - text);
}

static int compare(const void *a, const void *b)
{
	const struct skep_perfmap_entry *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

const char *skep_perfmap_find(struct skep_perfmap *map, uint64_t addr, uint64_t *ret_start)
{
	const struct skep_perfmap_entry *data, *best = NULL;
	size_t low = 0, high = map->entries.len;

	if (!map->sorted && high)
		qsort(map->entries.data, high, sizeof(*map->entries.data), compare);
	map->sorted = true;
	data = map->entries.data;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (data[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = low; i > 0 && low - i < LOOK_BACK; i--) {
		const struct skep_perfmap_entry *entry = &data[i - 1];

		if (addr - entry->start < entry->size && (!best || entry->order > best->order))
			best = entry;
	}
	if (!best)
		return NULL;
	*ret_start = best->start;
	return map->names.data + best->name;
}

bool skep_perfmap_is_of(int fd, uid_t owner, struct stat *ret)
{
	return fstat(fd, ret) == 0 && S_ISREG(ret->st_mode) &&
	       (ret->st_uid == owner || ret->st_uid == 0);
}

/* Is @fd a file we take names from? Forgets what was read if it is not the same file. */
static bool usable(struct skep_perfmap *map, int fd, uid_t owner)
{
	struct stat st;

	if (!skep_perfmap_is_of(fd, owner, &st))
		return false;
	if (map->inode != st.st_ino || map->dev != st.st_dev ||
	    (uint64_t)st.st_size < map->read_bytes)
		skep_perfmap_done(map);
	map->inode = st.st_ino;
	map->dev = st.st_dev;
	return (uint64_t)st.st_size > map->read_bytes;
}

bool skep_perfmap_update(struct skep_perfmap *map, int fd, uid_t owner)
{
	_cleanup_buf_ struct skep_buf text = {0};
	uint64_t before;

	if (!usable(map, fd, owner))
		return false;
	before = map->read_bytes;
	while (map->read_bytes < SKEP_PERFMAP_MAX_BYTES) {
		char *at = skep_buf_reserve(&text, CHUNK_BYTES);
		ssize_t n = pread(fd, at, CHUNK_BYTES, (off_t)map->read_bytes);
		size_t used;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used = skep_perfmap_parse(map, at, (size_t)n);
		if (!used && n < CHUNK_BYTES)
			break; /* the last line is still being written */
		/* A line as long as the buffer is none: step over it. */
		map->read_bytes += used ? used : (size_t)n;
	}
	return map->read_bytes > before;
}
