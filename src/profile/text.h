/* Stretches of a text that is read. Private to src/profile. */
#ifndef SKEP_PROFILE_TEXT_H
#define SKEP_PROFILE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/** Borrowed, not ended by a NUL. */
struct skep_span_text {
	const char *at, *end;
};

static inline size_t skep_span_len(struct skep_span_text span)
{
	return (size_t)(span.end - span.at);
}

static inline bool skep_span_starts(struct skep_span_text span, const char *with)
{
	return skep_span_len(span) >= strlen(with) && !memcmp(span.at, with, strlen(with));
}

static inline bool skep_span_ends(struct skep_span_text span, const char *with)
{
	return skep_span_len(span) >= strlen(with) &&
	       !memcmp(span.end - strlen(with), with, strlen(with));
}

/** Where @what is in @span first, or NULL. */
static inline const char *skep_span_find(struct skep_span_text span, const char *what)
{
	return skep_span_len(span) ? memmem(span.at, skep_span_len(span), what, strlen(what))
				   : NULL;
}

static inline bool skep_char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool skep_char_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/** Cut the next line off @text: without its end, and blanks before that. */
static inline struct skep_span_text skep_span_cut_line(struct skep_span_text *text)
{
	const char *end = memchr(text->at, '\n', skep_span_len(*text));
	struct skep_span_text line = {text->at, end ? end : text->end};

	text->at = end ? end + 1 : text->end;
	while (line.end > line.at && skep_char_is_blank(line.end[-1]))
		line.end--;
	return line;
}

#endif
