/*
 * Variables: which declaration a name means, and what it holds.
 *
 * An assignment to an unknown name declares it in the innermost block. A block
 * that has ended leaves its variables behind: a later read in the block around
 * it still means them (as before the language had block scopes), and so does a
 * later assignment of a fitting value, so that both branches of an if can set
 * what is printed after it. Such a variable is_hoisted. Bodies of loops over
 * maps leave nothing behind: they run as functions of their own.
 *
 * A variable's type belongs to one round (place), and grows within it.
 */
#include "trace/types/typer.h"

#include <string.h>

#include "base/arena.h"

struct skep_binding {
	struct skep_binding *next;
	struct skep_var *var;
};

void skep_scope_open(struct skep_typer *t, struct skep_scope *scope, struct skep_stmt *map_loop)
{
	*scope = (struct skep_scope){.outer = t->scope, .map_loop = map_loop};
	t->scope = scope;
}

static void bind(struct skep_typer *t, struct skep_binding **list, struct skep_var *var)
{
	struct skep_binding *binding = skep_arena_new(t->arena, struct skep_binding);

	binding->var = var;
	binding->next = *list;
	*list = binding;
}

static void leave_behind(struct skep_binding **to, struct skep_binding *list)
{
	while (list) {
		struct skep_binding *next = list->next;

		if (!list->var->is_let) {
			list->next = *to;
			*to = list;
		}
		list = next;
	}
}

void skep_scope_close(struct skep_typer *t)
{
	struct skep_scope *scope = t->scope;

	t->scope = scope->outer;
	if (!scope->outer || scope->map_loop)
		return;
	leave_behind(&scope->outer->left, scope->bindings);
	leave_behind(&scope->outer->left, scope->left);
}

static struct skep_var *find_in(const struct skep_binding *list, const char *name)
{
	for (; list; list = list->next) {
		if (!strcmp(list->var->name, name))
			return list->var;
	}
	return NULL;
}

static void add_capture(struct skep_typer *t, struct skep_stmt *loop, struct skep_var *var)
{
	for (uint32_t i = 0; i < loop->n_captures; i++) {
		if (loop->captures[i] == var)
			return;
	}
	struct skep_var **grown =
		skep_arena_array(t->arena, struct skep_var *, loop->n_captures + 1);
	if (loop->n_captures)
		memcpy(grown, loop->captures, loop->n_captures * sizeof(struct skep_var *));
	grown[loop->n_captures++] = var;
	loop->captures = grown;
}

/* Every loop over a map between here and where @var lives takes it along. */
static struct skep_var *found(struct skep_typer *t, const struct skep_scope *owner,
			      struct skep_var *var)
{
	for (struct skep_scope *at = t->scope; at != owner; at = at->outer) {
		if (at->map_loop)
			add_capture(t, at->map_loop, var);
	}
	return var;
}

static struct skep_var *find_visible(struct skep_typer *t, const char *name)
{
	for (struct skep_scope *at = t->scope; at; at = at->outer) {
		struct skep_var *var = find_in(at->bindings, name);
		if (var)
			return found(t, at, var);
	}
	return NULL;
}

static struct skep_var *find_left(struct skep_typer *t, const char *name)
{
	for (struct skep_scope *at = t->scope; at; at = at->outer) {
		struct skep_var *var = find_in(at->left, name);
		if (var)
			return found(t, at, var);
	}
	return NULL;
}

static void suggest_name(struct skep_typer *t, const char *name)
{
	enum { MAX = 64 };
	const char *names[MAX];
	size_t n = 0;

	for (const struct skep_scope *at = t->scope; at; at = at->outer) {
		for (const struct skep_binding *b = at->bindings; b && n < MAX; b = b->next)
			names[n++] = b->var->name;
	}
	skep_diag_did_you_mean(t->diag, name, names, n);
}

struct skep_var *skep_var_read(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_var *var = find_visible(t, expr->text);

	if (!var && (var = find_left(t, expr->text)))
		var->is_hoisted = true;
	expr->var = var;
	if (var)
		return var;
	TYPE_ERROR(t, expr->span, VAR_UNKNOWN, expr->text);
	if (t->diag) {
		skep_diag_why(t->diag, "nothing is assigned to it before it is read here");
		suggest_name(t, expr->text);
	}
	return NULL;
}

/*
 * The variable that this node declared in an earlier walk stays the same one,
 * so that what was learned of its type in a loop's body is known at its top.
 */
static struct skep_var *new_var(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_var *var = expr->var;

	if (!var || var->span.off != expr->span.off || var->round != t->round) {
		var = skep_arena_new(t->arena, struct skep_var);
		var->name = expr->text;
		var->span = expr->span;
		var->round = t->round;
	}
	var->id = t->def->n_vars++;
	expr->var = var;
	bind(t, &t->scope->bindings, var);
	return var;
}

struct skep_var *skep_var_declare(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_var *other = find_visible(t, expr->text);

	if (other) {
		TYPE_ERROR(t, expr->span, VAR_TWICE, expr->text);
		skep_typer_why_at(t, other->span, "one of this name is visible here");
		return NULL;
	}
	struct skep_var *var = new_var(t, expr);
	var->is_let = true;
	return var;
}

static bool is_flexible(const struct skep_type *type, const struct skep_expr *value)
{
	return type->kind == SKEP_T_INT && type->size == 8 && type->is_signed && value &&
	       value->is_const && value->integer >= 0;
}

/* An integer grows to the larger size; the first that is no plain literal decides the sign. */
static const struct skep_type *grow_int(const struct skep_var *var, const struct skep_type *type,
					bool is_flex)
{
	const struct skep_type *old = var->type;
	bool is_signed = var->is_flexible ? type->is_signed : old->is_signed;
	uint32_t size = old->size > type->size ? old->size : type->size;

	if (skep_type_is_enum(old) && skep_type_same_names(old, type))
		return old->size >= size ? old : type;
	if (is_flex && skep_type_is_enum(old)) /* some number is not one of its names */
		return skep_type_int(size, old->is_signed);
	if (is_flex || (old->is_bool && type->is_bool))
		return old->is_bool && !type->is_bool ? type : old;
	return skep_type_int(size, is_signed);
}

static const struct skep_type *grow(struct skep_typer *t, const struct skep_var *var,
				    const struct skep_type *type, const struct skep_expr *value)
{
	if (var->type->kind == SKEP_T_INT && type->kind == SKEP_T_INT)
		return grow_int(var, type, is_flexible(type, value));
	if (var->type->kind == SKEP_T_PTR && value && skep_is_const_int(value) && !value->integer)
		return var->type;
	return skep_type_common(t, var->type, type);
}

struct skep_var *skep_var_target(struct skep_typer *t, struct skep_expr *expr,
				 const struct skep_type *type, const struct skep_expr *value)
{
	struct skep_var *var = find_visible(t, expr->text);

	if (!var && (var = find_left(t, expr->text))) {
		if (type && var->type && !grow(t, var, type, value))
			return new_var(t, expr);
		bind(t, &t->scope->bindings, var);
	}
	if (!var)
		return new_var(t, expr);
	expr->var = var;
	return var;
}

static void mismatch(struct skep_typer *t, const struct skep_var *var, const struct skep_type *type,
		     const struct skep_expr *value)
{
	struct skep_span span = value ? value->span : var->span;

	TYPE_ERROR(t, span, VAR_MISMATCH, var->name, skep_typer_name(t, var->type),
		   skep_typer_name(t, type));
	skep_typer_why_at(t, var->span, "its type was settled by the first assignment");
}

static bool fits_declared(const struct skep_type *type, int64_t value)
{
	if (type->is_bool)
		return value == 0 || value == 1;
	return skep_fold_to(type, value) == value && (type->is_signed || value >= 0);
}

/* What a declared type takes: integers of any size, a literal only if it fits. */
static bool takes(struct skep_typer *t, const struct skep_type *to, const struct skep_type *type,
		  const struct skep_expr *value)
{
	bool is_const = value && skep_is_const_int(value);

	if (to->kind == SKEP_T_PTR && is_const && !value->integer)
		return true;
	if (to->kind != SKEP_T_INT || type->kind != SKEP_T_INT) {
		const struct skep_type *both = skep_type_unify(t, to, type);
		return both && both->size == to->size;
	}
	if (is_const && value->kind != SKEP_E_CAST && !fits_declared(to, value->integer))
		TYPE_ERROR(t, value->span, VAR_RANGE, (long long)value->integer,
			   skep_typer_name(t, to));
	return true;
}

void skep_var_assign(struct skep_typer *t, struct skep_var *var, const struct skep_type *type,
		     const struct skep_expr *value)
{
	if (!type) {
		var->is_broken = true;
		return;
	}
	if (var->is_typed) {
		if (!takes(t, var->type, type, value))
			mismatch(t, var, type, value);
		return;
	}
	if (!var->type) {
		var->type = type;
		var->is_flexible = is_flexible(type, value);
		return;
	}
	const struct skep_type *grown = grow(t, var, type, value);
	if (!grown) {
		mismatch(t, var, type, value);
		return;
	}
	bool is_same = skep_type_same(grown, var->type) && skep_type_same_names(grown, var->type);
	if (!is_same || grown->is_signed != var->type->is_signed) {
		var->type = grown;
		t->vars_changed = true;
	}
	if (!is_flexible(type, value))
		var->is_flexible = false;
}
