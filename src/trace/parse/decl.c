/*
 * Settings, map declarations, macros.
 *
 *	config    = "config" "=" "{" { name "=" ( name | number | string ) ";" } "}"
 *	map_decl  = "let" @x "=" name "(" number ")" ";"
 *	macro     = "macro" name [ "(" [ param { "," param } ] ")" ] block
 *	param     = $x | @x | name
 */
#include <string.h>

#include "trace/parse/parser.h"

#define MACRO_PARAMS_MAX    64
#define MACRO_OVERLOADS_MAX 64

/* --- config --------------------------------------------------------------------------------- */

static const char *config_value(struct skep_parser *p)
{
	const struct skep_token tok = *skep_tok(p);

	if (tok.kind == TOK_IDENT || tok.kind == TOK_STRING) {
		skep_tok_take(p);
		return tok.text;
	}
	if (tok.kind == TOK_INT) {
		skep_tok_take(p);
		return skep_arena_printf(p->arena, "%llu", (unsigned long long)tok.integer);
	}
	skep_tok_unexpected(p, "a name, a number or a string");
	return "";
}

static void config_item(struct skep_parser *p)
{
	struct skep_config_item *item = skep_arena_new(p->arena, struct skep_config_item);

	item->span = skep_tok(p)->span;
	item->name = skep_tok_expect_name(p, "a setting's name");
	skep_tok_expect(p, TOK_SET, NULL);
	item->value_span = skep_tok(p)->span;
	item->value = config_value(p);
	if (!skep_tok_accept(p, TOK_SEMI) && !skep_tok_is(p, TOK_RBRACE))
		skep_tok_unexpected(p, "';' or '}'");
	*p->config_tail = item;
	p->config_tail = &item->next;
}

void skep_parse_config(struct skep_parser *p)
{
	struct skep_span word = skep_tok(p)->span, open;

	skep_tok_take(p);
	if (p->has_config)
		skep_parse_complain(p, SKEP_DIAG_CONFIG_TWICE, word, NULL, NULL);
	p->has_config = true;
	skep_tok_expect(p, TOK_SET, NULL);
	open = skep_tok(p)->span;
	if (!skep_tok_expect(p, TOK_LBRACE, NULL))
		return;
	while (!p->stop && !skep_tok_is(p, TOK_RBRACE) && !skep_tok_is(p, TOK_END)) {
		config_item(p);
		skep_tok_recover(p);
	}
	if (!skep_tok_accept(p, TOK_RBRACE))
		skep_parse_fail(p, SKEP_DIAG_BRACE_OPEN, open, NULL, NULL);
}

/* --- maps ----------------------------------------------------------------------------------- */

void skep_parse_map_decl(struct skep_parser *p)
{
	struct skep_map_decl *decl = skep_arena_new(p->arena, struct skep_map_decl);
	struct skep_span span = skep_tok(p)->span, number;
	uint32_t n_errors = p->n_errors;

	skep_tok_take(p);
	if (!skep_tok_is(p, TOK_MAP)) {
		skep_parse_fail(p, SKEP_DIAG_LET_TOP, skep_tok(p)->span, NULL, NULL);
		return;
	}
	decl->name = skep_tok_take(p)->text;
	skep_tok_expect(p, TOK_SET, NULL);
	decl->kind = skep_tok_expect_name(p, "a kind of map");
	skep_tok_expect(p, TOK_LPAREN, NULL);
	number = skep_tok(p)->span;
	decl->max_keys = skep_parse_constant(p);
	if (n_errors == p->n_errors && (decl->max_keys < 1 || decl->max_keys > UINT32_MAX))
		skep_parse_complain(p, SKEP_DIAG_MAP_SIZE, number, NULL, NULL);
	skep_tok_expect(p, TOK_RPAREN, NULL);
	skep_tok_accept(p, TOK_SEMI);
	decl->span = skep_parse_span(p, span.off);
	*p->decls_tail = decl;
	p->decls_tail = &decl->next;
}

/* --- macros --------------------------------------------------------------------------------- */

struct skep_macro_param *skep_macro_param_find(const struct skep_macro *macro, const char *name)
{
	struct skep_macro_param *param = macro->params;

	while (param && strcmp(param->name, name))
		param = param->next;
	return param;
}

struct skep_macro *skep_macro_find(const struct skep_parser *p, const char *name)
{
	void **place = skep_strmap_get(&p->macros, name, strlen(name));

	return place ? *place : NULL;
}

static bool param_kind(enum skep_tok tok, enum skep_macro_param_kind *ret)
{
	if (tok == TOK_VAR)
		*ret = SKEP_PARAM_VAR;
	else if (tok == TOK_MAP)
		*ret = SKEP_PARAM_MAP;
	else
		*ret = SKEP_PARAM_EXPR;
	return tok == TOK_VAR || tok == TOK_MAP || tok == TOK_IDENT;
}

static struct skep_macro_param *macro_param(struct skep_parser *p, struct skep_macro *macro)
{
	struct skep_macro_param *param = skep_arena_new(p->arena, struct skep_macro_param);
	const struct skep_token tok = *skep_tok(p);

	if (!param_kind(tok.kind, &param->kind)) {
		skep_tok_unexpected(p, "a parameter: $variable, @map or name");
		return param;
	}
	skep_tok_take(p);
	param->name = tok.text;
	param->span = tok.span;
	if (skep_macro_param_find(macro, tok.text))
		skep_parse_complain(p, SKEP_DIAG_MACRO_PARAM_TWICE, tok.span, tok.text, NULL);
	return param;
}

static void macro_params(struct skep_parser *p, struct skep_macro *macro)
{
	struct skep_macro_param **tail = &macro->params;

	if (!skep_tok_accept(p, TOK_LPAREN) || skep_tok_accept(p, TOK_RPAREN))
		return;
	do {
		struct skep_macro_param *param = macro_param(p, macro);

		if (p->panic)
			return;
		*tail = param;
		tail = &param->next;
		if (++macro->n_params > MACRO_PARAMS_MAX)
			skep_parse_fail(p, SKEP_DIAG_MACRO_PARAMS, param->span, NULL, NULL);
	} while (skep_tok_accept(p, TOK_COMMA));
	skep_tok_expect(p, TOK_RPAREN, "',' or ')'");
}

static bool same_signature(const struct skep_macro *a, const struct skep_macro *b)
{
	const struct skep_macro_param *x = a->params, *y = b->params;

	for (; x && y && x->kind == y->kind; x = x->next)
		y = y->next;
	return !x && !y;
}

static void add_macro(struct skep_parser *p, struct skep_macro *macro)
{
	void **place = skep_strmap_put(&p->macros, macro->name, strlen(macro->name));
	uint32_t n = 0;

	for (const struct skep_macro *m = *place; m; m = m->next, n++) {
		if (!same_signature(m, macro) && n < MACRO_OVERLOADS_MAX)
			continue;
		skep_parse_complain(p, SKEP_DIAG_MACRO_TWICE, macro->span, macro->name, NULL);
		return;
	}
	macro->next = *place;
	*place = macro;
}

void skep_parse_macro(struct skep_parser *p)
{
	struct skep_macro *macro = skep_arena_new(p->arena, struct skep_macro);

	skep_tok_take(p);
	macro->span = skep_tok(p)->span;
	macro->name = skep_tok_expect_name(p, "the macro's name");
	macro_params(p, macro);
	p->macro = macro;
	macro->body = skep_parse_block(p);
	p->macro = NULL;
	if (!p->panic)
		add_macro(p, macro);
}
