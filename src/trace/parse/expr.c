/*
 * Expressions: conditional, binary operators by precedence (the table in
 * punct.def), prefix and postfix operators. primary.c has the operands.
 *
 *	expr      = binary [ "?" [ expr ] ":" expr ]
 *	binary    = unary { operator unary }			C's precedences
 *	unary     = ( "!" "~" "-" "+" "*" "&" "++" "--" ) unary | cast | postfix
 *	postfix   = primary { "." name | "." number | "->" name | "[" expr "]" | "++" | "--" }
 */
#include <string.h>

#include "trace/parse/fold.h"
#include "trace/parse/parser.h"

struct skep_expr *skep_expr_new(struct skep_parser *p, enum skep_expr_kind kind)
{
	struct skep_expr *e = skep_arena_new(p->arena, struct skep_expr);

	e->kind = kind;
	e->span = skep_tok(p)->span;
	return e;
}

/* A node around @left, which it starts with. */
static struct skep_expr *around(struct skep_parser *p, enum skep_expr_kind kind,
				struct skep_expr *left)
{
	struct skep_expr *e = skep_expr_new(p, kind);

	e->span = left->span;
	e->left = left;
	return e;
}

static struct skep_expr *finish(struct skep_parser *p, struct skep_expr *e)
{
	e->span = skep_parse_span(p, e->span.off);
	return e;
}

bool skep_expr_is_lvalue(const struct skep_expr *e)
{
	return e->kind == SKEP_E_VAR || e->kind == SKEP_E_MAP;
}

/* --- postfix -------------------------------------------------------------------------------- */

static struct skep_expr *member(struct skep_parser *p, struct skep_expr *left, bool is_arrow)
{
	struct skep_expr *e = around(p, SKEP_E_FIELD, left);

	skep_tok_take(p);
	if (!is_arrow && skep_tok_is(p, TOK_INT)) {
		e->kind = SKEP_E_TUPLE_AT;
		e->integer = skep_tok_take(p)->integer;
		return finish(p, e);
	}
	e->is_arrow = is_arrow;
	e->text =
		skep_tok_expect_name(p, is_arrow ? "a member's name" : "a member's name or number");
	e->text_len = strlen(e->text);
	return finish(p, e);
}

static struct skep_expr *index_of(struct skep_parser *p, struct skep_expr *left)
{
	struct skep_expr *e = around(p, SKEP_E_INDEX, left);

	skep_tok_take(p);
	e->right = skep_parse_expr(p);
	skep_tok_expect(p, TOK_RBRACKET, NULL);
	return finish(p, e);
}

static void check_incdec(struct skep_parser *p, const struct skep_expr *target,
			 enum skep_operator op)
{
	if (!skep_expr_is_lvalue(target))
		skep_parse_complain(p, SKEP_DIAG_INCDEC_TARGET, target->span,
				    op == SKEP_OPR_INC ? "++" : "--", NULL);
}

static struct skep_expr *postfix_incdec(struct skep_parser *p, struct skep_expr *left)
{
	struct skep_expr *e = around(p, SKEP_E_INCDEC, left);

	e->op = skep_tok_take(p)->kind == TOK_INC ? SKEP_OPR_INC : SKEP_OPR_DEC;
	e->is_postfix = true;
	e->right = left;
	e->left = NULL;
	check_incdec(p, left, e->op);
	return finish(p, e);
}

static struct skep_expr *postfix(struct skep_parser *p)
{
	struct skep_expr *e = skep_parse_primary(p);

	for (;;) {
		switch (skep_tok(p)->kind) {
		case TOK_DOT: e = member(p, e, false); break;
		case TOK_ARROW: e = member(p, e, true); break;
		case TOK_LBRACKET: e = index_of(p, e); break;
		case TOK_INC:
		case TOK_DEC: e = postfix_incdec(p, e); break;
		default: return e;
		}
	}
}

/* --- prefix --------------------------------------------------------------------------------- */

static const struct {
	enum skep_tok tok;
	enum skep_operator op;
} prefixes[] = {
	{TOK_NOT, SKEP_OPR_NOT},  {TOK_TILDE, SKEP_OPR_COMPL}, {TOK_SUB, SKEP_OPR_NEG},
	{TOK_ADD, SKEP_OPR_PLUS}, {TOK_STAR, SKEP_OPR_DEREF},  {TOK_AMP, SKEP_OPR_ADDR},
	{TOK_INC, SKEP_OPR_INC},  {TOK_DEC, SKEP_OPR_DEC},
};

static bool has_address(const struct skep_expr *e)
{
	return skep_expr_is_lvalue(e) || e->kind == SKEP_E_FIELD || e->kind == SKEP_E_INDEX ||
	       (e->kind == SKEP_E_UNARY && e->op == SKEP_OPR_DEREF);
}

static struct skep_expr *prefix(struct skep_parser *p, enum skep_operator op)
{
	bool is_incdec = op == SKEP_OPR_INC || op == SKEP_OPR_DEC;
	struct skep_expr *e = skep_expr_new(p, is_incdec ? SKEP_E_INCDEC : SKEP_E_UNARY);

	skep_tok_take(p);
	e->op = op;
	e->right = skep_parse_unary(p);
	if (is_incdec)
		check_incdec(p, e->right, op);
	else if (op == SKEP_OPR_ADDR && !has_address(e->right))
		skep_parse_complain(p, SKEP_DIAG_ADDRESS_OF, e->right->span, NULL, NULL);
	return finish(p, e);
}

static struct skep_expr *cast(struct skep_parser *p)
{
	struct skep_expr *e = skep_expr_new(p, SKEP_E_CAST);

	skep_tok_take(p);
	if (skep_tok_is_word(p, "typeof"))
		e->left = skep_parse_typeof(p);
	else
		e->type_name = skep_parse_type_name(p);
	skep_tok_expect(p, TOK_RPAREN, NULL);
	e->right = skep_parse_unary(p);
	return finish(p, e);
}

static struct skep_expr *unary(struct skep_parser *p)
{
	enum skep_tok kind = skep_tok(p)->kind;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		if (prefixes[i].tok == kind)
			return prefix(p, prefixes[i].op);
	}
	if (kind == TOK_LPAREN && skep_parse_at_cast(p))
		return cast(p);
	return postfix(p);
}

/* As an operand of a prefix: each is a level of nesting. */
struct skep_expr *skep_parse_unary(struct skep_parser *p)
{
	struct skep_expr *e;

	if (!skep_parse_enter(p)) {
		skep_parse_leave(p);
		return skep_expr_new(p, SKEP_E_INT);
	}
	e = unary(p);
	skep_parse_leave(p);
	return e;
}

/* --- binary --------------------------------------------------------------------------------- */

static const struct {
	enum skep_tok tok;
	enum skep_operator op;
	int precedence;
} operators[] = {
#define BINARY(name, op, precedence) {TOK_##name, SKEP_OPR_##op, precedence},
#include "trace/parse/punct.def"
#undef BINARY
};

/* The next token as an operator binding at least as tight as @least; -1: it is none. */
static int operator_at(struct skep_parser *p, int least)
{
	enum skep_tok kind = skep_tok(p)->kind;

	/* "/ {" ends a predicate. */
	if (kind == TOK_SLASH && skep_tok_ahead(p, 1)->kind == TOK_LBRACE)
		return -1;
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		if (operators[i].tok == kind)
			return operators[i].precedence >= least ? (int)i : -1;
	}
	return -1;
}

static struct skep_expr *binary(struct skep_parser *p, int least)
{
	struct skep_expr *left = unary(p);
	int i;

	while ((i = operator_at(p, least)) >= 0) {
		struct skep_expr *e = around(p, SKEP_E_BINARY, left);

		skep_tok_take(p);
		e->op = operators[i].op;
		e->right = binary(p, operators[i].precedence + 1);
		left = finish(p, e);
	}
	return left;
}

/* --- conditional ---------------------------------------------------------------------------- */

static struct skep_expr *copy_of(struct skep_parser *p, const struct skep_expr *e)
{
	return skep_arena_dup(p->arena, e, sizeof(*e));
}

static bool is_leaf(const struct skep_expr *e)
{
	return e->kind == SKEP_E_INT || e->kind == SKEP_E_IDENT || e->kind == SKEP_E_VAR ||
	       e->kind == SKEP_E_PARAM || e->kind == SKEP_E_STRING;
}

/* { let $? = cond; $? ? $? : … }: so that the condition is evaluated, and kept, once. */
static struct skep_expr *keep_condition(struct skep_parser *p, struct skep_expr *e)
{
	struct skep_expr *block = around(p, SKEP_E_BLOCK, e->cond);
	struct skep_stmt *let = skep_arena_new(p->arena, struct skep_stmt);

	let->kind = SKEP_S_LET;
	let->span = e->cond->span;
	let->value = e->cond;
	let->target = around(p, SKEP_E_VAR, e->cond);
	let->target->left = NULL;
	let->target->text = skep_arena_printf(p->arena, "$?%u", ++p->n_hidden_vars);
	let->target->text_len = strlen(let->target->text);
	e->cond = copy_of(p, let->target);
	e->left = copy_of(p, let->target);
	block->left = NULL;
	block->body = let;
	block->right = e;
	return block;
}

static struct skep_expr *conditional(struct skep_parser *p)
{
	struct skep_expr *cond = binary(p, 1), *e;

	if (!skep_tok_is(p, TOK_QUESTION))
		return cond;
	e = around(p, SKEP_E_TERNARY, cond);
	skep_tok_take(p);
	e->cond = cond;
	e->left = skep_tok_is(p, TOK_COLON) ? NULL : skep_parse_expr(p);
	skep_tok_expect(p, TOK_COLON, NULL);
	e->right = skep_parse_expr(p);
	finish(p, e);
	if (e->left)
		return e;
	if (!is_leaf(cond))
		return keep_condition(p, e);
	e->left = copy_of(p, cond);
	return e;
}

struct skep_expr *skep_parse_expr(struct skep_parser *p)
{
	struct skep_expr *e;

	if (!skep_parse_enter(p)) {
		skep_parse_leave(p);
		return skep_expr_new(p, SKEP_E_INT);
	}
	e = conditional(p);
	skep_parse_leave(p);
	return e;
}

/* --- uses ----------------------------------------------------------------------------------- */

struct skep_expr *skep_parse_condition(struct skep_parser *p)
{
	struct skep_expr *e;

	if (skep_tok_is(p, TOK_LBRACE))
		skep_tok_unexpected(p, "an expression");
	e = skep_parse_expr(p);
	if (e->kind == SKEP_E_TUPLE && e->args && e->args->elem_name)
		skep_parse_complain(p, SKEP_DIAG_CONDITION_ASSIGN, e->span, NULL, NULL);
	return e;
}

void skep_parse_list(struct skep_parser *p, enum skep_tok close, struct skep_expr **ret,
		     uint32_t *ret_n)
{
	struct skep_expr *list = NULL, **tail = &list;
	uint32_t n = 0;

	if (!skep_tok_is(p, close)) {
		do {
			*tail = skep_parse_expr(p);
			tail = &(*tail)->next;
			n++;
		} while (skep_tok_accept(p, TOK_COMMA));
	}
	if (!skep_tok_accept(p, close))
		skep_tok_unexpected(p, close == TOK_RPAREN ? "',' or ')'" : "',' or ']'");
	*ret = list;
	*ret_n = n;
}

static bool find_constant(void *arg, const char *name, int64_t *ret)
{
	const struct skep_parser *p = arg;
	void **value = skep_strmap_get(&p->enumerators, name, strlen(name));

	if (!value)
		return skep_constant_find(name, ret);
	*ret = *(const int64_t *)*value;
	return true;
}

int64_t skep_parse_constant(struct skep_parser *p)
{
	struct skep_expr *e = skep_parse_expr(p);
	int64_t value = 0;

	if (!p->panic && !skep_fold_expr(e, find_constant, p, &value))
		skep_parse_complain(p, SKEP_DIAG_NOT_CONSTANT, e->span, NULL, NULL);
	return value;
}
