/*
 * Structs, unions and enums that a script defines, laid out as C lays them out
 * on x86-64 and arm64: natural alignment, bit fields packed into units of their
 * type, unless packed.
 *
 * All records exist before any is laid out, so that they can point to one
 * another; they are laid out twice, because a pointer's type names the size of
 * what it points to, which is known only then. Errors are those of the second
 * time.
 */
#include "trace/types/typer.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"

#define MAX_STRUCT_BYTES (1u << 20)
#define MAX_DEPTH        16

struct layout {
	struct skep_check *check;
	struct skep_diag *diag;        /* NULL the first time */
	const struct skep_record *top; /* what this is, or is a part of */
	uint32_t depth;
	SKEP_VEC(struct skep_field) fields;
	bool is_union, is_packed;
	uint64_t bits; /* used so far */
	uint32_t align;
};

static void lay_out(struct layout *l, const struct skep_struct_def *def,
		    struct skep_record *record);

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return to ? (n + to - 1) / to * to : n;
}

static const struct skep_type *inner_type(const struct layout *outer,
					  const struct skep_struct_def *def)
{
	struct skep_record *record = skep_arena_new(outer->check->arena, struct skep_record);
	const char *anonymous = def->is_union ? "union (anonymous)" : "struct (anonymous)";
	struct layout l = {.check = outer->check,
			   .diag = outer->diag,
			   .top = outer->top,
			   .depth = outer->depth + 1};

	record->name = def->name[0] ? def->name : anonymous;
	lay_out(&l, def, record);
	return skep_type_record(outer->check->types, record, SKEP_SPACE_NONE);
}

/* Is @type, by value, a struct that this script defines only here or further below? */
static bool is_incomplete(const struct layout *l, const struct skep_type *type)
{
	const struct skep_types *types = l->check->types;
	bool is_below = false;

	while (type->kind == SKEP_T_ARRAY)
		type = type->elem;
	if (type->kind != SKEP_T_RECORD)
		return type->kind == SKEP_T_NONE;
	for (uint32_t i = 0; i < types->n_records; i++) {
		is_below |= types->records[i] == l->top;
		if (types->records[i] == type->record)
			return is_below;
	}
	return !type->size;
}

static bool is_char(const char *name)
{
	const char *last = strrchr(name, ' ');

	return !strcmp(last ? last + 1 : name, "char") && !strstr(name, "signed");
}

static const struct skep_type *array_of(struct layout *l, const struct skep_field_def *def,
					const struct skep_type *elem)
{
	if (def->array_len > 0 && elem->kind == SKEP_T_INT && def->type_name &&
	    is_char(def->type_name))
		return skep_type_string(l->check->types, (uint32_t)def->array_len);
	return skep_type_array(l->check->types, elem, (uint32_t)def->array_len);
}

static const struct skep_type *field_type(struct layout *l, const struct skep_field_def *def)
{
	const struct skep_type *type;

	if (def->inner)
		type = def->inner->is_enum
			       ? skep_enum_type(l->check->types, skep_enum_of(l->check, def->inner))
			       : inner_type(l, def->inner);
	else
		type = skep_type_by_name(l->check->types, def->type_name, SKEP_SPACE_NONE);
	if (!type) {
		skep_diag_add(l->diag, SKEP_DIAG_TYPE_UNKNOWN, def->span, def->type_name);
		return NULL;
	}
	if (!def->inner && is_incomplete(l, type)) {
		skep_diag_add(l->diag, SKEP_DIAG_FIELD_INCOMPLETE, def->span, def->name);
		return NULL;
	}
	return def->array_len < 0 ? type : array_of(l, def, type);
}

static void place_bits(struct layout *l, const struct skep_field_def *def, struct skep_field *field)
{
	uint32_t unit = field->type->size * 8;
	uint64_t at = l->is_union ? 0 : l->bits;

	if (def->bit_size > unit) {
		skep_diag_add(l->diag, SKEP_DIAG_FIELD_BITS, def->span, def->name, def->bit_size);
		return;
	}
	if (!l->is_packed && at / unit != (at + def->bit_size - 1) / unit)
		at = round_up(at, unit);
	uint64_t start = at / unit * unit;
	if (at + def->bit_size > start + unit)
		start = at / 8 * 8;
	field->off = (uint32_t)(start / 8);
	field->bit_off = (uint8_t)(at - start);
	field->bit_size = (uint8_t)def->bit_size;
	at += def->bit_size;
	l->bits = at > l->bits ? at : l->bits;
}

static void place_whole(struct layout *l, struct skep_field *field)
{
	uint64_t align = l->is_packed ? 1 : field->type->align;
	uint64_t at = l->is_union ? 0 : round_up(l->bits, align * 8);

	field->off = (uint32_t)(at / 8);
	at += (uint64_t)field->type->size * 8;
	l->bits = at > l->bits ? at : l->bits;
}

static bool has_field(const struct layout *l, const char *name)
{
	for (size_t i = 0; i < l->fields.len && name[0]; i++) {
		if (!strcmp(l->fields.data[i].name, name))
			return true;
	}
	return false;
}

static void add_field(struct layout *l, const struct skep_struct_def *owner,
		      const struct skep_field_def *def)
{
	struct skep_field field = {.name = def->name ? def->name : "", .type = field_type(l, def)};

	if (!field.type)
		return;
	if (has_field(l, field.name))
		skep_diag_add(l->diag, SKEP_DIAG_FIELD_TWICE, def->span, owner->name, field.name);
	if (def->bit_size && field.type->kind == SKEP_T_INT)
		place_bits(l, def, &field);
	else
		place_whole(l, &field);
	if (!l->is_packed && field.type->align > l->align)
		l->align = field.type->align;
	if (l->bits / 8 > MAX_STRUCT_BYTES) {
		skep_diag_add(l->diag, SKEP_DIAG_STRUCT_SIZE, owner->span, owner->name,
			      MAX_STRUCT_BYTES);
		l->bits = 0;
	}
	skep_vec_push(&l->fields, field);
}

static void lay_out(struct layout *l, const struct skep_struct_def *def, struct skep_record *record)
{
	l->is_union = record->is_union = def->is_union;
	l->is_packed = def->is_packed;
	l->align = 1;
	for (const struct skep_field_def *i = def->fields; i && l->depth < MAX_DEPTH; i = i->next)
		add_field(l, def, i);
	record->align = l->align;
	record->size = (uint32_t)round_up(round_up(l->bits, 8) / 8, l->align);
	record->n_fields = (uint32_t)l->fields.len;
	record->fields =
		skep_arena_dup(l->check->arena, l->fields.data ? l->fields.data : (void *)"",
			       l->fields.len * sizeof(struct skep_field));
	skep_vec_done(&l->fields);
}

static struct skep_record *find_record(const struct skep_types *types, const char *name)
{
	for (uint32_t i = 0; i < types->n_records; i++) {
		if (!strcmp(types->records[i]->name, name))
			return types->records[i];
	}
	return NULL;
}

static bool is_defined_before(const struct skep_script *script, const struct skep_struct_def *def)
{
	for (const struct skep_struct_def *i = script->structs; i != def; i = i->next) {
		if (def->name[0] && !strcmp(i->name, def->name))
			return true;
	}
	return false;
}

static void add_records(struct skep_check *check)
{
	struct skep_types *types = check->types;
	uint32_t n = types->n_records;

	for (const struct skep_struct_def *i = check->script->structs; i; i = i->next)
		n++;
	struct skep_record **grown = skep_arena_array(check->arena, struct skep_record *, n + 1);
	if (types->n_records)
		memcpy(grown, types->records, types->n_records * sizeof(*grown));
	types->records = grown;
	for (const struct skep_struct_def *i = check->script->structs; i; i = i->next) {
		if (is_defined_before(check->script, i))
			skep_diag_add(check->diag, SKEP_DIAG_STRUCT_TWICE, i->span, i->name);
		if (i->is_enum || !i->name[0] || find_record(types, i->name))
			continue;
		struct skep_record *record = skep_arena_new(check->arena, struct skep_record);
		record->name = i->name;
		record->is_union = i->is_union;
		types->records[types->n_records++] = record;
	}
}

static void lay_out_all(struct skep_check *check, struct skep_diag *diag)
{
	for (const struct skep_struct_def *i = check->script->structs; i; i = i->next) {
		struct skep_record *record = find_record(check->types, i->name);

		struct layout l = {.check = check, .diag = diag, .top = record};

		if (record)
			lay_out(&l, i, record);
	}
}

int skep_check_structs(struct skep_check *check)
{
	size_t n_before = check->diag->n_errors;

	skep_check_enums(check);
	add_records(check);
	lay_out_all(check, NULL);
	lay_out_all(check, check->diag);
	return check->diag->n_errors == n_before ? 0 : -EINVAL;
}
