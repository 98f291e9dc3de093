/*
 * What a script's own words say of its maps: labels, as `@opens[comm, str(args.filename)]`
 * has the labels comm and filename (the first key that is written in the script decides); and
 * whether it writes one at all, as options may have left out the code that does.
 */
#include <string.h>

#include "trace/ast.h"
#include "trace/run/metric_plan.h"

struct search {
	const char *map;
	uint32_t n;                    /* parts of the key */
	const struct skep_expr *found; /* the first of them; NULL: not yet */
	bool is_written;
};

static const struct skep_expr *parts_of(const struct skep_expr *map, uint32_t *ret_n)
{
	const struct skep_expr *parts = map->args;

	*ret_n = map->n_args;
	if (parts && map->n_args == 1 && parts->kind == SKEP_E_TUPLE) {
		*ret_n = parts->n_args;
		return parts->args;
	}
	return parts;
}

/* --- The walk ------------------------------------------------------------------------------- */

static void search_stmts(struct search *search, const struct skep_stmt *stmt);

static bool is_map(const struct search *search, const struct skep_expr *expr)
{
	return expr && expr->kind == SKEP_E_MAP && !strcmp(expr->text, search->map);
}

/* Known to be false (@wanted 0) or true when the script was compiled: there is no code for the
 * other. */
static bool is_known(const struct skep_expr *cond, bool wanted)
{
	return cond && cond->is_const && cond->type && cond->type->kind == SKEP_T_INT &&
	       !cond->integer == !wanted;
}

static void search_map(struct search *search, const struct skep_expr *expr)
{
	uint32_t n;
	const struct skep_expr *parts = parts_of(expr, &n);

	if (is_map(search, expr) && !search->found && n == search->n)
		search->found = parts;
}

static void search_expr(struct search *search, const struct skep_expr *expr)
{
	for (; expr; expr = expr->next) {
		search_map(search, expr);
		if (expr->kind == SKEP_E_INCDEC)
			search->is_written |= is_map(search, expr->right);
		search_expr(search, expr->cond);
		if (!is_known(expr->cond, false))
			search_expr(search, expr->left);
		if (!is_known(expr->cond, true))
			search_expr(search, expr->right);
		search_expr(search, expr->args);
		search_stmts(search, expr->body);
	}
}

static void search_stmts(struct search *search, const struct skep_stmt *stmt)
{
	for (; stmt; stmt = stmt->next) {
		if (stmt->kind == SKEP_S_ASSIGN)
			search->is_written |= is_map(search, stmt->target);
		search_expr(search, stmt->target);
		search_expr(search, stmt->value);
		search_expr(search, stmt->cond);
		search_expr(search, stmt->limit);
		if (!is_known(stmt->cond, false))
			search_stmts(search, stmt->body);
		if (!is_known(stmt->cond, true))
			search_stmts(search, stmt->else_body);
	}
}

static void search_script(struct search *search, const struct skep_script *script)
{
	for (const struct skep_probe_def *probe = script->probes; probe; probe = probe->next) {
		search_expr(search, probe->predicate);
		if (!is_known(probe->predicate, false))
			search_stmts(search, probe->body);
	}
}

bool skep_metric_is_written(const struct skep_script *script, const char *map)
{
	struct search search = {.map = map};

	if (!script)
		return true;
	search_script(&search, script);
	return search.is_written;
}

/* --- Names ---------------------------------------------------------------------------------- */

static const char *name_of(const struct skep_expr *expr)
{
	if (!expr || expr->elem_name)
		return expr ? expr->elem_name : NULL;
	switch (expr->kind) {
	case SKEP_E_IDENT: /* not a constant, nor a mode like perf in kstack(perf) */
		return expr->builtin == SKEP_BI_NONE ? NULL : expr->text;
	case SKEP_E_FIELD: return expr->text;
	case SKEP_E_VAR: return expr->text + 1;
	case SKEP_E_CALL: {
		const char *name = name_of(expr->args);
		return name ? name : expr->text;
	}
	case SKEP_E_CAST:
	case SKEP_E_UNARY: return name_of(expr->right);
	case SKEP_E_INDEX: return name_of(expr->left);
	default: return NULL;
	}
}

void skep_metric_key_names(const struct skep_script *script, const char *map, const char **names,
			   uint32_t n)
{
	struct search search = {.map = map, .n = n};

	if (script && n)
		search_script(&search, script);
	for (uint32_t i = 0; i < n; i++) {
		names[i] = search.found ? name_of(search.found) : NULL;
		search.found = search.found ? search.found->next : NULL;
	}
}
