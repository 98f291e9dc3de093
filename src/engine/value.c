/*
 * A value by its type, as text: one walk over the type for both forms, which differ in quotes only.
 *
 * Invariant: every print_…() is given bytes that are there; sizes that BTF claims are held against
 * them before they are believed.
 */
#include "engine/value.h"

#include <ctype.h>
#include <string.h>

#include <skep/btf.h>

#include "base/buf.h"
#include "base/json.h"
#include "sink/number.h"

#define MOST_DEPTH 16
#define MOST_TEXT  (4u << 20) /* of one value */

struct printer {
	const struct skep_btf *btf;
	struct skep_buf *out;
	size_t start; /* of this value in out */
	bool json;
	int depth;
};

static void print_type(struct printer *p, uint32_t type, const uint8_t *at, uint32_t len);

/* --- Bytes and numbers ----------------------------------------------------------------------- */

void skep_hex_print(const void *data, size_t len, const char *between, struct skep_buf *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *at = data;

	for (size_t i = 0; i < len; i++) {
		if (i)
			skep_buf_puts(out, between);
		skep_buf_addc(out, digits[at[i] >> 4]);
		skep_buf_addc(out, digits[at[i] & 15]);
	}
}

static void print_bytes(struct printer *p, const uint8_t *at, uint32_t len)
{
	if (p->json)
		skep_buf_addc(p->out, '"');
	skep_hex_print(at, len, p->json ? "" : " ", p->out);
	if (p->json)
		skep_buf_addc(p->out, '"');
}

static uint64_t load(const uint8_t *at, uint32_t len)
{
	uint64_t value = 0;
	size_t skip = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : sizeof(value) - len;

	memcpy((uint8_t *)&value + skip, at, len);
	return value;
}

static int64_t sign_extended(uint64_t value, uint32_t bits)
{
	uint64_t sign = UINT64_C(1) << (bits - 1);

	return (int64_t)((value ^ sign) - sign);
}

static void print_number(struct printer *p, uint64_t value, uint32_t bits,
			 const struct skep_btf_int *kind)
{
	if (kind->is_bool)
		skep_buf_puts(p->out, value ? "true" : "false");
	else if (kind->is_signed && p->json)
		skep_sink_json_s64(p->out, sign_extended(value, bits));
	else if (kind->is_signed)
		skep_sink_s64(p->out, sign_extended(value, bits));
	else if (p->json)
		skep_sink_json_u64(p->out, value);
	else
		skep_sink_u64(p->out, value);
}

static void print_int(struct printer *p, uint32_t type, const uint8_t *at, uint32_t len)
{
	struct skep_btf_int kind;

	if (skep_btf_int_info(p->btf, type, &kind) || !len || len > 8)
		print_bytes(p, at, len);
	else
		print_number(p, load(at, len), len * 8, &kind);
}

static void print_pointer(struct printer *p, const uint8_t *at, uint32_t len)
{
	if (p->json)
		skep_sink_json_u64(p->out, load(at, len < 8 ? len : 8));
	else
		skep_buf_printf(p->out, "0x%llx", (unsigned long long)load(at, len < 8 ? len : 8));
}

static void print_float(struct printer *p, const uint8_t *at, uint32_t len)
{
	float single;
	double value = 0;

	if (len == sizeof(single)) {
		memcpy(&single, at, sizeof(single));
		value = single;
	} else if (len == sizeof(value)) {
		memcpy(&value, at, sizeof(value));
	}
	if (value - value != 0) /* infinite, or none: JSON has no number for it */
		skep_buf_puts(p->out, p->json ? "null" : "nan");
	else
		skep_buf_printf(p->out, "%.17g", value);
}

static void print_word(struct printer *p, const char *word)
{
	if (p->json)
		skep_json_string(p->out, word, strlen(word));
	else
		skep_buf_puts(p->out, word);
}

static void print_enum_value(struct printer *p, uint32_t type, uint64_t value, uint32_t bits)
{
	struct skep_btf_int kind = {.bits = (uint8_t)bits};
	const char *name;
	int64_t of_name;

	skep_btf_int_info(p->btf, type, &kind);
	if (kind.is_signed)
		value = (uint64_t)sign_extended(value, bits);
	for (uint32_t i = 0; i < skep_btf_n_members(p->btf, type); i++) {
		if (!skep_btf_enumerator(p->btf, type, i, &name, &of_name) &&
		    (uint64_t)of_name == value) {
			print_word(p, name);
			return;
		}
	}
	print_number(p, value, 64, &kind);
}

/* --- Arrays ---------------------------------------------------------------------------------- */

static bool is_char(const struct skep_btf *btf, uint32_t type)
{
	struct skep_btf_int kind;
	uint32_t bare = skep_btf_strip(btf, type);

	if (skep_btf_kind(btf, bare) != SKEP_BTF_INT || skep_btf_int_info(btf, bare, &kind) ||
	    kind.bits != 8)
		return false;
	/* Compilers call it char or signed char; the flag for it is seldom set. */
	return kind.is_char || strstr(skep_btf_name(btf, bare), "char") == skep_btf_name(btf, bare);
}

/* A string: printable, then NULs only (or filling the array). */
static bool is_string(const uint8_t *at, uint32_t len, uint32_t *ret_len)
{
	uint32_t n = 0;

	while (n < len && at[n])
		n++;
	for (uint32_t i = 0; i < n; i++) {
		if (at[i] < 0x20 && !isspace(at[i]))
			return false;
	}
	for (uint32_t i = n; i < len; i++) {
		if (at[i])
			return false;
	}
	*ret_len = n;
	return true;
}

static void print_elements(struct printer *p, uint32_t elem, const uint8_t *at, uint32_t len,
			   uint32_t size)
{
	skep_buf_addc(p->out, '[');
	for (uint32_t off = 0; off + size <= len; off += size) {
		if (off)
			skep_buf_puts(p->out, ", ");
		print_type(p, elem, at + off, size);
	}
	skep_buf_addc(p->out, ']');
}

static void print_array(struct printer *p, uint32_t type, const uint8_t *at, uint32_t len)
{
	uint32_t elem = skep_btf_target(p->btf, type), text_len;
	int64_t size = skep_btf_size(p->btf, elem);

	if (is_char(p->btf, elem) && is_string(at, len, &text_len))
		skep_json_string(p->out, (const char *)at, text_len);
	else if (size > 0 && size <= len)
		print_elements(p, elem, at, len, (uint32_t)size);
	else
		skep_buf_puts(p->out, "[]");
}

/* --- Structs --------------------------------------------------------------------------------- */

static void print_bit_field(struct printer *p, const struct skep_btf_member *member,
			    const uint8_t *at, uint32_t len)
{
	uint32_t first = member->bit_off / 8, shift = member->bit_off % 8;
	uint32_t bytes = (shift + member->bit_size + 7) / 8;
	uint32_t type = skep_btf_strip(p->btf, member->type);
	struct skep_btf_int kind = {0};
	uint64_t value;

	if (bytes > 8 || first > len || bytes > len - first) {
		skep_buf_addc(p->out, '0');
		return;
	}
	value = load(at + first, bytes) >> shift;
	if (member->bit_size < 64)
		value &= (UINT64_C(1) << member->bit_size) - 1;
	skep_btf_int_info(p->btf, type, &kind);
	if (skep_btf_kind(p->btf, type) == SKEP_BTF_ENUM)
		print_enum_value(p, type, value, member->bit_size);
	else
		print_number(p, value, member->bit_size, &kind);
}

static void print_member(struct printer *p, const struct skep_btf_member *member, const uint8_t *at,
			 uint32_t len)
{
	uint32_t off = member->bit_off / 8;
	int64_t size = skep_btf_size(p->btf, member->type);

	if (member->bit_size)
		print_bit_field(p, member, at, len);
	else if (size >= 0 && off <= len && size <= len - off)
		print_type(p, member->type, at + off, (uint32_t)size);
	else
		print_bytes(p, at, 0);
}

static void print_struct(struct printer *p, uint32_t type, const uint8_t *at, uint32_t len)
{
	uint32_t n = skep_btf_n_members(p->btf, type);
	bool first = true;

	skep_buf_addc(p->out, '{');
	for (uint32_t i = 0; i < n && p->out->len - p->start < MOST_TEXT; i++) {
		struct skep_btf_member member;

		if (skep_btf_member(p->btf, type, i, &member))
			continue;
		/* A variable of a data section. */
		if (skep_btf_kind(p->btf, member.type) == SKEP_BTF_VAR) {
			member.name = skep_btf_name(p->btf, member.type);
			member.type = skep_btf_target(p->btf, member.type);
		}
		if (!first)
			skep_buf_puts(p->out, ", ");
		first = false;
		print_word(p, member.name);
		skep_buf_puts(p->out, ": ");
		print_member(p, &member, at, len);
	}
	skep_buf_addc(p->out, '}');
}

/* --- Any ------------------------------------------------------------------------------------- */

static void print_type(struct printer *p, uint32_t type, const uint8_t *at, uint32_t len)
{
	uint32_t bare = skep_btf_strip(p->btf, type);

	if (p->depth >= MOST_DEPTH || p->out->len - p->start >= MOST_TEXT) {
		print_bytes(p, at, len < 16 ? len : 16);
		return;
	}
	p->depth++;
	switch (skep_btf_kind(p->btf, bare)) {
	case SKEP_BTF_INT: print_int(p, bare, at, len); break;
	case SKEP_BTF_PTR: print_pointer(p, at, len); break;
	case SKEP_BTF_FLOAT: print_float(p, at, len); break;
	case SKEP_BTF_ARRAY: print_array(p, bare, at, len); break;
	case SKEP_BTF_STRUCT:
	case SKEP_BTF_UNION:
	case SKEP_BTF_DATASEC: print_struct(p, bare, at, len); break;
	case SKEP_BTF_ENUM:
	case SKEP_BTF_ENUM64:
		print_enum_value(p, bare, load(at, len < 8 ? len : 8), len < 8 ? len * 8 : 64);
		break;
	default: print_bytes(p, at, len);
	}
	p->depth--;
}

void skep_value_print(const struct skep_value *value, bool json, struct skep_buf *out)
{
	struct printer p = {.btf = value->btf, .out = out, .start = out->len, .json = json};

	if (value->btf && value->type && value->len)
		print_type(&p, value->type, value->data, value->len);
	else
		print_bytes(&p, value->data, value->len);
}
