/*
 * getopt(): options that a script takes behind "--", and what is said of those
 * that it does not take.
 *
 * The default's type is the option's. Every option that any call asks for is
 * noted, so that the end of the check can tell what was given in vain.
 */
#include "trace/types/typer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "trace/parse.h"

struct skep_script_option {
	struct skep_script_option *next;
	const char *name, *fallback, *help;
};

static void note(struct skep_typer *t, const char *name, const char *fallback, const char *help)
{
	struct skep_script_option **tail = &t->options;

	for (; *tail; tail = &(*tail)->next) {
		if (!strcmp((*tail)->name, name))
			return;
	}
	*tail = skep_arena_new(t->arena, struct skep_script_option);
	**tail = (struct skep_script_option){.name = name, .fallback = fallback, .help = help};
}

static const char *given(const struct skep_typer *t, const char *name)
{
	return skep_params_option(t->check->options, t->check->n_options, name);
}

const char *skep_option_given(struct skep_typer *t, const char *name, const char *help)
{
	note(t, name, "", help);
	const char *text = given(t, name);
	return text && text[0] == '=' ? text + 1 : text;
}

static bool parse_bool(const char *text, int64_t *ret)
{
	bool is_true = !text[0] || !strcasecmp(text, "true") || !strcmp(text, "1");

	*ret = is_true;
	return is_true || !strcasecmp(text, "false") || !strcmp(text, "0");
}

static const struct skep_type *bad_value(struct skep_typer *t, const struct skep_expr *call,
					 const char *text, const char *wanted)
{
	return TYPE_ERROR(t, call->span, GETOPT_VALUE, call->args->text, wanted, text);
}

static const struct skep_type *take_int(struct skep_typer *t, struct skep_expr *call,
					const struct skep_type *type, const char *text)
{
	bool is_good = type->is_bool ? parse_bool(text, &call->integer)
				     : skep_parse_number(text, &call->integer) ||
					       skep_constant_find(text, &call->integer);

	if (!is_good)
		return bad_value(t, call, text, type->is_bool ? "true or false" : "a number");
	call->is_const = true;
	return type;
}

static const struct skep_type *take(struct skep_typer *t, struct skep_expr *call,
				    const struct skep_expr *fallback, const char *text)
{
	const struct skep_type *type = fallback ? fallback->type : &skep_type_bool;

	if (text && text[0] == '=')
		text++;
	if (type->kind == SKEP_T_STRING) {
		text = text ? text : fallback->text;
		skep_call_becomes(t, call, text, strlen(text));
		call->is_const = true;
		return skep_type_string(t->types, call->text_len + 1);
	}
	if (text)
		return take_int(t, call, type, text);
	call->is_const = true;
	call->integer = fallback ? fallback->integer : 0;
	return type;
}

static const char *fallback_text(const struct skep_typer *t, const struct skep_expr *fallback)
{
	if (!fallback || fallback->type->is_bool)
		return fallback && fallback->integer ? "true" : "false";
	if (fallback->type->kind == SKEP_T_STRING)
		return fallback->text;
	return skep_arena_printf(t->arena, "%lld", (long long)fallback->integer);
}

const struct skep_type *skep_check_fn_getopt(struct skep_typer *t, struct skep_expr *call)
{
	const struct skep_expr *fallback = call->args->next;
	const char *help = "";

	if (!skep_want_text(t, call, 0) || (fallback && !fallback->type))
		return NULL;
	if (fallback && !skep_is_const_int(fallback) && !skep_is_const_string(fallback))
		return TYPE_ERROR(t, fallback->span, ARG_LITERAL, "getopt", "a literal");
	if (call->n_args == 3) {
		if (!skep_want_text(t, call, 2))
			return NULL;
		help = fallback->next->text;
	}
	const char *name = call->args->text;
	note(t, name, fallback_text(t, fallback), help);
	return take(t, call, fallback, given(t, name));
}

static bool is_taken(const struct skep_typer *t, const char *text, size_t len)
{
	for (const struct skep_script_option *i = t->options; i; i = i->next) {
		if (strlen(i->name) == len && !memcmp(i->name, text, len))
			return true;
	}
	return false;
}

static void list_options(const struct skep_typer *t)
{
	for (const struct skep_script_option *i = t->options; i; i = i->next)
		skep_diag_why(t->diag, "--%s=%s  %s", i->name, i->fallback, i->help);
	if (!t->options)
		skep_diag_why(t->diag, "it takes none");
}

void skep_typer_check_options(struct skep_typer *t)
{
	for (const struct skep_spec_option *i = t->check->script->spec_options; i; i = i->next)
		note(t, i->name, i->fallback, "");
	for (uint32_t i = 0; i < t->check->n_options; i++) {
		const char *text = t->check->options[i] + strlen("--");
		size_t len = strcspn(text, "=");

		if (is_taken(t, text, len))
			continue;
		if (!strcmp(text, "help"))
			TYPE_ERROR(t, SKEP_NOWHERE, GETOPT_HELP);
		else
			TYPE_ERROR(t, SKEP_NOWHERE, GETOPT_NONE,
				   (const char *)skep_arena_dup(t->arena, text, len));
		list_options(t);
		return;
	}
}
