/*
 * Reads blocks as tests/scripts/blocks.py does, of which it needs two lines: PROG, with those that
 * go on with it, and EXPECT_EXIT. A program that is to fail is none of ours.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blocks.h"

static const char *line_end(const char *line)
{
	return line + strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
	const char *end = line_end(line);

	return *end ? end + 1 : end;
}

static bool is_empty(const char *line)
{
	return line + strspn(line, " \t") == line_end(line);
}

static const char *value_of(const char *line, const char *directive)
{
	size_t len = strlen(directive);

	return !strncmp(line, directive, len) && line[len] == ' ' ? line + len + 1 : NULL;
}

static void add_line(struct skep_buf *ret, const char *text)
{
	skep_buf_add(ret, text, (size_t)(line_end(text) - text));
	skep_buf_puts(ret, "\n");
}

static void fill_in(struct skep_buf *text, const char *name, const char *value)
{
	_cleanup_buf_ struct skep_buf filled = {0};
	const char *from = text->data, *at;

	for (; (at = strstr(from, name)); from = at + strlen(name)) {
		skep_buf_add(&filled, from, (size_t)(at - from));
		skep_buf_puts(&filled, value);
	}
	skep_buf_puts(&filled, from);
	skep_buf_clear(text);
	skep_buf_puts(text, filled.data);
}

/* One block up to its empty line. Return whether it has a program that is to work. */
static bool read_block(const char **at, struct skep_buf *ret)
{
	const char *line = *at, *value;
	bool in_prog = false, works = true;

	skep_buf_clear(ret);
	for (; *line && !is_empty(line); line = next_line(line)) {
		if (in_prog && isspace((unsigned char)*line)) {
			add_line(ret, line);
			continue;
		}
		value = value_of(line, "PROG");
		in_prog = value != NULL;
		if (value)
			add_line(ret, value);
		value = value_of(line, "EXPECT_EXIT");
		works &= !value || *value == '0';
	}
	*at = line;
	return works && ret->len;
}

bool blocks_next(const char **at, struct skep_buf *ret)
{
	char pid[16];

	while (**at) {
		if (is_empty(*at)) {
			*at = next_line(*at);
			continue;
		}
		if (!read_block(at, ret))
			continue;
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		fill_in(ret, "{{PROGRAMS}}", PROGRAMS);
		fill_in(ret, "{{BEFORE_PID}}", pid);
		return true;
	}
	return false;
}
