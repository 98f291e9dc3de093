/*
 * The parser's view of the tokens: look ahead, take, expect; what is said when
 * something else was expected; and how to go on after it.
 */
#include <errno.h>
#include <string.h>

#include "trace/parse/parser.h"

/* For "did you mean", where a statement makes no sense. */
static const char *const keywords[] = {"if",       "else",     "while",  "for",   "unroll",
				       "break",    "continue", "return", "let",   "sizeof",
				       "offsetof", "macro",    "config", "struct"};

const struct skep_token *skep_tok_ahead(struct skep_parser *p, uint32_t n)
{
	if (p->panic)
		return &p->none;
	while (p->at + n >= p->tokens.len) {
		struct skep_token tok;

		skep_lex_next(&p->lx, &tok);
		skep_vec_push(&p->tokens, tok);
	}
	return &p->tokens.data[p->at + n];
}

const struct skep_token *skep_tok(struct skep_parser *p)
{
	return skep_tok_ahead(p, 0);
}

const struct skep_token *skep_tok_take(struct skep_parser *p)
{
	const struct skep_token *tok = skep_tok(p);

	if (tok->kind != TOK_END) {
		p->at++;
		p->last_end = tok->span.off + tok->span.len;
	}
	return tok;
}

bool skep_tok_is(struct skep_parser *p, enum skep_tok kind)
{
	return skep_tok(p)->kind == kind;
}

bool skep_tok_is_word(struct skep_parser *p, const char *word)
{
	const struct skep_token *tok = skep_tok(p);

	return tok->kind == TOK_IDENT && !strcmp(tok->text, word);
}

bool skep_tok_accept(struct skep_parser *p, enum skep_tok kind)
{
	if (p->panic || !skep_tok_is(p, kind))
		return false;
	skep_tok_take(p);
	return true;
}

bool skep_tok_accept_word(struct skep_parser *p, const char *word)
{
	if (!skep_tok_is_word(p, word))
		return false;
	skep_tok_take(p);
	return true;
}

/* --- errors --------------------------------------------------------------------------------- */

bool skep_parse_complain(struct skep_parser *p, enum skep_diag_id id, struct skep_span span,
			 const char *a, const char *b)
{
	if (p->panic || p->stop)
		return false;
	skep_diag_add(p->diag, id, span, a, b);
	if (++p->n_errors == SKEP_PARSE_ERROR_MAX)
		p->stop = true;
	return true;
}

static void start_panic(struct skep_parser *p)
{
	p->none = (struct skep_token){.kind = TOK_END, .span = {p->last_end, 0}};
	p->panic = true;
}

bool skep_parse_fail(struct skep_parser *p, enum skep_diag_id id, struct skep_span span,
		     const char *a, const char *b)
{
	bool is_new = skep_parse_complain(p, id, span, a, b);

	start_panic(p);
	return is_new;
}

/* "'foo'", "'$x'", "a number" */
static const char *describe(struct skep_parser *p, const struct skep_token *tok)
{
	if (tok->kind == TOK_IDENT || tok->kind == TOK_VAR || tok->kind == TOK_MAP ||
	    tok->kind == TOK_PARAM)
		return skep_arena_printf(p->arena, "'%.60s'", tok->text);
	return skep_tok_name(tok->kind);
}

static bool is_keyword(const char *word)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++) {
		if (!strcmp(keywords[i], word))
			return true;
	}
	return false;
}

/* The statement's first word may be a keyword, misspelt. */
static void suggest_keyword(struct skep_parser *p)
{
	const struct skep_token *tok;

	if (p->stmt_at >= p->at)
		return;
	tok = &p->tokens.data[p->stmt_at];
	if (tok->kind == TOK_IDENT && tok->text_len > 2 && !is_keyword(tok->text) &&
	    skep_function_find(tok->text) == SKEP_FN_NONE &&
	    skep_builtin_find(tok->text) == SKEP_BI_NONE)
		skep_diag_did_you_mean(p->diag, tok->text, keywords,
				       sizeof(keywords) / sizeof(*keywords));
}

bool skep_tok_was_bad(const struct skep_parser *p)
{
	return p->at && p->tokens.data[p->at - 1].kind == TOK_BAD;
}

struct skep_span skep_tok_span(struct skep_parser *p)
{
	const struct skep_token *tok = skep_tok(p);

	if (tok->kind != TOK_END || !p->last_end)
		return tok->span;
	return (struct skep_span){p->last_end - 1, 1};
}

void skep_tok_unexpected(struct skep_parser *p, const char *what)
{
	const struct skep_token tok = *skep_tok(p);

	if (tok.kind == TOK_BAD || skep_tok_was_bad(p))
		start_panic(p); /* the lexer has said what is wrong */
	if (!skep_parse_fail(p, SKEP_DIAG_UNEXPECTED, skep_tok_span(p), what, describe(p, &tok)))
		return;
	if (tok.kind == TOK_SET && what[0] == '\'')
		skep_diag_try(p->diag, "to compare, write ==");
	else if (tok.kind == TOK_COLON || !strcmp(what, "';'"))
		suggest_keyword(p);
}

bool skep_tok_expect(struct skep_parser *p, enum skep_tok kind, const char *what)
{
	if (skep_tok_accept(p, kind))
		return true;
	skep_tok_unexpected(p, what ? what : skep_tok_name(kind));
	return false;
}

const char *skep_tok_expect_name(struct skep_parser *p, const char *what)
{
	const char *name = skep_tok(p)->text;

	return skep_tok_expect(p, TOK_IDENT, what) ? name : "";
}

/* --- going on ------------------------------------------------------------------------------- */

static void skip_quietly(struct skep_parser *p)
{
	uint32_t depth = 0;

	for (;;) {
		enum skep_tok kind = skep_tok(p)->kind;

		if (kind == TOK_END || (kind == TOK_RBRACE && !depth))
			return;
		skep_tok_take(p);
		depth += kind == TOK_LBRACE;
		depth -= kind == TOK_RBRACE;
		if (!depth && kind == TOK_RBRACE && !skep_tok_is_word(p, "else"))
			return;
		if (!depth && kind == TOK_SEMI && !p->in_loop_head)
			return;
	}
}

void skep_tok_recover(struct skep_parser *p)
{
	struct skep_diag *diag = p->lx.diag;

	if (!p->panic || p->stop)
		return;
	p->panic = false;
	p->lx.diag = NULL;
	skip_quietly(p);
	p->in_loop_head = false;
	p->lx.diag = diag;
}

void skep_tok_restart(struct skep_parser *p, uint32_t at)
{
	skep_lex_seek(&p->lx, at);
	p->tokens.len = 0;
	p->at = p->stmt_at = 0;
	p->last_end = at;
}

bool skep_parse_enter(struct skep_parser *p)
{
	if (p->depth++ < SKEP_PARSE_DEPTH_MAX)
		return true;
	skep_parse_fail(p, SKEP_DIAG_NESTING, skep_tok(p)->span, NULL, NULL);
	p->err = -E2BIG;
	p->stop = true;
	return false;
}
