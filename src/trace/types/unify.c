/*
 * Which one type two values can share: in a map's keys and values, in the
 * results of ?:, in comparisons and in variables.
 *
 * Invariant: the result is at least as large as both, so that unifying again
 * and again reaches an end.
 */
#include "trace/types/typer.h"

#include <string.h>

#include "base/arena.h"

#define MAX_TUPLE_DEPTH 16

typedef const struct skep_type *unify_fn(struct skep_typer *t, const struct skep_type *a,
					 const struct skep_type *b, int depth);

static const struct skep_type *unify(struct skep_typer *t, const struct skep_type *a,
				     const struct skep_type *b, int depth);

static const struct skep_type *unify_ints(const struct skep_type *a, const struct skep_type *b)
{
	if (a->is_bool && b->is_bool)
		return a;
	if (a->is_bool)
		return b;
	if (b->is_bool)
		return a;
	if (skep_type_is_enum(a) && skep_type_same_names(a, b))
		return a->size >= b->size ? a : b;
	uint32_t size = a->size > b->size ? a->size : b->size;
	return skep_type_int(size, a->is_signed);
}

/* Elements go by position, those with names by these. */
static bool same_name(const struct skep_tuple_field *a, const struct skep_tuple_field *b)
{
	return a->name && b->name ? !strcmp(a->name, b->name) : a->name == b->name;
}

static const struct skep_type *unify_tuples(struct skep_typer *t, const struct skep_type *a,
					    const struct skep_type *b, int depth)
{
	if (a->n != b->n || depth > MAX_TUPLE_DEPTH)
		return NULL;
	const struct skep_type **fields =
		skep_arena_array(t->arena, const struct skep_type *, a->n ? a->n : 1);
	for (uint32_t i = 0; i < a->n; i++) {
		uint32_t j = skep_tuple_place(b, a->fields[i].name, i);
		if (!same_name(&a->fields[i], &b->fields[j]))
			return NULL;
		fields[i] = unify(t, a->fields[i].type, b->fields[j].type, depth + 1);
		if (!fields[i])
			return NULL;
	}
	const struct skep_type *type = skep_type_tuple(t->types, fields, a->n);
	for (uint32_t i = 0; i < a->n; i++) /* just made, not shared yet */
		((struct skep_tuple_field *)type->fields)[i].name = a->fields[i].name;
	return type;
}

/* void * takes and gives any pointer; else the first one's view is kept. */
static const struct skep_type *unify_ptrs(const struct skep_type *a, const struct skep_type *b)
{
	return a->elem->kind == SKEP_T_NONE && b->elem->kind != SKEP_T_NONE ? b : a;
}

static const struct skep_type *unify(struct skep_typer *t, const struct skep_type *a,
				     const struct skep_type *b, int depth)
{
	if (a == b)
		return a;
	if (a->kind != b->kind)
		return NULL;
	switch (a->kind) {
	case SKEP_T_INT: return unify_ints(a, b);
	case SKEP_T_PTR: return unify_ptrs(a, b);
	case SKEP_T_STRING:
	case SKEP_T_BUFFER: return a->size >= b->size ? a : b;
	case SKEP_T_TUPLE: return unify_tuples(t, a, b, depth);
	default: return skep_type_same(a, b) ? a : NULL;
	}
}

const struct skep_type *skep_type_unify(struct skep_typer *t, const struct skep_type *a,
					const struct skep_type *b)
{
	return unify(t, a, b, 0);
}

static const struct skep_type *kept(struct skep_typer *t, const struct skep_type *type, int depth);

static const struct skep_type *kept_int(struct skep_typer *t, const struct skep_type *type)
{
	if (type->is_bool || type->size == 8)
		return type;
	if (!skep_type_is_enum(type))
		return skep_type_int(8, type->is_signed);
	struct skep_type *wide = skep_arena_dup(t->arena, type, sizeof(*type));
	wide->size = wide->align = 8;
	return wide;
}

static const struct skep_type *kept_tuple(struct skep_typer *t, const struct skep_type *type,
					  int depth)
{
	const struct skep_type **fields =
		skep_arena_array(t->arena, const struct skep_type *, type->n ? type->n : 1);
	bool is_changed = false;

	for (uint32_t i = 0; i < type->n; i++) {
		fields[i] = kept(t, type->fields[i].type, depth + 1);
		is_changed |= fields[i] != type->fields[i].type;
	}
	if (!is_changed)
		return type;
	const struct skep_type *wide = skep_type_tuple(t->types, fields, type->n);
	for (uint32_t i = 0; i < type->n; i++)
		((struct skep_tuple_field *)wide->fields)[i].name = type->fields[i].name;
	return wide;
}

static const struct skep_type *kept(struct skep_typer *t, const struct skep_type *type, int depth)
{
	uint64_t max = t->check->config->max_map_strlen;

	if (type->kind == SKEP_T_INT)
		return kept_int(t, type);
	if (type->kind == SKEP_T_STRING && type->size > max && !type->is_explicit)
		return skep_type_string(t->types, (uint32_t)max);
	if (type->kind == SKEP_T_TUPLE && depth < MAX_TUPLE_DEPTH)
		return kept_tuple(t, type, depth);
	return type;
}

const struct skep_type *skep_type_kept(struct skep_typer *t, const struct skep_type *type)
{
	return kept(t, type, 0);
}
