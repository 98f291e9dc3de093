/*
 * Places by their names in BTF, and function parameters from it. Programs on raw
 * tracepoints and fentry get them as an array of u64; a narrow parameter fills the
 * low bytes of its slot, and the rest of it is whatever was in the register, so it
 * is read with its own size.
 */
#include "trace/provider/btf_args.h"

#include <string.h>

#include "base/arena.h"
#include "base/vec.h"

enum { MAX_ARGS = 12, SLOT_BYTES = 8 };

/* A module's ids begin after the kernel's. */
static uint32_t first_id(struct skep_expand *x, const struct skep_btf *btf)
{
	const struct skep_btf *base = skep_types_btf(x->types);

	return btf == base ? 1 : skep_btf_n_types(base) + 1;
}

void skep_btf_match(struct skep_expand *x, const struct skep_btf *btf, enum skep_btf_kind kind,
		    const char *prefix, const char *pattern, struct skep_names *names)
{
	size_t len = strlen(prefix);

	for (uint32_t id = btf ? first_id(x, btf) : 0; btf && id <= skep_btf_n_types(btf); id++) {
		const char *name = skep_btf_kind(btf, id) == kind ? skep_btf_name(btf, id) : "";
		if (!strncmp(name, prefix, len) && skep_wildcard_match(pattern, name + len))
			skep_vec_push(names, name + len);
	}
}

static const struct skep_type *base_type(struct skep_expand *x, uint32_t id)
{
	const struct skep_type *type = skep_type_from_btf(x->types, id, SKEP_SPACE_KERNEL);

	return type->kind == SKEP_T_RECORD
		       ? skep_type_record(x->types, type->record, SKEP_SPACE_CTX)
		       : type;
}

/* Types converts ids of the kernel's BTF only. */
const struct skep_type *skep_btf_arg_type(struct skep_expand *x, const struct skep_btf *btf,
					  uint32_t id)
{
	const struct skep_btf *base = skep_types_btf(x->types);
	struct skep_btf_int info;

	if (btf == base || (base && id <= skep_btf_n_types(base)))
		return base_type(x, id);
	id = skep_btf_strip(btf, id);
	int64_t size = skep_btf_size(btf, id);
	if (skep_btf_kind(btf, id) == SKEP_BTF_PTR)
		return &skep_type_void_ptr;
	if (!skep_btf_int_info(btf, id, &info) && size > 0 && size <= SLOT_BYTES)
		return skep_type_int((uint32_t)size, info.is_signed);
	return &skep_type_u64;
}

static uint32_t arg_cnt(const struct skep_btf *btf, uint32_t proto, uint32_t skip)
{
	uint32_t n = skep_btf_n_members(btf, proto);

	n = n > skip ? n - skip : 0;
	return n < MAX_ARGS ? n : MAX_ARGS;
}

/* A struct by value takes as many slots as it has words. */
static uint32_t slot_cnt(const struct skep_type *type)
{
	return type->kind == SKEP_T_RECORD ? (type->size + SLOT_BYTES - 1) / SLOT_BYTES : 1;
}

const struct skep_record *skep_btf_args_record(struct skep_expand *x, const struct skep_btf *btf,
					       uint32_t proto, uint32_t skip, const char *name)
{
	struct skep_record *record = skep_arena_new(x->arena, struct skep_record);
	struct skep_field *fields = skep_arena_array(x->arena, struct skep_field, MAX_ARGS);
	uint32_t n = arg_cnt(btf, proto, skip);
	struct skep_btf_member param;
	uint32_t slot = 0;

	for (uint32_t i = 0; i < n && !skep_btf_member(btf, proto, skip + i, &param); i++) {
		fields[i].name = param.name[0] ? skep_arena_strdup(x->arena, param.name)
					       : skep_arena_printf(x->arena, "arg%u", i);
		fields[i].type = skep_btf_arg_type(x, btf, param.type);
		fields[i].off = SLOT_BYTES * slot;
		slot += slot_cnt(fields[i].type);
		record->n_fields = i + 1;
	}
	record->name = skep_arena_printf(x->arena, "args of %s", name);
	record->fields = fields;
	record->size = SLOT_BYTES * slot;
	return record;
}

void skep_btf_args_list(const struct skep_btf *btf, uint32_t proto, uint32_t skip,
			struct skep_buf *out)
{
	uint32_t n = arg_cnt(btf, proto, skip);
	struct skep_btf_member param;

	for (uint32_t i = 0; i < n && !skep_btf_member(btf, proto, skip + i, &param); i++) {
		skep_buf_puts(out, "    ");
		skep_btf_print_decl(btf, param.type, NULL, out);
		if (param.name[0])
			skep_buf_printf(out, " %s\n", param.name);
		else
			skep_buf_printf(out, " arg%u\n", i);
	}
}

uint32_t skep_btf_func_proto(struct skep_expand *x, const char *func)
{
	struct skep_btf *btf = skep_types_btf(x->types);
	uint32_t id =
		btf ? skep_btf_find(btf, func, strlen(func), SKEP_BTF_MASK(SKEP_BTF_FUNC)) : 0;

	return id ? skep_btf_target(btf, id) : 0;
}
