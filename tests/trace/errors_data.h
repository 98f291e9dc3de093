/*
 * Reads files of scripts and the messages they must give. A case is
 *
 *	=== T0012 3:9
 *	the script, up to the next line that starts with ===
 *
 * with one "id line:column" for each message, in order: "=== P0041 2:3 P0046 4:1".
 * Several files of tests use this; each has its own idea of how to run a script.
 */
#ifndef TESTS_TRACE_ERRORS_DATA_H
#define TESTS_TRACE_ERRORS_DATA_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/diag.h>

#include "base/buf.h"
#include "base/fd.h"

#define ERRORS_DATA_MAX 8

struct errors_case {
	const char *header; /* "T0012 3:9", for messages of the test */
	const char *script;
	size_t script_len;
	size_t n;
	struct {
		char id[8];
		unsigned line, col;
	} want[ERRORS_DATA_MAX];
};

static inline void errors_data_header(struct errors_case *c, char *header)
{
	int used = 0;

	c->header = header;
	c->n = 0;
	for (const char *at = header; c->n < ERRORS_DATA_MAX; at += used, c->n++) {
		if (sscanf(at, " %7s %u:%u%n", c->want[c->n].id, &c->want[c->n].line,
			   &c->want[c->n].col, &used) != 3)
			break;
	}
}

/** Call @run for each case of the file at @path. Return how many there were, -errno. */
static inline int errors_data_each(const char *path,
				   void (*run)(const struct errors_case *c, void *arg), void *arg)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct errors_case c;
	char *at, *next;
	int err, n = 0;

	err = skep_file_read(path, 1 << 22, &text);
	if (err)
		return err;
	at = text.data && !strncmp(text.data, "=== ", 4) ? text.data : NULL;
	for (; at; at = next, n++) {
		char *end = strchr(at, '\n');

		if (!end)
			break;
		*end = '\0';
		errors_data_header(&c, at + 4);
		next = strncmp(end + 1, "=== ", 4) ? strstr(end + 1, "\n=== ") : end;
		c.script = end + 1;
		if (next == end) {
			c.script_len = 0;
		} else {
			c.script_len = next ? (size_t)(next + 1 - c.script) : strlen(c.script);
			if (next)
				*next = '\n';
		}
		if (next)
			next++;
		run(&c, arg);
	}
	return n;
}

/** Did @diag get exactly the messages of @c? If not, both are printed. */
static inline bool errors_data_match(const struct errors_case *c, const struct skep_diag *diag)
{
	bool same = diag->n_items == c->n;

	for (size_t i = 0; i < c->n && same; i++) {
		const struct skep_diag_item *item = &diag->items[i];
		uint32_t line, col;

		skep_source_pos(diag->source, item->span.off, &line, &col);
		same = !strcmp(skep_diag_code(item->id), c->want[i].id) &&
		       line == c->want[i].line && col == c->want[i].col;
	}
	if (!same) {
		_cleanup_buf_ struct skep_buf got = {0};

		skep_diag_render(diag, false, &got);
		fprintf(stderr, "=== %s\n%.*s--- got\n%s\n", c->header, (int)c->script_len,
			c->script, got.data ? got.data : "nothing\n");
	}
	return same;
}

#endif
