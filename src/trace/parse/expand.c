/*
 * Macros of the language: calls are replaced by copies of their bodies.
 *
 * A copy is hygienic: its variables get names of their own ("$x#3", which no
 * script can write), so they meet neither the caller's nor another copy's;
 * parameters give way to what was passed. As a statement a call becomes a
 * block; as a value it becomes the body's last expression, with the
 * statements before it in a SKEP_E_BLOCK.
 *
 * Arguments are expanded first, where they stand; then the copy, in which
 * the macro itself must not be called again. The same walk holds the promise
 * of SKEP_TREE_MAX: it refuses any tree that is deeper, so everything behind
 * the parser may recurse.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "trace/parse/parser.h"

#define EXPANSION_NODES_MAX 100000

/** One call being replaced, within others. */
struct call {
	const struct call *outer;
	const struct skep_macro *macro;
	const struct skep_expr *args; /* of the call; list */
	uint32_t number;              /* for the names of variables */
};

struct expander {
	struct skep_parser *p;
	uint32_t depth;
	uint32_t n_nodes; /* copied */
	uint32_t n_calls;
};

static void walk_expr(struct expander *x, struct skep_expr **place, const struct call *outer);
static void walk_stmts(struct expander *x, struct skep_stmt *list, const struct call *outer);

static bool enter(struct expander *x, struct skep_span span)
{
	if (x->depth++ < SKEP_TREE_MAX)
		return !x->p->stop;
	skep_parse_complain(x->p, SKEP_DIAG_NESTING, span, NULL, NULL);
	x->p->err = -E2BIG;
	x->p->stop = true;
	return false;
}

static bool count_node(struct expander *x, struct skep_span span)
{
	if (x->n_nodes++ < EXPANSION_NODES_MAX)
		return true;
	skep_parse_complain(x->p, SKEP_DIAG_MACRO_SIZE, span, NULL, NULL);
	x->p->err = -E2BIG;
	x->p->stop = true;
	return false;
}

/* --- copies --------------------------------------------------------------------------------- */

/* @call NULL: a copy as it is. */
static struct skep_expr *copy_expr(struct expander *x, const struct skep_expr *e,
				   const struct call *call);

/* What was passed for parameter @name; NULL: it is no parameter. */
static const struct skep_expr *passed(const struct call *call, const char *name)
{
	const struct skep_expr *arg = call->args;

	for (const struct skep_macro_param *param = call->macro->params; param;
	     param = param->next, arg = arg->next) {
		if (!strcmp(param->name, name))
			return arg;
	}
	return NULL;
}

static void rename_variable(struct expander *x, struct skep_expr *e, const struct call *call)
{
	const struct skep_expr *arg = passed(call, e->text);

	e->text = arg ? arg->text : skep_arena_printf(x->p->arena, "%s#%u", e->text, call->number);
	e->text_len = strlen(e->text);
}

static void rename_map(struct skep_expr *e, const struct call *call)
{
	const struct skep_expr *arg = passed(call, e->text);

	if (arg) {
		e->text = arg->text;
		e->text_len = arg->text_len;
	}
}

static struct skep_expr *copy_exprs(struct expander *x, const struct skep_expr *list,
				    const struct call *call)
{
	struct skep_expr *copy = NULL, **tail = &copy;

	for (; list && !x->p->stop; list = list->next) {
		*tail = copy_expr(x, list, call);
		tail = &(*tail)->next;
	}
	return copy;
}

static struct skep_stmt *copy_stmts(struct expander *x, const struct skep_stmt *list,
				    const struct call *call);

static void copy_children(struct expander *x, struct skep_expr *e, const struct call *call)
{
	e->cond = copy_expr(x, e->cond, call);
	e->left = copy_expr(x, e->left, call);
	e->right = copy_expr(x, e->right, call);
	e->args = copy_exprs(x, e->args, call);
	e->body = copy_stmts(x, e->body, call);
}

static struct skep_expr *copy_expr(struct expander *x, const struct skep_expr *e,
				   const struct call *call)
{
	const struct skep_expr *arg = NULL;
	struct skep_expr *copy;

	if (!e)
		return NULL;
	if (call && e->kind == SKEP_E_IDENT)
		arg = passed(call, e->text);
	if (arg)
		call = NULL;
	copy = skep_arena_dup(x->p->arena, arg ? arg : e, sizeof(*e));
	copy->next = NULL;
	copy->elem_name = e->elem_name;
	if (enter(x, e->span) && count_node(x, e->span)) {
		if (call && e->kind == SKEP_E_VAR)
			rename_variable(x, copy, call);
		else if (call && e->kind == SKEP_E_MAP)
			rename_map(copy, call);
		copy_children(x, copy, call);
	}
	x->depth--;
	return copy;
}

static struct skep_stmt *copy_stmt(struct expander *x, const struct skep_stmt *s,
				   const struct call *call)
{
	struct skep_stmt *copy = skep_arena_dup(x->p->arena, s, sizeof(*s));

	copy->next = NULL;
	if (enter(x, s->span) && count_node(x, s->span)) {
		copy->target = copy_expr(x, s->target, call);
		copy->value = copy_expr(x, s->value, call);
		copy->cond = copy_expr(x, s->cond, call);
		copy->limit = copy_expr(x, s->limit, call);
		copy->body = copy_stmts(x, s->body, call);
		copy->else_body = copy_stmts(x, s->else_body, call);
	}
	x->depth--;
	return copy;
}

static struct skep_stmt *copy_stmts(struct expander *x, const struct skep_stmt *list,
				    const struct call *call)
{
	struct skep_stmt *copy = NULL, **tail = &copy;

	for (; list && !x->p->stop; list = list->next) {
		*tail = copy_stmt(x, list, call);
		tail = &(*tail)->next;
	}
	return copy;
}

/* --- which macro ---------------------------------------------------------------------------- */

static bool is_call(const struct skep_expr *e)
{
	return e->kind == SKEP_E_CALL || e->kind == SKEP_E_IDENT;
}

/* pid() is pid, as in newer scripts. */
static bool is_builtin_call(const struct skep_expr *e)
{
	if (e->kind != SKEP_E_CALL || e->n_args || skep_builtin_find(e->text) == SKEP_BI_NONE)
		return false;
	enum skep_function_id function = skep_function_find(e->text);
	return function == SKEP_FN_NONE || skep_functions[function].least;
}

static bool fits(const struct skep_macro_param *param, const struct skep_expr *arg)
{
	if (param->kind == SKEP_PARAM_VAR)
		return arg->kind == SKEP_E_VAR;
	if (param->kind == SKEP_PARAM_MAP)
		return arg->kind == SKEP_E_MAP && !arg->args;
	return true;
}

/* How well the arguments fit: -1 not at all, else how many of them fit a $ or @ parameter. */
static int fitness(const struct skep_macro *m, const struct skep_expr *call)
{
	const struct skep_expr *arg = call->args;
	int score = 0;

	if (m->n_params != call->n_args)
		return -1;
	for (const struct skep_macro_param *param = m->params; param; param = param->next) {
		if (!fits(param, arg))
			return -1;
		score += param->kind != SKEP_PARAM_EXPR;
		arg = arg->next;
	}
	return score;
}

static const char *signature(struct expander *x, const struct skep_macro *m)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_printf(&text, "%s(", m->name);
	for (const struct skep_macro_param *param = m->params; param; param = param->next)
		skep_buf_printf(&text, "%s%s", param == m->params ? "" : ", ", param->name);
	skep_buf_addc(&text, ')');
	return skep_arena_strdup(x->p->arena, text.data);
}

/* No macro of this name takes these arguments: say of the nearest what is wrong. */
static void say_misfit(struct expander *x, const struct skep_macro *m, const struct skep_expr *e)
{
	const struct skep_expr *arg = e->args;
	const struct skep_macro *same_cnt = m;
	const char *wanted = NULL;

	while (same_cnt && same_cnt->n_params != e->n_args)
		same_cnt = same_cnt->next;
	if (!same_cnt) {
		skep_parse_complain(x->p, SKEP_DIAG_MACRO_ARGS, e->span, e->text, NULL);
		for (; m; m = m->next)
			skep_diag_why(x->p->diag, "it is defined as %s", signature(x, m));
		return;
	}
	for (const struct skep_macro_param *param = same_cnt->params; param; param = param->next) {
		wanted = param->kind == SKEP_PARAM_VAR ? "a $variable" : "an @map without a key";
		if (!fits(param, arg))
			break;
		arg = arg->next;
	}
	if (arg)
		skep_parse_complain(x->p, SKEP_DIAG_MACRO_ARG, arg->span, signature(x, same_cnt),
				    wanted);
}

/* The macro called by @e; NULL: it is none, or reported. */
static const struct skep_macro *find_macro(struct expander *x, const struct skep_expr *e)
{
	const struct skep_macro *all = is_call(e) ? skep_macro_find(x->p, e->text) : NULL;
	const struct skep_macro *best = NULL;
	int best_score = -1;

	for (const struct skep_macro *m = all; m; m = m->next) {
		int score = fitness(m, e);

		if (score > best_score) {
			best = m;
			best_score = score;
		}
	}
	if (all && !best && e->kind == SKEP_E_CALL && !is_builtin_call(e) &&
	    skep_function_find(e->text) == SKEP_FN_NONE)
		say_misfit(x, all, e);
	return best;
}

static bool is_recursive(struct expander *x, const struct skep_macro *m, const struct call *outer,
			 struct skep_span span)
{
	for (; outer; outer = outer->outer) {
		if (outer->macro != m)
			continue;
		skep_parse_complain(x->p, SKEP_DIAG_MACRO_RECURSION, span, m->name, NULL);
		return true;
	}
	return false;
}

/* --- the walk ------------------------------------------------------------------------------- */

static void walk_list(struct expander *x, struct skep_expr **place, const struct call *outer)
{
	for (; *place; place = &(*place)->next)
		walk_expr(x, place, outer);
}

static void walk_children(struct expander *x, struct skep_expr *e, const struct call *outer)
{
	walk_expr(x, &e->cond, outer);
	walk_expr(x, &e->left, outer);
	walk_expr(x, &e->right, outer);
	walk_list(x, &e->args, outer);
	walk_stmts(x, e->body, outer);
}

static bool has_value(const struct skep_stmt *list)
{
	while (list && list->next)
		list = list->next;
	return list && list->is_value;
}

/* A call where a value is needed. */
static void expand_value(struct expander *x, struct skep_expr **place, const struct skep_macro *m,
			 const struct call *outer)
{
	struct skep_expr *e = *place, *value;
	struct call call = {outer, m, e->args, ++x->n_calls};

	if (is_recursive(x, m, outer, e->span))
		return;
	if (!has_value(m->body)) {
		skep_parse_complain(x->p, SKEP_DIAG_MACRO_NO_VALUE, e->span, m->name, NULL);
		return;
	}
	value = skep_block_value(x->p, copy_stmts(x, m->body, &call), e->span);
	value->next = e->next;
	value->elem_name = e->elem_name;
	*place = value;
	walk_expr(x, place, &call);
}

static void walk_expr(struct expander *x, struct skep_expr **place, const struct call *outer)
{
	const struct skep_macro *m;

	if (!*place)
		return;
	if (enter(x, (*place)->span)) {
		walk_children(x, *place, outer);
		m = find_macro(x, *place);
		if (m && !x->p->stop)
			expand_value(x, place, m, outer);
		else if (is_builtin_call(*place))
			(*place)->kind = SKEP_E_IDENT;
	}
	x->depth--;
}

/* A call as a statement. */
static void expand_stmt(struct expander *x, struct skep_stmt *s, const struct skep_macro *m,
			const struct call *outer)
{
	struct call call = {outer, m, s->value->args, ++x->n_calls};

	if (is_recursive(x, m, outer, s->span))
		return;
	s->kind = SKEP_S_BLOCK;
	s->value = NULL;
	s->body = copy_stmts(x, m->body, &call);
	walk_stmts(x, s->body, &call);
}

static void walk_stmt(struct expander *x, struct skep_stmt *s, const struct call *outer)
{
	const struct skep_macro *m = NULL;

	if (s->kind == SKEP_S_EXPR && is_call(s->value))
		m = find_macro(x, s->value);
	if (m) {
		walk_children(x, s->value, outer);
		expand_stmt(x, s, m, outer);
		return;
	}
	if (s->kind == SKEP_S_EXPR && x->p->n_errors)
		return; /* the walk below would say it again */
	walk_expr(x, &s->target, outer);
	walk_expr(x, &s->value, outer);
	walk_expr(x, &s->cond, outer);
	walk_expr(x, &s->limit, outer);
	walk_stmts(x, s->body, outer);
	walk_stmts(x, s->else_body, outer);
}

static void walk_stmts(struct expander *x, struct skep_stmt *list, const struct call *outer)
{
	for (; list && !x->p->stop; list = list->next) {
		if (enter(x, list->span))
			walk_stmt(x, list, outer);
		x->depth--;
	}
}

void skep_expand_macros(struct skep_parser *p)
{
	struct expander x = {.p = p};

	p->panic = false;
	for (struct skep_probe_def *probe = p->script->probes; probe && !p->stop;
	     probe = probe->next) {
		walk_expr(&x, &probe->predicate, NULL);
		walk_stmts(&x, probe->body, NULL);
	}
}
