/*
 * Blanks comments, so that everything behind it need not know them and all
 * offsets stay true.
 *
 * Three things only look like comments: text in strings, text in character
 * constants, and paths of attach points, as in uprobe:/usr/<star>/lib:f. The
 * last are told by where they stand: outside all braces, in a word that
 * already has a colon.
 */
#include <string.h>

#include "trace/parse/preprocess.h"

struct scan {
	char *text;
	uint32_t at, len;
	uint32_t depth;      /* of braces */
	bool in_attach_word; /* outside braces, behind a ':' with no space since */
};

static char peek(const struct scan *s, uint32_t n)
{
	return s->at + n < s->len ? s->text[s->at + n] : '\0';
}

/* A string ends at its quote or, unclosed, with its line. */
static void skip_string(struct scan *s)
{
	for (s->at++; s->at < s->len && peek(s, 0) != '"' && peek(s, 0) != '\n'; s->at++) {
		if (peek(s, 0) == '\\' && peek(s, 1) != '\n')
			s->at++;
	}
	if (peek(s, 0) == '"')
		s->at++;
}

/* Only what is complete is a constant: an apostrophe in #error's text is none. */
static void skip_char(struct scan *s)
{
	if (peek(s, 1) == '\\' && peek(s, 2) && peek(s, 3) == '\'')
		s->at += 4;
	else if (peek(s, 1) && peek(s, 1) != '\\' && peek(s, 2) == '\'')
		s->at += 3;
	else
		s->at++;
}

static void blank(struct scan *s, uint32_t n)
{
	for (; n && s->at < s->len; n--, s->at++) {
		if (s->text[s->at] != '\n')
			s->text[s->at] = ' ';
	}
}

static bool blank_comment(struct scan *s)
{
	if (peek(s, 1) == '/') {
		while (s->at < s->len && peek(s, 0) != '\n')
			blank(s, 1);
		return true;
	}
	blank(s, 2);
	while (s->at < s->len) {
		if (peek(s, 0) == '*' && peek(s, 1) == '/') {
			blank(s, 2);
			return true;
		}
		blank(s, 1);
	}
	return false;
}

static void step(struct scan *s)
{
	char c = peek(s, 0);

	s->depth += c == '{';
	s->depth -= c == '}' && s->depth;
	if (skep_is_space(c) || c == ',' || c == '}' || c == ';' || c == '{')
		s->in_attach_word = false;
	else if (c == ':' && !s->depth)
		s->in_attach_word = true;
	s->at++;
}

void skep_pp_blank_comments(struct skep_pp *pp, char *text, uint32_t len)
{
	struct scan s = {.text = text, .len = len};

	while (s.at < len) {
		char c = peek(&s, 0);
		uint32_t from = s.at;

		if (c == '"') {
			skip_string(&s);
		} else if (c == '\'') {
			skip_char(&s);
		} else if (c == '/' && (peek(&s, 1) == '/' || peek(&s, 1) == '*') &&
			   !s.in_attach_word) {
			if (!blank_comment(&s)) {
				skep_diag_add(pp->diag, SKEP_DIAG_COMMENT_OPEN,
					      (struct skep_span){from, 2});
				pp->failed = true;
			}
		} else {
			step(&s);
		}
	}
}
