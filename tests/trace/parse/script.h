/* For tests of the parser: a script's text in, tree and messages out. */
#ifndef TESTS_TRACE_PARSE_SCRIPT_H
#define TESTS_TRACE_PARSE_SCRIPT_H

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/parse.h"

struct script {
	struct skep_arena arena;
	struct skep_source source;
	struct skep_diag diag;
	struct skep_script *tree; /* NULL: there were errors */
	int err;
};

/* The positional parameters of all scripts here. */
static inline void script_parse(struct script *s, const char *text, size_t len)
{
	static const char *const values[] = {"one", "a:b"};
	static const struct skep_params params = {values, 2};

	*s = (struct script){.source = {"test.bt", text, len}};
	s->diag.source = &s->source;
	skep_arena_init(&s->arena);
	s->err = skep_parse(&s->arena, &s->source, &params, &s->tree, &s->diag);
}

static inline void script_done(struct script *s)
{
	skep_diag_done(&s->diag);
	skep_arena_done(&s->arena);
}

#endif
