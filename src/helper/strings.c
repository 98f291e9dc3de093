/* Numbers out of text, text against text. */
#include <ctype.h>

#include "helper/helpers.h"

#define NUMBER_BYTES 63 /* no more of the text is looked at, behind blanks and sign */

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* "0x" and "0" say the base where the caller does not. Returns what to skip. */
static uint32_t find_base(const char *at, uint32_t left, unsigned *base)
{
	bool zero = left && at[0] == '0', x = zero && left > 1 && (at[1] | 0x20) == 'x';

	if (!*base)
		*base = x && left > 2 && isxdigit((unsigned char)at[2]) ? 16 : zero ? 8 : 10;
	return *base == 16 && x ? 2 : 0;
}

/* Digits from @at. Returns their number | -ERANGE over 64 bits | -EINVAL none */
static int read_digits(const char *at, uint32_t left, unsigned base, uint64_t *ret)
{
	uint64_t value = 0;
	uint32_t n = 0;
	bool over = false;

	for (; n < left && digit_of(at[n]) < (int)base; n++) {
		over |= __builtin_mul_overflow(value, (uint64_t)base, &value);
		over |= __builtin_add_overflow(value, (uint64_t)digit_of(at[n]), &value);
	}
	if (over)
		return -ERANGE;
	*ret = value;
	return n ? (int)n : -EINVAL;
}

/* Returns the bytes read. */
static int read_number(const char *text, uint32_t bytes, uint64_t flags, bool *ret_below,
		       uint64_t *ret)
{
	unsigned base = flags & 31;
	uint32_t at = 0;

	if (!bytes || (base && base != 8 && base != 10 && base != 16) || flags > 31)
		return -EINVAL;
	while (at < bytes && isspace((unsigned char)text[at]))
		at++;
	*ret_below = at < bytes && text[at] == '-';
	at += *ret_below;
	if (at == bytes)
		return -EINVAL;
	uint32_t left = bytes - at < NUMBER_BYTES ? bytes - at : NUMBER_BYTES;
	uint32_t skip = find_base(text + at, left, &base);
	int n = read_digits(text + at + skip, left - skip, base, ret);
	return n < 0 ? n : (int)(at + skip) + n;
}

DEFINE_HELPER(strtol)
{
	int64_t *to = ptr_of(r4);
	uint64_t value = 0;
	bool below = false;
	int n = read_number(ptr_of(r1), (uint32_t)r2, r3, &below, &value);

	*to = 0;
	if (n < 0)
		return as_r0(n);
	if (below ? (int64_t)(0 - value) > 0 : (int64_t)value < 0)
		return as_r0(-ERANGE);
	*to = below ? (int64_t)(0 - value) : (int64_t)value;
	return (uint64_t)n;
}

DEFINE_HELPER(strtoul)
{
	uint64_t *to = ptr_of(r4), value = 0;
	bool below = false;
	int n = read_number(ptr_of(r1), (uint32_t)r2, r3, &below, &value);

	*to = 0;
	if (n < 0)
		return as_r0(n);
	if (below)
		return as_r0(-EINVAL);
	*to = value;
	return (uint64_t)n;
}

DEFINE_HELPER(strncmp)
{
	const unsigned char *a = ptr_of(r1), *b = ptr_of(r3);

	for (uint32_t i = 0; i < (uint32_t)r2; i++) {
		if (a[i] != b[i])
			return as_r0(a[i] < b[i] ? -1 : 1);
		if (!a[i])
			break;
	}
	return 0;
}
