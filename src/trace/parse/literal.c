/*
 * Numbers, strings and character constants.
 *
 * A number is 64 bits; a duration is a number of nanoseconds. A mistake
 * within a literal is reported at the offending characters, and the whole
 * literal is consumed, so that one mistake gives one message.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/parse/lex.h"

/* --- numbers -------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	uint64_t factor;
	bool is_unsigned;
} suffixes[] = {
	{"", 1, false},
	{"l", 1, false},
	{"ll", 1, false},
	{"u", 1, true},
	{"ul", 1, true},
	{"ull", 1, true},
	{"lu", 1, true},
	{"llu", 1, true},
	{"ns", 1, false},
	{"us", 1000, false},
	{"ms", 1000000, false},
	{"s", 1000000000, false},
	{"m", 60 * 1000000000ull, false},
	{"h", 3600 * 1000000000ull, false},
	{"d", 86400 * 1000000000ull, false},
};

struct number {
	uint32_t from; /* where it starts */
	uint64_t value;
	bool overflows;
	unsigned base;
};

static int digit_value(char c)
{
	if (skep_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

static void multiply(struct number *n, uint64_t factor, uint64_t plus)
{
	n->overflows |= __builtin_mul_overflow(n->value, factor, &n->value) ||
			__builtin_add_overflow(n->value, plus, &n->value);
}

static unsigned number_base(struct skep_lexer *lx)
{
	char next = skep_lex_char(lx, 1);

	if (skep_lex_char(lx, 0) != '0')
		return 10;
	if (next == 'x' || next == 'X')
		return 16;
	if (next == 'b' || next == 'B')
		return 2;
	return skep_is_digit(next) || next == '_' ? 8 : 10;
}

static const char *base_name(unsigned base)
{
	return base == 2 ? "binary" : base == 8 ? "octal" : "decimal";
}

/* Digits and underscores from here; false if reported. */
static bool digits(struct skep_lexer *lx, struct skep_token *ret, struct number *n)
{
	struct skep_cursor *c = skep_lex_cursor(lx);
	uint32_t from = c->at;
	char last = 0;

	for (;; c->at++) {
		char digit = skep_lex_char(lx, 0);
		bool is_digit = n->base == 16 ? digit_value(digit) < 16 : skep_is_digit(digit);

		if (is_digit && digit_value(digit) >= (int)n->base) {
			c->at++;
			skep_lex_fail(lx, ret, SKEP_DIAG_INT_DIGIT, skep_lex_span(lx, c->at - 1),
				      base_name(n->base));
			return false;
		}
		if (!is_digit && digit != '_')
			break;
		if (is_digit)
			multiply(n, n->base, digit_value(digit));
		last = digit;
	}
	if (c->at == from || last == '_') {
		skep_lex_fail(lx, ret, SKEP_DIAG_INT_ENDS,
			      skep_lex_span(lx, c->at == from ? n->from : c->at - 1), NULL);
		return false;
	}
	return true;
}

/* 1e6; anything else behind the e is a suffix, and not a known one. */
static bool exponent(struct skep_lexer *lx, struct skep_token *ret, struct number *n)
{
	struct number exp = {.from = n->from, .base = 10};
	char e = skep_lex_char(lx, 0);

	if (n->base != 10 || (e != 'e' && e != 'E') || !skep_is_digit(skep_lex_char(lx, 1)))
		return true;
	skep_lex_cursor(lx)->at++;
	if (!digits(lx, ret, &exp))
		return false;
	n->overflows |= n->value && (exp.overflows || exp.value > 19);
	for (uint64_t i = 0; i < exp.value && !n->overflows && n->value; i++)
		multiply(n, 10, 0);
	return true;
}

static bool is_suffix(const char *text, uint32_t len, size_t i)
{
	return strlen(suffixes[i].text) == len && (i < 8 ? !strncasecmp(text, suffixes[i].text, len)
							 : !strncmp(text, suffixes[i].text, len));
}

static bool suffix(struct skep_lexer *lx, struct skep_token *ret, struct number *n)
{
	struct skep_cursor *c = skep_lex_cursor(lx);
	uint32_t from = c->at;

	while (skep_is_word(skep_lex_char(lx, 0)))
		c->at++;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		if (!is_suffix(c->text + from, c->at - from, i))
			continue;
		multiply(n, suffixes[i].factor, 0);
		ret->is_unsigned = suffixes[i].is_unsigned;
		return true;
	}
	skep_lex_fail(lx, ret, SKEP_DIAG_INT_SUFFIX, skep_lex_span(lx, from),
		      skep_arena_dup(lx->pp->arena, c->text + from, c->at - from));
	return false;
}

/* 1.5: said as such, instead of something about members of 1. */
static bool no_fraction(struct skep_lexer *lx, struct skep_token *ret, struct number *n)
{
	struct skep_cursor *c = skep_lex_cursor(lx);

	if (skep_lex_char(lx, 0) != '.' || !skep_is_digit(skep_lex_char(lx, 1)))
		return true;
	for (c->at++; skep_is_word(skep_lex_char(lx, 0));)
		c->at++;
	skep_lex_fail(lx, ret, SKEP_DIAG_FRACTION, skep_lex_span(lx, n->from), NULL);
	return false;
}

static bool number(struct skep_lexer *lx, struct skep_token *ret, struct number *n)
{
	struct skep_cursor *c = skep_lex_cursor(lx);

	/* $t.0.1: the number of a member, not 0.1 */
	if (lx->last == TOK_DOT)
		return digits(lx, ret, n);
	n->base = number_base(lx);
	c->at += n->base == 16 || n->base == 2 ? 2 : 0;
	return digits(lx, ret, n) && exponent(lx, ret, n) && suffix(lx, ret, n) &&
	       no_fraction(lx, ret, n);
}

void skep_lex_number(struct skep_lexer *lx, struct skep_token *ret)
{
	struct skep_cursor *c = skep_lex_cursor(lx);
	struct number n = {.from = c->at, .base = 10};

	ret->kind = TOK_INT;
	if (!number(lx, ret, &n)) {
		while (skep_is_word(skep_lex_char(lx, 0)))
			c->at++;
		return;
	}
	if (n.overflows) {
		skep_lex_fail(lx, ret, SKEP_DIAG_INT_RANGE, skep_lex_span(lx, n.from),
			      skep_arena_dup(lx->pp->arena, c->text + n.from, c->at - n.from));
		return;
	}
	ret->integer = (int64_t)n.value;
	ret->is_unsigned |= n.value > INT64_MAX;
}

/* --- strings -------------------------------------------------------------------------------- */

static const struct {
	char letter, value;
} escapes[] = {
	{'n', '\n'}, {'t', '\t'}, {'r', '\r'},   {'\\', '\\'}, {'"', '"'},  {'\'', '\''},
	{'a', '\a'}, {'b', '\b'}, {'e', '\x1b'}, {'f', '\f'},  {'v', '\v'}, {'?', '?'},
};

static unsigned escape_number(struct skep_lexer *lx, unsigned base, uint32_t most, uint32_t *n)
{
	unsigned value = 0;

	for (*n = 0; *n < most && digit_value(skep_lex_char(lx, 0)) < (int)base; ++*n) {
		value = value * base + digit_value(skep_lex_char(lx, 0));
		skep_lex_cursor(lx)->at++;
	}
	return value;
}

static bool numeric_escape(struct skep_lexer *lx, struct skep_token *ret, uint32_t from, char *byte)
{
	struct skep_cursor *c = skep_lex_cursor(lx);
	bool is_hex = skep_lex_char(lx, 0) == 'x' || skep_lex_char(lx, 0) == 'X';
	unsigned value;
	uint32_t n;

	c->at += is_hex;
	value = escape_number(lx, is_hex ? 16 : 8, is_hex ? 2 : 3, &n);
	*byte = (char)value;
	if (n && value <= 0xff)
		return true;
	skep_lex_fail(lx, ret, SKEP_DIAG_ESCAPE, skep_lex_span(lx, from),
		      skep_arena_dup(lx->pp->arena, c->text + from, c->at - from));
	return false;
}

/* At a backslash. False if reported; the escape is consumed in any case. */
static bool escape(struct skep_lexer *lx, struct skep_token *ret, char *byte)
{
	struct skep_cursor *c = skep_lex_cursor(lx);
	uint32_t from = c->at++;
	char letter = skep_lex_char(lx, 0);

	if (digit_value(letter) < 8 || letter == 'x' || letter == 'X')
		return numeric_escape(lx, ret, from, byte);
	if (c->at < c->end)
		c->at++;
	for (size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++) {
		if (escapes[i].letter == letter) {
			*byte = escapes[i].value;
			return true;
		}
	}
	skep_lex_fail(lx, ret, SKEP_DIAG_ESCAPE, skep_lex_span(lx, from),
		      skep_arena_dup(lx->pp->arena, c->text + from, c->at - from));
	return false;
}

static bool at_line_end(struct skep_lexer *lx)
{
	const struct skep_cursor *c = skep_lex_cursor(lx);

	return c->at >= c->end || c->text[c->at] == '\n';
}

void skep_lex_string(struct skep_lexer *lx, struct skep_token *ret)
{
	struct skep_cursor *c = skep_lex_cursor(lx);
	uint32_t from = c->at++;
	_cleanup_buf_ struct skep_buf text = {0};
	bool is_bad = false;

	while (!at_line_end(lx) && skep_lex_char(lx, 0) != '"') {
		char byte = skep_lex_char(lx, 0);

		if (byte != '\\' || (c->at + 1 < c->end && c->text[c->at + 1] == '\n'))
			c->at++;
		else
			is_bad |= !escape(lx, ret, &byte);
		skep_buf_addc(&text, byte);
	}
	if (at_line_end(lx)) {
		skep_lex_fail(lx, ret, SKEP_DIAG_STRING_OPEN, skep_lex_span(lx, from), NULL);
		return;
	}
	c->at++;
	ret->kind = is_bad ? TOK_BAD : TOK_STRING;
	ret->text = skep_arena_dup(lx->pp->arena, text.data ? text.data : "", text.len);
	ret->text_len = text.len;
}

void skep_lex_char_constant(struct skep_lexer *lx, struct skep_token *ret)
{
	struct skep_cursor *c = skep_lex_cursor(lx);
	uint32_t from = c->at++;
	char byte = skep_lex_char(lx, 0);

	ret->kind = TOK_INT;
	if (byte == '\\')
		escape(lx, ret, &byte);
	else if (!at_line_end(lx))
		c->at++;
	if (byte == '\'' && c->at == from + 2) {
		skep_lex_fail(lx, ret, SKEP_DIAG_CHAR_CONSTANT, skep_lex_span(lx, from), NULL);
		return;
	}
	if (skep_lex_char(lx, 0) != '\'') {
		skep_lex_fail(lx, ret, SKEP_DIAG_CHAR_CONSTANT, skep_lex_span(lx, from), NULL);
		while (!at_line_end(lx) &&
		       (skep_is_word(skep_lex_char(lx, 0)) || skep_lex_char(lx, 0) < 0))
			c->at++;
		if (skep_lex_char(lx, 0) == '\'')
			c->at++;
		return;
	}
	c->at++;
	ret->integer = (unsigned char)byte;
}
