/* Questions about types, answered while compiling: is_integer() … strcap(). Mostly for macros. */
#include "trace/types/typer.h"

#define CHECK(name)                                                                                \
	const struct skep_type *skep_check_fn_##name(struct skep_typer *t, struct skep_expr *call)

static const struct skep_type *answer(struct skep_expr *call, bool is_so)
{
	call->is_const = true;
	call->integer = is_so;
	return &skep_type_bool;
}

static bool is_kind(const struct skep_expr *call, enum skep_type_kind kind)
{
	return call->args->type && call->args->type->kind == kind;
}

CHECK(is_array)
{
	return answer(call, is_kind(call, SKEP_T_ARRAY));
}

CHECK(is_integer)
{
	return answer(call, is_kind(call, SKEP_T_INT) && !call->args->type->is_bool);
}

CHECK(is_unsigned_integer)
{
	const struct skep_type *type = call->args->type;

	return answer(call, is_kind(call, SKEP_T_INT) && !type->is_bool && !type->is_signed);
}

CHECK(is_ptr)
{
	return answer(call, is_kind(call, SKEP_T_PTR));
}

CHECK(is_str)
{
	return answer(call, is_kind(call, SKEP_T_STRING));
}

CHECK(is_literal)
{
	return answer(call, call->args->kind == SKEP_E_INT || call->args->kind == SKEP_E_STRING);
}

/* Asked in silence: that it cannot be reached is an answer. */
CHECK(has_field)
{
	struct skep_diag *diag = t->diag;
	uint32_t n_errors = t->n_errors;

	t->diag = NULL;
	bool is_there = skep_type_value(t, call->args) != NULL;
	t->diag = diag;
	t->n_errors = n_errors;
	return answer(call, is_there);
}

CHECK(assert_str)
{
	return skep_want_string(t, call, 0) ? &skep_type_none : NULL;
}

CHECK(has_cpid)
{
	return answer(call, t->check->opts && t->check->opts->cpid);
}

CHECK(default_str_length)
{
	call->is_const = true;
	call->integer = (int64_t)t->check->config->max_strlen;
	return &skep_type_u64;
}

CHECK(strcap)
{
	const struct skep_type *type = call->args->type;
	bool has_size = type && (type->kind == SKEP_T_STRING || type->kind == SKEP_T_ARRAY);

	if (!has_size && !skep_want_address(t, call, 0))
		return NULL;
	call->is_const = true;
	call->integer = has_size ? (int64_t)(type->size / (type->elem ? type->elem->size : 1))
				 : (int64_t)t->check->config->max_strlen;
	return &skep_type_s64;
}

CHECK(is_err)
{
	return skep_want_address(t, call, 0) ? &skep_type_bool : NULL;
}

/* The member's name is no value: it is looked up in the type that the second argument names. */
CHECK(container_of)
{
	struct skep_expr *of = call->args->next, *member = of->next;
	struct skep_expr off = {.kind = SKEP_E_OFFSETOF,
				.span = call->span,
				.right = of,
				.text = member->text ? member->text : ""};

	if (member->kind != SKEP_E_IDENT)
		return TYPE_ERROR(t, member->span, ARG_LITERAL, "container_of", "a member's name");
	const struct skep_type *type = skep_type_of(t, of);
	if (!type || !skep_type_offsetof(t, &off) || !skep_want_address(t, call, 0))
		return NULL;
	const struct skep_type *ptr = call->args->type;
	call->integer = off.integer;
	return skep_type_in_space(t->types, skep_type_ptr(t->types, type, SKEP_SPACE_NONE),
				  ptr->kind == SKEP_T_PTR ? ptr->space : skep_typer_space(t));
}
