#include "base/json.h"

#include <stdint.h>

#include "base/buf.h"

/* Length of the valid UTF-8 sequence at @at (1-4), or 0. Rejects overlong forms and surrogates. */
static size_t utf8_len(const unsigned char *at, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = at[0] < 0x80       ? 1
		   : at[0] >> 5 == 6  ? 2
		   : at[0] >> 4 == 14 ? 3
		   : at[0] >> 3 == 30 ? 4
				      : 0;
	if (n <= 1)
		return n;
	if (n > left)
		return 0;
	uint32_t point = at[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (at[i] >> 6 != 2)
			return 0;
		point = point << 6 | (at[i] & 0x3f);
	}
	if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	return n;
}

static void add_escaped(struct skep_buf *out, unsigned char c)
{
	static const char short_form[256] = {
		['"'] = '"',  ['\\'] = '\\', ['\n'] = 'n', ['\t'] = 't',
		['\r'] = 'r', ['\b'] = 'b',  ['\f'] = 'f'};

	if (short_form[c])
		skep_buf_printf(out, "\\%c", short_form[c]);
	else if (c < 0x20 || c == 0x7f)
		skep_buf_printf(out, "\\u%04x", c);
	else
		skep_buf_addc(out, (char)c);
}

void skep_json_string(struct skep_buf *out, const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + len;

	skep_buf_addc(out, '"');
	while (at < end) {
		size_t n = utf8_len(at, (size_t)(end - at));
		if (n == 1)
			add_escaped(out, *at);
		else if (n > 1)
			skep_buf_add(out, at, n);
		else
			skep_buf_puts(out, "\xef\xbf\xbd");
		at += n ? n : 1;
	}
	skep_buf_addc(out, '"');
}
