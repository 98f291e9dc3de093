/*
 * Enums that a script defines. The names stay with the type: through variables,
 * maps and tuples, until arithmetic makes a plain number of the value; so that
 * the run time prints what the script wrote.
 *
 * Invariant: the i-th enum of the types is the i-th of the script's definitions.
 */
#include "trace/types/typer.h"

#include <string.h>

#include "base/arena.h"

static struct skep_enum *new_enum(struct skep_arena *arena, const struct skep_struct_def *def)
{
	struct skep_enum *named = skep_arena_new(arena, struct skep_enum);
	uint32_t n = 0;

	for (const struct skep_expr *i = def->values; i; i = i->next)
		n++;
	struct skep_enumerator *values = skep_arena_array(arena, struct skep_enumerator, n + 1);
	for (const struct skep_expr *i = def->values; i; i = i->next)
		values[named->n++] = (struct skep_enumerator){.name = i->text, .value = i->integer};
	named->name = def->name;
	named->values = values;
	return named;
}

void skep_check_enums(struct skep_check *check)
{
	struct skep_types *types = check->types;
	uint32_t n = 0;

	for (const struct skep_struct_def *i = check->script->structs; i; i = i->next)
		n += i->is_enum;
	types->enums = skep_arena_array(check->arena, struct skep_enum *, n + 1);
	types->n_enums = 0;
	for (const struct skep_struct_def *i = check->script->structs; i; i = i->next) {
		if (i->is_enum)
			types->enums[types->n_enums++] = new_enum(check->arena, i);
	}
}

const struct skep_enum *skep_enum_of(const struct skep_check *check,
				     const struct skep_struct_def *def)
{
	uint32_t n = 0;

	for (const struct skep_struct_def *i = check->script->structs; i != def; i = i->next)
		n += i->is_enum;
	return check->types->enums[n];
}

/* As C lays it out: an int, unless a value needs more. */
const struct skep_type *skep_enum_type(struct skep_types *types, const struct skep_enum *named)
{
	bool is_signed = false, is_wide = false;

	for (uint32_t i = 0; i < named->n; i++)
		is_signed |= named->values[i].value < 0;
	for (uint32_t i = 0; i < named->n; i++) {
		int64_t value = named->values[i].value;
		is_wide |= is_signed ? value != (int32_t)value : value != (uint32_t)value;
	}
	return skep_type_named_int(types, is_wide ? 8 : 4, is_signed, named);
}

const struct skep_type *skep_enumerator_find(struct skep_types *types, const char *name,
					     int64_t *ret)
{
	for (uint32_t i = 0; i < types->n_enums; i++) {
		const struct skep_enum *named = types->enums[i];
		for (uint32_t j = 0; j < named->n; j++) {
			if (strcmp(named->values[j].name, name) != 0)
				continue;
			*ret = named->values[j].value;
			return skep_type_named_int(types, 8, true, named);
		}
	}
	return NULL;
}
