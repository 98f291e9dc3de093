/*
 * From ids to records and from names to ids.
 *
 * BTF has no directory: the tenth type lies behind the ninth. A directory of
 * all types of a kernel (126,000) would cost half a megabyte and be built
 * whole for a script that asks for one struct. So the index is
 *
 *  - lazy: the walk goes only as far as a question needs, and goes on from
 *    there for the next one;
 *  - sparse: one 4-byte offset for every eighth record, the seven behind it
 *    are stepped over (a few nanoseconds each);
 *  - with one byte a record, a fingerprint of its name. A name is looked up
 *    by running memchr() over the fingerprints, 16 or 32 records an
 *    instruction, and comparing text only where the byte matches: one
 *    record in 255 of those whose names begin otherwise.
 *
 * That is 1.5 bytes a type. The walk touches the type section and the names,
 * which on kernels that map their BTF are the kernel's own pages and count
 * towards nobody's memory.
 */
#include "btf/reader.h"

#include <stdlib.h>
#include <string.h>

/** How many bytes ahead of the walk memory is asked for; measured. */
#define TYPES_AHEAD   1024
#define STRINGS_AHEAD 256

/* What follows the common 12 bytes: a fixed part, and so much per element. */
static const struct {
	uint8_t known, fixed, element;
} layouts[32] = {
	[SKEP_BTF_INT] = {true, sizeof(uint32_t), 0},
	[SKEP_BTF_PTR] = {true, 0, 0},
	[SKEP_BTF_ARRAY] = {true, sizeof(struct wire_array), 0},
	[SKEP_BTF_STRUCT] = {true, 0, sizeof(struct wire_member)},
	[SKEP_BTF_UNION] = {true, 0, sizeof(struct wire_member)},
	[SKEP_BTF_ENUM] = {true, 0, sizeof(struct wire_enum)},
	[SKEP_BTF_FWD] = {true, 0, 0},
	[SKEP_BTF_TYPEDEF] = {true, 0, 0},
	[SKEP_BTF_VOLATILE] = {true, 0, 0},
	[SKEP_BTF_CONST] = {true, 0, 0},
	[SKEP_BTF_RESTRICT] = {true, 0, 0},
	[SKEP_BTF_FUNC] = {true, 0, 0},
	[SKEP_BTF_FUNC_PROTO] = {true, 0, sizeof(struct wire_param)},
	[SKEP_BTF_VAR] = {true, sizeof(uint32_t), 0},
	[SKEP_BTF_DATASEC] = {true, 0, sizeof(struct wire_secinfo)},
	[SKEP_BTF_FLOAT] = {true, 0, 0},
	[SKEP_BTF_DECL_TAG] = {true, sizeof(uint32_t), 0},
	[SKEP_BTF_TYPE_TAG] = {true, 0, 0},
	[SKEP_BTF_ENUM64] = {true, 0, sizeof(struct wire_enum64)},
};

size_t btf_record_size(const struct wire_type *type)
{
	uint32_t kind = wire_kind(type->info);
	size_t elements = (size_t)layouts[kind].element * wire_vlen(type->info);

	return layouts[kind].known ? sizeof(*type) + layouts[kind].fixed + elements : 0;
}

static inline const struct wire_type *record_at(const struct skep_btf *btf, uint32_t offset)
{
	return (const struct wire_type *)(btf->types + offset);
}

/* --- Fingerprints -------------------------------------------------------------------- */

/*
 * Of the first eight bytes of a name, padded with zeros. That tells fewer names apart than all of
 * it would: the few thousand that begin as the one looked for are compared as text. But it is
 * made without a branch, whose way the lengths of names would make a guess.
 *
 * The same name must come out alike whether it ends at a NUL in the string section or at the length
 * the caller gave.
 */
static inline uint8_t fingerprint_word(uint64_t word)
{
	uint8_t byte = (word * 0x9e3779b97f4a7c15ULL) >> 56;

	return byte ? byte : 1; /* 0 is: no name */
}

static uint8_t fingerprint(const char *name, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, name, len < sizeof(word) ? len : sizeof(word));
	return fingerprint_word(word);
}

/* The lowest set bit of the result is in the lowest zero byte of @word; 0: there is none. */
static inline uint64_t zero_byte(uint64_t word)
{
	return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
}

/* Of the string at @off of our own strings. */
static uint8_t fingerprint_own(const struct skep_btf *btf, uint32_t off)
{
	uint64_t word, zero;

	/* Names lie roughly in the order of their types. */
	__builtin_prefetch(btf->strings + off + STRINGS_AHEAD);

	if (btf->str_len - off < sizeof(word))
		return fingerprint(btf->strings + off, strlen(btf->strings + off));
	memcpy(&word, btf->strings + off, sizeof(word));
	zero = zero_byte(word);
	return fingerprint_word(word & ((zero & -zero) - 1));
}

static uint8_t fingerprint_of(const struct skep_btf *btf, uint32_t name_off)
{
	uint32_t own = name_off - btf->first_str;
	const char *name;

	if (name_off >= btf->first_str && own < btf->str_len)
		return btf->strings[own] ? fingerprint_own(btf, own) : 0;
	name = btf_string(btf, name_off);
	return name && *name ? fingerprint(name, strlen(name)) : 0;
}

/* --- The walk ------------------------------------------------------------------------ */

static void make_room(struct btf_index *index)
{
	index->cap = index->cap ? index->cap * 2 : INDEX_CHUNK;
	index->fingerprints = skep_xrealloc(index->fingerprints, index->cap);
	index->offsets =
		skep_xrealloc(index->offsets, index->cap / INDEX_STRIDE * sizeof(*index->offsets));
}

/* What is wrong with the record where the walk stands; NONE: it stands at the end of the types. */
static enum skep_diag_id fault_at(const struct skep_btf *btf, uint32_t at)
{
	uint32_t left = btf->type_len - at;

	if (!left)
		return SKEP_DIAG_NONE;
	if (left >= sizeof(struct wire_type) && !btf_record_size(record_at(btf, at)))
		return SKEP_DIAG_BTF_KIND;
	return SKEP_DIAG_BTF_RECORD;
}

static bool is_enum(const struct wire_type *type)
{
	uint32_t kind = wire_kind(type->info);

	return kind == SKEP_BTF_ENUM || kind == SKEP_BTF_ENUM64;
}

/* Take records until there are @end, which there is room for. What the loop needs is in variables
 * of its own: to the compiler a fingerprint that is stored may be anything. */
static void walk_on(const struct skep_btf *btf, struct btf_index *index, uint32_t end)
{
	const struct skep_btf from = *btf;
	uint8_t *fingerprints = index->fingerprints;
	uint32_t *offsets = index->offsets;
	uint32_t n = index->n, at = index->at;

	for (; n < end; n++) {
		const struct wire_type *type = record_at(&from, at);
		uint32_t left = from.type_len - at;
		size_t size = left >= sizeof(*type) ? btf_record_size(type) : 0;

		/* One after the other is all the memory system is told by the walk itself. */
		__builtin_prefetch((const char *)type + TYPES_AHEAD);
		if (!size || size > left) {
			index->bad = fault_at(btf, at);
			index->whole = true;
			break;
		}
		if (n % INDEX_STRIDE == 0)
			offsets[n / INDEX_STRIDE] = at;
		fingerprints[n] = type->name_off ? fingerprint_of(&from, type->name_off) : 0;
		if (is_enum(type))
			skep_vec_push(&index->enums, from.first_id + n);
		at += size;
	}
	index->n = n;
	index->at = at;
}

void btf_index_walk(const struct skep_btf *btf, uint32_t n)
{
	struct btf_index *index = btf->index;

	while (index->n < n && !index->whole) {
		if (index->n == index->cap)
			make_room(index);
		walk_on(btf, index, n < index->cap ? n : index->cap);
	}
}

void btf_index_free(struct btf_index *index)
{
	if (!index)
		return;
	free(index->offsets);
	free(index->fingerprints);
	skep_vec_done(&index->enums);
	free(index);
}

uint32_t skep_btf_n_types(const struct skep_btf *btf)
{
	btf_index_walk(btf, UINT32_MAX);
	return btf->first_id - 1 + btf->index->n;
}

/* --- Looking up ---------------------------------------------------------------------- */

static const struct wire_type *own_record(const struct skep_btf *btf, uint32_t rank)
{
	const struct wire_type *type;

	if (rank >= btf->index->n)
		btf_index_walk(btf, rank + 1);
	if (rank >= btf->index->n)
		return NULL;
	type = record_at(btf, btf->index->offsets[rank / INDEX_STRIDE]);
	for (uint32_t i = rank % INDEX_STRIDE; i; i--)
		type = (const void *)((const char *)type + btf_record_size(type));
	return type;
}

const struct wire_type *btf_record(const struct skep_btf *btf, uint32_t id)
{
	while (btf && id < btf->first_id)
		btf = btf->base;
	return btf && id < UINT32_MAX ? own_record(btf, id - btf->first_id) : NULL;
}

const char *btf_string(const struct skep_btf *btf, uint32_t off)
{
	while (btf && off < btf->first_str)
		btf = btf->base;
	return btf && off - btf->first_str < btf->str_len ? btf->strings + (off - btf->first_str)
							  : NULL;
}

bool btf_plausible_name(const char *name, size_t len)
{
	return len && strnlen(name, len) == len;
}

bool btf_string_is(const struct skep_btf *btf, uint32_t off, const char *name, size_t len)
{
	const char *text = btf_string(btf, off);

	return text && *text == *name && !strncmp(text, name, len) && !text[len];
}

/* Among the records [from, index->n): the first called @name and of a kind in @kind_mask. */
static uint32_t find_walked(const struct skep_btf *btf, uint32_t from, const char *name, size_t len,
			    uint32_t kind_mask)
{
	const struct btf_index *index = btf->index;
	uint8_t wanted = fingerprint(name, len);

	while (from < index->n) {
		const uint8_t *hit = memchr(index->fingerprints + from, wanted, index->n - from);
		if (!hit)
			return 0;
		from = hit - index->fingerprints;
		const struct wire_type *type = own_record(btf, from);
		if (SKEP_BTF_MASK(wire_kind(type->info)) & kind_mask &&
		    btf_string_is(btf, type->name_off, name, len))
			return btf->first_id + from;
		from++;
	}
	return 0;
}

static uint32_t find_own(const struct skep_btf *btf, const char *name, size_t len,
			 uint32_t kind_mask)
{
	uint32_t from = 0, id = 0;

	for (; !id; from = btf->index->n) {
		if (from == btf->index->n)
			btf_index_walk(btf, from + INDEX_CHUNK);
		if (from == btf->index->n)
			break;
		id = find_walked(btf, from, name, len, kind_mask);
	}
	return id;
}

/* Lower ids first. As deep as the caller stacked BTF upon BTF. */
static uint32_t find_in(const struct skep_btf *btf, const char *name, size_t len,
			uint32_t kind_mask)
{
	uint32_t id = btf->base ? find_in(btf->base, name, len, kind_mask) : 0;

	return id ? id : find_own(btf, name, len, kind_mask);
}

uint32_t skep_btf_find(struct skep_btf *btf, const char *name, size_t len, uint32_t kind_mask)
{
	return btf_plausible_name(name, len) ? find_in(btf, name, len, kind_mask) : 0;
}
