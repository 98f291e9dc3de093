/*
 * Reads /proc/kallsyms line by line. The file is some 5 MB that the kernel
 * writes as we read; nothing is kept here, and no library parser is called, so
 * that the time goes to the kernel's part of the work.
 */
#include "symbol/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES    (64 * 1024)
#define LINE_MAX_BYTES 4096

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "[name]" behind the tab. */
static void take_module(const char *at, const char *end, struct skep_kallsyms_line *line)
{
	if (end - at < 3 || at[0] != '[' || end[-1] != ']')
		return;
	line->module = at + 1;
	line->module_len = (size_t)(end - at) - 2;
}

int skep_kallsyms_parse(const char *line, const char *end, struct skep_kallsyms_line *ret)
{
	struct skep_kallsyms_line found = {0};
	const char *at = line, *tab;
	int digit;

	while (at < end && at - line < 16 && (digit = hex_digit((unsigned char)*at)) >= 0) {
		found.addr = found.addr << 4 | (unsigned)digit;
		at++;
	}
	if (at == line || end - at < 4 || at[0] != ' ' || at[2] != ' ')
		return -EINVAL;
	found.type = at[1];
	found.name = at + 3;
	tab = memchr(found.name, '\t', (size_t)(end - found.name));
	found.name_len = (size_t)((tab ? tab : end) - found.name);
	if (!found.name_len)
		return -EINVAL;
	if (tab)
		take_module(tab + 1, end, &found);
	*ret = found;
	return 0;
}

struct reader {
	int (*fn)(void *ctx, const struct skep_kallsyms_line *line);
	void *ctx;
	bool skipping; /* the rest of a line that is too long */
};

static int take_line(struct reader *reader, const char *line, const char *end)
{
	struct skep_kallsyms_line parsed;

	if (reader->skipping) {
		reader->skipping = false;
		return 0;
	}
	return skep_kallsyms_parse(line, end, &parsed) < 0 ? 0 : reader->fn(reader->ctx, &parsed);
}

/* Every whole line of @text; @ret_used: how much that was. */
static int take_lines(struct reader *reader, const char *text, size_t len, size_t *ret_used)
{
	const char *at = text, *end = text + len, *newline;
	int err = 0;

	while (!err && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		err = take_line(reader, at, newline);
		at = newline + 1;
	}
	*ret_used = (size_t)(at - text);
	return err;
}

static int read_chunks(int fd, struct reader *reader, char *buf)
{
	size_t len = 0, used;

	for (;;) {
		ssize_t n = read(fd, buf + len, CHUNK_BYTES - len);
		int err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return len ? take_line(reader, buf, buf + len) : 0;
		len += (size_t)n;
		err = take_lines(reader, buf, len, &used);
		if (err)
			return err;
		len -= used;
		memmove(buf, buf + used, len);
		if (len > LINE_MAX_BYTES) {
			reader->skipping = true;
			len = 0;
		}
	}
}

int skep_kallsyms_read(int fd, int (*fn)(void *ctx, const struct skep_kallsyms_line *line),
		       void *ctx)
{
	struct reader reader = {.fn = fn, .ctx = ctx};
	char buf[CHUNK_BYTES];

	return read_chunks(fd, &reader, buf);
}
