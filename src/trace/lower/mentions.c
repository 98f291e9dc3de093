/*
 * Does a probe's text mention this builtin or function? Asked before a body is
 * lowered, to decide which places can share a program and how they are reached.
 */
#include "trace/lower/lower.h"

/* What is looked for; a name of either kind, NONE where the other is meant. */
struct mention {
	enum skep_builtin_id builtin;
	enum skep_function_id function;
};

static bool in_exprs(const struct skep_expr *expr, const struct mention *what);

static bool in_stmts(const struct skep_stmt *stmt, const struct mention *what)
{
	for (; stmt; stmt = stmt->next) {
		if (in_exprs(stmt->target, what) || in_exprs(stmt->value, what) ||
		    in_exprs(stmt->cond, what) || in_exprs(stmt->limit, what) ||
		    in_stmts(stmt->body, what) || in_stmts(stmt->else_body, what))
			return true;
	}
	return false;
}

static bool is_it(const struct skep_expr *expr, const struct mention *what)
{
	if (expr->kind == SKEP_E_IDENT)
		return what->builtin != SKEP_BI_NONE && expr->builtin == what->builtin;
	return expr->kind == SKEP_E_CALL && what->function != SKEP_FN_NONE &&
	       expr->function == what->function;
}

static bool in_exprs(const struct skep_expr *expr, const struct mention *what)
{
	for (; expr; expr = expr->next) {
		if (is_it(expr, what) || in_exprs(expr->cond, what) || in_exprs(expr->left, what) ||
		    in_exprs(expr->right, what) || in_exprs(expr->args, what) ||
		    in_stmts(expr->body, what))
			return true;
	}
	return false;
}

static bool in_def(const struct skep_probe_def *def, const struct mention *what)
{
	return in_exprs(def->predicate, what) || in_stmts(def->body, what);
}

bool skep_lower_mentions(const struct skep_probe_def *def, enum skep_builtin_id builtin)
{
	return in_def(def, &(struct mention){.builtin = builtin});
}

bool skep_lower_mentions_call(const struct skep_probe_def *def, enum skep_function_id function)
{
	return in_def(def, &(struct mention){.function = function});
}
