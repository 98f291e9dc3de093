/*
 * BTF made word by word, for what skep's own writer does not write: other
 * kinds, flags, and everything that is wrong.
 */
#ifndef TESTS_BTF_RAW_H
#define TESTS_BTF_RAW_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "skep/btf.h"
#include "skep/diag.h"

#include "base/buf.h"
#include "btf/wire.h"

#define KFLAG (1u << 31)

struct raw {
	struct skep_buf types, strings;
	uint32_t n_types;
	uint32_t first_str; /* of the base's strings, when this one is to go on top of it */
};

static inline uint32_t raw_str(struct raw *raw, const char *text)
{
	uint32_t at;

	if (!raw->strings.len)
		skep_buf_addc(&raw->strings, '\0');
	if (!*text)
		return 0;
	at = raw->first_str + raw->strings.len;
	skep_buf_add(&raw->strings, text, strlen(text) + 1);
	return at;
}

static inline void raw_word(struct raw *raw, uint32_t word)
{
	skep_buf_add(&raw->types, &word, sizeof(word));
}

/** @info: vlen, KFLAG. Returns the type's id, not counting a base. */
static inline uint32_t raw_type(struct raw *raw, enum skep_btf_kind kind, const char *name,
				uint32_t info, uint32_t size_or_type)
{
	raw_word(raw, raw_str(raw, name));
	raw_word(raw, (uint32_t)kind << 24 | info);
	raw_word(raw, size_or_type);
	return ++raw->n_types;
}

static inline uint32_t raw_int(struct raw *raw, const char *name, uint32_t bytes, uint32_t detail)
{
	uint32_t id = raw_type(raw, SKEP_BTF_INT, name, 0, bytes);

	raw_word(raw, detail);
	return id;
}

static inline uint32_t raw_array(struct raw *raw, uint32_t type, uint32_t n)
{
	uint32_t id = raw_type(raw, SKEP_BTF_ARRAY, "", 0, 0);

	raw_word(raw, type);
	raw_word(raw, 1);
	raw_word(raw, n);
	return id;
}

/** Elements of structs, unions and 64-bit enums: a name and two words. */
static inline void raw_element(struct raw *raw, const char *name, uint32_t a, uint32_t b)
{
	raw_word(raw, raw_str(raw, name));
	raw_word(raw, a);
	raw_word(raw, b);
}

/** Parameters and enumerators: a name and a word. */
static inline void raw_pair(struct raw *raw, const char *name, uint32_t a)
{
	raw_word(raw, raw_str(raw, name));
	raw_word(raw, a);
}

/** The blob; empties @raw. */
static inline struct skep_buf raw_finish(struct raw *raw)
{
	struct skep_buf blob = {0};

	raw_str(raw, "");

	struct wire_header header = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.hdr_len = sizeof(header),
		.type_len = raw->types.len,
		.str_off = raw->types.len,
		.str_len = raw->strings.len,
	};
	skep_buf_add(&blob, &header, sizeof(header));
	skep_buf_add(&blob, raw->types.data, raw->types.len);
	skep_buf_add(&blob, raw->strings.data, raw->strings.len);
	skep_buf_done(&raw->types);
	skep_buf_done(&raw->strings);
	return blob;
}

/** The blob, parsed: it must be good. */
static inline struct skep_btf *raw_parse(struct raw *raw, const struct skep_btf *base)
{
	struct skep_buf blob = raw_finish(raw);
	struct skep_btf *btf = NULL;

	assert_int_equal(skep_btf_parse(blob.data, blob.len, base, &btf, NULL), 0);
	skep_buf_done(&blob);
	return btf;
}

static inline uint32_t find(struct skep_btf *btf, const char *name)
{
	return skep_btf_find(btf, name, strlen(name), SKEP_BTF_ANY_KIND);
}

/** The member @name of @id: it must be there. */
static inline struct skep_btf_member member(const struct skep_btf *btf, uint32_t id,
					    const char *name)
{
	struct skep_btf_member found = {0};

	assert_int_equal(skep_btf_find_member(btf, id, name, strlen(name), &found), 0);
	return found;
}

#endif
