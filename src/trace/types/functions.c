/*
 * Calls: the number of arguments, what each must be, and through the table of
 * functions.def to the check of the one function (fn_*.c).
 *
 * Arguments are typed here, before, but for names that are not values: a map
 * as such, a stack mode, a clock, a parameter that str() takes as text.
 */
#include "trace/types/typer.h"

#include <string.h>

#include "base/arena.h"

static const struct skep_type *(*const checks[SKEP_FN_CNT])(struct skep_typer *t,
							    struct skep_expr *call) = {
#define FUNCTION(name, least, most, flags, synopsis, help) [SKEP_FN_##name] = skep_check_fn_##name,
#include "trace/functions.def"
#undef FUNCTION
};

const char *skep_function_name(const struct skep_expr *call)
{
	return skep_functions[call->function].name;
}

struct skep_expr *skep_call_arg(const struct skep_expr *call, uint32_t i)
{
	struct skep_expr *arg = call->args;

	while (i--)
		arg = arg->next;
	return arg;
}

const struct skep_type *skep_bad_arg(struct skep_typer *t, const struct skep_expr *call, uint32_t i,
				     const char *wanted)
{
	const struct skep_expr *arg = skep_call_arg(call, i);

	if (!arg->type)
		return NULL;
	return TYPE_ERROR(t, arg->span, ARG_TYPE, skep_function_name(call), wanted,
			  skep_typer_name(t, arg->type));
}

const struct skep_type *skep_bad_probe(struct skep_typer *t, const struct skep_expr *call)
{
	return TYPE_ERROR(t, call->span, FUNCTION_PROBE, skep_function_name(call),
			  t->probe->provider->name);
}

bool skep_want_int(struct skep_typer *t, const struct skep_expr *call, uint32_t i)
{
	const struct skep_type *type = skep_call_arg(call, i)->type;

	if (type && type->kind != SKEP_T_INT)
		skep_bad_arg(t, call, i, "an integer");
	return type && type->kind == SKEP_T_INT;
}

bool skep_want_address(struct skep_typer *t, const struct skep_expr *call, uint32_t i)
{
	const struct skep_type *type = skep_call_arg(call, i)->type;
	bool is_good = type && (type->kind == SKEP_T_INT || type->kind == SKEP_T_PTR ||
				type->kind == SKEP_T_KSYM);

	if (type && !is_good)
		skep_bad_arg(t, call, i, "an address");
	return is_good;
}

bool skep_want_string(struct skep_typer *t, const struct skep_expr *call, uint32_t i)
{
	const struct skep_type *type = skep_call_arg(call, i)->type;

	if (type && type->kind != SKEP_T_STRING)
		skep_bad_arg(t, call, i, "a string");
	return type && type->kind == SKEP_T_STRING;
}

bool skep_want_text(struct skep_typer *t, const struct skep_expr *call, uint32_t i)
{
	const struct skep_expr *arg = skep_call_arg(call, i);
	bool is_good = skep_is_const_string(arg);

	if (arg->type && !is_good)
		TYPE_ERROR(t, arg->span, ARG_LITERAL, skep_function_name(call), "a string literal");
	if (arg->type && !is_good && arg->kind == SKEP_E_PARAM && t->diag)
		skep_diag_try(t->diag, "take the parameter as text: str($%u)", arg->param);
	return is_good;
}

bool skep_want_const(struct skep_typer *t, const struct skep_expr *call, uint32_t i, int64_t least,
		     int64_t most)
{
	const struct skep_expr *arg = skep_call_arg(call, i);

	if (!skep_is_const_int(arg)) {
		if (arg->type)
			TYPE_ERROR(t, arg->span, ARG_LITERAL, skep_function_name(call),
				   "an integer literal");
		return false;
	}
	if (arg->integer >= least && arg->integer <= most)
		return true;
	TYPE_ERROR(t, arg->span, ARG_RANGE, skep_function_name(call), (long long)arg->integer,
		   (long long)least, (long long)most);
	return false;
}

bool skep_arg_is_given(const struct skep_expr *call, uint32_t i)
{
	if (i >= call->n_args)
		return false;
	const struct skep_expr *arg = skep_call_arg(call, i);
	return arg->kind != SKEP_E_PARAM || arg->text[0];
}

/* $1, or $1 + 2: what str() takes as text that is known now. */
static bool is_param_text(const struct skep_expr *arg)
{
	if (arg->kind == SKEP_E_BINARY && arg->op == SKEP_OPR_ADD)
		arg = arg->left;
	return arg->kind == SKEP_E_PARAM;
}

/* An argument that the function's own check looks at as it is written. */
static bool is_no_value(const struct skep_expr *call, const struct skep_expr *arg)
{
	bool is_first = arg == call->args, is_last = !arg->next;

	switch (call->function) {
	case SKEP_FN_kstack:
	case SKEP_FN_ustack:
	case SKEP_FN_pid:
	case SKEP_FN_tid:
	case SKEP_FN_nsecs: return is_first && arg->kind == SKEP_E_IDENT;
	case SKEP_FN_str: return is_first && is_param_text(arg);
	case SKEP_FN_find: return is_first || is_last;
	case SKEP_FN_has_field: return true;
	case SKEP_FN_container_of: return !is_first;
	case SKEP_FN_table: return arg->kind == SKEP_E_MAP && !arg->args;
	case SKEP_FN_print:
	case SKEP_FN_len: return is_first && arg->kind == SKEP_E_MAP;
	default: return is_first && (skep_functions[call->function].flags & FN_MAP);
	}
}

static bool type_args(struct skep_typer *t, const struct skep_expr *call)
{
	bool is_known = true;

	for (struct skep_expr *arg = call->args; arg; arg = arg->next) {
		if (!is_no_value(call, arg))
			is_known &= skep_type_value(t, arg) != NULL;
	}
	return is_known;
}

static bool check_count(struct skep_typer *t, const struct skep_expr *call,
			const struct skep_function *fn)
{
	if (call->n_args >= fn->least && call->n_args <= fn->most)
		return true;
	TYPE_ERROR(t, call->span, ARG_COUNT, fn->name, call->n_args);
	if (t->diag && fn->least == fn->most)
		skep_diag_why(t->diag, "it takes %u", fn->least);
	else if (t->diag)
		skep_diag_why(t->diag, "it takes from %u to %u", fn->least, fn->most);
	if (t->diag)
		skep_diag_try(t->diag, "%s", fn->synopsis);
	return false;
}

static const struct skep_type *unknown_function(struct skep_typer *t, const struct skep_expr *call)
{
	const char *names[SKEP_FN_CNT];

	TYPE_ERROR(t, call->span, FUNCTION_UNKNOWN, call->text);
	if (!t->diag)
		return NULL;
	for (int id = SKEP_FN_NONE + 1; id < SKEP_FN_CNT; id++)
		names[id - 1] = skep_functions[id].name;
	skep_diag_did_you_mean(t->diag, call->text, names, SKEP_FN_CNT - 1);
	return NULL;
}

/* pid() is pid: the call becomes the name. */
static bool is_builtin_call(const struct skep_expr *call)
{
	return !call->n_args && skep_builtin_find(call->text) != SKEP_BI_NONE &&
	       (!call->function || skep_functions[call->function].least > 0);
}

const struct skep_type *skep_type_call(struct skep_typer *t, struct skep_expr *call)
{
	bool is_agg_place = t->agg_call == call;

	/* Kept from an earlier walk: str() and pton() have put their result where the name was. */
	if (call->function == SKEP_FN_NONE)
		call->function = skep_function_find(call->text);
	if (is_builtin_call(call)) {
		call->kind = SKEP_E_IDENT;
		return skep_type_ident(t, call);
	}
	if (call->function == SKEP_FN_NONE)
		return unknown_function(t, call);
	const struct skep_function *fn = &skep_functions[call->function];
	if ((fn->flags & FN_UNSAFE) && !(t->check->opts && t->check->opts->allow_unsafe))
		return TYPE_ERROR(t, call->span, UNSAFE, fn->name);
	if (!skep_hook_has_function(t, call->function))
		return skep_bad_probe(t, call);
	if (!check_count(t, call, fn))
		return NULL;
	t->agg_call = NULL;
	bool is_known = type_args(t, call);
	if (is_agg_place)
		t->agg_call = call;
	const struct skep_type *type = checks[call->function](t, call);
	t->agg_call = NULL;
	return is_known ? type : NULL;
}

void skep_call_becomes(struct skep_typer *t, struct skep_expr *call, const void *text, size_t len)
{
	call->text = skep_arena_dup(t->arena, text, len);
	call->text_len = (uint32_t)len;
}
