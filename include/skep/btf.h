/*
 * BTF: the kernel's type format. Reading (mmap, lazy, hostile-proof), asking
 * (types by name, member offsets), writing (for our own maps, functions and
 * line info), and printing a type as C.
 */
#ifndef SKEP_BTF_H
#define SKEP_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/begin.h>

struct skep_buf;
struct skep_diag;

enum skep_btf_kind {
	SKEP_BTF_VOID = 0,
	SKEP_BTF_INT,
	SKEP_BTF_PTR,
	SKEP_BTF_ARRAY,
	SKEP_BTF_STRUCT,
	SKEP_BTF_UNION,
	SKEP_BTF_ENUM,
	SKEP_BTF_FWD,
	SKEP_BTF_TYPEDEF,
	SKEP_BTF_VOLATILE,
	SKEP_BTF_CONST,
	SKEP_BTF_RESTRICT,
	SKEP_BTF_FUNC,
	SKEP_BTF_FUNC_PROTO,
	SKEP_BTF_VAR,
	SKEP_BTF_DATASEC,
	SKEP_BTF_FLOAT,
	SKEP_BTF_DECL_TAG,
	SKEP_BTF_TYPE_TAG,
	SKEP_BTF_ENUM64,
	SKEP_BTF_N_KINDS
};
#define SKEP_BTF_ANY_KIND   UINT32_MAX
#define SKEP_BTF_MASK(kind) (1u << (kind))

/**
 * BTF that was opened. Ids that do not exist are answered like void, strings that do not exist
 * like ""; no bytes, however broken, make a question crash, loop or run for long.
 *
 * Names that are given out are borrowed and live as long as the BTF (or its base).
 *
 * Memory: 1.5 bytes a type once walked to the end (190 kB for a kernel of 126,000 types), less
 * before. The bytes themselves are the kernel's pages where it lets them be mapped (Linux 6.16,
 * not counted as resident), else a copy of the file on the heap (5.5 MB for such a kernel).
 *
 * Threads: types are indexed as far as questions go, so even the const questions write at
 * first. After skep_btf_n_types(), which walks to the end, all of them may be asked by several
 * threads at once.
 */
struct skep_btf;

/**
 * Open the running kernel's BTF (/sys/kernel/btf/vmlinux, or SKEP_BTF_PATH).
 *
 * The file is mapped, or read where it cannot be mapped (Linux before 6.16, or a plain file
 * named by SKEP_BTF_PATH). Only its header is checked. The first look-up by name walks the types
 * up to the one that is looked for: 0.04 ms for task_struct, 1.5 ms for the last; later ones
 * take 0.05 ms.
 * Return 0 | -ENOENT no BTF | -EINVAL malformed (see @diag) | -errno
 */
int skep_btf_open_kernel(struct skep_btf **ret, struct skep_diag *diag);
/**
 * A module's BTF on top of @base (which must outlive it), or any raw .BTF file (@base NULL).
 *
 * All records are checked, at 10 to 20 ns each: kinds, lengths, names, references.
 * Return 0 | -EINVAL malformed (see @diag, ids Y0001…) | -errno
 */
int skep_btf_open(const char *path, const struct skep_btf *base, struct skep_btf **ret,
		  struct skep_diag *diag);
/** The same from memory; the bytes are copied. */
int skep_btf_parse(const void *data, size_t size, const struct skep_btf *base,
		   struct skep_btf **ret, struct skep_diag *diag);
void skep_btf_free(struct skep_btf *btf);

/** Type ids run from 1 to this, inclusive (0 is void). */
uint32_t skep_btf_n_types(const struct skep_btf *btf);
enum skep_btf_kind skep_btf_kind(const struct skep_btf *btf, uint32_t id);
/** The kernel's word for a kind: "STRUCT"; that for void is "UNKNOWN". Never NULL. */
const char *skep_btf_kind_word(enum skep_btf_kind kind);
/** The type's name; "" when it has none. Never NULL, whatever the bytes. */
const char *skep_btf_name(const struct skep_btf *btf, uint32_t id);
/** First type called @name whose kind is in @kind_mask, lowest id (so the base's) first; 0 if
 *  there is none. Cost: a memchr() over a byte a type, and 400 names compared in a kernel's. */
uint32_t skep_btf_find(struct skep_btf *btf, const char *name, size_t len, uint32_t kind_mask);
/** Size in bytes through typedefs and arrays; -ENOENT for void, functions and incomplete types,
 *  -ELOOP for a cycle (over 32 steps), -EOVERFLOW for an array beyond 2^63. Pointers have 8. */
int64_t skep_btf_size(const struct skep_btf *btf, uint32_t id);
/** What a typedef, const, volatile, restrict or type tag stands for (at most 32 steps; then 0). */
uint32_t skep_btf_strip(const struct skep_btf *btf, uint32_t id);
/** What a pointer, typedef, modifier, array (its element), function (its prototype), prototype
 *  (its return) or variable refers to; 0 otherwise. */
uint32_t skep_btf_target(const struct skep_btf *btf, uint32_t id);
/** Which member or parameter of its target a declaration tag is on; -1: the whole, or no tag. */
int32_t skep_btf_tag_component(const struct skep_btf *btf, uint32_t id);
/** Is it a FUNC that others may call: of global linkage? */
bool skep_btf_is_global(const struct skep_btf *btf, uint32_t id);
/** The whole file as it was opened, header to strings; borrowed. */
const void *skep_btf_bytes(const struct skep_btf *btf, uint32_t *ret_size);
/** The string at @off; NULL: there is none. */
const char *skep_btf_string(const struct skep_btf *btf, uint32_t off);

/**
 * What the kernel demands of BTF that is loaded, beyond what skep_btf_parse() does: of the file's
 * header (to be asked first), and of every type.
 *
 * @log    the kernel's words for what is wrong are appended; NULL: not wanted
 * Return  0 | -EINVAL | -E2BIG | -524 (the kernel's ENOTSUPP)
 */
int skep_btf_check_header(const uint8_t *data, uint32_t size, struct skep_buf *log);
int skep_btf_check_types(const struct skep_btf *btf, struct skep_buf *log);

struct skep_btf_int {
	uint8_t bits;
	bool is_signed, is_bool, is_char;
};
/** Of an INT (or the underlying integer of an ENUM/ENUM64); @id as stripped by the caller.
 *  Return 0 | -EINVAL another kind. */
int skep_btf_int_info(const struct skep_btf *btf, uint32_t id, struct skep_btf_int *ret);
/** Elements of an ARRAY; 0 for other kinds. */
uint32_t skep_btf_array_len(const struct skep_btf *btf, uint32_t id);

struct skep_btf_member {
	const char *name; /* "" for an anonymous member; borrowed from the BTF */
	uint32_t type;    /* as written, not stripped */
	uint32_t bit_off; /* from the start of the outermost type asked about */
	uint8_t bit_size; /* 0: not a bit field */
};
/** Number of members, parameters, enumerators or variables; 0 for other kinds. */
uint32_t skep_btf_n_members(const struct skep_btf *btf, uint32_t id);
/** The @i-th member of a struct or union, parameter of a function prototype (bit_off 0; a last
 *  one without name and type is "..."), or variable of a DATASEC (type: the VAR's id).
 *  Return 0 | -EINVAL */
int skep_btf_member(const struct skep_btf *btf, uint32_t id, uint32_t i,
		    struct skep_btf_member *ret);
/** A member by name, also within anonymous members; @id may be a typedef or qualified.
 *  Return 0 | -ENOENT */
int skep_btf_find_member(const struct skep_btf *btf, uint32_t id, const char *name, size_t len,
			 struct skep_btf_member *ret);
/** The @i-th enumerator. An unsigned 64-bit value keeps its bits: see skep_btf_int_info() of the
 *  enum for the sign. Return 0 | -EINVAL */
int skep_btf_enumerator(const struct skep_btf *btf, uint32_t id, uint32_t i, const char **ret_name,
			int64_t *ret_value);
/** An enumerator anywhere in @btf by name, lowest enum id first. Walks all types, then compares
 *  all enumerators (0.3 ms in a kernel's). Return 0 | -ENOENT */
int skep_btf_find_enumerator(struct skep_btf *btf, const char *name, size_t len, int64_t *ret_value,
			     uint32_t *ret_enum);

/** The type as a C declaration ("struct task_struct *", "char[16]"), as written with @var inside
 *  ("char comm[16]"); @var may be NULL. A FUNC or VAR without @var is declared by its own name.
 *  What a struct without a name has in it is left out: "struct { ... } *". */
void skep_btf_print_decl(const struct skep_btf *btf, uint32_t id, const char *var,
			 struct skep_buf *out);
/** The definition of a struct, union, enum or typedef as C (of other kinds: the declaration), no
 *  newline at the end. With @offsets each member is followed by its offset in bytes from the
 *  outermost struct, a bit field by ":" and its bit within that byte, and the last line by the
 *  size. At most about 8 MB are printed; "..." stands where something was left out. */
void skep_btf_print_def(const struct skep_btf *btf, uint32_t id, bool offsets,
			struct skep_buf *out);

/* --- Writing ------------------------------------------------------------------------- */

/**
 * Builds a BTF blob. Every add of a type returns the new type's id (ids start at 1).
 *
 * Names may be NULL or "" for none; types may be named before they are added
 * (the blob is not checked here). Members, parameters and section entries go
 * to the type added last, at most 65535 of them; adding one to another kind of
 * type is a bug in the caller and asserted. Not thread-safe. Cost O(1) each.
 */
struct skep_btf_writer;

struct skep_btf_writer *skep_btf_writer_new(void);
void skep_btf_writer_free(struct skep_btf_writer *writer);
/** Offset of @text in the string section; the same text gets the same offset. */
uint32_t skep_btf_add_string(struct skep_btf_writer *writer, const char *text, size_t len);
/** An integer of @bytes (at most 16). */
uint32_t skep_btf_add_int(struct skep_btf_writer *writer, const char *name, uint32_t bytes,
			  bool is_signed);
uint32_t skep_btf_add_ptr(struct skep_btf_writer *writer, uint32_t type);
/** An array of @n times @elem. Its index type is the first integer added; if there was none, one
 *  named "int" is added before the array (so never assume ids, use what is returned). */
uint32_t skep_btf_add_array(struct skep_btf_writer *writer, uint32_t elem, uint32_t n);
/** A struct of @size bytes; add its members right after, in order of offset. */
uint32_t skep_btf_add_struct(struct skep_btf_writer *writer, const char *name, uint32_t size);
void skep_btf_add_member(struct skep_btf_writer *writer, const char *name, uint32_t type,
			 uint32_t bit_off);
/** A prototype; add its parameters right after. */
uint32_t skep_btf_add_func_proto(struct skep_btf_writer *writer, uint32_t ret);
void skep_btf_add_param(struct skep_btf_writer *writer, const char *name, uint32_t type);
uint32_t skep_btf_add_func(struct skep_btf_writer *writer, const char *name, uint32_t proto,
			   bool is_static);
uint32_t skep_btf_add_var(struct skep_btf_writer *writer, const char *name, uint32_t type,
			  bool is_static);
uint32_t skep_btf_add_datasec(struct skep_btf_writer *writer, const char *name, uint32_t size);
void skep_btf_add_secinfo(struct skep_btf_writer *writer, uint32_t type, uint32_t off,
			  uint32_t size);
/** The finished blob; heap, owned by the caller. The writer may go on and finish again. */
void skep_btf_finish(const struct skep_btf_writer *writer, void **ret_data, size_t *ret_size);

#include <skep/end.h>

#endif
