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

#include <inttypes.h>
#include <stddef.h>

#include "base/buf.h"

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

void skep_number_print(uint64_t value, bool is_signed, struct skep_buf *out)
{
	bool decimal = is_signed ? is_small((int64_t)value) : value <= UINT16_MAX;

	if (decimal)
		skep_buf_printf(out, "%" PRId64, (int64_t)value);
	else
		skep_buf_printf(out, "0x%" PRIx64, value);
}

static bool is_negative(const struct field *field)
{
	return field->is_signed && (int64_t)field->value < 0;
}

/* The field at @fields and those after it that have its number: a minimum's or a maximum's, not
 * mixed. */
static void print_field(struct field *fields, size_t n, struct skep_buf *out)
{
	skep_buf_printf(out, "%s", fields[0].name);
	for (size_t i = 2; i < n; i += 2) {
		if (fields[i].hidden || fields[i].value != fields[0].value ||
		    is_negative(&fields[i]) != is_negative(&fields[0]))
			continue;
		skep_buf_printf(out, "=%s", fields[i].name);
		fields[i].hidden = true;
	}
	skep_buf_printf(out, "=");
	skep_number_print(fields[0].value, fields[0].is_signed, out);
}

static void print_fields(struct field *fields, size_t n, const char **separator,
			 struct skep_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (fields[i].hidden)
			continue;
		skep_buf_printf(out, "%s", *separator);
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
	if (s->bits.mask != UINT64_MAX)
		skep_buf_printf(out, "%svar_off=(0x%" PRIx64 "; 0x%" PRIx64 ")", *separator,
				s->bits.value, s->bits.mask);
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
