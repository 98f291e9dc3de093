/* Numbers as text, see number.h. */
#include "sink/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Two digits at a time: half the divisions. */
static const char pairs[] = "00010203040506070809"
			    "10111213141516171819"
			    "20212223242526272829"
			    "30313233343536373839"
			    "40414243444546474849"
			    "50515253545556575859"
			    "60616263646566676869"
			    "70717273747576777879"
			    "80818283848586878889"
			    "90919293949596979899";

char *skep_sink_digits(char room[SKEP_DIGITS_MAX], uint64_t value)
{
	char *at = room + SKEP_DIGITS_MAX;

	while (value >= 100) {
		at -= 2;
		memcpy(at, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value < 10) {
		*--at = (char)('0' + value);
		return at;
	}
	at -= 2;
	memcpy(at, pairs + value * 2, 2);
	return at;
}

char *skep_sink_digits_pow2(char room[SKEP_DIGITS_MAX], uint64_t value, unsigned shift,
			    bool upper_case)
{
	const char *digits = upper_case ? "0123456789ABCDEF" : "0123456789abcdef";
	char *at = room + SKEP_DIGITS_MAX;

	do {
		*--at = digits[value & ((1u << shift) - 1)];
		value >>= shift;
	} while (value);
	return at;
}

static void add_digits(struct skep_buf *buf, const char *room, const char *at)
{
	skep_buf_add(buf, at, (size_t)(room + SKEP_DIGITS_MAX - at));
}

void skep_sink_u64(struct skep_buf *buf, uint64_t value)
{
	char room[SKEP_DIGITS_MAX];

	add_digits(buf, room, skep_sink_digits(room, value));
}

void skep_sink_s64(struct skep_buf *buf, int64_t value)
{
	char room[SKEP_DIGITS_MAX];
	char *at = skep_sink_digits(room, value < 0 ? -(uint64_t)value : (uint64_t)value);

	if (value < 0)
		*--at = '-';
	add_digits(buf, room, at);
}

void skep_sink_hex(struct skep_buf *buf, uint64_t value)
{
	char room[SKEP_DIGITS_MAX];

	add_digits(buf, room, skep_sink_digits_pow2(room, value, 4, false));
}

#define DIGITS_MOST 17 /* what tells any two doubles apart */

/* "d.dddde[+-]xx" with as few digits as read back as @value. */
static void shortest(char text[32], double value)
{
	for (int digits = 15; digits <= DIGITS_MOST; digits++) {
		snprintf(text, 32, "%.*e", digits - 1, value);
		if (strtod(text, NULL) == value)
			return;
	}
}

/* The digits of @text, without its point and zeros at the end. */
static size_t take_digits(const char *text, char digits[DIGITS_MOST + 1])
{
	size_t n = 0;

	for (; *text && *text != 'e'; text++) {
		if (*text >= '0' && *text <= '9' && n < DIGITS_MOST)
			digits[n++] = *text;
	}
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

static void add_plain(struct skep_buf *buf, const char *digits, size_t n, int exponent)
{
	int whole = exponent + 1; /* digits before the point */

	if (whole <= 0) {
		skep_buf_puts(buf, "0.");
		skep_buf_fill(buf, '0', (size_t)-whole);
		skep_buf_add(buf, digits, n);
		return;
	}
	for (int i = 0; i < whole || i < (int)n; i++) {
		if (i == whole)
			skep_buf_addc(buf, '.');
		skep_buf_addc(buf, i < (int)n ? digits[i] : '0');
	}
}

static void add_finite(struct skep_buf *buf, double value)
{
	char text[32] = "", digits[DIGITS_MOST + 1];

	if (signbit(value))
		skep_buf_addc(buf, '-');
	shortest(text, fabs(value));
	size_t n = take_digits(text, digits);
	const char *e = strchr(text, 'e');
	int exponent = e ? atoi(e + 1) : 0;
	if (exponent >= -4 && exponent < 21) {
		add_plain(buf, digits, n, exponent);
		return;
	}
	skep_buf_addc(buf, digits[0]);
	if (n > 1)
		skep_buf_addc(buf, '.');
	skep_buf_add(buf, digits + 1, n - 1);
	skep_buf_printf(buf, "e%+03d", exponent);
}

void skep_sink_double(struct skep_buf *buf, double value)
{
	if (isnan(value))
		skep_buf_puts(buf, "NaN");
	else if (isinf(value))
		skep_buf_puts(buf, value > 0 ? "+Inf" : "-Inf");
	else if (fabs(value) < 0x1p53 && value == (double)(int64_t)value)
		skep_sink_s64(buf, (int64_t)value);
	else
		add_finite(buf, value);
}

/* At most 53 bits between the highest and the lowest that are set. */
static bool fits_double(uint64_t magnitude)
{
	return !magnitude || 64 - __builtin_clzll(magnitude) - __builtin_ctzll(magnitude) <= 53;
}

void skep_sink_json_u64(struct skep_buf *buf, uint64_t value)
{
	bool quoted = !fits_double(value);

	if (quoted)
		skep_buf_addc(buf, '"');
	skep_sink_u64(buf, value);
	if (quoted)
		skep_buf_addc(buf, '"');
}

void skep_sink_json_s64(struct skep_buf *buf, int64_t value)
{
	bool quoted = !fits_double(value < 0 ? -(uint64_t)value : (uint64_t)value);

	if (quoted)
		skep_buf_addc(buf, '"');
	skep_sink_s64(buf, value);
	if (quoted)
		skep_buf_addc(buf, '"');
}

void skep_sink_pad(struct skep_buf *buf, size_t from, size_t width, bool left, char fill)
{
	size_t len = buf->len - from;

	if (len >= width)
		return;
	size_t missing = width - len;
	if (left) {
		skep_buf_fill(buf, ' ', missing);
		return;
	}
	char *at = skep_buf_reserve(buf, missing) - len;
	memmove(at + missing, at, len);
	memset(at, fill, missing);
	buf->len += missing;
	buf->data[buf->len] = '\0';
}
