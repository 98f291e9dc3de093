/*
 * Names out of a line of the source.
 *
 * BTF has no names of local variables, but the line that a pointer came from mostly says what it
 * was assigned to, and the line that uses it what was used. Only plain cases are read; in others
 * there is no name, and the code that is shown takes a general one.
 */
#include "verify/explain_source.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The name that ends before @end, blanks left out. */
static const char *name_before(struct skep_arena *arena, const char *text, const char *end)
{
	const char *from;
	size_t len;

	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	for (from = end; from > text && is_name(from[-1]);)
		from--;
	len = (size_t)(end - from);
	if (!len || isdigit((unsigned char)*from))
		return NULL;
	return skep_arena_dup(arena, from, len);
}

const char *explain_name_assigned(struct skep_arena *arena, const char *text)
{
	const char *at = text ? strchr(text, '=') : NULL;

	if (!at || at == text || at[1] == '=' || strchr("!<>+-*/|&^%", at[-1]))
		return NULL;
	return name_before(arena, text, at);
}

const char *explain_name_followed(struct skep_arena *arena, const char *text)
{
	const char *at = text ? strstr(text, "->") : NULL;
	const char *name = at ? name_before(arena, text, at) : NULL;

	for (; name && at; at = strstr(at + 2, "->")) {
		const char *other = name_before(arena, text, at);

		if (!other || strcmp(other, name))
			return NULL;
	}
	return name;
}

const char *explain_name_of_index(struct skep_arena *arena, const char *text)
{
	const char *open = text ? strchr(text, '[') : NULL,
		   *close = open ? strchr(open, ']') : NULL;
	const char *at = open ? open + 1 : NULL;

	if (!close || strchr(close, '['))
		return NULL;
	while (at < close && is_name(*at))
		at++;
	return at == close ? name_before(arena, open + 1, close) : NULL;
}

/* An expression of names, "." and "->". */
static bool is_expression(const char *text, const char *at)
{
	return is_name(*at) || *at == '.' || (*at == '>' && at > text && at[-1] == '-') ||
	       (*at == '-' && at[1] == '>');
}

const char *explain_name_of_array(struct skep_arena *arena, const char *text)
{
	const char *end = text ? strchr(text, '[') : NULL, *from = end;

	if (!end || strchr(end + 1, '['))
		return NULL;
	while (from > text && is_expression(text, from - 1))
		from--;
	if (from == end || isdigit((unsigned char)*from))
		return NULL;
	return skep_arena_dup(arena, from, (size_t)(end - from));
}

const char *explain_argument_of(struct skep_arena *arena, const char *text, const char *call)
{
	const char *at = text ? strstr(text, call) : NULL;
	size_t len;

	if (!at || at[strlen(call)] != '(')
		return NULL;
	at += strlen(call) + 1;
	len = strcspn(at, "(),;");
	return at[len] == ')' ? skep_arena_dup(arena, at, len) : NULL;
}
