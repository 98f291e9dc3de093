/*
 * print(@x); clear(@x): one thing, not two.
 *
 * Both are asked of the run time, which comes to them a moment later, one after the other. What a
 * probe adds in between would be cleared without having been printed. So where a clear() is certain
 * to follow, the map is emptied as it is read, entry by entry, and the clear() has nothing to do.
 *
 * It is certain if both stand in one block, with nothing between them that may leave it. Blocks,
 * macros, and branches that options have decided, are read as if what is in them stood outside.
 */
#include "base/vec.h"
#include "trace/types/typer.h"

struct stmts {
	struct skep_stmt **data; /* owned */
	size_t len, cap;
};

/* --- Statements in a line -------------------------------------------------------------------- */

static void lay_out(struct skep_stmt *list, struct stmts *ret)
{
	for (struct skep_stmt *stmt = list; stmt; stmt = stmt->next) {
		bool is_macro = stmt->kind == SKEP_S_EXPR && stmt->value->kind == SKEP_E_BLOCK;
		if (is_macro)
			lay_out(stmt->value->body, ret);
		else if (stmt->kind == SKEP_S_BLOCK)
			lay_out(stmt->body, ret);
		else if (stmt->kind == SKEP_S_IF && skep_is_const_int(stmt->cond))
			lay_out(stmt->cond->integer ? stmt->body : stmt->else_body, ret);
		else
			skep_vec_push(ret, stmt);
	}
}

/* The call that a statement consists of; NULL: it is none of @function. */
static struct skep_expr *call_of(const struct skep_stmt *stmt, enum skep_function_id function)
{
	struct skep_expr *expr = stmt->kind == SKEP_S_EXPR ? stmt->value : NULL;

	return expr && expr->kind == SKEP_E_CALL && expr->function == function ? expr : NULL;
}

/* The maps that a statement prints as wholes, a list of its arguments; NULL: none. */
static struct skep_expr *printed(const struct skep_stmt *stmt)
{
	struct skep_expr *call = call_of(stmt, SKEP_FN_print);

	if (call)
		return call->args->kind == SKEP_E_MAP && !call->args->key ? call->args : NULL;
	call = call_of(stmt, SKEP_FN_table);
	return call && call->args->next ? call->args->next->next : NULL;
}

/* --- Pairs ----------------------------------------------------------------------------------- */

static bool has_map(const struct skep_expr *arg, const struct skep_map *map)
{
	for (; arg; arg = arg->next) {
		if (arg->kind == SKEP_E_MAP && arg->map == map)
			return true;
	}
	return false;
}

/* May a part of it be left out, or not come to its end? What it calls is not looked at then. */
static bool has_branches(const struct skep_expr *expr)
{
	for (; expr; expr = expr->next) {
		if (expr->kind == SKEP_E_TERNARY || expr->kind == SKEP_E_BLOCK ||
		    has_branches(expr->left) || has_branches(expr->right) ||
		    has_branches(expr->args))
			return true;
	}
	return false;
}

/* May what follows be left out, or mean another state of @map? */
static bool is_in_the_way(const struct skep_stmt *stmt, const struct skep_map *map)
{
	const struct skep_expr *zero = call_of(stmt, SKEP_FN_zero);

	if (stmt->kind != SKEP_S_EXPR && stmt->kind != SKEP_S_ASSIGN && stmt->kind != SKEP_S_LET)
		return true;
	if (has_branches(stmt->value) || has_branches(stmt->target))
		return true;
	return call_of(stmt, SKEP_FN_exit) || call_of(stmt, SKEP_FN_assert) ||
	       (zero && zero->args->map == map) || has_map(printed(stmt), map);
}

/* The map's clear() from the @i-th on; NULL: there is none for certain. */
static struct skep_expr *find_clear(const struct stmts *stmts, size_t i, const struct skep_map *map)
{
	for (; i < stmts->len && !is_in_the_way(stmts->data[i], map); i++) {
		struct skep_expr *clear = call_of(stmts->data[i], SKEP_FN_clear);
		if (clear && clear->args->map == map)
			return clear->args;
	}
	return NULL;
}

/* Of the maps that the @i-th prints, and each but once. */
static void find_pairs(const struct stmts *stmts, size_t i)
{
	for (struct skep_expr *arg = printed(stmts->data[i]); arg; arg = arg->next) {
		if (arg->kind != SKEP_E_MAP || !arg->map || has_map(arg->next, arg->map))
			continue;
		struct skep_expr *cleared = find_clear(stmts, i + 1, arg->map);
		if (cleared)
			arg->is_taken = cleared->is_taken = true;
	}
}

/* What was found when the same text was read for another place, whose branches were others. */
static void forget(const struct skep_stmt *stmt)
{
	struct skep_expr *clear = call_of(stmt, SKEP_FN_clear);

	if (clear)
		clear->args->is_taken = false;
	for (struct skep_expr *arg = printed(stmt); arg; arg = arg->next)
		arg->is_taken = false;
}

void skep_type_taken(struct skep_stmt *list)
{
	struct stmts stmts = {0};

	lay_out(list, &stmts);
	for (size_t i = 0; i < stmts.len; i++)
		forget(stmts.data[i]);
	for (size_t i = 0; i < stmts.len; i++)
		find_pairs(&stmts, i);
	skep_vec_done(&stmts);
}
