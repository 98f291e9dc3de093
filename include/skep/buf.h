/*
 * A growing byte buffer for building text and binary output; always has a NUL
 * behind its last byte, so `data` is a C string when it holds text.
 */
#ifndef SKEP_BUF_H
#define SKEP_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include <skep/begin.h>

struct skep_buf {
	char *data; /* owned; NULL while empty */
	size_t len, cap;
};

void skep_buf_done(struct skep_buf *buf);
/** Empty it, keeping the memory. */
void skep_buf_clear(struct skep_buf *buf);
/** Room for @n more bytes; returns where they go. Does not change len. */
char *skep_buf_reserve(struct skep_buf *buf, size_t n);
void skep_buf_add(struct skep_buf *buf, const void *data, size_t len);
void skep_buf_addc(struct skep_buf *buf, char c);
void skep_buf_fill(struct skep_buf *buf, char c, size_t n);
void skep_buf_puts(struct skep_buf *buf, const char *text);
/** @len bytes of @text, '?' for what a terminal would act on: all control characters but tabs,
 *  those of two bytes in UTF-8 (U+009B begins sequences, too) included. */
void skep_buf_add_printable(struct skep_buf *buf, const char *text, size_t len);
/** In double quotes, a backslash before those and itself; '?' for control characters. */
void skep_buf_add_quoted(struct skep_buf *buf, const char *text);
void skep_buf_printf(struct skep_buf *buf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void skep_buf_vprintf(struct skep_buf *buf, const char *fmt, va_list ap);

#define _cleanup_buf_ __attribute__((cleanup(skep_buf_done)))

#include <skep/end.h>

#endif
