/*
 * Maps: what their keys and values are, from all uses in all probes, and what
 * they are used for, which decides how they are kept.
 *
 * The first use settles a type; later ones may make strings longer and must
 * otherwise agree. Both places are named when they do not.
 */
#include "trace/types/typer.h"

#include <string.h>

#include "base/arena.h"

static const struct skep_map_decl *find_decl(const struct skep_script *script, const char *name)
{
	for (const struct skep_map_decl *decl = script->map_decls; decl; decl = decl->next) {
		if (!strcmp(decl->name, name))
			return decl;
	}
	return NULL;
}

static struct skep_map *new_map(struct skep_typer *t, const struct skep_expr *expr)
{
	struct skep_script *script = t->check->script;
	const struct skep_map_decl *decl = find_decl(script, expr->text);
	struct skep_map *map = skep_arena_new(t->arena, struct skep_map);

	map->name = expr->text;
	map->span = expr->span;
	map->index = script->n_maps++;
	map->only_tid_keys = map->only_cpu_keys = true;
	if (decl) {
		map->decl_kind = decl->kind;
		map->max_keys = (uint32_t)decl->max_keys;
	}
	return map;
}

struct skep_map *skep_map_use(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_map **at = &t->check->script->maps;

	for (; *at; at = &(*at)->next) {
		if (!strcmp((*at)->name, expr->text))
			return expr->map = *at;
	}
	return expr->map = *at = new_map(t, expr);
}

/* The keys of @x[a, b] as one tuple; made once, its elements are the map's own. */
static struct skep_expr *key_of(struct skep_typer *t, struct skep_expr *expr)
{
	if (expr->n_args <= 1)
		return expr->args;
	if (expr->key)
		return expr->key;
	struct skep_expr *key = skep_arena_new(t->arena, struct skep_expr);
	const struct skep_expr *last = expr->args;
	while (last->next)
		last = last->next;
	key->kind = SKEP_E_TUPLE;
	key->span.off = expr->args->span.off;
	key->span.len = last->span.off + last->span.len - key->span.off;
	key->args = expr->args;
	key->n_args = expr->n_args;
	return key;
}

static bool fits_key(const struct skep_type *type)
{
	if (type->kind == SKEP_T_NONE || skep_type_is_agg(type))
		return false;
	if (type->kind == SKEP_T_PTR)
		return type->space != SKEP_SPACE_CTX;
	for (uint32_t i = 0; type->kind == SKEP_T_TUPLE && i < type->n; i++) {
		if (!fits_key(type->fields[i].type))
			return false;
	}
	return true;
}

static void settle(struct skep_typer *t, const struct skep_type **slot,
		   const struct skep_type *type)
{
	if (*slot && skep_type_same(*slot, type) && skep_type_same_names(*slot, type))
		return;
	*slot = type;
	t->maps_changed = true;
}

static void key_mismatch(struct skep_typer *t, const struct skep_map *map,
			 const struct skep_expr *key)
{
	TYPE_ERROR(t, key->span, MAP_KEY_MISMATCH, map->name, skep_typer_name(t, key->type));
	skep_typer_why_at(t, map->key_span, "elsewhere it is %s", skep_typer_name(t, map->key));
}

static void note_key(struct skep_map *map, const struct skep_expr *key)
{
	if (!map->key_span.len)
		map->key_span = key->span;
	map->only_tid_keys &= key->kind == SKEP_E_IDENT && key->builtin == SKEP_BI_tid;
	map->only_cpu_keys &= key->kind == SKEP_E_IDENT && key->builtin == SKEP_BI_cpu;
}

bool skep_map_add_key(struct skep_typer *t, struct skep_map *map, struct skep_expr *key)
{
	const struct skep_type *type = key->type;

	if (map->scalar_span.len) {
		TYPE_ERROR(t, key->span, MAP_HAS_NO_KEY, map->name);
		skep_typer_why_at(t, map->scalar_span, "it is used without one");
		return false;
	}
	note_key(map, key);
	if (!type)
		return false;
	if (!fits_key(type)) {
		TYPE_ERROR(t, key->span, KEY_TYPE, skep_typer_name(t, type));
		return false;
	}
	type = skep_type_kept(t, type);
	if (map->key && !(type = skep_type_unify(t, map->key, type))) {
		key_mismatch(t, map, key);
		return false;
	}
	settle(t, &map->key, type);
	return true;
}

static bool without_key(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_map *map = expr->map;

	if (map->key_span.len) {
		TYPE_ERROR(t, expr->span, MAP_NEEDS_KEY, map->name);
		skep_typer_why_at(t, map->key_span, "it is used with one");
		return false;
	}
	if (!map->scalar_span.len)
		map->scalar_span = expr->span;
	return true;
}

bool skep_map_key(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_map *map = skep_map_use(t, expr);

	expr->key = key_of(t, expr);
	if (!expr->key)
		return without_key(t, expr);
	skep_type_value(t, expr->key);
	return skep_map_add_key(t, map, expr->key);
}

static bool has_single_value(const struct skep_type *type)
{
	return type->kind != SKEP_T_HIST && type->kind != SKEP_T_LHIST &&
	       type->kind != SKEP_T_STATS;
}

const struct skep_type *skep_map_value(struct skep_typer *t, const struct skep_map *map,
				       struct skep_span span)
{
	const struct skep_type *type = map->value;

	if (!type || !skep_type_is_agg(type))
		return type;
	if (!has_single_value(type))
		return TYPE_ERROR(t, span, AGG_READ, map->name, skep_typer_name(t, type));
	return skep_type_int(8, type->is_signed);
}

const struct skep_type *skep_type_map_read(struct skep_typer *t, struct skep_expr *expr)
{
	bool is_keyed = skep_map_key(t, expr);

	expr->map->is_read = expr->map->is_used = true;
	return is_keyed ? skep_map_value(t, expr->map, expr->span) : NULL;
}

static const char *function_of(const struct skep_type *type)
{
	static const char *const names[] = {
		[SKEP_T_COUNT] = "count", [SKEP_T_SUM] = "sum",     [SKEP_T_AVG] = "avg",
		[SKEP_T_MIN] = "min",     [SKEP_T_MAX] = "max",     [SKEP_T_STATS] = "stats",
		[SKEP_T_HIST] = "hist",   [SKEP_T_LHIST] = "lhist",
	};

	return names[type->kind];
}

static void value_mismatch(struct skep_typer *t, const struct skep_map *map,
			   const struct skep_type *type, struct skep_span span)
{
	if (skep_type_is_agg(map->value) && !skep_type_is_agg(type)) {
		TYPE_ERROR(t, span, MAP_AGG_MIXED, map->name, skep_typer_name(t, map->value),
			   function_of(map->value));
		skep_typer_why_at(t, map->value_span, "it was settled here");
		return;
	}
	TYPE_ERROR(t, span, MAP_VALUE_MISMATCH, map->name, skep_typer_name(t, type));
	skep_typer_why_at(t, map->value_span, "elsewhere it is given %s",
			  skep_typer_name(t, map->value));
}

static bool fits_value(const struct skep_type *type)
{
	return type->kind != SKEP_T_NONE &&
	       (type->kind != SKEP_T_PTR || type->space != SKEP_SPACE_CTX);
}

/* Aggregates of one kind may differ in sign where a number is read by its sign only. */
static const struct skep_type *unify_values(struct skep_typer *t, const struct skep_type *a,
					    const struct skep_type *b)
{
	if (a->kind == b->kind && a->kind >= SKEP_T_COUNT && a->kind <= SKEP_T_STATS)
		return a->is_signed ? a : b;
	return skep_type_unify(t, a, b);
}

void skep_map_assigned(const struct skep_typer *t, struct skep_map *map)
{
	map->is_assigned = true;
	map->is_live |= !t->dead_depth;
}

void skep_map_add_value(struct skep_typer *t, struct skep_expr *expr, const struct skep_type *type,
			struct skep_span span)
{
	struct skep_map *map = expr->map;

	skep_map_assigned(t, map);
	if (!type)
		return;
	if (!fits_value(type)) {
		TYPE_ERROR(t, span, VALUE_TYPE, skep_typer_name(t, type));
		return;
	}
	const struct skep_type *kept = skep_type_kept(t, type);
	if (map->value && !(kept = unify_values(t, map->value, kept))) {
		value_mismatch(t, map, type, span);
		return;
	}
	if (!map->value_span.len)
		map->value_span = span;
	settle(t, &map->value, kept);
}

void skep_maps_guess(struct skep_typer *t)
{
	if (t->maps_changed)
		return;
	for (struct skep_map *map = t->check->script->maps; map; map = map->next) {
		map->is_assigned = true;
		if (!map->value)
			settle(t, &map->value, &skep_type_s64);
		if (!map->key && map->is_iterated && !map->scalar_span.len)
			settle(t, &map->key, &skep_type_u64);
	}
}

static bool is_percpu(const char *kind)
{
	return !strncmp(kind, "percpu", strlen("percpu"));
}

static void finish_map(struct skep_typer *t, struct skep_map *map)
{
	if (!map->key)
		map->only_tid_keys = map->only_cpu_keys = false;
	if (!map->is_assigned) {
		TYPE_ERROR(t, map->span, MAP_UNASSIGNED, map->name);
		return;
	}
	bool is_known = map->value && (map->key || !map->key_span.len);
	if (!is_known)
		TYPE_ERROR(t, map->span, VAR_NO_TYPE, map->name);
	/* Where an option leaves it empty, what it would hold is only guessed. */
	if (!is_known || !map->decl_kind || !map->is_live)
		return;
	bool is_agg = skep_type_is_agg(map->value);
	if (is_agg == is_percpu(map->decl_kind))
		return;
	TYPE_ERROR(t, map->span, MAP_DECL_KIND, map->name, map->decl_kind,
		   skep_typer_name(t, map->value));
	skep_diag_try(t->diag, is_agg ? "declare it as percpuhash or percpulruhash"
				      : "declare it as hash or lruhash");
}

static bool is_used(const struct skep_script *script, const char *name)
{
	for (const struct skep_map *map = script->maps; map; map = map->next) {
		if (!strcmp(map->name, name))
			return true;
	}
	return false;
}

void skep_maps_finish(struct skep_typer *t)
{
	const struct skep_script *script = t->check->script;

	for (struct skep_map *map = script->maps; map; map = map->next)
		finish_map(t, map);
	for (const struct skep_map_decl *decl = script->map_decls; decl; decl = decl->next) {
		if (!is_used(script, decl->name))
			TYPE_WARN(t, decl->span, MAP_DECL_UNUSED, decl->name);
	}
}
