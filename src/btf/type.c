/*
 * Questions about one type: what it is, how large, what is in it.
 *
 * Every answer is read from the record at the moment it is asked for; nothing
 * is unpacked or kept. An id that does not exist is answered like void, and a
 * loop of typedefs, or of structs that contain themselves, ends at a limit.
 */
#include "btf/reader.h"

#include <errno.h>
#include <string.h>

/** How deep anonymous structs and unions are searched, and how many members in all. */
#define MAX_NESTING 16
#define MAX_VISITS  (1u << 18)

#define ENUMS       (SKEP_BTF_MASK(SKEP_BTF_ENUM) | SKEP_BTF_MASK(SKEP_BTF_ENUM64))
#define COMPOSITE   (SKEP_BTF_MASK(SKEP_BTF_STRUCT) | SKEP_BTF_MASK(SKEP_BTF_UNION))
#define QUALIFIERS                                                                                 \
	(SKEP_BTF_MASK(SKEP_BTF_TYPEDEF) | SKEP_BTF_MASK(SKEP_BTF_VOLATILE) |                      \
	 SKEP_BTF_MASK(SKEP_BTF_CONST) | SKEP_BTF_MASK(SKEP_BTF_RESTRICT) |                        \
	 SKEP_BTF_MASK(SKEP_BTF_TYPE_TAG))
#define WITH_ELEMENTS                                                                              \
	(ENUMS | COMPOSITE | SKEP_BTF_MASK(SKEP_BTF_FUNC_PROTO) | SKEP_BTF_MASK(SKEP_BTF_DATASEC))
#define WITH_SIZE                                                                                  \
	(ENUMS | COMPOSITE | SKEP_BTF_MASK(SKEP_BTF_INT) | SKEP_BTF_MASK(SKEP_BTF_FLOAT) |         \
	 SKEP_BTF_MASK(SKEP_BTF_DATASEC))

/* The record of @id if its kind is in @kind_mask, else NULL. */
static const struct wire_type *record_of(const struct skep_btf *btf, uint32_t id,
					 uint32_t kind_mask)
{
	const struct wire_type *type = btf_record(btf, id);

	return type && SKEP_BTF_MASK(wire_kind(type->info)) & kind_mask ? type : NULL;
}

static const char *name_at(const struct skep_btf *btf, uint32_t off)
{
	const char *name = btf_string(btf, off);

	return name ? name : "";
}

enum skep_btf_kind skep_btf_kind(const struct skep_btf *btf, uint32_t id)
{
	const struct wire_type *type = btf_record(btf, id);

	return type ? wire_kind(type->info) : SKEP_BTF_VOID;
}

const char *skep_btf_kind_word(enum skep_btf_kind kind)
{
	static const char *const words[SKEP_BTF_N_KINDS] = {
		"UNKNOWN", "INT",     "PTR",      "ARRAY",    "STRUCT",   "UNION",  "ENUM",
		"FWD",     "TYPEDEF", "VOLATILE", "CONST",    "RESTRICT", "FUNC",   "FUNC_PROTO",
		"VAR",     "DATASEC", "FLOAT",    "DECL_TAG", "TYPE_TAG", "ENUM64",
	};

	return (unsigned)kind < SKEP_BTF_N_KINDS ? words[kind] : words[0];
}

const char *skep_btf_name(const struct skep_btf *btf, uint32_t id)
{
	const struct wire_type *type = btf_record(btf, id);

	return type ? name_at(btf, type->name_off) : "";
}

uint32_t skep_btf_target(const struct skep_btf *btf, uint32_t id)
{
	const struct wire_type *type = btf_record(btf, id);
	const struct wire_array *array;

	if (!type)
		return 0;
	array = btf_behind(type);
	if (wire_kind(type->info) == SKEP_BTF_ARRAY)
		return array->type;
	return SKEP_BTF_MASK(wire_kind(type->info)) & BTF_REFERRING ? type->type : 0;
}

uint32_t skep_btf_strip(const struct skep_btf *btf, uint32_t id)
{
	for (int i = 0; i <= MAX_STEPS; i++) {
		const struct wire_type *type = record_of(btf, id, QUALIFIERS);
		if (!type)
			return id;
		id = type->type;
	}
	return 0;
}

bool skep_btf_is_global(const struct skep_btf *btf, uint32_t id)
{
	const struct wire_type *type = record_of(btf, id, SKEP_BTF_MASK(SKEP_BTF_FUNC));

	return type && wire_vlen(type->info) == WIRE_LINKAGE_GLOBAL;
}

uint32_t skep_btf_array_len(const struct skep_btf *btf, uint32_t id)
{
	const struct wire_type *type = record_of(btf, id, SKEP_BTF_MASK(SKEP_BTF_ARRAY));
	const struct wire_array *array;

	if (!type)
		return 0;
	array = btf_behind(type);
	return array->n;
}

/* @n things of the size of @type, which is no array, typedef or variable. */
static int64_t size_of(const struct wire_type *type, uint64_t n)
{
	uint32_t mask = type ? SKEP_BTF_MASK(wire_kind(type->info)) : 0;
	uint64_t each = mask & SKEP_BTF_MASK(SKEP_BTF_PTR) ? 8 : 0;
	int64_t size;

	if (mask & WITH_SIZE)
		each = type->size;
	else if (!each)
		return -ENOENT;
	return __builtin_mul_overflow(n, each, &size) ? -EOVERFLOW : size;
}

int64_t skep_btf_size(const struct skep_btf *btf, uint32_t id)
{
	uint32_t through = QUALIFIERS | SKEP_BTF_MASK(SKEP_BTF_ARRAY) | SKEP_BTF_MASK(SKEP_BTF_VAR);
	uint64_t n = 1;

	for (int i = 0; i <= MAX_STEPS; i++) {
		const struct wire_type *type = record_of(btf, id, through);
		if (!type)
			return size_of(btf_record(btf, id), n);
		if (wire_kind(type->info) == SKEP_BTF_ARRAY &&
		    __builtin_mul_overflow(n, skep_btf_array_len(btf, id), &n))
			return -EOVERFLOW;
		id = skep_btf_target(btf, id);
	}
	return -ELOOP;
}

int skep_btf_int_info(const struct skep_btf *btf, uint32_t id, struct skep_btf_int *ret)
{
	const struct wire_type *type = record_of(btf, id, SKEP_BTF_MASK(SKEP_BTF_INT) | ENUMS);
	uint32_t detail, encoding;

	if (!type)
		return -EINVAL;
	if (wire_kind(type->info) != SKEP_BTF_INT) {
		*ret = (struct skep_btf_int){
			.bits = type->size * 8,
			.is_signed = wire_kflag(type->info),
		};
		return 0;
	}
	detail = *(const uint32_t *)btf_behind(type);
	encoding = WIRE_INT_ENCODING(detail);
	*ret = (struct skep_btf_int){
		.bits = WIRE_INT_BITS(detail),
		.is_signed = encoding & WIRE_INT_SIGNED,
		.is_bool = encoding & WIRE_INT_BOOL,
		.is_char = encoding & WIRE_INT_CHAR,
	};
	return 0;
}

/* --- Members ------------------------------------------------------------------------- */

uint32_t skep_btf_n_members(const struct skep_btf *btf, uint32_t id)
{
	const struct wire_type *type = record_of(btf, id, WITH_ELEMENTS);

	return type ? wire_vlen(type->info) : 0;
}

/*
 * A bit field says so in its offset where the struct has kflag set. Before
 * that existed its type was an integer of its own, of fewer bits than its
 * bytes hold, perhaps beginning some bits into them.
 */
static void unpack_bits(const struct skep_btf *btf, const struct wire_type *type,
			const struct wire_member *wire, struct skep_btf_member *member)
{
	const struct wire_type *field;
	uint32_t detail;

	member->bit_off = wire->offset;
	if (wire_kflag(type->info)) {
		member->bit_off = wire->offset & 0xffffff;
		member->bit_size = wire->offset >> 24;
		return;
	}
	field = record_of(btf, skep_btf_strip(btf, wire->type), SKEP_BTF_MASK(SKEP_BTF_INT));
	if (!field)
		return;
	detail = *(const uint32_t *)btf_behind(field);
	if (WIRE_INT_OFFSET(detail) || WIRE_INT_BITS(detail) != (uint64_t)field->size * 8) {
		member->bit_off += WIRE_INT_OFFSET(detail);
		member->bit_size = WIRE_INT_BITS(detail);
	}
}

static void unpack_member(const struct skep_btf *btf, const struct wire_type *type, uint32_t i,
			  struct skep_btf_member *ret)
{
	const struct wire_member *wire = btf_behind(type);
	const struct wire_param *param = btf_behind(type);
	bool composite = SKEP_BTF_MASK(wire_kind(type->info)) & COMPOSITE;
	struct skep_btf_member member = {
		.name = name_at(btf, composite ? wire[i].name_off : param[i].name_off),
		.type = composite ? wire[i].type : param[i].type,
	};

	if (composite)
		unpack_bits(btf, type, &wire[i], &member);
	*ret = member;
}

/* A variable of a section: named by its VAR, placed by the section. */
static int unpack_secinfo(const struct skep_btf *btf, const struct wire_type *type, uint32_t i,
			  struct skep_btf_member *ret)
{
	const struct wire_secinfo *info = btf_behind(type);
	struct skep_btf_member member = {.name = skep_btf_name(btf, info[i].type),
					 .type = info[i].type};

	if (__builtin_mul_overflow(info[i].offset, 8, &member.bit_off))
		return -EINVAL;
	*ret = member;
	return 0;
}

int skep_btf_member(const struct skep_btf *btf, uint32_t id, uint32_t i,
		    struct skep_btf_member *ret)
{
	const struct wire_type *type = record_of(btf, id, WITH_ELEMENTS & ~ENUMS);

	if (!type || i >= wire_vlen(type->info))
		return -EINVAL;
	if (wire_kind(type->info) == SKEP_BTF_DATASEC)
		return unpack_secinfo(btf, type, i, ret);
	unpack_member(btf, type, i, ret);
	return 0;
}

struct member_search {
	const struct skep_btf *btf;
	const char *name;
	size_t len;
	uint32_t visits; /* members looked at: anonymous ones may multiply without end */
};

static int search_members(struct member_search *search, uint32_t id, int depth,
			  struct skep_btf_member *ret);

/* Within the anonymous @member, counting offsets from where it begins. */
static int search_within(struct member_search *search, const struct skep_btf_member *member,
			 int depth, struct skep_btf_member *ret)
{
	struct skep_btf_member inner;
	int err = search_members(search, skep_btf_strip(search->btf, member->type), depth + 1,
				 &inner);

	if (err || __builtin_add_overflow(inner.bit_off, member->bit_off, &inner.bit_off))
		return -ENOENT;
	*ret = inner;
	return 0;
}

static int search_members(struct member_search *search, uint32_t id, int depth,
			  struct skep_btf_member *ret)
{
	const struct wire_type *type = record_of(search->btf, id, COMPOSITE);
	uint32_t n = type ? wire_vlen(type->info) : 0;
	struct skep_btf_member member;

	if (depth > MAX_NESTING)
		return -ENOENT;
	for (uint32_t i = 0; i < n && ++search->visits <= MAX_VISITS; i++) {
		const struct wire_member *wire = (const struct wire_member *)btf_behind(type) + i;
		bool found = btf_string_is(search->btf, wire->name_off, search->name, search->len);
		if (!found && *name_at(search->btf, wire->name_off))
			continue;
		unpack_member(search->btf, type, i, &member);
		if (!found && search_within(search, &member, depth, &member))
			continue;
		*ret = member;
		return 0;
	}
	return -ENOENT;
}

int skep_btf_find_member(const struct skep_btf *btf, uint32_t id, const char *name, size_t len,
			 struct skep_btf_member *ret)
{
	struct member_search search = {btf, name, len, 0};

	if (!btf_plausible_name(name, len))
		return -ENOENT;
	return search_members(&search, skep_btf_strip(btf, id), 0, ret);
}

/* --- Enumerators --------------------------------------------------------------------- */

struct enumerator {
	uint32_t name_off;
	int64_t value;
};

/* kflag says that the values are signed. */
static struct enumerator unpack_enumerator(const struct wire_type *type, uint32_t i)
{
	const struct wire_enum *narrow = btf_behind(type);
	const struct wire_enum64 *wide = btf_behind(type);

	if (wire_kind(type->info) == SKEP_BTF_ENUM64)
		return (struct enumerator){wide[i].name_off,
					   (int64_t)((uint64_t)wide[i].hi << 32 | wide[i].lo)};
	if (wire_kflag(type->info))
		return (struct enumerator){narrow[i].name_off, narrow[i].value};
	return (struct enumerator){narrow[i].name_off, (uint32_t)narrow[i].value};
}

int skep_btf_enumerator(const struct skep_btf *btf, uint32_t id, uint32_t i, const char **ret_name,
			int64_t *ret_value)
{
	const struct wire_type *type = record_of(btf, id, ENUMS);
	struct enumerator enumerator;

	if (!type || i >= wire_vlen(type->info))
		return -EINVAL;
	enumerator = unpack_enumerator(type, i);
	*ret_name = name_at(btf, enumerator.name_off);
	*ret_value = enumerator.value;
	return 0;
}

/* Whether the enum @id has @name. */
static bool enum_has(const struct skep_btf *btf, uint32_t id, const char *name, size_t len,
		     int64_t *ret_value)
{
	const struct wire_type *type = btf_record(btf, id);

	for (uint32_t i = 0; i < wire_vlen(type->info); i++) {
		struct enumerator enumerator = unpack_enumerator(type, i);
		if (!btf_string_is(btf, enumerator.name_off, name, len))
			continue;
		*ret_value = enumerator.value;
		return true;
	}
	return false;
}

/* The id of the enum of @btf or its bases, lower ids first, that has @name; 0: none has. */
static uint32_t find_enum_with(const struct skep_btf *btf, const char *name, size_t len,
			       int64_t *ret_value)
{
	uint32_t id = btf->base ? find_enum_with(btf->base, name, len, ret_value) : 0;

	const struct btf_index *index = btf->index;
	for (size_t i = 0; !id; i++) {
		while (i == index->enums.len && !index->whole)
			btf_index_walk(btf, index->n + INDEX_CHUNK);
		if (i == index->enums.len)
			break;
		if (enum_has(btf, index->enums.data[i], name, len, ret_value))
			id = index->enums.data[i];
	}
	return id;
}

int skep_btf_find_enumerator(struct skep_btf *btf, const char *name, size_t len, int64_t *ret_value,
			     uint32_t *ret_enum)
{
	uint32_t id = 0;
	int64_t value = 0;

	if (btf_plausible_name(name, len))
		id = find_enum_with(btf, name, len, &value);
	if (!id)
		return -ENOENT;
	*ret_value = value;
	*ret_enum = id;
	return 0;
}

int32_t skep_btf_tag_component(const struct skep_btf *btf, uint32_t id)
{
	const struct wire_type *type = btf_record(btf, id);

	return type && wire_kind(type->info) == SKEP_BTF_DECL_TAG
		       ? *(const int32_t *)btf_behind(type)
		       : -1;
}

const char *skep_btf_string(const struct skep_btf *btf, uint32_t off)
{
	return btf_string(btf, off);
}

const void *skep_btf_bytes(const struct skep_btf *btf, uint32_t *ret_size)
{
	*ret_size = (uint32_t)(btf->strings + btf->str_len - (const char *)btf->bytes);
	return btf->bytes;
}
