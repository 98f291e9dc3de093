/*
 * Statements.
 *
 *	block     = "{" { statement } "}"
 *	statement = "if" cond block [ "else" ( block | if ) ]
 *	          | "while" cond block | "unroll" expr block
 *	          | "for" [ "(" ] $x ":" ( @map | expr ".." expr ) [ ")" ] block
 *	          | ( "break" | "continue" | "return" [ expr ] ) ";"
 *	          | "let" $x [ ":" type ] [ "=" expr ] ";"
 *	          | expr [ "=" expr ] ";" | "_" "=" expr ";" | block | ";"
 *
 * The ';' before '}' may be left out; an expression left so is the block's
 * value, should one be asked for. Parentheses around conditions need no rule.
 */
#include <string.h>

#include "trace/parse/parser.h"

static struct skep_stmt *new_stmt(struct skep_parser *p, enum skep_stmt_kind kind)
{
	struct skep_stmt *s = skep_arena_new(p->arena, struct skep_stmt);

	s->kind = kind;
	s->span = skep_tok(p)->span;
	return s;
}

static struct skep_stmt *finish(struct skep_parser *p, struct skep_stmt *s)
{
	s->span = skep_parse_span(p, s->span.off);
	return s;
}

/* --- if, loops ------------------------------------------------------------------------------ */

static struct skep_stmt *else_part(struct skep_parser *p)
{
	struct skep_stmt *s;

	if (skep_tok_is_word(p, "if")) {
		s = skep_parse_if(p);
		s->is_value = true; /* if it has one: it is all there is of its branch */
		return s;
	}
	if (!skep_tok_is(p, TOK_LBRACE)) {
		skep_tok_unexpected(p, "'{' or 'if' behind 'else'");
		return NULL;
	}
	return skep_parse_block(p);
}

static struct skep_stmt *if_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_IF);

	skep_tok_take(p);
	skep_tok_accept_word(p, "comptime");
	s->cond = skep_parse_condition(p);
	s->body = skep_parse_block(p);
	if (skep_tok_accept_word(p, "else"))
		s->else_body = else_part(p);
	return finish(p, s);
}

struct skep_stmt *skep_parse_if(struct skep_parser *p)
{
	struct skep_stmt *s = skep_parse_enter(p) ? if_rule(p) : new_stmt(p, SKEP_S_BLOCK);

	skep_parse_leave(p);
	return s;
}

static struct skep_stmt *loop_body(struct skep_parser *p)
{
	struct skep_stmt *body;

	p->n_loops++;
	body = skep_parse_block(p);
	p->n_loops--;
	return body;
}

static struct skep_stmt *while_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_WHILE);

	skep_tok_take(p);
	s->cond = skep_parse_condition(p);
	s->body = loop_body(p);
	return finish(p, s);
}

static struct skep_stmt *unroll_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_UNROLL);

	skep_tok_take(p);
	s->value = skep_parse_condition(p);
	s->body = loop_body(p);
	return finish(p, s);
}

static void for_what(struct skep_parser *p, struct skep_stmt *s)
{
	s->value = skep_parse_expr(p);
	if (skep_tok_accept(p, TOK_RANGE)) {
		s->kind = SKEP_S_FOR_RANGE;
		s->limit = skep_parse_expr(p);
		return;
	}
	if (s->value->kind != SKEP_E_MAP || s->value->args)
		skep_parse_fail(p, SKEP_DIAG_FOR_WHAT, s->value->span, NULL, NULL);
}

static struct skep_expr *variable(struct skep_parser *p, const char *what)
{
	if (skep_tok_is(p, TOK_VAR))
		return skep_parse_primary(p);
	skep_tok_unexpected(p, what);
	return skep_expr_new(p, SKEP_E_VAR);
}

static struct skep_stmt *for_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_FOR_MAP);
	bool has_paren;

	skep_tok_take(p);
	has_paren = skep_tok_accept(p, TOK_LPAREN);
	s->target = variable(p, "the loop's $variable");
	if (skep_tok_is(p, TOK_SET))
		skep_parse_fail(p, SKEP_DIAG_FOR_WHAT, skep_tok(p)->span, NULL, NULL);
	skep_tok_expect(p, TOK_COLON, NULL);
	for_what(p, s);
	if (has_paren)
		skep_tok_expect(p, TOK_RPAREN, NULL);
	p->in_loop_head = p->panic;
	s->body = loop_body(p);
	return finish(p, s);
}

/* --- simple ones ---------------------------------------------------------------------------- */

/* A macro's body may be used within a loop: that is checked nowhere, and harms nothing. */
static struct skep_stmt *jump_rule(struct skep_parser *p)
{
	bool is_break = skep_tok_is_word(p, "break");
	struct skep_stmt *s = new_stmt(p, is_break ? SKEP_S_BREAK : SKEP_S_CONTINUE);

	skep_tok_take(p);
	if (!p->n_loops && !p->macro)
		skep_parse_complain(p, SKEP_DIAG_NO_LOOP, s->span, is_break ? "break" : "continue",
				    NULL);
	return finish(p, s);
}

static struct skep_stmt *return_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_RETURN);

	skep_tok_take(p);
	if (!skep_tok_is(p, TOK_SEMI) && !skep_tok_is(p, TOK_RBRACE))
		s->value = skep_parse_expr(p);
	return finish(p, s);
}

static struct skep_stmt *let_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_LET);

	skep_tok_take(p);
	if (skep_tok_is(p, TOK_MAP))
		skep_parse_fail(p, SKEP_DIAG_LET_MAP, skep_tok(p)->span, NULL, NULL);
	s->target = variable(p, "a $variable behind 'let'");
	if (skep_tok_accept(p, TOK_COLON)) {
		if (skep_tok_is_word(p, "typeof"))
			s->cond = skep_parse_typeof(p);
		else
			s->type_name = skep_parse_type_name(p);
	}
	if (skep_tok_accept(p, TOK_SET))
		s->value = skep_parse_expr(p);
	return finish(p, s);
}

static const struct {
	enum skep_tok tok;
	enum skep_operator op;
} assigns[] = {
#define ASSIGN(name, op) {TOK_##name, SKEP_OPR_##op},
#include "trace/parse/punct.def"
#undef ASSIGN
};

static bool accept_assign(struct skep_parser *p, enum skep_operator *ret)
{
	for (size_t i = 0; i < sizeof(assigns) / sizeof(*assigns); i++) {
		if (skep_tok_accept(p, assigns[i].tok)) {
			*ret = assigns[i].op;
			return true;
		}
	}
	return false;
}

static const char *why_not_assignable(const struct skep_expr *e)
{
	if (e->kind == SKEP_E_TUPLE_AT || e->kind == SKEP_E_TUPLE)
		return "a tuple cannot be changed, only made anew";
	if (e->kind == SKEP_E_FIELD || e->kind == SKEP_E_INDEX || e->kind == SKEP_E_UNARY)
		return "the memory of what is traced is only read";
	if (e->kind == SKEP_E_PARAM || e->kind == SKEP_E_IDENT)
		return "its value is given from outside";
	return NULL;
}

static void check_target(struct skep_parser *p, const struct skep_expr *target)
{
	const char *why = why_not_assignable(target);

	if (skep_expr_is_lvalue(target))
		return;
	if (skep_parse_complain(p, SKEP_DIAG_ASSIGN_TARGET, target->span, NULL, NULL) && why)
		skep_diag_why(p->diag, "%s", why);
}

static struct skep_stmt *expr_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_EXPR);

	s->value = skep_parse_expr(p);
	if (accept_assign(p, &s->op)) {
		s->kind = SKEP_S_ASSIGN;
		s->target = s->value;
		check_target(p, s->target);
		s->value = skep_parse_expr(p);
	}
	return finish(p, s);
}

/* _ = expr: the value is thrown away on purpose. */
static struct skep_stmt *discard_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_EXPR);

	skep_tok_take(p);
	skep_tok_take(p);
	s->value = skep_parse_expr(p);
	return finish(p, s);
}

static struct skep_stmt *block_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_BLOCK);

	s->body = skep_parse_block(p);
	return finish(p, s);
}

static struct skep_stmt *import_rule(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_BLOCK);

	skep_parse_fail(p, SKEP_DIAG_NOT_SUPPORTED, s->span, "import", NULL);
	return s;
}

static struct skep_stmt *else_alone(struct skep_parser *p)
{
	struct skep_stmt *s = new_stmt(p, SKEP_S_BLOCK);

	skep_parse_fail(p, SKEP_DIAG_ELSE_ALONE, s->span, NULL, NULL);
	return s;
}

/* --- all of them ---------------------------------------------------------------------------- */

static const struct {
	const char *word;
	struct skep_stmt *(*parse)(struct skep_parser *p);
	bool ends_in_block; /* no ';' is needed */
} rules[] = {
	{"if", skep_parse_if, true},    {"while", while_rule, true}, {"unroll", unroll_rule, true},
	{"for", for_rule, true},        {"break", jump_rule, false}, {"continue", jump_rule, false},
	{"return", return_rule, false}, {"let", let_rule, false},    {"import", import_rule, false},
	{"else", else_alone, true},
};

/* A missing ';' at the end of a line is said and taken as read; elsewhere it means a muddle. */
static void missing_semi(struct skep_parser *p)
{
	struct skep_span end = {p->last_end, 1};

	if (skep_tok(p)->kind == TOK_BAD || !skep_tok(p)->starts_line)
		skep_tok_unexpected(p, "';'");
	else
		skep_parse_complain(p, SKEP_DIAG_SEMICOLON, end, NULL, NULL);
}

static void end_stmt(struct skep_parser *p, struct skep_stmt *s, bool ends_in_block)
{
	if (p->panic || skep_tok_accept(p, TOK_SEMI))
		return;
	s->is_value = skep_tok_is(p, TOK_RBRACE);
	if (!s->is_value && !ends_in_block && !skep_tok_is(p, TOK_END))
		missing_semi(p);
}

static struct skep_stmt *statement(struct skep_parser *p)
{
	struct skep_stmt *s;

	p->stmt_at = p->at;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		if (!skep_tok_is_word(p, rules[i].word))
			continue;
		s = rules[i].parse(p);
		end_stmt(p, s, rules[i].ends_in_block);
		return s;
	}
	if (skep_tok_is(p, TOK_LBRACE)) {
		s = block_rule(p);
		end_stmt(p, s, true);
		return s;
	}
	if (skep_tok_is_word(p, "_") && skep_tok_ahead(p, 1)->kind == TOK_SET)
		s = discard_rule(p);
	else
		s = expr_rule(p);
	end_stmt(p, s, false);
	return s;
}

static struct skep_stmt *statements(struct skep_parser *p)
{
	struct skep_stmt *list = NULL, **tail = &list;

	while (!p->stop && !skep_tok_is(p, TOK_RBRACE) && !skep_tok_is(p, TOK_END)) {
		if (skep_tok_accept(p, TOK_SEMI))
			continue;
		*tail = statement(p);
		tail = &(*tail)->next;
		skep_tok_recover(p);
	}
	return list;
}

struct skep_stmt *skep_parse_block(struct skep_parser *p)
{
	struct skep_span open = skep_tok(p)->span;
	struct skep_stmt *list = NULL;

	if (!skep_tok_expect(p, TOK_LBRACE, NULL))
		return NULL;
	if (skep_parse_enter(p))
		list = statements(p);
	skep_parse_leave(p);
	if (!skep_tok_accept(p, TOK_RBRACE)) {
		if (!skep_tok_was_bad(p))
			skep_parse_fail(p, SKEP_DIAG_BRACE_OPEN, open, NULL, NULL);
		p->stop = true; /* this was the end of the text */
	}
	return list;
}

/* --- blocks as values ----------------------------------------------------------------------- */

static struct skep_expr *no_value(struct skep_parser *p, struct skep_span span)
{
	struct skep_expr *e = skep_expr_new(p, SKEP_E_INT);

	e->span = span;
	if (!p->n_errors && !p->lx.failed) /* the value may be what could not be read */
		skep_parse_complain(p, SKEP_DIAG_BLOCK_NO_VALUE, span, NULL, NULL);
	return e;
}

static struct skep_expr *stmt_value(struct skep_parser *p, struct skep_stmt *s)
{
	if (s->is_value && s->kind == SKEP_S_EXPR)
		return s->value;
	if (s->is_value && s->kind == SKEP_S_IF)
		return skep_if_value(p, s);
	if (s->is_value && s->kind == SKEP_S_BLOCK)
		return skep_block_value(p, s->body, s->span);
	return no_value(p, s->span);
}

struct skep_expr *skep_block_value(struct skep_parser *p, struct skep_stmt *body,
				   struct skep_span span)
{
	struct skep_stmt **last = &body;
	struct skep_expr *e, *value;

	if (!body)
		return no_value(p, span);
	while ((*last)->next)
		last = &(*last)->next;
	value = stmt_value(p, *last);
	*last = NULL;
	if (!body)
		return value;
	e = skep_expr_new(p, SKEP_E_BLOCK);
	e->span = span;
	e->body = body;
	e->right = value;
	return e;
}

struct skep_expr *skep_if_value(struct skep_parser *p, struct skep_stmt *s)
{
	struct skep_expr *e = skep_expr_new(p, SKEP_E_TERNARY);

	e->span = s->span;
	if (p->panic)
		return e;
	if (!s->else_body) {
		skep_parse_complain(p, SKEP_DIAG_IF_NO_ELSE, s->span, NULL, NULL);
		return e;
	}
	e->cond = s->cond;
	e->left = skep_block_value(p, s->body, s->span);
	e->right = skep_block_value(p, s->else_body, s->span);
	return e;
}
