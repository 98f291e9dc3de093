/*
 * What the reading files of this folder share: the opened BTF and its index.
 *
 *	open.c   bytes → struct skep_btf (header checked, nothing walked)
 *	index.c  id → record, name → id (walks the records, as far as needed)
 *	check.c  the strict look at every record that foreign files get
 *	type.c   questions about one type
 *	print.c  a type as C
 *
 * Invariants every file may lean on:
 *  - the strings end with a NUL, so any offset inside them is a C string;
 *  - a record that the index hands out lies wholly inside the type section,
 *    its vlen elements included;
 *  - nothing else is true of the bytes: every id and every string offset in
 *    a record may be anything, and is checked where it is used.
 */
#ifndef SKEP_BTF_READER_H
#define SKEP_BTF_READER_H

#include "skep/btf.h"
#include "skep/diag.h"

#include "base/vec.h"
#include "btf/wire.h"

/** Every so many records the index remembers an offset; a power of two. */
#define INDEX_STRIDE 8
/** Records the walk goes on by when a name was not among those walked. */
#define INDEX_CHUNK 4096

/** How many typedefs, qualifiers and array dimensions may follow one another. */
#define MAX_STEPS 32

struct btf_index {
	uint32_t *offsets;        /* of records 0, STRIDE, 2 × STRIDE, …; owned */
	uint8_t *fingerprints;    /* of each record's name; 0: it has none; owned */
	uint32_t cap;             /* records there is room for */
	uint32_t n;               /* records walked */
	uint32_t at;              /* where in the type section the next one begins */
	bool whole;               /* the walk is over: at the end, or at a bad record */
	enum skep_diag_id bad;    /* what ended it early, or SKEP_DIAG_NONE */
	SKEP_VEC(uint32_t) enums; /* ids of the ENUMs and ENUM64s walked */
};

struct skep_btf {
	const struct skep_btf *base; /* borrowed; ids and strings continue after it */
	const unsigned char *types;
	const char *strings;
	uint32_t type_len, str_len;
	uint32_t first_id;       /* id of our first record */
	uint32_t first_str;      /* offset of our first string */
	struct btf_index *index; /* owned; grows while others only read */
	void *bytes;             /* the whole file; owned: unmapped or freed */
	size_t mapped_size;      /* 0: bytes is heap */
};

/** Walk until @n records of this BTF (base not counted) are indexed, or the walk is over. */
void btf_index_walk(const struct skep_btf *btf, uint32_t n);
void btf_index_free(struct btf_index *index);

/** The record of @id in @btf or its bases; NULL for void and ids that do not exist. */
const struct wire_type *btf_record(const struct skep_btf *btf, uint32_t id);
/** Bytes of the record at @type with its elements; 0: no such kind. Needs only the 12 common bytes.
 */
size_t btf_record_size(const struct wire_type *type);

/** The string at @off of @btf or its bases; NULL if there is none. */
const char *btf_string(const struct skep_btf *btf, uint32_t off);
/** Whether something could be called so: not empty, no NUL in it. */
bool btf_plausible_name(const char *name, size_t len);
/** Whether the string at @off is @name, which must be plausible. */
bool btf_string_is(const struct skep_btf *btf, uint32_t off, const char *name, size_t len);

/** Show @fd's @size bytes as btf->bytes, if they are the kernel's own. map_linux.c, map_other.c.
 *  Return 0 | -ENODEV read it instead */
int btf_map(struct skep_btf *btf, int fd, size_t size);
void btf_unmap(struct skep_btf *btf);

/** Record boundaries, kinds, names and references of all of @btf. Return 0 | -EINVAL */
int btf_check(const struct skep_btf *btf, struct skep_diag *diag);

/** The kinds whose record says `type` where others say `size`. */
#define BTF_REFERRING                                                                              \
	(SKEP_BTF_MASK(SKEP_BTF_PTR) | SKEP_BTF_MASK(SKEP_BTF_TYPEDEF) |                           \
	 SKEP_BTF_MASK(SKEP_BTF_VOLATILE) | SKEP_BTF_MASK(SKEP_BTF_CONST) |                        \
	 SKEP_BTF_MASK(SKEP_BTF_RESTRICT) | SKEP_BTF_MASK(SKEP_BTF_FUNC) |                         \
	 SKEP_BTF_MASK(SKEP_BTF_FUNC_PROTO) | SKEP_BTF_MASK(SKEP_BTF_VAR) |                        \
	 SKEP_BTF_MASK(SKEP_BTF_DECL_TAG) | SKEP_BTF_MASK(SKEP_BTF_TYPE_TAG))

/** What comes behind the common part of a record. */
static inline const void *btf_behind(const struct wire_type *type)
{
	return type + 1;
}

#endif
