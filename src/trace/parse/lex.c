/*
 * Text to tokens, one at a time, #defines expanded as they are met.
 *
 * The lexer is a stack of cursors: the script at the bottom, the bodies of
 * the #defines being expanded above it. A name is not expanded within its own
 * body. A token out of a #define carries the span of the name in the script,
 * so what is said about it points to where it was used.
 *
 * Attach points are no tokens (probe.c reads them as text): the parser asks
 * for tokens only where the grammar has tokens.
 *
 * Next: literal.c for numbers and strings, token.c for the parser's view.
 */
#include "trace/parse/lex.h"

#include <string.h>

#include "base/arena.h"

static const struct {
	const char *text;
	uint32_t len;
	enum skep_tok kind;
} puncts[] = {
#define PUNCT(name, text) {text, sizeof(text) - 1, TOK_##name},
#include "trace/parse/punct.def"
#undef PUNCT
};

static const char *const names[TOK_N_KINDS] = {
	[TOK_END] = "the end of the script",
	[TOK_BAD] = "something unreadable",
	[TOK_IDENT] = "a name",
	[TOK_INT] = "a number",
	[TOK_STRING] = "a string",
	[TOK_VAR] = "a $variable",
	[TOK_MAP] = "an @map",
	[TOK_PARAM] = "a positional parameter",
	[TOK_PARAM_CNT] = "'$#'",
#define PUNCT(name, text) [TOK_##name] = "'" text "'",
#include "trace/parse/punct.def"
#undef PUNCT
};

const char *skep_tok_name(enum skep_tok kind)
{
	return names[kind];
}

void skep_lex_init(struct skep_lexer *lx, struct skep_pp *pp, const char *text, uint32_t at,
		   uint32_t end)
{
	*lx = (struct skep_lexer){
		.pp = pp,
		.diag = pp->diag,
		.cursors = {{.text = text, .at = at, .end = end}},
		.n_cursors = 1,
	};
}

void skep_lex_seek(struct skep_lexer *lx, uint32_t at)
{
	lx->n_cursors = 1;
	lx->cursors[0].at = at;
	lx->last = TOK_END;
}

struct skep_span skep_lex_span(const struct skep_lexer *lx, uint32_t from)
{
	if (lx->n_cursors > 1)
		return lx->use;
	return (struct skep_span){from, lx->cursors[0].at - from};
}

void skep_lex_fail(struct skep_lexer *lx, struct skep_token *tok, enum skep_diag_id id,
		   struct skep_span span, const char *what)
{
	const struct skep_cursor *c = skep_lex_cursor(lx);

	lx->failed = true;
	tok->kind = TOK_BAD;
	skep_diag_add(lx->diag, id, span, what);
	if (c->macro)
		skep_diag_why(lx->diag, "it comes from #define %s", c->macro->name);
}

static void copy_text(struct skep_lexer *lx, struct skep_token *ret, uint32_t from)
{
	const struct skep_cursor *c = skep_lex_cursor(lx);

	ret->text_len = c->at - from;
	ret->text = skep_arena_dup(lx->pp->arena, c->text + from, ret->text_len);
}

static void skip_word(struct skep_lexer *lx)
{
	while (skep_is_word(skep_lex_char(lx, 0)))
		skep_lex_cursor(lx)->at++;
}

/* --- #define -------------------------------------------------------------------------------- */

static bool is_being_expanded(const struct skep_lexer *lx, const struct skep_pp_macro *macro)
{
	for (uint32_t i = 1; i < lx->n_cursors; i++) {
		if (lx->cursors[i].macro == macro)
			return true;
	}
	return false;
}

/* f(x) macros: said once, where they are used; the name then passes as a call. */
static bool refuse_call(struct skep_lexer *lx, const struct skep_pp_macro *macro,
			struct skep_token *tok)
{
	struct skep_token ignored;
	uint32_t ahead = 0;

	while (skep_is_space(skep_lex_char(lx, ahead)))
		ahead++;
	if (skep_lex_char(lx, ahead) == '(')
		skep_lex_fail(lx, &ignored, SKEP_DIAG_DEFINE_CALL, tok->span, macro->name);
	return false;
}

/* Replace the name just read by its #define's body, if it has one. */
static bool expand(struct skep_lexer *lx, struct skep_token *tok)
{
	uint32_t off = lx->n_cursors > 1 ? lx->use.off : tok->span.off;
	const struct skep_pp_macro *macro;

	if (lx->no_expand)
		return false;
	macro = skep_pp_find(lx->pp, tok->text, tok->text_len, off);
	if (!macro || is_being_expanded(lx, macro))
		return false;
	if (macro->has_params)
		return refuse_call(lx, macro, tok);
	if (lx->n_cursors == SKEP_EXPANSION_MAX) {
		skep_lex_fail(lx, tok, SKEP_DIAG_DEFINE_DEPTH, tok->span, macro->name);
		return false;
	}
	lx->use = tok->span;
	lx->cursors[lx->n_cursors++] =
		(struct skep_cursor){.text = macro->body, .end = macro->body_len, .macro = macro};
	return true;
}

/* --- tokens --------------------------------------------------------------------------------- */

/* Blanks, and the ends of bodies. Whether a line began on the way. */
static bool skip_layout(struct skep_lexer *lx)
{
	bool is_new_line = false;

	for (;;) {
		struct skep_cursor *c = skep_lex_cursor(lx);

		while (c->at < c->end && skep_is_space(c->text[c->at])) {
			is_new_line |= c->text[c->at] == '\n' && lx->n_cursors == 1;
			c->at++;
		}
		if (c->at < c->end || lx->n_cursors == 1)
			return is_new_line;
		lx->n_cursors--;
	}
}

static void lex_dollar(struct skep_lexer *lx, struct skep_token *ret)
{
	struct skep_cursor *c = skep_lex_cursor(lx);
	uint32_t from = c->at++;
	char next = skep_lex_char(lx, 0);

	if (next == '#') {
		c->at++;
		ret->kind = TOK_PARAM_CNT;
		return;
	}
	skip_word(lx);
	copy_text(lx, ret, from);
	if (skep_is_word_start(next)) {
		ret->kind = TOK_VAR;
		return;
	}
	if (!skep_is_digit(next)) {
		skep_lex_fail(lx, ret, SKEP_DIAG_VAR_NAME, skep_lex_span(lx, from), NULL);
		return;
	}
	ret->kind = TOK_PARAM;
	for (const char *digit = ret->text + 1; *digit; digit++) {
		ret->integer = ret->integer * 10 + (*digit - '0');
		if (!skep_is_digit(*digit) || ret->integer > INT32_MAX || !ret->integer) {
			skep_lex_fail(lx, ret, SKEP_DIAG_PARAM_RANGE, skep_lex_span(lx, from),
				      ret->text);
			return;
		}
	}
}

static void lex_map(struct skep_lexer *lx, struct skep_token *ret)
{
	uint32_t from = skep_lex_cursor(lx)->at++;

	if (skep_is_word_start(skep_lex_char(lx, 0)))
		skip_word(lx);
	ret->kind = TOK_MAP;
	copy_text(lx, ret, from);
}

static void lex_unknown(struct skep_lexer *lx, struct skep_token *ret)
{
	struct skep_cursor *c = skep_lex_cursor(lx);
	uint32_t from = c->at++;
	unsigned char byte = c->text[from];
	char what[8] = {byte};

	/* A character of several bytes is one mistake. */
	while (byte >= 0xc0 && (skep_lex_char(lx, 0) & 0xc0) == 0x80 && c->at - from < 4) {
		what[c->at - from] = skep_lex_char(lx, 0);
		c->at++;
	}
	skep_lex_fail(lx, ret, SKEP_DIAG_CHARACTER, skep_lex_span(lx, from), what);
}

static void lex_punct(struct skep_lexer *lx, struct skep_token *ret)
{
	struct skep_cursor *c = skep_lex_cursor(lx);

	for (size_t i = 0; i < sizeof(puncts) / sizeof(*puncts); i++) {
		if (puncts[i].len <= c->end - c->at &&
		    !memcmp(puncts[i].text, c->text + c->at, puncts[i].len)) {
			ret->kind = puncts[i].kind;
			c->at += puncts[i].len;
			return;
		}
	}
	lex_unknown(lx, ret);
}

/* One token, names not expanded yet. */
static void lex_raw(struct skep_lexer *lx, struct skep_token *ret)
{
	uint32_t from = skep_lex_cursor(lx)->at;
	char c = skep_lex_char(lx, 0);

	if (skep_is_word_start(c)) {
		skip_word(lx);
		ret->kind = TOK_IDENT;
		copy_text(lx, ret, from);
	} else if (skep_is_digit(c)) {
		skep_lex_number(lx, ret);
	} else if (c == '"') {
		skep_lex_string(lx, ret);
	} else if (c == '\'') {
		skep_lex_char_constant(lx, ret);
	} else if (c == '$') {
		lex_dollar(lx, ret);
	} else if (c == '@') {
		lex_map(lx, ret);
	} else {
		lex_punct(lx, ret);
	}
	ret->span = skep_lex_span(lx, from);
}

static void lex_end(struct skep_lexer *lx, struct skep_token *ret)
{
	const struct skep_cursor *c = &lx->cursors[0];

	ret->kind = TOK_END;
	ret->span = (struct skep_span){c->end, 0};
}

static bool over_limit(struct skep_lexer *lx, struct skep_token *ret)
{
	if (lx->n_tokens++ < SKEP_TOKENS_MAX)
		return false;
	if (lx->n_tokens == SKEP_TOKENS_MAX + 1)
		skep_lex_fail(lx, ret, SKEP_DIAG_TOO_MANY_TOKENS, ret->span, NULL);
	lx->n_cursors = 1;
	lx->cursors[0].at = lx->cursors[0].end;
	return true;
}

void skep_lex_next(struct skep_lexer *lx, struct skep_token *ret)
{
	bool starts_line = false;

	do {
		*ret = (struct skep_token){0};
		starts_line |= skip_layout(lx);
		lex_end(lx, ret);
		if (skep_lex_cursor(lx)->at >= skep_lex_cursor(lx)->end || over_limit(lx, ret))
			break;
		lex_raw(lx, ret);
	} while (ret->kind == TOK_IDENT && expand(lx, ret));
	ret->starts_line = starts_line;
	lx->last = ret->kind;
}
