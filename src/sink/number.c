/* Numbers as text, see number.h. */
#include "sink/number.h"

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
