/*
 * Statements: blocks and scopes, assignments, loops. The parser has seen to it
 * that only variables and maps are assigned to, and only maps iterated.
 */
#include <linux/bpf.h>

#include "trace/types/typer.h"

#include <string.h>

#include "base/arena.h"

#define MAX_UNROLL 100

void skep_type_block(struct skep_typer *t, struct skep_stmt *body, struct skep_stmt *map_loop)
{
	struct skep_scope scope;

	skep_scope_open(t, &scope, map_loop);
	skep_type_stmts(t, body);
	skep_scope_close(t);
}

const struct skep_type *skep_type_block_value(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_scope scope;

	skep_scope_open(t, &scope, NULL);
	skep_type_stmts(t, expr->body);
	const struct skep_type *type = skep_type_value(t, expr->right);
	skep_scope_close(t);
	return type;
}

static bool does_something(enum skep_function_id id)
{
	return (skep_functions[id].flags & FN_STMT) || id == SKEP_FN_delete;
}

/* Both arms of a ?: that stands alone may be calls without a value. */
void skep_type_discarded(struct skep_typer *t, struct skep_expr *expr)
{
	if (expr->kind == SKEP_E_TERNARY) {
		expr->is_const = false;
		expr->type = &skep_type_none;
		skep_type_condition(t, expr->cond);
		skep_type_discarded(t, expr->left);
		skep_type_discarded(t, expr->right);
		return;
	}
	const struct skep_type *type = skep_type_expr(t, expr);
	if (type && expr->kind == SKEP_E_CALL && !does_something(expr->function))
		TYPE_WARN(t, expr->span, UNUSED_VALUE, skep_function_name(expr));
}

/* `target op= value` has the type of `target op value`. */
static const struct skep_type *assigned_type(struct skep_typer *t, const struct skep_stmt *stmt,
					     const struct skep_type *held)
{
	if (stmt->op == SKEP_OPR_NONE)
		return stmt->value->type;
	struct skep_expr left = *stmt->target;
	left.type = held;
	left.is_const = false;
	return skep_type_operation(t, stmt->op, &left, stmt->value, stmt->span);
}

static void assign_var(struct skep_typer *t, struct skep_stmt *stmt)
{
	const struct skep_type *type = skep_type_value(t, stmt->value);
	struct skep_expr *target = stmt->target;

	if (stmt->op != SKEP_OPR_NONE) {
		const struct skep_type *held = skep_type_value(t, target);
		type = type && held ? assigned_type(t, stmt, held) : NULL;
		if (type && (skep_type_is_enum(held) || !skep_type_unify(t, held, type)))
			skep_var_assign(t, target->var, type, stmt->value);
		return;
	}
	struct skep_var *var = skep_var_target(t, target, type, stmt->value);
	skep_var_assign(t, var, type, stmt->value);
	target->type = var->type;
}

static const struct skep_type *number_if_new(const struct skep_map *map)
{
	return map->value ? map->value : &skep_type_s64;
}

/* `@x += n` reads and writes; of a new map it makes integers. */
static void update_map(struct skep_typer *t, struct skep_stmt *stmt)
{
	struct skep_map *map = stmt->target->map;
	const struct skep_type *value = skep_type_value(t, stmt->value);
	const struct skep_type *held = number_if_new(map);

	map->is_read = true;
	skep_map_assigned(t, map);
	if (!value)
		return;
	if (skep_type_is_agg(held)) {
		skep_map_add_value(t, stmt->target, value, stmt->span);
		return;
	}
	if (!map->value && value->kind == SKEP_T_INT)
		held = skep_type_int(8, value->is_signed);
	const struct skep_type *type = assigned_type(t, stmt, held);
	if (type && !skep_type_is_enum(held)) /* an enum's name is no more that of the result */
		type = held;
	skep_map_add_value(t, stmt->target, type, stmt->span);
}

static void assign_map(struct skep_typer *t, struct skep_stmt *stmt)
{
	struct skep_expr *target = stmt->target, *value = stmt->value;
	bool is_known = skep_map_key(t, target);
	struct skep_map *map = target->map;

	if (stmt->op != SKEP_OPR_NONE) {
		update_map(t, stmt);
	} else {
		t->agg_call = value;
		const struct skep_type *type = skep_type_value(t, value);
		t->agg_call = NULL;
		bool is_null = type && skep_is_const_int(value) && !value->integer;
		if (is_null && map->value && map->value->kind == SKEP_T_PTR)
			type = map->value;
		skep_map_add_value(t, target, type, value->span);
	}
	target->type = is_known ? map->value : NULL;
}

static void type_assign(struct skep_typer *t, struct skep_stmt *stmt)
{
	if (stmt->target->kind == SKEP_E_VAR)
		assign_var(t, stmt);
	else
		assign_map(t, stmt);
}

static bool can_be_held(const struct skep_type *type)
{
	return type->kind != SKEP_T_NONE && !skep_type_is_agg(type);
}

static const struct skep_type *declared_type(struct skep_typer *t, const struct skep_stmt *stmt)
{
	if (!stmt->type_name && !stmt->cond)
		return NULL;
	const struct skep_type *type = stmt->cond ? skep_type_of(t, stmt->cond)
						  : skep_type_named(t, stmt->type_name, stmt->span);
	if (type && !can_be_held(type))
		return TYPE_ERROR(t, stmt->span, VAR_TYPE, skep_typer_name(t, type));
	return type;
}

static void type_let(struct skep_typer *t, struct skep_stmt *stmt)
{
	const struct skep_type *value = stmt->value ? skep_type_value(t, stmt->value) : NULL;
	const struct skep_type *type = declared_type(t, stmt);
	struct skep_var *var = skep_var_declare(t, stmt->target);

	if (!var)
		return;
	/* "string" alone says what it is, not how long. */
	bool is_open = type && type->kind == SKEP_T_STRING && !type->size;
	if (type && !var->type)
		var->type = is_open ? skep_type_string(t->types, 1) : type;
	var->is_typed = type && !is_open;
	var->is_broken = (stmt->type_name || stmt->cond) && !type;
	if (stmt->value)
		skep_var_assign(t, var, value, stmt->value);
	stmt->target->type = var->type;
}

/* A branch that a constant rules out is typed, but its fail() is not reached. */
static void type_branch(struct skep_typer *t, struct skep_stmt *body, bool is_dead)
{
	t->dead_depth += is_dead;
	skep_type_block(t, body, NULL);
	t->dead_depth -= is_dead;
}

/* The branch for kernels with other fields than this one's is taken out, as nothing in it need
 * make sense here; each walk decides anew, as the place may have other args. */
static void take_foreign_out(struct skep_typer *t, struct skep_stmt *stmt)
{
	if (stmt->foreign)
		*(stmt->foreign_is_else ? &stmt->else_body : &stmt->body) = stmt->foreign;
	skep_type_condition(t, stmt->cond);
	stmt->foreign_is_else = stmt->cond->integer;
	struct skep_stmt **branch = stmt->foreign_is_else ? &stmt->else_body : &stmt->body;
	stmt->foreign = *branch;
	*branch = NULL;
}

static void type_if(struct skep_typer *t, struct skep_stmt *stmt)
{
	if (stmt->cond->kind == SKEP_E_CALL && !strcmp(stmt->cond->text, "has_field"))
		take_foreign_out(t, stmt);
	skep_type_condition(t, stmt->cond);
	bool is_const = skep_is_const_int(stmt->cond);
	type_branch(t, stmt->body, is_const && !stmt->cond->integer);
	type_branch(t, stmt->else_body, is_const && stmt->cond->integer);
}

static void type_loop_body(struct skep_typer *t, struct skep_stmt *stmt)
{
	t->loop_depth++;
	skep_type_block(t, stmt->body, NULL);
	t->loop_depth--;
}

static void type_while(struct skep_typer *t, struct skep_stmt *stmt)
{
	skep_type_condition(t, stmt->cond);
	type_loop_body(t, stmt);
}

static void type_unroll(struct skep_typer *t, struct skep_stmt *stmt)
{
	uint32_t outer_loops = t->loop_depth;

	skep_type_value(t, stmt->value);
	bool is_good = skep_is_const_int(stmt->value) && stmt->value->integer >= 1 &&
		       stmt->value->integer <= MAX_UNROLL;
	if (stmt->value->type && !is_good)
		TYPE_ERROR(t, stmt->value->span, UNROLL_COUNT);
	stmt->unroll_cnt = is_good ? (uint64_t)stmt->value->integer : 0;
	t->loop_depth = 0;
	skep_type_block(t, stmt->body, NULL);
	t->loop_depth = outer_loops;
}

/* The loop's variable: (key, value). */
static const struct skep_type *entry_type(struct skep_typer *t, const struct skep_stmt *stmt)
{
	const struct skep_map *map = stmt->value->map;
	const struct skep_type *value = skep_map_value(t, map, stmt->value->span);

	if (map->scalar_span.len) {
		TYPE_ERROR(t, stmt->value->span, MAP_ITERATE, map->name);
		skep_typer_why_at(t, map->scalar_span, "it has no keys");
		return NULL;
	}
	if (!map->key || !value)
		return NULL;
	return skep_type_tuple(t->types, (const struct skep_type *[]){map->key, value}, 2);
}

static void declare_loop_var(struct skep_typer *t, struct skep_stmt *stmt,
			     const struct skep_type *type)
{
	struct skep_var *var = skep_var_declare(t, stmt->target);

	if (!var)
		return;
	skep_var_assign(t, var, type, NULL);
	stmt->target->type = var->type;
}

static void type_for_map(struct skep_typer *t, struct skep_stmt *stmt)
{
	struct skep_scope scope;

	stmt->n_captures = 0;
	skep_map_use(t, stmt->value)->is_iterated = true;
	skep_scope_open(t, &scope, stmt);
	declare_loop_var(t, stmt, entry_type(t, stmt));
	t->loop_depth++;
	skep_type_stmts(t, stmt->body);
	t->loop_depth--;
	skep_scope_close(t);
}

static const struct skep_type *range_end(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type = skep_type_value(t, expr);

	if (type && type->kind != SKEP_T_INT)
		return TYPE_ERROR(t, expr->span, RANGE_TYPE, skep_typer_name(t, type));
	return type;
}

static void type_for_range(struct skep_typer *t, struct skep_stmt *stmt)
{
	const struct skep_type *from = range_end(t, stmt->value);
	const struct skep_type *to = range_end(t, stmt->limit);
	struct skep_scope scope;

	skep_scope_open(t, &scope, NULL);
	bool is_unsigned = from && to && !from->is_signed && !to->is_signed;
	declare_loop_var(t, stmt, skep_type_int(8, !is_unsigned));
	type_loop_body(t, stmt);
	skep_scope_close(t);
}

static void type_jump(struct skep_typer *t, struct skep_stmt *stmt)
{
	if (!t->loop_depth)
		TYPE_ERROR(t, stmt->span, LOOP_OUTSIDE,
			   stmt->kind == SKEP_S_BREAK ? "break" : "continue");
}

/* What is returned decides what the kernel does. */
static void check_verdict(struct skep_typer *t, const struct skep_stmt *stmt)
{
	bool is_allowed = t->check->opts && t->check->opts->allow_unsafe;
	bool allows = skep_is_const_int(stmt->value) && !stmt->value->integer;

	if (!allows && !is_allowed)
		TYPE_ERROR(t, stmt->span, VERDICT);
	for (const struct skep_scope *scope = t->scope; scope; scope = scope->outer) {
		if (scope->map_loop && !allows)
			TYPE_ERROR(t, stmt->span, VERDICT_LOOP);
	}
}

static void type_return(struct skep_typer *t, struct skep_stmt *stmt)
{
	const struct skep_type *type = stmt->value ? skep_type_value(t, stmt->value) : NULL;

	if (type && type->kind != SKEP_T_INT)
		TYPE_ERROR(t, stmt->value->span, RETURN_TYPE, skep_typer_name(t, type));
	if (!stmt->value || !skep_probe_decides(t->probe))
		return;
	check_verdict(t, stmt);
	if (t->probe->provider->layout)
		skep_typer_layout(t); /* which says the result's type */
}

static void type_expr_stmt(struct skep_typer *t, struct skep_stmt *stmt)
{
	skep_type_discarded(t, stmt->value);
}

static void type_block_stmt(struct skep_typer *t, struct skep_stmt *stmt)
{
	skep_type_block(t, stmt->body, NULL);
}

static void (*const typers[SKEP_S_N_KINDS])(struct skep_typer *t, struct skep_stmt *stmt) = {
	[SKEP_S_EXPR] = type_expr_stmt,  [SKEP_S_ASSIGN] = type_assign,
	[SKEP_S_LET] = type_let,         [SKEP_S_IF] = type_if,
	[SKEP_S_WHILE] = type_while,     [SKEP_S_UNROLL] = type_unroll,
	[SKEP_S_FOR_MAP] = type_for_map, [SKEP_S_FOR_RANGE] = type_for_range,
	[SKEP_S_BREAK] = type_jump,      [SKEP_S_CONTINUE] = type_jump,
	[SKEP_S_RETURN] = type_return,   [SKEP_S_BLOCK] = type_block_stmt,
};

void skep_type_stmts(struct skep_typer *t, struct skep_stmt *list)
{
	for (struct skep_stmt *stmt = list; stmt; stmt = stmt->next)
		typers[stmt->kind](t, stmt);
	skep_type_taken(list);
}
