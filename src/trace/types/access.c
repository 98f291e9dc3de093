/*
 * Into values: members, elements, and names without a sigil.
 *
 * A pointer to a struct is followed by "." as well as by "->"; a struct's
 * members are looked for in the script's definition, else lazily in BTF.
 */
#include "trace/types/typer.h"

#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "trace/parse.h"

#define MAX_CANDIDATES 512
#define OTHER_PREFIX   "__builtin_"

static void suggest_members(struct skep_typer *t, const struct skep_record *record,
			    const char *name)
{
	const char *names[MAX_CANDIDATES];
	uint32_t n = record->n_fields < MAX_CANDIDATES ? record->n_fields : MAX_CANDIDATES;
	struct skep_btf_member member;

	if (!t->diag)
		return;
	for (uint32_t i = 0; i < n; i++)
		names[i] = record->fields[i].name;
	if (record->btf_id && skep_types_btf(t->types)) {
		n = skep_btf_n_members(t->types->btf, record->btf_id);
		n = n < MAX_CANDIDATES ? n : MAX_CANDIDATES;
		for (uint32_t i = 0; i < n; i++)
			names[i] = skep_btf_member(t->types->btf, record->btf_id, i, &member)
					   ? ""
					   : member.name;
	}
	skep_diag_did_you_mean(t->diag, name, names, n);
}

static const struct skep_type *no_member(struct skep_typer *t, const struct skep_expr *expr,
					 const struct skep_record *record)
{
	bool is_only_named = !record->btf_id && !record->size && !record->n_fields;

	if (is_only_named && !skep_types_btf(t->types))
		return TYPE_ERROR(t, expr->span, NO_BTF, strerror(-t->types->btf_err));
	TYPE_ERROR(t, expr->span, MEMBER_UNKNOWN, record->name, expr->text);
	suggest_members(t, record, expr->text);
	return NULL;
}

static const struct skep_type *record_member(struct skep_typer *t, struct skep_expr *expr,
					     const struct skep_type *type)
{
	if (skep_record_find(t->types, type->record, expr->text, type->space, &expr->field))
		return no_member(t, expr, type->record);
	const struct skep_type *member = expr->field.type;
	/* What tracepoints and functions are given points where the probe works. */
	if (type->space == SKEP_SPACE_CTX && member->kind == SKEP_T_PTR &&
	    member->space == SKEP_SPACE_NONE)
		member = skep_type_ptr(t->types, member->elem, skep_typer_space(t));
	expr->field.type = member;
	return member;
}

static const struct skep_type *tuple_member(struct skep_typer *t, struct skep_expr *expr,
					    const struct skep_type *type)
{
	for (uint32_t i = 0; i < type->n; i++) {
		const struct skep_tuple_field *field = &type->fields[i];
		if (!field->name || strcmp(field->name, expr->text))
			continue;
		expr->field = (struct skep_field){
			.name = field->name, .type = field->type, .off = field->off};
		return field->type;
	}
	return TYPE_ERROR(t, expr->span, MEMBER_UNKNOWN, skep_typer_name(t, type), expr->text);
}

static bool is_config(const struct skep_expr *expr)
{
	size_t skip = expr->text && !strncmp(expr->text, OTHER_PREFIX, strlen(OTHER_PREFIX))
			      ? strlen(OTHER_PREFIX)
			      : 0;

	return expr->kind == SKEP_E_IDENT && skep_builtin_find(expr->text + skip) == SKEP_BI_config;
}

/* config.NAME: becomes the literal that it stands for. */
static const struct skep_type *setting(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_config_value value;

	if (skep_config_get(t->check->config, expr->text, &value))
		return TYPE_ERROR(t, expr->span, CONFIG_UNKNOWN, expr->text);
	expr->kind = value.text ? SKEP_E_STRING : SKEP_E_INT;
	expr->integer = (int64_t)value.number;
	expr->is_bool_lit = value.is_bool;
	expr->is_unsigned_lit = !value.is_bool;
	expr->text = value.text;
	expr->text_len = value.text ? (uint32_t)strlen(value.text) : 0;
	return skep_type_expr(t, expr);
}

const struct skep_type *skep_type_field(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type;

	if (is_config(expr->left))
		return setting(t, expr);
	if (skep_type_chain(t, expr, &type))
		return type;
	type = skep_type_value(t, expr->left);

	if (!type)
		return NULL;
	if (type->kind == SKEP_T_PTR && type->elem->kind == SKEP_T_RECORD)
		type = type->elem;
	if (type->kind == SKEP_T_RECORD)
		return record_member(t, expr, type);
	if (type->kind == SKEP_T_TUPLE)
		return tuple_member(t, expr, type);
	TYPE_ERROR(t, expr->span, NO_MEMBERS, skep_typer_name(t, type));
	if (t->diag && type->kind == SKEP_T_INT)
		skep_diag_try(t->diag, "cast it to a pointer to a struct: ((struct foo *)x)->%s",
			      expr->text);
	return NULL;
}

static const struct skep_type *tuple_element(struct skep_typer *t, const struct skep_expr *expr,
					     const struct skep_type *type, int64_t i)
{
	if (type->kind != SKEP_T_TUPLE)
		return TYPE_ERROR(t, expr->span, NOT_TUPLE, skep_typer_name(t, type));
	if (i < 0 || i >= type->n)
		return TYPE_ERROR(t, expr->span, TUPLE_RANGE, skep_typer_name(t, type),
				  (long long)i);
	return type->fields[i].type;
}

const struct skep_type *skep_type_tuple_at(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type = skep_type_value(t, expr->left);

	return type ? tuple_element(t, expr, type, expr->integer) : NULL;
}

static const struct skep_type *check_range(struct skep_typer *t, const struct skep_expr *expr,
					   const struct skep_type *of, uint32_t n,
					   const struct skep_type *elem)
{
	const struct skep_expr *at = expr->right;
	bool is_outside = skep_is_const_int(at) && (at->integer < 0 || at->integer >= n);

	if (n && is_outside)
		return TYPE_ERROR(t, at->span, INDEX_RANGE, (long long)at->integer,
				  skep_typer_name(t, of));
	return elem;
}

const struct skep_type *skep_type_index(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type = skep_type_value(t, expr->left);
	const struct skep_type *at = skep_type_value(t, expr->right);

	if (!type || !at)
		return NULL;
	if (at->kind != SKEP_T_INT)
		return TYPE_ERROR(t, expr->right->span, INDEX_TYPE, skep_typer_name(t, at));
	switch (type->kind) {
	case SKEP_T_ARRAY: return check_range(t, expr, type, type->n, type->elem);
	case SKEP_T_STRING: return check_range(t, expr, type, type->size, &skep_type_s8);
	case SKEP_T_TUPLE:
		if (skep_is_const_int(expr->right))
			return tuple_element(t, expr, type, expr->right->integer);
		return TYPE_ERROR(t, expr->right->span, INDEX_TYPE, "a value not known yet");
	case SKEP_T_PTR:
		if (type->elem->kind != SKEP_T_NONE)
			return type->elem;
		return TYPE_ERROR(t, expr->span, DEREF, skep_typer_name(t, type));
	default: return TYPE_ERROR(t, expr->span, INDEX_BASE, skep_typer_name(t, type));
	}
}

/* As a value of its own an enumerator has 64 bits, whatever members of its enum have. */
static const struct skep_type *wide_enum(struct skep_typer *t, const struct skep_type *type)
{
	struct skep_type *wide = skep_arena_dup(t->arena, type, sizeof(*type));

	wide->size = wide->align = 8;
	return wide;
}

static struct skep_asked_name *recall(const struct skep_types *types, const char *name)
{
	struct skep_asked_name *asked = types->asked;

	while (asked && strcmp(asked->name, name) != 0)
		asked = asked->next;
	return asked;
}

/* To find one takes a third of a millisecond, and scripts are walked several times. */
static const struct skep_asked_name *ask_kernel(struct skep_types *types, const char *name)
{
	struct skep_btf *btf = skep_types_btf(types);
	struct skep_asked_name *asked = recall(types, name);

	if (asked || !btf)
		return asked;
	asked = skep_arena_new(types->arena, struct skep_asked_name);
	asked->name = name;
	asked->next = types->asked;
	skep_btf_find_enumerator(btf, name, strlen(name), &asked->value, &asked->btf_id);
	return types->asked = asked;
}

/* An enumerator of the kernel keeps its enum, so that it is printed by name. */
static const struct skep_type *kernel_enumerator(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_asked_name *asked = ask_kernel(t->types, expr->text);

	if (!asked || !asked->btf_id)
		return NULL;
	expr->is_const = true;
	expr->integer = asked->value;
	return wide_enum(t, skep_type_from_btf(t->types, asked->btf_id, SKEP_SPACE_NONE));
}

static const struct skep_type *unknown_name(struct skep_typer *t, const struct skep_expr *expr)
{
	TYPE_ERROR(t, expr->span, NAME_UNKNOWN, expr->text);
	if (!t->diag)
		return NULL;
	if (skep_function_find(expr->text))
		skep_diag_try(t->diag, "it is a function: %s(…)", expr->text);
	else
		skep_diag_did_you_mean(t->diag, expr->text, skep_builtin_names + 1,
				       SKEP_BI_CNT - 1);
	return NULL;
}

const struct skep_type *skep_type_enumerator(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type = skep_enumerator_find(t->types, expr->text, &expr->integer);

	/* The kernel is asked only what is no constant: what it was asked need not be looked up. */
	if (!type && !recall(t->types, expr->text) &&
	    skep_constant_find(expr->text, &expr->integer))
		type = &skep_type_s64;
	if (!type)
		return kernel_enumerator(t, expr);
	expr->is_const = true;
	return type;
}

const struct skep_type *skep_type_ident(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type;

	/* bpftrace's own library knows each builtin by a second name. */
	size_t skip =
		strncmp(expr->text, OTHER_PREFIX, strlen(OTHER_PREFIX)) ? 0 : strlen(OTHER_PREFIX);
	if (expr->builtin == SKEP_BI_NONE) /* one that is a text has put it where its name was */
		expr->builtin = skep_builtin_find(expr->text + skip);
	if (expr->builtin != SKEP_BI_NONE)
		return skep_type_builtin(t, expr);
	if ((type = skep_type_enumerator(t, expr)))
		return type;
	return unknown_name(t, expr);
}
