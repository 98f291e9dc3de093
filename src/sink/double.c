/*
 * Numbers with a point as text, see number.h and jsonw.h. The C library's half of it is large, and
 * what prints the events of a script has none: in the static program all of this is in the overlay.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sink/jsonw.h"
#include "sink/number.h"

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

void skep_jsonw_double(struct skep_jsonw *w, double value)
{
	skep_jsonw_item(w);
	if (isfinite(value))
		skep_buf_printf(w->buf, "%.10g", value);
	else
		skep_buf_puts(w->buf, "null");
}
