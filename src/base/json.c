#include "base/json.h"

#include "base/buf.h"
#include "base/utf8.h"

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
	const char *at = text, *end = at + len;

	skep_buf_addc(out, '"');
	while (at < end) {
		size_t n = skep_utf8_len(at, (size_t)(end - at));
		if (n == 1)
			add_escaped(out, (unsigned char)*at);
		else if (n > 1)
			skep_buf_add(out, at, n);
		else
			skep_buf_puts(out, SKEP_UTF8_REPLACEMENT);
		at += n ? n : 1;
	}
	skep_buf_addc(out, '"');
}
