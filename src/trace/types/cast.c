/*
 * Where types are written: casts, sizeof, offsetof.
 *
 * A cast changes how bits are seen, never converts text to numbers. Arrays and
 * integers of the same size can be seen as one another.
 */
#include "trace/types/typer.h"

#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"

enum skep_space skep_typer_space(const struct skep_typer *t)
{
	return t->probe && t->probe->provider ? t->probe->provider->space : SKEP_SPACE_NONE;
}

const struct skep_type *skep_type_named(struct skep_typer *t, const char *name,
					struct skep_span span)
{
	const struct skep_type *type;

	if ((type = skep_type_by_name(t->types, name, skep_typer_space(t))))
		return type;
	TYPE_ERROR(t, span, TYPE_UNKNOWN, name);
	if (t->diag && !skep_types_btf(t->types)) {
		skep_diag_why(t->diag, "the kernel's types are not known: %s",
			      strerror(-t->types->btf_err));
		skep_diag_try(t->diag, "define it in the script: struct foo { … }");
	}
	return NULL;
}

static const struct skep_type *bad_cast(struct skep_typer *t, const struct skep_expr *expr,
					const struct skep_type *to)
{
	return TYPE_ERROR(t, expr->span, CAST, skep_typer_name(t, expr->right->type),
			  skep_typer_name(t, to));
}

/* (uint8[])x: as many elements as x has room for. */
static const struct skep_type *sized_array(struct skep_typer *t, const struct skep_expr *expr,
					   const struct skep_type *to)
{
	uint32_t bytes = expr->right->type->size, each = to->elem->size;

	if (!each || bytes % each)
		return TYPE_ERROR(t, expr->span, SELF_SIZED, skep_typer_name(t, to->elem),
				  skep_typer_name(t, expr->right->type));
	return skep_type_array(t->types, to->elem, bytes / each);
}

static const struct skep_type *cast_to_array(struct skep_typer *t, const struct skep_expr *expr,
					     const struct skep_type *to)
{
	const struct skep_type *from = expr->right->type;
	bool has_bytes = from->kind == SKEP_T_INT || from->kind == SKEP_T_ARRAY ||
			 from->kind == SKEP_T_STRING;

	if (!has_bytes || to->elem->kind != SKEP_T_INT)
		return bad_cast(t, expr, to);
	if (!to->n)
		return sized_array(t, expr, to);
	bool literal_fits = skep_is_const_int(expr->right) && to->size <= 8;
	if (to->size == from->size || literal_fits)
		return to;
	return bad_cast(t, expr, to);
}

static bool is_ptr_like(const struct skep_type *type)
{
	return type->kind == SKEP_T_INT || type->kind == SKEP_T_PTR || type->kind == SKEP_T_KSYM ||
	       type->kind == SKEP_T_USYM;
}

/* The pointer says where it comes from if it was one; a number points where the probe works. */
static const struct skep_type *cast_to_ptr(struct skep_typer *t, const struct skep_expr *expr,
					   const struct skep_type *to)
{
	const struct skep_type *from = expr->right->type;

	if (!is_ptr_like(from))
		return bad_cast(t, expr, to);
	if (from->kind != SKEP_T_PTR || from->space == SKEP_SPACE_NONE)
		return to;
	return skep_type_in_space(t->types, to, from->space);
}

static const struct skep_type *cast_to_int(struct skep_typer *t, const struct skep_expr *expr,
					   const struct skep_type *to)
{
	const struct skep_type *from = expr->right->type;

	if (skep_type_is_scalar(from) || is_ptr_like(from))
		return to;
	bool is_text = from->kind == SKEP_T_STRING && !skep_is_const_string(expr->right);
	bool has_bytes = from->kind == SKEP_T_ARRAY || is_text;
	if (has_bytes && from->size == to->size && !to->is_bool)
		return to;
	return bad_cast(t, expr, to);
}

static const struct skep_type *cast_to_string(struct skep_typer *t, const struct skep_expr *expr,
					      const struct skep_type *to)
{
	const struct skep_type *from = expr->right->type;
	bool is_bytes = from->kind == SKEP_T_ARRAY && from->elem->size == 1;

	if (from->kind != SKEP_T_STRING && !is_bytes)
		return bad_cast(t, expr, to);
	if (to->size && to->size < from->size)
		return bad_cast(t, expr, to);
	struct skep_type *type = skep_arena_dup(t->arena, to, sizeof(*to));
	type->size = to->size ? to->size : from->size;
	type->is_explicit = to->size != 0;
	return type;
}

static const struct skep_type *cast_to(struct skep_typer *t, const struct skep_expr *expr,
				       const struct skep_type *to)
{
	switch (to->kind) {
	case SKEP_T_INT: return cast_to_int(t, expr, to);
	case SKEP_T_PTR: return cast_to_ptr(t, expr, to);
	case SKEP_T_ARRAY: return cast_to_array(t, expr, to);
	case SKEP_T_STRING: return cast_to_string(t, expr, to);
	default: break;
	}
	if (to->kind == SKEP_T_USERNAME && expr->right->type->kind == SKEP_T_INT)
		return to;
	if (skep_type_same(to, expr->right->type))
		return to;
	return bad_cast(t, expr, to);
}

const struct skep_type *skep_type_cast(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *from = skep_type_value(t, expr->right);
	const struct skep_type *to = expr->left ? skep_type_of(t, expr->left)
						: skep_type_named(t, expr->type_name, expr->span);

	return from && to ? cast_to(t, expr, to) : NULL;
}

static const struct skep_type *type_in_question(struct skep_typer *t, struct skep_expr *expr)
{
	if (!expr->type_name)
		return skep_type_of(t, expr->right);
	struct skep_expr name = {.kind = SKEP_E_IDENT, .text = expr->type_name};
	const struct skep_type *type = skep_type_enumerator(t, &name);
	if (type)
		return type;
	return skep_type_named(t, expr->type_name, expr->span);
}

const struct skep_type *skep_type_of(struct skep_typer *t, struct skep_expr *expr)
{
	if (expr->kind != SKEP_E_TYPEOF)
		return skep_type_value(t, expr);
	expr->type = type_in_question(t, expr);
	return expr->type;
}

const struct skep_type *skep_type_sizeof(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type = type_in_question(t, expr);

	if (!type)
		return NULL;
	expr->is_const = true;
	expr->integer = type->size;
	return &skep_type_u64;
}

/* One step of "a.b.c" into @type; returns the rest's start, or NULL: no such member. */
static const char *step_into(struct skep_typer *t, const struct skep_expr *expr,
			     const struct skep_type **type, const char *path, uint64_t *off)
{
	size_t len = strcspn(path, ".");
	const char *name = skep_arena_dup(t->arena, path, len);
	struct skep_field field;

	if ((*type)->kind != SKEP_T_RECORD)
		return (void *)TYPE_ERROR(t, expr->span, NO_MEMBERS, skep_typer_name(t, *type));
	if (skep_record_find(t->types, (*type)->record, name, (*type)->space, &field))
		return (void *)TYPE_ERROR(t, expr->span, MEMBER_UNKNOWN, skep_typer_name(t, *type),
					  name);
	*off += field.off;
	*type = field.type;
	return path + len + (path[len] == '.');
}

const struct skep_type *skep_type_offsetof(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type = type_in_question(t, expr);
	uint64_t off = 0;

	if (!type)
		return NULL;
	if (type->kind == SKEP_T_PTR)
		type = type->elem;
	for (const char *path = expr->text; *path;) {
		path = step_into(t, expr, &type, path, &off);
		if (!path)
			return NULL;
	}
	expr->is_const = true;
	expr->integer = (int64_t)off;
	return &skep_type_u64;
}
