/*
 * Formats: the conversions of printf(3) for integers, characters and strings,
 * and the language's own: %r, %rh, %rx for buffers, %gr for allocation flags.
 * Each value is checked against its conversion, and errors point at the value.
 */
#include "trace/types/format.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "trace/types/typer.h"

static const char *skip_number(const char *p, bool *is_star)
{
	*is_star = *p == '*';
	if (*is_star)
		return p + 1;
	while (isdigit((unsigned char)*p))
		p++;
	return p;
}

static const char *take_length(const char *p, char length[3])
{
	size_t n = strspn(p, "hlLjzt");

	for (size_t i = 0; i < n && i < 2; i++)
		length[i] = p[i];
	return p + n;
}

static const char *take_type(const char *p, struct skep_conversion *conv)
{
	if (!*p || !strchr("diuxXopcsrgf%", *p))
		return p;
	if (*p == 'g' && p[1] != 'r')
		return p;
	conv->type = *p++;
	if (conv->type == 'g')
		return p + 1;
	if (conv->type == 'r' && (*p == 'h' || *p == 'x'))
		conv->style = *p++;
	return p;
}

bool skep_format_next(const char **at, struct skep_conversion *ret)
{
	const char *start = strchr(*at, '%');

	if (!start) {
		*at += strlen(*at);
		return false;
	}
	*ret = (struct skep_conversion){.start = start};
	const char *p = start + 1;
	p += strspn(p, "-+ #0");
	p = skip_number(p, &ret->star_width);
	if (*p == '.')
		p = skip_number(p + 1, &ret->star_precision);
	p = take_length(p, ret->length);
	p = take_type(p, ret);
	ret->len = (size_t)(p - start);
	*at = p;
	return true;
}

static bool is_number(const struct skep_type *type)
{
	return type->kind == SKEP_T_INT || type->kind == SKEP_T_PTR || type->kind == SKEP_T_KSYM ||
	       type->kind == SKEP_T_STRERROR || type->kind == SKEP_T_SIGNAL ||
	       type->kind == SKEP_T_USERNAME;
}

static bool can_print(const struct skep_conversion *conv, const struct skep_type *type)
{
	switch (conv->type) {
	case 's': return true;
	case 'r': return type->kind == SKEP_T_BUFFER;
	default: return is_number(type);
	}
}

static const char *text_of(const struct skep_typer *t, const struct skep_conversion *conv)
{
	size_t len = conv->len + (!conv->type && isgraph((unsigned char)conv->start[conv->len]));

	return skep_arena_dup(t->arena, conv->start, len);
}

void skep_check_conversion(struct skep_typer *t, const struct skep_conversion *conv,
			   const struct skep_expr *arg)
{
	if (!arg->type || can_print(conv, arg->type))
		return;
	TYPE_ERROR(t, arg->span, FORMAT_TYPE, text_of(t, conv), skep_typer_name(t, arg->type));
	if (t->diag && conv->type != 'r' && arg->type->kind == SKEP_T_STRING)
		skep_diag_try(t->diag, "text is printed with %%s");
	else if (t->diag && conv->type == 'r')
		skep_diag_try(t->diag, "it prints what buf() gives");
}

static void check_star(struct skep_typer *t, const struct skep_expr *arg)
{
	if (arg->type && arg->type->kind != SKEP_T_INT)
		TYPE_ERROR(t, arg->span, FORMAT_TYPE, "*", skep_typer_name(t, arg->type));
}

/* Where the values stand: how many were asked for, and the next of those given. */
struct cursor {
	const struct skep_expr *next;
	uint32_t n_wanted;
};

static const struct skep_expr *take(struct cursor *cursor)
{
	const struct skep_expr *arg = cursor->next;

	cursor->n_wanted++;
	if (arg)
		cursor->next = arg->next;
	return arg;
}

static void check_conversion(struct skep_typer *t, const struct skep_conversion *conv,
			     struct cursor *cursor)
{
	const struct skep_expr *arg;

	if (conv->star_width && (arg = take(cursor)))
		check_star(t, arg);
	if (conv->star_precision && (arg = take(cursor)))
		check_star(t, arg);
	if ((arg = take(cursor)))
		skep_check_conversion(t, conv, arg);
}

void skep_check_format(struct skep_typer *t, const struct skep_expr *call)
{
	const struct skep_expr *fmt = call->args;
	struct cursor cursor = {.next = fmt->next};
	struct skep_conversion conv;
	const char *at = fmt->text;

	while (skep_format_next(&at, &conv)) {
		if (conv.type == '%')
			continue;
		if (!conv.type || conv.type == 'f') {
			TYPE_ERROR(t, fmt->span, FORMAT_SYNTAX, text_of(t, &conv));
			if (t->diag)
				skep_diag_try(t->diag, "a %% itself is written %%%%");
			return;
		}
		check_conversion(t, &conv, &cursor);
	}
	uint32_t n_given = call->n_args - 1;
	if (cursor.next)
		TYPE_ERROR(t, cursor.next->span, FORMAT_TOO_MANY);
	else if (cursor.n_wanted > n_given)
		TYPE_ERROR(t, fmt->span, FORMAT_TOO_FEW, cursor.n_wanted, n_given);
}
