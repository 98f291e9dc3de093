/*
 * Expressions: one row of `typers` for each kind. The function of a row types
 * the operands, checks them, and says what the whole is; constants are folded
 * on the way up.
 *
 * Recursion is as deep as the tree, which the parser bounds (SKEP_TREE_MAX).
 */
#include "trace/types/typer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static const struct skep_type *type_int(struct skep_typer *t, struct skep_expr *expr)
{
	expr->is_const = true;
	if (expr->is_bool_lit)
		return &skep_type_bool;
	return expr->is_unsigned_lit ? &skep_type_u64 : &skep_type_s64;
}

static const struct skep_type *type_string(struct skep_typer *t, struct skep_expr *expr)
{
	expr->is_const = true;
	return skep_type_string(t->types, expr->text_len + 1);
}

/* A parameter is a number where it reads as one, else text; one not given is 0 and "". */
bool skep_parse_number(const char *text, int64_t *ret)
{
	char *end;

	if (!text[0])
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 0);
	if (errno == ERANGE && text[0] != '-') {
		errno = 0;
		*ret = (int64_t)strtoull(text, &end, 0);
	}
	return !errno && !*end;
}

static const struct skep_type *type_param(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_compile_opts *opts = t->check->opts;

	if (!expr->param)
		expr->param = (uint32_t)expr->integer;
	bool is_given = opts && expr->param <= opts->n_params;
	expr->text = is_given ? opts->params[expr->param - 1] : "";
	expr->text_len = (uint32_t)strlen(expr->text);
	expr->is_const = true;
	expr->integer = 0;
	if (is_given && !skep_parse_number(expr->text, &expr->integer))
		return skep_type_string(t->types, expr->text_len + 1);
	return &skep_type_s64;
}

static const struct skep_type *type_param_cnt(struct skep_typer *t, struct skep_expr *expr)
{
	expr->is_const = true;
	expr->integer = t->check->opts ? t->check->opts->n_params : 0;
	return &skep_type_s64;
}

static const struct skep_type *type_var(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_var *var = skep_var_read(t, expr);

	if (!var)
		return NULL;
	/* let $x without a type that nothing is ever assigned to: it stays 0. */
	if (!var->type && var->is_let && !var->is_broken && t->may_guess) {
		var->type = &skep_type_s64;
		t->vars_changed = true;
	}
	if (!var->type && !var->is_broken)
		return TYPE_ERROR(t, expr->span, VAR_NO_TYPE, var->name);
	return var->type;
}

static const struct skep_type *type_tuple(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type **fields =
		skep_arena_array(t->arena, const struct skep_type *, expr->n_args + 1);
	uint32_t n = 0;
	bool is_known = true;

	for (struct skep_expr *arg = expr->args; arg; arg = arg->next) {
		fields[n] = skep_type_value(t, arg);
		is_known &= fields[n++] != NULL;
	}
	if (!is_known)
		return NULL;
	const struct skep_type *type = skep_type_tuple(t->types, fields, n);
	n = 0;
	for (struct skep_expr *arg = expr->args; arg; arg = arg->next) /* just made, not shared */
		((struct skep_tuple_field *)type->fields)[n++].name = arg->elem_name;
	return type;
}

const struct skep_type *skep_type_common(struct skep_typer *t, const struct skep_type *a,
					 const struct skep_type *b)
{
	return skep_type_unify(t, a, b);
}

static const struct skep_type *common_result(struct skep_typer *t, const struct skep_expr *expr)
{
	const struct skep_expr *left = expr->left, *right = expr->right;
	bool left_is_null = skep_is_const_int(left) && !left->integer;
	bool right_is_null = skep_is_const_int(right) && !right->integer;

	if (left->type->kind == SKEP_T_PTR && right_is_null)
		return left->type;
	if (right->type->kind == SKEP_T_PTR && left_is_null)
		return right->type;
	return skep_type_common(t, left->type, right->type);
}

static const struct skep_type *type_ternary(struct skep_typer *t, struct skep_expr *expr)
{
	skep_type_condition(t, expr->cond);
	const struct skep_type *left = skep_type_value(t, expr->left);
	const struct skep_type *right = skep_type_value(t, expr->right);
	if (!left || !right)
		return NULL;
	const struct skep_type *type = common_result(t, expr);
	if (!type)
		return TYPE_ERROR(t, expr->span, TERNARY_TYPES, skep_typer_name(t, left),
				  skep_typer_name(t, right));
	return type;
}

/* Where a type is wanted it is not asked for its value. */
static const struct skep_type *type_typeof(struct skep_typer *t, struct skep_expr *expr)
{
	return TYPE_ERROR(t, expr->span, TYPE_AS_VALUE);
}

static const struct skep_type *(*const typers[SKEP_E_N_KINDS])(struct skep_typer *t,
							       struct skep_expr *expr) = {
	[SKEP_E_INT] = type_int,
	[SKEP_E_STRING] = type_string,
	[SKEP_E_PARAM] = type_param,
	[SKEP_E_PARAM_CNT] = type_param_cnt,
	[SKEP_E_IDENT] = skep_type_ident,
	[SKEP_E_VAR] = type_var,
	[SKEP_E_MAP] = skep_type_map_read,
	[SKEP_E_CALL] = skep_type_call,
	[SKEP_E_FIELD] = skep_type_field,
	[SKEP_E_TUPLE_AT] = skep_type_tuple_at,
	[SKEP_E_INDEX] = skep_type_index,
	[SKEP_E_UNARY] = skep_type_unary,
	[SKEP_E_INCDEC] = skep_type_incdec,
	[SKEP_E_BINARY] = skep_type_binary,
	[SKEP_E_TERNARY] = type_ternary,
	[SKEP_E_CAST] = skep_type_cast,
	[SKEP_E_SIZEOF] = skep_type_sizeof,
	[SKEP_E_OFFSETOF] = skep_type_offsetof,
	[SKEP_E_TYPEOF] = type_typeof,
	[SKEP_E_TUPLE] = type_tuple,
	[SKEP_E_BLOCK] = skep_type_block_value,
};

const struct skep_type *skep_type_expr(struct skep_typer *t, struct skep_expr *expr)
{
	expr->is_const = false;
	expr->type = typers[expr->kind](t, expr);
	skep_fold(expr);
	return expr->type;
}

static const char *what_is(const struct skep_typer *t, const struct skep_expr *expr)
{
	if (expr->kind == SKEP_E_CALL)
		return skep_arena_printf(t->arena, "%s()", skep_function_name(expr));
	return "this";
}

const struct skep_type *skep_type_value(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type = skep_type_expr(t, expr);

	if (type && type->kind == SKEP_T_NONE) {
		expr->type = NULL;
		return TYPE_ERROR(t, expr->span, NO_VALUE, what_is(t, expr));
	}
	return type;
}

void skep_type_condition(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type = skep_type_value(t, expr);

	if (type && type->kind != SKEP_T_INT && type->kind != SKEP_T_PTR)
		TYPE_ERROR(t, expr->span, CONDITION, skep_typer_name(t, type));
}
