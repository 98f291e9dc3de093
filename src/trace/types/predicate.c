/*
 * Predicates that are known before anything else is: of options, parameters,
 * has_cpid(), numbers and texts only. A probe whose predicate is so known to be
 * false is off: it is looked for and attached nowhere, so a script can choose its
 * probes.
 *
 *	tracepoint:preemptirq:irq_disable /getopt("irqoff")/ { … }
 *	interval:s:$1 /$1/ { … }
 *	usdt:*:ruby:method__entry /getopt("language", "") == "ruby" && selected()/ { … }
 *
 * Nothing has a type yet: what this does not understand is simply not known.
 */
#include <string.h>

#include "trace/parse.h"
#include "trace/parse/fold.h"
#include "trace/types/typer.h"

/** What an expression is known to be: a text, or with text NULL a number. */
struct known {
	const char *text;
	int64_t number;
};

/* --- What is given ---------------------------------------------------------------------------- */

/* As text, if the default is one. */
static bool given_value(const char *given, const struct skep_expr *fallback, struct known *ret)
{
	const char *value = given && given[0] == '=' ? given + 1 : given;

	if (!fallback) {
		ret->number = given && strcmp(given, "=false") != 0 && strcmp(given, "=0") != 0;
		return true;
	}
	if (fallback->kind == SKEP_E_STRING) {
		ret->text = given ? value : fallback->text;
		return true;
	}
	ret->number = fallback->integer;
	return !given || skep_parse_number(value, &ret->number);
}

/* getopt("name"), getopt("name", number or text[, help]) */
static bool option_value(const struct skep_check *check, const struct skep_expr *call,
			 struct known *ret)
{
	const struct skep_expr *name = call->args, *fallback = name ? name->next : NULL;

	if (!name || strcmp(call->text, "getopt") != 0 || name->kind != SKEP_E_STRING ||
	    (fallback && fallback->kind != SKEP_E_INT && fallback->kind != SKEP_E_STRING))
		return false;
	return given_value(skep_params_option(check->options, check->n_options, name->text),
			   fallback, ret);
}

/* str($1) */
static bool text_value(const struct skep_check *check, const struct skep_expr *call,
		       struct known *ret)
{
	const struct skep_expr *param = call->args;

	if (!param || param->next || param->kind != SKEP_E_PARAM)
		return false;
	ret->text = param->integer >= 1 && param->integer <= check->opts->n_params
			    ? check->opts->params[param->integer - 1]
			    : "";
	return true;
}

/* has_cpid() */
static bool call_value(const struct skep_check *check, const struct skep_expr *call,
		       struct known *ret)
{
	if (strcmp(call->text, "str") == 0)
		return text_value(check, call, ret);
	if (strcmp(call->text, "has_cpid") != 0)
		return option_value(check, call, ret);
	ret->number = check->opts->cpid != 0;
	return true;
}

static bool param_value(const struct skep_check *check, const struct skep_expr *expr,
			struct known *ret)
{
	if (expr->integer < 1 || expr->integer > check->opts->n_params)
		return true; /* 0 */
	return skep_parse_number(check->opts->params[expr->integer - 1], &ret->number);
}

/* --- Operators -------------------------------------------------------------------------------- */

enum { DEPTH_MOST = 200 };

static bool value_of(const struct skep_check *check, const struct skep_expr *expr, int depth,
		     struct known *ret);

static bool is_truth(bool is_known, const struct known *value, bool truth)
{
	return is_known && !value->text && !value->number != truth;
}

/* Of && and || one side may settle it, whatever the other is. */
static bool binary_value(const struct skep_check *check, const struct skep_expr *expr, int depth,
			 struct known *ret)
{
	struct known left = {0}, right = {0};
	bool knows_left = value_of(check, expr->left, depth, &left);
	bool knows_right = value_of(check, expr->right, depth, &right);
	bool decisive = expr->op == SKEP_OPR_LOR;

	if ((expr->op == SKEP_OPR_LAND || decisive) &&
	    (is_truth(knows_left, &left, decisive) || is_truth(knows_right, &right, decisive))) {
		ret->number = decisive;
		return true;
	}
	if (!knows_left || !knows_right || !left.text != !right.text)
		return false;
	if (!left.text)
		return skep_fold_binary(expr->op, left.number, right.number, &ret->number);
	ret->number = !strcmp(left.text, right.text) == (expr->op == SKEP_OPR_EQ);
	return expr->op == SKEP_OPR_EQ || expr->op == SKEP_OPR_NE;
}

static bool value_of(const struct skep_check *check, const struct skep_expr *expr, int depth,
		     struct known *ret)
{
	struct known right = {0};

	if (!expr || depth == DEPTH_MOST)
		return false;
	switch (expr->kind) {
	case SKEP_E_INT: ret->number = expr->integer; return true;
	case SKEP_E_STRING: ret->text = expr->text; return true;
	case SKEP_E_PARAM: return param_value(check, expr, ret);
	case SKEP_E_CALL: return call_value(check, expr, ret);
	case SKEP_E_BINARY: return binary_value(check, expr, depth + 1, ret);
	case SKEP_E_UNARY:
		if (expr->op != SKEP_OPR_NOT || !value_of(check, expr->right, depth + 1, &right) ||
		    right.text)
			return false;
		ret->number = !right.number;
		return true;
	default: return false;
	}
}

void skep_check_predicates(struct skep_check *check)
{
	for (struct skep_probe_def *def = check->script->probes; def; def = def->next) {
		struct known value = {0};
		bool is_known = def->predicate && value_of(check, def->predicate, 0, &value);
		def->is_off = is_truth(is_known, &value, false);
	}
}
