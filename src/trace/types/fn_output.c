/* Checks of the functions that print, run, and end: printf() … fail(). */
#include "trace/types/typer.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/types/format.h"

#define CHECK(name)                                                                                \
	const struct skep_type *skep_check_fn_##name(struct skep_typer *t, struct skep_expr *call)

#define MAX_EXIT_STATUS 255

static const struct skep_type *formatted(struct skep_typer *t, const struct skep_expr *call)
{
	if (skep_want_text(t, call, 0))
		skep_check_format(t, call);
	return &skep_type_none;
}

CHECK(printf)
{
	return formatted(t, call);
}

CHECK(errorf)
{
	return formatted(t, call);
}

CHECK(warnf)
{
	return formatted(t, call);
}

/* What the kernel's own printing takes: numbers, and text of ours. */
CHECK(debugf)
{
	if (skep_want_text(t, call, 0))
		skep_check_format(t, call);
	for (uint32_t i = 1; i < call->n_args; i++) {
		const struct skep_type *type = skep_call_arg(call, i)->type;
		if (type && !skep_type_is_scalar(type) && type->kind != SKEP_T_STRING)
			skep_bad_arg(t, call, i, "a number or a string");
	}
	return &skep_type_none;
}

CHECK(cat)
{
	return formatted(t, call);
}

CHECK(system)
{
	return formatted(t, call);
}

static const struct skep_type *print_map(struct skep_typer *t, struct skep_expr *call)
{
	struct skep_map *map = skep_map_use(t, call->args);

	map->is_read = true;
	map->is_iterated = true;
	for (uint32_t i = 1; i < call->n_args; i++)
		skep_want_const(t, call, i, i == 1 ? 0 : 1, UINT32_MAX);
	return &skep_type_none;
}

CHECK(print)
{
	struct skep_expr *arg = call->args;

	if (arg->kind == SKEP_E_MAP && !arg->args)
		return print_map(t, call);
	if (arg->kind == SKEP_E_MAP)
		skep_type_value(t, arg);
	if (call->n_args > 1)
		return TYPE_ERROR(t, arg->next->span, PRINT_ARGS);
	return &skep_type_none;
}

CHECK(time)
{
	if (call->n_args)
		skep_want_text(t, call, 0);
	return &skep_type_none;
}

static void want_strings(struct skep_typer *t, const struct skep_expr *call)
{
	const struct skep_type *type = call->args->type;
	bool is_ptr_to_ptr = type && type->kind == SKEP_T_PTR &&
			     (type->elem->kind == SKEP_T_PTR || type->elem->kind == SKEP_T_NONE);

	if (type && type->kind != SKEP_T_INT && !is_ptr_to_ptr)
		skep_bad_arg(t, call, 0, "an array of pointers to text");
	if (call->n_args > 1)
		skep_want_text(t, call, 1);
}

CHECK(join)
{
	want_strings(t, call);
	return &skep_type_none;
}

CHECK(strjoin)
{
	want_strings(t, call);
	if (call->n_args > 2 && !skep_want_const(t, call, 2, 1, SKEP_STRJOIN_MOST))
		return NULL;
	return skep_type_string(t->types, (uint32_t)t->check->config->max_strlen + 1);
}

CHECK(exit)
{
	if (call->n_args && skep_is_const_int(call->args))
		skep_want_const(t, call, 0, 0, MAX_EXIT_STATUS);
	else if (call->n_args)
		skep_want_int(t, call, 0);
	return &skep_type_none;
}

static void want_condition(struct skep_typer *t, const struct skep_expr *call)
{
	const struct skep_type *type = call->args->type;

	if (type && type->kind != SKEP_T_INT && type->kind != SKEP_T_PTR)
		skep_bad_arg(t, call, 0, "a condition");
}

CHECK(assert)
{
	want_condition(t, call);
	skep_want_text(t, call, 1);
	return &skep_type_none;
}

CHECK(static_assert)
{
	const struct skep_expr *cond = call->args;

	want_condition(t, call);
	if (!skep_want_text(t, call, 1))
		return NULL;
	if (!skep_is_const_int(cond))
		return TYPE_ERROR(t, cond->span, ARG_LITERAL, "static_assert", "a constant");
	if (!cond->integer && !t->dead_depth)
		return TYPE_ERROR(t, call->span, STATIC_ASSERT, cond->next->text);
	return &skep_type_none;
}

static void add_value(struct skep_buf *out, const struct skep_conversion *conv,
		      const struct skep_expr *arg)
{
	if (skep_is_const_string(arg))
		skep_buf_puts(out, arg->text);
	else if (conv->type == 'x' || conv->type == 'p')
		skep_buf_printf(out, "%" PRIx64, (uint64_t)arg->integer);
	else if (arg->type->is_signed || arg->type->is_bool)
		skep_buf_printf(out, "%" PRId64, arg->integer);
	else
		skep_buf_printf(out, "%" PRIu64, (uint64_t)arg->integer);
}

/* The format is checked already: there is a value for each conversion. */
static const char *fill_in(struct skep_typer *t, const struct skep_expr *call)
{
	_cleanup_buf_ struct skep_buf out = {0};
	const struct skep_expr *arg = call->args->next;
	const char *at = call->args->text, *from = at;
	struct skep_conversion conv;

	while (skep_format_next(&at, &conv)) {
		skep_buf_add(&out, from, (size_t)(conv.start - from));
		from = at;
		if (conv.type == '%') {
			skep_buf_addc(&out, '%');
			continue;
		}
		for (int stars = conv.star_width + conv.star_precision; stars; stars--)
			arg = arg->next;
		add_value(&out, &conv, arg);
		arg = arg->next;
	}
	skep_buf_puts(&out, from);
	return skep_arena_strdup(t->arena, out.data);
}

CHECK(fail)
{
	uint32_t n_before = t->n_errors;

	if (!skep_want_text(t, call, 0))
		return NULL;
	for (const struct skep_expr *arg = call->args->next; arg; arg = arg->next) {
		if (!arg->type)
			return NULL;
		if (!arg->is_const)
			TYPE_ERROR(t, arg->span, ARG_LITERAL, "fail", "a constant");
	}
	skep_check_format(t, call);
	if (t->n_errors == n_before && !t->dead_depth)
		TYPE_ERROR(t, call->span, FAIL_REACHED, fill_in(t, call));
	return &skep_type_none;
}
