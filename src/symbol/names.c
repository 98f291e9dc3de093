/* Keeps each name once, in the form it is shown; see names.h. */
#include "symbol/names.h"

#include <string.h>

#include <skep/symbol.h>

#include "base/fd.h"

void skep_names_init(struct skep_names *names)
{
	*names = (struct skep_names){0};
	skep_arena_init(&names->arena);
}

void skep_names_done(struct skep_names *names)
{
	skep_strmap_done(&names->raw);
	skep_strmap_done(&names->plain);
	skep_arena_done(&names->arena);
}

/* A name comes from a file anybody may have written, and goes to a terminal. */
static char *harmless(struct skep_arena *arena, const char *text)
{
	char *copy = skep_arena_strdup(arena, text);

	for (char *at = copy; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	return copy;
}

static const char *keep(struct skep_names *names, struct skep_strmap *map, const char *key,
			const char *shown)
{
	size_t len = strlen(key);
	void **value = skep_strmap_get(map, key, len);

	if (value)
		return *value;
	if (names->arena.used_bytes > SKEP_NAMES_MAX_BYTES)
		return NULL;
	value = skep_strmap_put(map, skep_arena_strdup(&names->arena, key), len);
	*value = harmless(&names->arena, shown);
	return *value;
}

const char *skep_names_symbol(struct skep_names *names, const char *raw, bool demangle)
{
	_cleanup_free_ char *demangled = NULL;
	void **value = skep_strmap_get(&names->raw, raw, strlen(raw));

	if (value)
		return *value;
	if (demangle)
		demangled = skep_demangle(raw);
	return keep(names, &names->raw, raw, demangled ? demangled : raw);
}

const char *skep_names_plain(struct skep_names *names, const char *text)
{
	return keep(names, &names->plain, text, text);
}
