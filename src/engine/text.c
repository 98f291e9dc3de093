/* Keys and values from text: see value.h. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/btf.h>

#include "base/buf.h"
#include "base/fd.h"
#include "engine/value.h"

#define HEX        "hex:"
#define MOST_DEPTH 8

static int wrong(struct skep_diag *diag, const char *text, const char *wanted)
{
	return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_VALUE_TEXT, SKEP_NOWHERE, text, wanted);
}

/* --- Bytes ----------------------------------------------------------------------------------- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int skep_hex_parse(const char *text, uint32_t most, struct skep_buf *ret)
{
	uint32_t n = 0;

	for (const char *at = text; *at;) {
		if (isspace((unsigned char)*at) || *at == ':') {
			at++;
			continue;
		}
		int high = digit(at[0]), low = at[1] ? digit(at[1]) : -1;
		if (high < 0 || low < 0)
			return -EINVAL;
		if (n++ == most)
			return -E2BIG;
		skep_buf_addc(ret, (char)(high << 4 | low));
		at += 2;
	}
	return 0;
}

static int parse_hex(uint32_t len, const char *text, uint8_t *ret, struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "%u bytes: hex: and %u digits", len, len * 2);
	if (skep_hex_parse(text + strlen(HEX), len, &bytes) || bytes.len != len)
		return wrong(diag, text, wanted);
	if (len)
		memcpy(ret, bytes.data, len);
	return 0;
}

/* --- Numbers --------------------------------------------------------------------------------- */

static void store(uint64_t value, uint32_t len, uint8_t *ret)
{
	size_t skip = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : sizeof(value) - len;

	memcpy(ret, (uint8_t *)&value + skip, len);
}

/* A value of either sign that @len bytes can hold. */
static bool fits(bool negative, uint64_t value, uint32_t len)
{
	uint32_t bits = len * 8;

	if (negative)
		return value <= UINT64_C(1) << (bits - 1);
	return bits == 64 || value < UINT64_C(1) << bits;
}

static int parse_number(uint32_t len, const char *text, uint8_t *ret, struct skep_diag *diag)
{
	bool negative = text[0] == '-';
	char wanted[64], *end;
	uint64_t value;

	snprintf(wanted, sizeof(wanted), "a number of %u bits", len * 8);
	errno = 0;
	value = strtoull(text + negative, &end, 0);
	if (!isdigit((unsigned char)text[negative]) || *end || errno || !fits(negative, value, len))
		return wrong(diag, text, wanted);
	store(negative ? 0 - value : value, len, ret);
	return 0;
}

static int parse_enum(const struct skep_value *value, uint32_t type, const char *text, uint8_t *ret,
		      struct skep_diag *diag)
{
	uint32_t n = skep_btf_n_members(value->btf, type);
	const char *name;
	int64_t number;

	for (uint32_t i = 0; i < n; i++) {
		if (!skep_btf_enumerator(value->btf, type, i, &name, &number) &&
		    !strcmp(name, text)) {
			store((uint64_t)number, value->len, ret);
			return 0;
		}
	}
	return parse_number(value->len, text, ret, diag);
}

static bool is_number_size(uint32_t len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

/* --- Structs and strings --------------------------------------------------------------------- */

static int parse_type(const struct skep_value *value, int depth, const char *text, uint8_t *ret,
		      struct skep_diag *diag);

static int parse_string(uint32_t len, const char *text, uint8_t *ret, struct skep_diag *diag)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "a text of up to %u bytes", len);
	if (strlen(text) > len)
		return wrong(diag, text, wanted);
	memset(ret, 0, len);
	for (size_t i = 0; text[i]; i++) /* the array may be filled to its end, without a NUL */
		ret[i] = (uint8_t)text[i];
	return 0;
}

static int parse_member(const struct skep_value *value, int depth, char *assignment, uint8_t *ret,
			struct skep_diag *diag)
{
	char *equals = strchr(assignment, '=');
	struct skep_btf_member member;
	int64_t size;

	if (!equals)
		return wrong(diag, assignment, "MEMBER=VALUE");
	if (skep_btf_find_member(value->btf, value->type, assignment, (size_t)(equals - assignment),
				 &member))
		return wrong(diag, assignment, "a member that the type has");
	size = skep_btf_size(value->btf, member.type);
	if (member.bit_size || size <= 0 || member.bit_off / 8 > value->len ||
	    size > value->len - member.bit_off / 8)
		return wrong(diag, assignment, "a member of whole bytes; use hex: for the whole");
	const struct skep_value part = {value->btf, member.type, NULL, (uint32_t)size};
	return parse_type(&part, depth + 1, equals + 1, ret + member.bit_off / 8, diag);
}

static int parse_struct(const struct skep_value *value, int depth, const char *text, uint8_t *ret,
			struct skep_diag *diag)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *word;
	int err = copy ? 0 : -ENOMEM;

	memset(ret, 0, value->len);
	while (!err && (word = strsep(&rest, ",")))
		err = parse_member(value, depth, word, ret, diag);
	return err;
}

/* --- Any ------------------------------------------------------------------------------------- */

static int parse_type(const struct skep_value *value, int depth, const char *text, uint8_t *ret,
		      struct skep_diag *diag)
{
	uint32_t bare = value->btf ? skep_btf_strip(value->btf, value->type) : 0;
	enum skep_btf_kind kind = bare ? skep_btf_kind(value->btf, bare) : SKEP_BTF_VOID;

	if (!strncmp(text, HEX, strlen(HEX)))
		return parse_hex(value->len, text, ret, diag);
	if (kind == SKEP_BTF_STRUCT && depth < MOST_DEPTH)
		return parse_struct(value, depth, text, ret, diag);
	if (kind == SKEP_BTF_ARRAY &&
	    skep_btf_size(value->btf, skep_btf_target(value->btf, bare)) == 1)
		return parse_string(value->len, text, ret, diag);
	if (!is_number_size(value->len))
		return wrong(diag, text, "hex: and digits, as its type is not known");
	if (kind == SKEP_BTF_ENUM || kind == SKEP_BTF_ENUM64)
		return parse_enum(value, bare, text, ret, diag);
	return parse_number(value->len, text, ret, diag);
}

int skep_value_parse(const struct skep_value *value, const char *text, uint8_t *ret,
		     struct skep_diag *diag)
{
	_cleanup_free_ uint8_t *bytes = calloc(1, (size_t)value->len + 8);
	int err = bytes ? parse_type(value, 0, text, bytes, diag) : -ENOMEM;

	if (!err)
		memcpy(ret, bytes, value->len);
	return err;
}
