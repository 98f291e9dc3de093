/*
 * Operands.
 *
 *	primary   = number | string | name | name "(" [ list ] ")"
 *	          | $x | $1 | $# | @x [ "[" list "]" ]
 *	          | "(" expr ")" | "(" ")" | "(" expr "," [ list ] ")"
 *	          | "(" name "=" expr { "," name "=" expr } ")"
 *	          | "sizeof" "(" ( type | expr ) ")"
 *	          | "offsetof" "(" ( type | expr ) "," name { "." name } ")"
 *	          | "if" … | "{" statements [ expr ] "}" | "comptime" unary
 */
#include <string.h>

#include "base/buf.h"
#include "trace/parse/parser.h"

/* A node that is one token. */
static struct skep_expr *leaf(struct skep_parser *p, enum skep_expr_kind kind)
{
	struct skep_expr *e = skep_expr_new(p, kind);
	const struct skep_token *tok = skep_tok_take(p);

	e->text = tok->text;
	e->text_len = tok->text_len;
	e->integer = tok->integer;
	e->is_unsigned_lit = tok->is_unsigned;
	return e;
}

static struct skep_expr *finish(struct skep_parser *p, struct skep_expr *e)
{
	e->span = skep_parse_span(p, e->span.off);
	return e;
}

/* --- maps ----------------------------------------------------------------------------------- */

/* A macro sees only the maps that it is given: what it touches shows where it is called. */
static void check_macro_map(struct skep_parser *p, const struct skep_expr *e)
{
	if (p->macro && !skep_macro_param_find(p->macro, e->text))
		skep_parse_complain(p, SKEP_DIAG_MACRO_MAP, e->span, p->macro->name, e->text);
}

static struct skep_expr *map(struct skep_parser *p)
{
	struct skep_expr *e = leaf(p, SKEP_E_MAP);

	check_macro_map(p, e);
	if (!skep_tok_accept(p, TOK_LBRACKET))
		return e;
	if (skep_tok_is(p, TOK_RBRACKET))
		skep_tok_unexpected(p, "a key");
	skep_parse_list(p, TOK_RBRACKET, &e->args, &e->n_args);
	return finish(p, e);
}

/* --- names ---------------------------------------------------------------------------------- */

static bool at_reserved_word(struct skep_parser *p)
{
	static const char *const reserved[] = {"struct", "union",  "enum",  "for",
					       "while",  "unroll", "break", "continue",
					       "return", "let",    "else"};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
		if (skep_tok_is_word(p, reserved[i]))
			return true;
	}
	return false;
}

static struct skep_expr *name(struct skep_parser *p)
{
	struct skep_expr *e;

	if (at_reserved_word(p))
		skep_tok_unexpected(p, "an expression");
	e = leaf(p, SKEP_E_IDENT);
	if (!skep_tok_accept(p, TOK_LPAREN))
		return e;
	e->kind = SKEP_E_CALL;
	skep_parse_list(p, TOK_RPAREN, &e->args, &e->n_args);
	return finish(p, e);
}

static struct skep_expr *truth(struct skep_parser *p)
{
	struct skep_expr *e = leaf(p, SKEP_E_INT);

	e->integer = e->text[0] == 't';
	e->text = NULL;
	e->text_len = 0;
	e->is_bool_lit = true;
	return e;
}

/* What sizeof and offsetof are about: a type or an expression. */
static void type_or_expr(struct skep_parser *p, struct skep_expr *e)
{
	if (skep_parse_at_type(p))
		e->type_name = skep_parse_type_name(p);
	else
		e->right = skep_parse_expr(p);
}

static struct skep_expr *about(struct skep_parser *p, enum skep_expr_kind kind)
{
	struct skep_expr *e = skep_expr_new(p, kind);

	skep_tok_take(p);
	skep_tok_expect(p, TOK_LPAREN, NULL);
	type_or_expr(p, e);
	skep_tok_expect(p, TOK_RPAREN, NULL);
	return finish(p, e);
}

static struct skep_expr *size_of(struct skep_parser *p)
{
	return about(p, SKEP_E_SIZEOF);
}

/* Whether a type is wanted where it stands is for types/ to say. */
struct skep_expr *skep_parse_typeof(struct skep_parser *p)
{
	return about(p, SKEP_E_TYPEOF);
}

static const char *member_path(struct skep_parser *p)
{
	_cleanup_buf_ struct skep_buf path = {0};

	skep_buf_puts(&path, skep_tok_expect_name(p, "a member's name"));
	while (skep_tok_accept(p, TOK_DOT)) {
		skep_buf_addc(&path, '.');
		skep_buf_puts(&path, skep_tok_expect_name(p, "a member's name"));
	}
	return skep_arena_strdup(p->arena, path.data ? path.data : "");
}

static struct skep_expr *offset_of(struct skep_parser *p)
{
	struct skep_expr *e = skep_expr_new(p, SKEP_E_OFFSETOF);

	skep_tok_take(p);
	skep_tok_expect(p, TOK_LPAREN, NULL);
	type_or_expr(p, e);
	skep_tok_expect(p, TOK_COMMA, NULL);
	e->text = member_path(p);
	e->text_len = strlen(e->text);
	skep_tok_expect(p, TOK_RPAREN, NULL);
	return finish(p, e);
}

static struct skep_expr *type_info(struct skep_parser *p)
{
	struct skep_expr *e = skep_expr_new(p, SKEP_E_INT);

	skep_parse_fail(p, SKEP_DIAG_NOT_SUPPORTED, e->span, skep_tok(p)->text, NULL);
	return e;
}

/* Folding is done whether asked for or not: what is marked is what follows. */
static struct skep_expr *comptime(struct skep_parser *p)
{
	skep_tok_take(p);
	return skep_parse_unary(p);
}

static struct skep_expr *if_value(struct skep_parser *p)
{
	return skep_if_value(p, skep_parse_if(p));
}

static const struct {
	const char *word;
	struct skep_expr *(*parse)(struct skep_parser *p);
} words[] = {
	{"true", truth},
	{"false", truth},
	{"sizeof", size_of},
	{"offsetof", offset_of},
	{"typeof", skep_parse_typeof},
	{"typeinfo", type_info},
	{"comptime", comptime},
	{"if", if_value},
};

static struct skep_expr *name_or_keyword(struct skep_parser *p)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (skep_tok_is_word(p, words[i].word))
			return words[i].parse(p);
	}
	return name(p);
}

/* --- parentheses ---------------------------------------------------------------------------- */

static void check_elem_names(struct skep_parser *p, const struct skep_expr *tuple)
{
	struct skep_strmap seen = {0};

	for (const struct skep_expr *e = tuple->args; e && e->elem_name; e = e->next) {
		void **place = skep_strmap_put(&seen, e->elem_name, strlen(e->elem_name));

		if (*place)
			skep_parse_complain(p, SKEP_DIAG_ELEM_TWICE, e->span, e->elem_name, NULL);
		*place = (void *)e->elem_name;
	}
	skep_strmap_done(&seen);
}

/* (a = 1, b = 2), behind the parenthesis. */
static struct skep_expr *named_tuple(struct skep_parser *p, struct skep_expr *e)
{
	struct skep_expr **tail = &e->args;

	e->kind = SKEP_E_TUPLE;
	do {
		const char *elem_name = skep_tok_expect_name(p, "a name for this element");

		skep_tok_expect(p, TOK_SET, NULL);
		*tail = skep_parse_expr(p);
		(*tail)->elem_name = elem_name;
		tail = &(*tail)->next;
		e->n_args++;
	} while (skep_tok_accept(p, TOK_COMMA));
	skep_tok_expect(p, TOK_RPAREN, "',' or ')'");
	check_elem_names(p, e);
	return finish(p, e);
}

/* (a, b, …), behind the first comma; (a,) has one element. */
static struct skep_expr *tuple(struct skep_parser *p, struct skep_expr *e, struct skep_expr *first)
{
	struct skep_expr **tail = &first->next;

	e->kind = SKEP_E_TUPLE;
	e->args = first;
	e->n_args = 1;
	while (!p->panic && !skep_tok_is(p, TOK_RPAREN)) {
		*tail = skep_parse_expr(p);
		tail = &(*tail)->next;
		e->n_args++;
		if (!skep_tok_accept(p, TOK_COMMA))
			break;
	}
	skep_tok_expect(p, TOK_RPAREN, "',' or ')'");
	return finish(p, e);
}

static struct skep_expr *parentheses(struct skep_parser *p)
{
	struct skep_expr *e = skep_expr_new(p, SKEP_E_TUPLE), *inner;

	skep_tok_take(p);
	if (skep_tok_accept(p, TOK_RPAREN))
		return finish(p, e);
	if (skep_tok_is(p, TOK_IDENT) && skep_tok_ahead(p, 1)->kind == TOK_SET)
		return named_tuple(p, e);
	inner = skep_parse_expr(p);
	if (skep_tok_accept(p, TOK_COMMA))
		return tuple(p, e, inner);
	skep_tok_expect(p, TOK_RPAREN, NULL);
	inner->span = skep_parse_span(p, e->span.off); /* carets take the parentheses in */
	return inner;
}

static struct skep_expr *block(struct skep_parser *p)
{
	uint32_t from = skep_tok(p)->span.off;
	struct skep_stmt *body = skep_parse_block(p);

	return skep_block_value(p, body, skep_parse_span(p, from));
}

/* --- all ------------------------------------------------------------------------------------ */

static struct skep_expr *nothing(struct skep_parser *p)
{
	struct skep_expr *e = skep_expr_new(p, SKEP_E_INT);

	skep_tok_unexpected(p, "an expression");
	return e;
}

struct skep_expr *skep_parse_primary(struct skep_parser *p)
{
	switch (skep_tok(p)->kind) {
	case TOK_BAD:
	case TOK_INT: return leaf(p, SKEP_E_INT);
	case TOK_STRING: return leaf(p, SKEP_E_STRING);
	case TOK_VAR: return leaf(p, SKEP_E_VAR);
	case TOK_PARAM: return leaf(p, SKEP_E_PARAM);
	case TOK_PARAM_CNT: return leaf(p, SKEP_E_PARAM_CNT);
	case TOK_MAP: return map(p);
	case TOK_IDENT: return name_or_keyword(p);
	case TOK_LPAREN: return parentheses(p);
	case TOK_LBRACE: return block(p);
	default: return nothing(p);
	}
}
