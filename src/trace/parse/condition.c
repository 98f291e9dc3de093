/*
 * Conditions of #if and #elif: integers, defined(X), C's operators. A name
 * that is not defined is 0, as in C.
 */
#include <errno.h>
#include <string.h>

#include "trace/parse/fold.h"
#include "trace/parse/lex.h"

#define CONDITION_DEPTH_MAX 64

struct condition {
	struct skep_lexer lx;
	struct skep_token tok; /* the next one */
	uint32_t depth;
	bool failed;
};

static int64_t binary(struct condition *c, int least);

static void next(struct condition *c)
{
	skep_lex_next(&c->lx, &c->tok);
	c->failed |= c->lx.failed;
}

static int64_t fail(struct condition *c, const char *what)
{
	struct skep_span span = c->tok.span;

	if (c->tok.kind == TOK_END && span.off)
		span = (struct skep_span){span.off - 1, 1};
	if (!c->failed)
		skep_diag_add(c->lx.diag, SKEP_DIAG_IF_CONDITION, span, what);
	c->failed = true;
	return 0;
}

static bool accept(struct condition *c, enum skep_tok kind)
{
	if (c->failed || c->tok.kind != kind)
		return false;
	next(c);
	return true;
}

/* defined X, defined(X); X itself is not expanded. */
static int64_t defined(struct condition *c)
{
	bool has_paren, is_defined;

	c->lx.no_expand = true;
	next(c);
	has_paren = accept(c, TOK_LPAREN);
	c->lx.no_expand = false;
	if (c->failed || c->tok.kind != TOK_IDENT)
		return fail(c, "a name behind 'defined'");
	is_defined = skep_pp_find(c->lx.pp, c->tok.text, c->tok.text_len, c->tok.span.off);
	next(c);
	if (has_paren && !accept(c, TOK_RPAREN))
		return fail(c, "')'");
	return is_defined;
}

static int64_t primary(struct condition *c)
{
	int64_t value = c->tok.integer;

	if (accept(c, TOK_INT))
		return value;
	if (accept(c, TOK_LPAREN)) {
		value = binary(c, 1);
		return accept(c, TOK_RPAREN) ? value : fail(c, "')'");
	}
	if (c->tok.kind == TOK_IDENT && !strcmp(c->tok.text, "defined"))
		return defined(c);
	if (accept(c, TOK_IDENT)) /* true, false are names to the preprocessor, too */
		return 0;
	return fail(c, "a number, a name or defined(NAME)");
}

static int64_t unary(struct condition *c)
{
	int64_t value;

	if (c->failed || c->depth == CONDITION_DEPTH_MAX)
		return fail(c, "something simpler");
	c->depth++;
	if (accept(c, TOK_NOT))
		value = !unary(c);
	else if (accept(c, TOK_TILDE))
		value = ~unary(c);
	else if (accept(c, TOK_SUB))
		value = -(uint64_t)unary(c);
	else
		value = primary(c);
	c->depth--;
	return value;
}

static const struct {
	enum skep_tok tok;
	enum skep_operator op;
	int precedence;
} operators[] = {
#define BINARY(name, op, precedence) {TOK_##name, SKEP_OPR_##op, precedence},
#include "trace/parse/punct.def"
#undef BINARY
};

static int64_t binary(struct condition *c, int least)
{
	int64_t left = unary(c), right;

	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators) && !c->failed;) {
		if (operators[i].precedence < least || !accept(c, operators[i].tok)) {
			i++;
			continue;
		}
		right = binary(c, operators[i].precedence + 1);
		if (!skep_fold_binary(operators[i].op, left, right, &left))
			fail(c, "an operation that has a result");
		i = 0;
	}
	return left;
}

int skep_pp_condition(struct skep_pp *pp, const char *text, struct skep_span span, bool *ret)
{
	struct condition c = {0};
	int64_t value;

	skep_lex_init(&c.lx, pp, text, span.off, span.off + span.len);
	next(&c);
	value = binary(&c, 1);
	if (!c.failed && c.tok.kind != TOK_END)
		fail(&c, "an operator or the end of the line");
	if (c.failed) {
		pp->failed = true;
		return -EINVAL;
	}
	*ret = value;
	return 0;
}
