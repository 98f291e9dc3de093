/* See v8.h. */
#include "interp/v8.h"

#include <string.h>

#define LINE_MOST 100000000u

static const char *const kinds[] = {"JS:", "LazyCompile:", "Function:", "Script:", "Eval:"};
static const char *const places[] = {" /", " file:", " node:", " evalmachine.", " webpack"};

/* Behind what begins the names of functions; NULL: it does not begin this one. */
static const char *behind_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i]);
		if (!strncmp(name, kinds[i], len))
			return name + len;
	}
	return NULL;
}

/* Where the place of the function begins, with its blank: names and paths may have blanks, too. */
static const char *place_in(const char *name)
{
	const char *first = NULL;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *at = strstr(name, places[i]);
		if (at && (!first || at < first))
			first = at;
	}
	return first ? first : strrchr(name, ' ');
}

/* Cut ":NUMBER" off the end of [start, *end). */
static bool cut_number(const char *start, const char **end, uint32_t *ret)
{
	const char *at = *end;
	uint32_t number = 0, scale = 1;

	for (; at > start && at[-1] >= '0' && at[-1] <= '9' && scale < LINE_MOST; at--) {
		number += scale * (uint32_t)(at[-1] - '0');
		scale *= 10;
	}
	if (at == *end || at == start || at[-1] != ':')
		return false;
	*end = at - 1;
	*ret = number;
	return true;
}

bool skep_v8_parse(const char *name, struct skep_v8_name *ret)
{
	const char *at = behind_kind(name), *place, *end;
	uint32_t first, second;

	if (!at)
		return false;
	at += *at && strchr("*~^+", *at);
	place = place_in(at);
	end = at + strlen(at);
	*ret = (struct skep_v8_name){.function = at,
				     .function_len = (size_t)((place ? place : end) - at)};
	if (!place)
		return true;
	place++;
	if (cut_number(place, &end, &second))
		ret->line = cut_number(place, &end, &first) ? first : second;
	ret->file = place;
	ret->file_len = (size_t)(end - place);
	return true;
}
