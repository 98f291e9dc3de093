/*
 * Options of the script in attach points: getopt("name", default), with the
 * default a number, a word, or a text in quotes.
 *
 *	profile:hz:getopt("frequency", 49)
 */
#include <string.h>

#include "trace/parse/parser.h"

#define CALL "getopt("

bool skep_is_spec_option(const char *text, uint32_t len)
{
	return len >= strlen(CALL) && !memcmp(text, CALL, strlen(CALL));
}

uint32_t skep_spec_option_len(const char *text, uint32_t len)
{
	bool quoted = false;

	for (uint32_t i = strlen(CALL); i < len && text[i] != '\n'; i++) {
		quoted ^= text[i] == '"';
		if (text[i] == ')' && !quoted)
			return i + 1;
	}
	return strlen(CALL);
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* "text" without its quotes, or a word; NULL: neither. */
static const char *take_word(struct skep_parser *p, const char **at)
{
	bool quoted = **at == '"';
	const char *from = *at + quoted;
	size_t len = strcspn(from, quoted ? "\"" : " \t,\")");

	if ((quoted && from[len] != '"') || (!quoted && !len))
		return NULL;
	*at = skip_blanks(from + len + quoted);
	return skep_arena_printf(p->arena, "%.*s", (int)len, from);
}

static void note(struct skep_parser *p, const char *name, const char *fallback)
{
	struct skep_spec_option *option = skep_arena_new(p->arena, struct skep_spec_option);

	*option = (struct skep_spec_option){
		.next = p->script->spec_options, .name = name, .fallback = fallback};
	p->script->spec_options = option;
}

const char *skep_parse_spec_option(struct skep_parser *p, struct skep_span span)
{
	const char *text =
		skep_arena_printf(p->arena, "%.*s", (int)span.len, p->pp.text + span.off);
	const char *at = skip_blanks(text + strlen(CALL)), *fallback = NULL;
	const char *name = *at == '"' ? take_word(p, &at) : NULL;

	if (name && *at == ',') {
		at = skip_blanks(at + 1);
		fallback = take_word(p, &at);
	}
	if (!fallback || strcmp(at, ")") != 0) {
		skep_parse_fail(p, SKEP_DIAG_ATTACH_OPTION, span, NULL, NULL);
		return NULL;
	}
	note(p, name, fallback);
	const char *value =
		p->params ? skep_params_option(p->params->options, p->params->n_options, name)
			  : NULL;
	return value && value[0] == '=' ? value + 1 : fallback;
}
