/*
 * The kernel's BTF in our terms. Structs are not copied: a record carries its
 * BTF id, and members are looked up when a script names them, so that a
 * task_struct with 250 members costs what is asked of it.
 *
 * Invariant: whatever the bytes of the BTF, conversion ends (depth is limited)
 * and gives a type.
 */
#include "trace/type.h"

#include <errno.h>
#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"

#define MAX_DEPTH    32
#define RECORD_KINDS (SKEP_BTF_MASK(SKEP_BTF_STRUCT) | SKEP_BTF_MASK(SKEP_BTF_UNION))

static const struct skep_type *convert(struct skep_types *types, uint32_t id, enum skep_space space,
				       int depth);

static const struct skep_type *convert_int(const struct skep_btf *btf, uint32_t id,
					   struct skep_types *types)
{
	struct skep_btf_int info;
	int64_t size = skep_btf_size(btf, id);

	if (skep_btf_int_info(btf, id, &info) || size <= 0)
		return &skep_type_none;
	if (size > 8)
		return skep_type_array(types, &skep_type_u64, (uint32_t)size / 8);
	if (info.is_bool && size == 1)
		return &skep_type_bool;
	return skep_type_int((uint32_t)size, info.is_signed);
}

static const struct skep_type *convert_enum(const struct skep_btf *btf, uint32_t id,
					    struct skep_types *types)
{
	struct skep_type *type = skep_arena_new(types->arena, struct skep_type);

	*type = *convert_int(btf, id, types);
	type->enum_btf = id;
	return type;
}

/* The compiler's __user annotation, where the kernel was built with one that keeps it. */
static enum skep_space pointee_space(const struct skep_btf *btf, uint32_t id, enum skep_space space)
{
	for (int i = 0; i < MAX_DEPTH && id; i++) {
		enum skep_btf_kind kind = skep_btf_kind(btf, id);

		if (kind == SKEP_BTF_TYPE_TAG && !strcmp(skep_btf_name(btf, id), "user"))
			return SKEP_SPACE_USER;
		if (kind != SKEP_BTF_TYPE_TAG && kind != SKEP_BTF_CONST &&
		    kind != SKEP_BTF_VOLATILE)
			break;
		id = skep_btf_target(btf, id);
	}
	return space;
}

/* The context and our own memory hold pointers, but none of these points back there. */
static enum skep_space space_of_pointers(enum skep_space space)
{
	return space == SKEP_SPACE_CTX || space == SKEP_SPACE_BPF ? SKEP_SPACE_NONE : space;
}

static const struct skep_type *convert_array(struct skep_types *types, uint32_t id,
					     enum skep_space space, int depth)
{
	const struct skep_btf *btf = types->btf;
	uint32_t elem = skep_btf_target(btf, id), n = skep_btf_array_len(btf, id);
	uint32_t base = skep_btf_strip(btf, elem);

	if (n && skep_btf_kind(btf, base) == SKEP_BTF_INT &&
	    !strcmp(skep_btf_name(btf, base), "char"))
		return skep_type_string(types, n);
	return skep_type_array(types, convert(types, elem, space, depth + 1), n);
}

static const char *record_name(struct skep_types *types, uint32_t id, bool is_union)
{
	const char *name = skep_btf_name(types->btf, id);

	return skep_arena_printf(types->arena, "%s %s", is_union ? "union" : "struct",
				 name[0] ? name : "(anonymous)");
}

static const struct skep_type *convert_record(struct skep_types *types, uint32_t id,
					      enum skep_space space)
{
	struct skep_record *record = skep_arena_new(types->arena, struct skep_record);
	int64_t size = skep_btf_size(types->btf, id);

	record->is_union = skep_btf_kind(types->btf, id) == SKEP_BTF_UNION;
	record->name = record_name(types, id, record->is_union);
	record->size = size > 0 && size <= UINT32_MAX ? (uint32_t)size : 0;
	record->btf_id = id;
	return skep_type_record(types, record, space);
}

/* A forward declaration: its definition may be elsewhere in the same BTF. */
static const struct skep_type *convert_fwd(struct skep_types *types, uint32_t id,
					   enum skep_space space)
{
	const char *name = skep_btf_name(types->btf, id);
	uint32_t full = skep_btf_find(types->btf, name, strlen(name), RECORD_KINDS);

	return convert_record(types, full ? full : id, space);
}

static const struct skep_type *convert_ptr(struct skep_types *types, uint32_t id,
					   enum skep_space space, int depth)
{
	uint32_t target = skep_btf_target(types->btf, id);
	enum skep_space there = pointee_space(types->btf, target, space_of_pointers(space));

	return skep_type_ptr(types, convert(types, target, there, depth + 1), there);
}

static const struct skep_type *convert(struct skep_types *types, uint32_t id, enum skep_space space,
				       int depth)
{
	if (depth > MAX_DEPTH)
		return &skep_type_none;
	id = skep_btf_strip(types->btf, id);
	switch (skep_btf_kind(types->btf, id)) {
	case SKEP_BTF_INT: return convert_int(types->btf, id, types);
	case SKEP_BTF_ENUM:
	case SKEP_BTF_ENUM64: return convert_enum(types->btf, id, types);
	case SKEP_BTF_PTR: return convert_ptr(types, id, space, depth);
	case SKEP_BTF_ARRAY: return convert_array(types, id, space, depth);
	case SKEP_BTF_STRUCT:
	case SKEP_BTF_UNION: return convert_record(types, id, space);
	case SKEP_BTF_FWD: return convert_fwd(types, id, space);
	case SKEP_BTF_FLOAT:
		return skep_type_array(types, &skep_type_u8,
				       (uint32_t)skep_btf_size(types->btf, id));
	case SKEP_BTF_VAR: return convert(types, skep_btf_target(types->btf, id), space, depth + 1);
	default: return &skep_type_none;
	}
}

const struct skep_type *skep_type_from_btf(struct skep_types *types, uint32_t btf_id,
					   enum skep_space space)
{
	if (!btf_id || !skep_types_btf(types))
		return &skep_type_none;
	return convert(types, btf_id, space, 0);
}

/*
 * Where the bits of a bit field lie: in the aligned unit of its type if it
 * fits there (all that C's rules give), else from the byte it starts in.
 */
static void place_bits(struct skep_field *field, uint32_t bit_off, uint8_t bit_size)
{
	uint32_t unit_bits = field->type->size * 8;
	uint32_t unit = unit_bits ? bit_off / unit_bits * unit_bits : bit_off;

	if (bit_off + bit_size > unit + unit_bits)
		unit = bit_off / 8 * 8;
	field->off = unit / 8;
	field->bit_off = (uint8_t)(bit_off - unit);
	field->bit_size = bit_size;
}

/* The definition of a record that was only named so far ("struct task_struct"); 0: none. */
static uint32_t definition(struct skep_types *types, const struct skep_record *record)
{
	const char *tag_end = strchr(record->name, ' ');

	if (!tag_end || !skep_types_btf(types))
		return 0;
	return skep_btf_find(types->btf, tag_end + 1, strlen(tag_end + 1), RECORD_KINDS);
}

static int find_in_btf(struct skep_types *types, uint32_t id, const char *name,
		       enum skep_space space, struct skep_field *ret)
{
	struct skep_btf_member member;

	if (!id || !skep_types_btf(types) ||
	    skep_btf_find_member(types->btf, id, name, strlen(name), &member))
		return -ENOENT;
	*ret = (struct skep_field){
		.name = member.name,
		.type = convert(types, member.type, space, 0),
		.off = member.bit_off / 8,
	};
	if (member.bit_size)
		place_bits(ret, member.bit_off, member.bit_size);
	return 0;
}

static int find_listed(struct skep_types *types, const struct skep_record *record, const char *name,
		       int depth, struct skep_field *ret)
{
	for (uint32_t i = 0; i < record->n_fields && depth < MAX_DEPTH; i++) {
		const struct skep_field *field = &record->fields[i];

		if (!strcmp(field->name, name)) {
			*ret = *field;
			return 0;
		}
		if (field->name[0] || field->type->kind != SKEP_T_RECORD)
			continue;
		if (!find_listed(types, field->type->record, name, depth + 1, ret)) {
			ret->off += field->off;
			return 0;
		}
	}
	return -ENOENT;
}

/* Structs of a script are laid out once, without knowing where their values will be. */
static const struct skep_type *in_space(struct skep_types *types, const struct skep_type *type,
					enum skep_space space, int depth)
{
	bool has_space = type->kind == SKEP_T_PTR || type->kind == SKEP_T_ARRAY ||
			 type->kind == SKEP_T_RECORD;

	if (type->kind == SKEP_T_PTR)
		space = space_of_pointers(space);
	if (!has_space || type->space != SKEP_SPACE_NONE || depth > MAX_DEPTH)
		return type;
	struct skep_type *copy = skep_arena_dup(types->arena, type, sizeof(*type));
	copy->space = space;
	if (type->elem)
		copy->elem = in_space(types, type->elem, space, depth + 1);
	return copy;
}

const struct skep_type *skep_type_in_space(struct skep_types *types, const struct skep_type *type,
					   enum skep_space space)
{
	if (type->kind != SKEP_T_PTR && type->kind != SKEP_T_ARRAY && type->kind != SKEP_T_RECORD)
		return type;
	struct skep_type *copy = skep_arena_dup(types->arena, type, sizeof(*type));
	copy->space = space;
	if (type->elem)
		copy->elem = skep_type_in_space(types, type->elem, space);
	return copy;
}

int skep_record_find(struct skep_types *types, const struct skep_record *record, const char *name,
		     enum skep_space space, struct skep_field *ret)
{
	if (record->btf_id)
		return find_in_btf(types, record->btf_id, name, space, ret);
	if (!record->size && !record->n_fields)
		return find_in_btf(types, definition(types, record), name, space, ret);
	if (find_listed(types, record, name, 0, ret))
		return -ENOENT;
	ret->type = in_space(types, ret->type, space, 0);
	return 0;
}
