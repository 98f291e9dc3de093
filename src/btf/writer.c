/*
 * Building BTF: for our own maps, functions, line info and object files.
 *
 * Types and strings grow in two buffers, laid out as they will lie in the
 * blob, so finishing is a header and two copies. A type whose elements follow
 * (struct, prototype, section) is "open" until the next type is added:
 * each element appended counts itself in the open record's vlen.
 *
 * Invariant: the strings begin with a NUL, so offset 0 is "no name"; every
 * text is in there once.
 */
#include "skep/btf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/strmap.h"
#include "btf/wire.h"

struct skep_btf_writer {
	struct skep_buf types, strings;
	struct skep_strmap offsets; /* text → its offset; keys live in the arena */
	struct skep_arena arena;
	uint32_t n_types;
	uint32_t index_id; /* the first integer: what arrays are indexed by; 0: none yet */
	size_t open_at;    /* where the record whose elements follow lies in types */
};

struct skep_btf_writer *skep_btf_writer_new(void)
{
	struct skep_btf_writer *writer = skep_xcalloc(1, sizeof(*writer));

	skep_arena_init(&writer->arena);
	skep_buf_addc(&writer->strings, '\0');
	return writer;
}

void skep_btf_writer_free(struct skep_btf_writer *writer)
{
	if (!writer)
		return;
	skep_buf_done(&writer->types);
	skep_buf_done(&writer->strings);
	skep_strmap_done(&writer->offsets);
	skep_arena_done(&writer->arena);
	free(writer);
}

uint32_t skep_btf_add_string(struct skep_btf_writer *writer, const char *text, size_t len)
{
	size_t n = text ? strnlen(text, len) : 0;
	void **place;

	if (!n)
		return 0;
	place = skep_strmap_get(&writer->offsets, text, n);
	if (place)
		return (uint32_t)(uintptr_t)*place;
	text = skep_arena_dup(&writer->arena, text, n);
	place = skep_strmap_put(&writer->offsets, text, n);
	*place = (void *)(uintptr_t)writer->strings.len;
	skep_buf_add(&writer->strings, text, n + 1);
	return (uint32_t)(uintptr_t)*place;
}

static uint32_t name_offset(struct skep_btf_writer *writer, const char *name)
{
	return skep_btf_add_string(writer, name, name ? strlen(name) : 0);
}

/* Every type begins with this record; @size_or_type is the union behind info. */
static uint32_t add_type(struct skep_btf_writer *writer, enum skep_btf_kind kind, const char *name,
			 uint32_t vlen, uint32_t size_or_type)
{
	struct wire_type type = {
		.name_off = name_offset(writer, name),
		.info = wire_info(kind, vlen),
		.size = size_or_type,
	};

	writer->open_at = writer->types.len;
	skep_buf_add(&writer->types, &type, sizeof(type));
	return ++writer->n_types;
}

/* One more element of the record added last, which must be a @kind. */
static void add_element(struct skep_btf_writer *writer, enum skep_btf_kind kind, const void *data,
			size_t size)
{
	struct wire_type type;

	assert(writer->n_types);
	memcpy(&type, writer->types.data + writer->open_at, sizeof(type));
	assert(wire_kind(type.info) == kind && wire_vlen(type.info) < WIRE_MAX_VLEN);
	type.info++;
	memcpy(writer->types.data + writer->open_at, &type, sizeof(type));
	skep_buf_add(&writer->types, data, size);
}

uint32_t skep_btf_add_int(struct skep_btf_writer *writer, const char *name, uint32_t bytes,
			  bool is_signed)
{
	assert(bytes <= 16);

	uint32_t id = add_type(writer, SKEP_BTF_INT, name, 0, bytes);
	uint32_t detail = (is_signed ? WIRE_INT_SIGNED << 24 : 0) | bytes * 8;

	skep_buf_add(&writer->types, &detail, sizeof(detail));
	if (!writer->index_id)
		writer->index_id = id;
	return id;
}

uint32_t skep_btf_add_ptr(struct skep_btf_writer *writer, uint32_t type)
{
	return add_type(writer, SKEP_BTF_PTR, NULL, 0, type);
}

uint32_t skep_btf_add_array(struct skep_btf_writer *writer, uint32_t elem, uint32_t n)
{
	/* The kernel asks every array for the type of its index; any integer will do. */
	if (!writer->index_id)
		skep_btf_add_int(writer, "int", 4, true);

	struct wire_array array = {.type = elem, .index_type = writer->index_id, .n = n};
	uint32_t id = add_type(writer, SKEP_BTF_ARRAY, NULL, 0, 0);

	skep_buf_add(&writer->types, &array, sizeof(array));
	return id;
}

uint32_t skep_btf_add_struct(struct skep_btf_writer *writer, const char *name, uint32_t size)
{
	return add_type(writer, SKEP_BTF_STRUCT, name, 0, size);
}

void skep_btf_add_member(struct skep_btf_writer *writer, const char *name, uint32_t type,
			 uint32_t bit_off)
{
	struct wire_member member = {name_offset(writer, name), type, bit_off};

	add_element(writer, SKEP_BTF_STRUCT, &member, sizeof(member));
}

uint32_t skep_btf_add_func_proto(struct skep_btf_writer *writer, uint32_t ret)
{
	return add_type(writer, SKEP_BTF_FUNC_PROTO, NULL, 0, ret);
}

void skep_btf_add_param(struct skep_btf_writer *writer, const char *name, uint32_t type)
{
	struct wire_param param = {name_offset(writer, name), type};

	add_element(writer, SKEP_BTF_FUNC_PROTO, &param, sizeof(param));
}

uint32_t skep_btf_add_func(struct skep_btf_writer *writer, const char *name, uint32_t proto,
			   bool is_static)
{
	uint32_t linkage = is_static ? WIRE_LINKAGE_STATIC : WIRE_LINKAGE_GLOBAL;

	return add_type(writer, SKEP_BTF_FUNC, name, linkage, proto);
}

uint32_t skep_btf_add_var(struct skep_btf_writer *writer, const char *name, uint32_t type,
			  bool is_static)
{
	uint32_t linkage = is_static ? WIRE_LINKAGE_STATIC : WIRE_LINKAGE_GLOBAL;
	uint32_t id = add_type(writer, SKEP_BTF_VAR, name, 0, type);

	skep_buf_add(&writer->types, &linkage, sizeof(linkage));
	return id;
}

uint32_t skep_btf_add_datasec(struct skep_btf_writer *writer, const char *name, uint32_t size)
{
	return add_type(writer, SKEP_BTF_DATASEC, name, 0, size);
}

void skep_btf_add_secinfo(struct skep_btf_writer *writer, uint32_t type, uint32_t off,
			  uint32_t size)
{
	struct wire_secinfo info = {type, off, size};

	add_element(writer, SKEP_BTF_DATASEC, &info, sizeof(info));
}

void skep_btf_finish(const struct skep_btf_writer *writer, void **ret_data, size_t *ret_size)
{
	struct wire_header header = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.hdr_len = sizeof(header),
		.type_len = writer->types.len,
		.str_off = writer->types.len,
		.str_len = writer->strings.len,
	};
	struct skep_buf blob = {0};

	skep_buf_reserve(&blob, sizeof(header) + writer->types.len + writer->strings.len);
	skep_buf_add(&blob, &header, sizeof(header));
	skep_buf_add(&blob, writer->types.data, writer->types.len);
	skep_buf_add(&blob, writer->strings.data, writer->strings.len);
	*ret_data = blob.data;
	*ret_size = blob.len;
}
