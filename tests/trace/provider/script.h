/*
 * Scripts for the tests of expansion, without the parser: attach points up to
 * each body, bodies left unread.
 */
#ifndef SKEP_TESTS_PROVIDER_SCRIPT_H
#define SKEP_TESTS_PROVIDER_SCRIPT_H

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "trace/config.h"
#include "trace/probe.h"

/** One compilation as far as expansion. */
struct fixture {
	struct skep_arena arena;
	struct skep_types types;
	struct skep_config config;
	struct skep_source source;
	struct skep_diag diag;
	struct skep_expand x;
};

static inline void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	skep_arena_init(&f->arena);
	skep_types_init(&f->types, &f->arena);
	f->config.max_probes = 4096;
	f->config.missing_probes = "warn";
	f->config.cpp_demangle = true;
	f->x = (struct skep_expand){.types = &f->types,
				    .arena = &f->arena,
				    .diag = &f->diag,
				    .config = &f->config,
				    .pid = -1};
}

static inline void fixture_done(struct fixture *f)
{
	skep_diag_done(&f->diag);
	skep_types_done(&f->types);
	skep_arena_done(&f->arena);
}

static inline struct skep_probe_spec *fixture_spec(struct fixture *f, uint32_t from, uint32_t to)
{
	struct skep_probe_spec *spec = skep_arena_new(&f->arena, struct skep_probe_spec);
	const char *parts[16];
	char *out = skep_arena_alloc(&f->arena, to - from + 1);
	bool quoted = false;

	spec->span = (struct skep_span){from, to - from};
	spec->text = skep_arena_dup(&f->arena, f->source.text + from, to - from);
	parts[spec->n_parts++] = out;
	for (uint32_t i = from; i < to; i++) {
		char c = f->source.text[i];
		quoted ^= c == '"';
		if (c == ':' && !quoted && spec->n_parts < 16) {
			*out++ = '\0';
			parts[spec->n_parts++] = out;
		} else if (c != '"') {
			*out++ = c;
		}
	}
	spec->parts = skep_arena_dup(&f->arena, parts, spec->n_parts * sizeof(*parts));
	return spec;
}

static inline struct skep_script *fixture_script(struct fixture *f, const char *text)
{
	struct skep_script *script = skep_arena_new(&f->arena, struct skep_script);
	struct skep_probe_def **def = &script->probes;
	uint32_t at = 0, len = (uint32_t)strlen(text);

	f->source = (struct skep_source){"test", text, len};
	f->diag.source = &f->source;
	while (at < len) {
		struct skep_probe_spec **spec;
		*def = skep_arena_new(&f->arena, struct skep_probe_def);
		for (spec = &(*def)->specs; at < len && text[at] != '{'; spec = &(*spec)->next) {
			while (isspace((unsigned char)text[at]) || text[at] == ',')
				at++;
			uint32_t end = at;
			for (bool quoted = false;
			     text[end] && (quoted || !strchr(", {\n", text[end])); end++)
				quoted ^= text[end] == '"';
			*spec = fixture_spec(f, at, end);
			at = end;
			while (isspace((unsigned char)text[at]))
				at++;
		}
		at += (uint32_t)strcspn(text + at, "}");
		at += (uint32_t)strspn(text + at, "} \n");
		(*def)->span = (*def)->specs->span;
		def = &(*def)->next;
	}
	return script;
}

/** Expand @text; the result is in f->x. */
static inline int fixture_expand(struct fixture *f, const char *text)
{
	f->x.n_probes = 0;
	f->x.over_limit = false;
	skep_diag_done(&f->diag);
	return skep_expand_script(&f->x, fixture_script(f, text));
}

#endif
