#include "base/buf.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define LIKELY_BYTES 64 /* what is printed at once is mostly shorter: then it is printed once */

void skep_buf_done(struct skep_buf *buf)
{
	free(buf->data);
	*buf = (struct skep_buf){0};
}

void skep_buf_clear(struct skep_buf *buf)
{
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

char *skep_buf_reserve(struct skep_buf *buf, size_t n)
{
	if (buf->len + n + 1 > buf->cap) {
		size_t cap = buf->cap ? buf->cap : 128;
		while (cap < buf->len + n + 1)
			cap *= 2;
		buf->data = skep_xrealloc(buf->data, cap);
		buf->cap = cap;
	}
	return buf->data + buf->len;
}

void skep_buf_add(struct skep_buf *buf, const void *data, size_t len)
{
	char *at = skep_buf_reserve(buf, len);

	if (len)
		memcpy(at, data, len);
	at[len] = '\0';
	buf->len += len;
}

void skep_buf_addc(struct skep_buf *buf, char c)
{
	skep_buf_add(buf, &c, 1);
}

void skep_buf_add_printable(struct skep_buf *buf, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		unsigned char next = i + 1 < len ? (unsigned char)text[i + 1] : 0;
		bool is_high = c == 0xc2 && next >= 0x80 && next < 0xa0; /* U+0080 to U+009F */

		i += is_high;
		skep_buf_addc(buf,
			      is_high || (c != '\t' && (c < 0x20 || c == 0x7f)) ? '?' : text[i]);
	}
}

void skep_buf_fill(struct skep_buf *buf, char c, size_t n)
{
	char *at = skep_buf_reserve(buf, n);

	memset(at, c, n);
	at[n] = '\0';
	buf->len += n;
}

void skep_buf_puts(struct skep_buf *buf, const char *text)
{
	skep_buf_add(buf, text, strlen(text));
}

void skep_buf_add_quoted(struct skep_buf *buf, const char *text)
{
	skep_buf_addc(buf, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			skep_buf_addc(buf, '\\');
		skep_buf_addc(buf, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
	}
	skep_buf_addc(buf, '"');
}

void skep_buf_vprintf(struct skep_buf *buf, const char *fmt, va_list ap)
{
	char *at = skep_buf_reserve(buf, LIKELY_BYTES);
	size_t room = buf->cap - buf->len;
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(at, room, fmt, ap);
	if (len >= 0 && (size_t)len >= room)
		vsnprintf(skep_buf_reserve(buf, (size_t)len), (size_t)len + 1, fmt, again);
	va_end(again);
	if (len >= 0)
		buf->len += (size_t)len;
	else
		*at = '\0';
}

void skep_buf_printf(struct skep_buf *buf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	skep_buf_vprintf(buf, fmt, ap);
	va_end(ap);
}
