/*
 * A number's description in the form of the kernel's log: people read it, and tools parse it.
 *
 *	-5
 *	scalar()
 *	scalar(smin=0,smax=umax=umax32=255,smax32=255,var_off=(0x0; 0xff))
 *
 * What says nothing is left out; least numbers that are the same are joined, and so are greatest.
 */
#include "verify/scalar.h"

#include <stddef.h>

#include "base/buf.h"

#define DIGITS 20 /* of 64 bits in base 10 */

struct field {
	const char *name;
	uint64_t value;
	bool is_signed, hidden;
};

static bool is_small(int64_t value)
{
	return value >= INT16_MIN && value <= INT16_MAX;
}

/* Signed bounds of 32 bits are printed as 32 bits where they are not small, and compared as
 * printed. */
static uint64_t shown32(int64_t value)
{
	return is_small(value) ? (uint64_t)value : (uint32_t)value;
}

void skep_digits_print(uint64_t value, unsigned base, struct skep_buf *out)
{
	char digits[DIGITS];
	size_t at = DIGITS;

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	skep_buf_add(out, digits + at, DIGITS - at);
}

static void print_hex(uint64_t value, struct skep_buf *out)
{
	skep_buf_puts(out, "0x");
	skep_digits_print(value, 16, out);
}

void skep_number_print(uint64_t value, bool is_signed, struct skep_buf *out)
{
	bool decimal = is_signed ? is_small((int64_t)value) : value <= UINT16_MAX;

	if (!decimal) {
		print_hex(value, out);
		return;
	}
	if ((int64_t)value < 0)
		skep_buf_addc(out, '-');
	skep_digits_print((int64_t)value < 0 ? -value : value, 10, out);
}

static bool is_negative(const struct field *field)
{
	return field->is_signed && (int64_t)field->value < 0;
}

/* The field at @fields and those after it that have its number: a minimum's or a maximum's, not
 * mixed. */
static void print_field(struct field *fields, size_t n, struct skep_buf *out)
{
	skep_buf_puts(out, fields[0].name);
	for (size_t i = 2; i < n; i += 2) {
		if (fields[i].hidden || fields[i].value != fields[0].value ||
		    is_negative(&fields[i]) != is_negative(&fields[0]))
			continue;
		skep_buf_addc(out, '=');
		skep_buf_puts(out, fields[i].name);
		fields[i].hidden = true;
	}
	skep_buf_addc(out, '=');
	skep_number_print(fields[0].value, fields[0].is_signed, out);
}

static void print_fields(struct field *fields, size_t n, const char **separator,
			 struct skep_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (fields[i].hidden)
			continue;
		skep_buf_puts(out, *separator);
		*separator = ",";
		print_field(fields + i, n - i, out);
	}
}

void skep_scalar_print_ranges(const struct skep_scalar *s, const char **separator,
			      struct skep_buf *out)
{
	const struct skep_bounds *full = &s->full, *low = &s->low;
	struct field fields[] = {
		{"smin", (uint64_t)full->smin, true, full->smin == INT64_MIN},
		{"smax", (uint64_t)full->smax, true, full->smax == INT64_MAX},
		{"umin", full->umin, false, full->umin == 0},
		{"umax", full->umax, false, full->umax == UINT64_MAX},
		{"smin32", shown32(low->smin), true, low->smin == INT32_MIN},
		{"smax32", shown32(low->smax), true, low->smax == INT32_MAX},
		{"umin32", low->umin, false, low->umin == 0},
		{"umax32", low->umax, false, low->umax == UINT32_MAX},
	};

	print_fields(fields, sizeof(fields) / sizeof(fields[0]), separator, out);
	if (s->bits.mask == UINT64_MAX)
		return;
	skep_buf_puts(out, *separator);
	skep_buf_puts(out, "var_off=(");
	print_hex(s->bits.value, out);
	skep_buf_puts(out, "; ");
	print_hex(s->bits.mask, out);
	skep_buf_addc(out, ')');
}

void skep_scalar_print(const struct skep_scalar *s, struct skep_buf *out)
{
	const char *separator = "";

	if (skep_tnum_is_const(s->bits)) {
		skep_number_print(s->bits.value, true, out);
		return;
	}
	skep_buf_printf(out, "scalar(");
	skep_scalar_print_ranges(s, &separator, out);
	skep_buf_printf(out, ")");
}
