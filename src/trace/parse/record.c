/*
 * Definitions of structs, unions and enums, as C writes them.
 *
 *	record    = ( "struct" | "union" ) [ name ] "{" { member } "}" [ ";" ]
 *	member    = ( type | record | enum ) [ declarator { "," declarator } ] ";"	(the
 *	            last one's may be left out)
 *	declarator= { "*" } name { "[" [ number ] "]" } | [ name ] ":" number
 *	          | "(" "*" name ")" "(" … ")"
 *	enum      = "enum" [ name ] "{" name [ "=" number ] { "," … } "}"
 *
 * __attribute__((packed)) is understood before the name and behind the '}';
 * other attributes are read over.
 */
#include <string.h>

#include "base/buf.h"
#include "trace/parse/parser.h"

static struct skep_struct_def *record(struct skep_parser *p);

static void skip_balanced(struct skep_parser *p, struct skep_struct_def *def)
{
	uint32_t depth = 0;

	do {
		if (skep_tok_is(p, TOK_END)) {
			skep_tok_unexpected(p, "')'");
			return;
		}
		depth += skep_tok_is(p, TOK_LPAREN);
		depth -= skep_tok_is(p, TOK_RPAREN);
		if (def && (skep_tok_is_word(p, "packed") || skep_tok_is_word(p, "__packed__")))
			def->is_packed = true;
		skep_tok_take(p);
	} while (depth);
}

static void attributes(struct skep_parser *p, struct skep_struct_def *def)
{
	while (skep_tok_accept_word(p, "__attribute__")) {
		if (skep_tok_is(p, TOK_LPAREN))
			skip_balanced(p, def);
		else
			skep_tok_unexpected(p, "'(('");
	}
}

/* --- enums ---------------------------------------------------------------------------------- */

static void add_enumerator(struct skep_parser *p, const char *name, int64_t value)
{
	void **place = skep_strmap_put(&p->enumerators, name, strlen(name));

	*place = skep_arena_dup(p->arena, &value, sizeof(value));
}

static void enumerators(struct skep_parser *p, struct skep_struct_def *def)
{
	struct skep_expr **tail = &def->values;
	int64_t value = 0;

	while (!p->panic && !skep_tok_is(p, TOK_RBRACE)) {
		struct skep_expr *e = skep_expr_new(p, SKEP_E_IDENT);

		e->text = skep_tok_expect_name(p, "an enumerator's name");
		e->text_len = strlen(e->text);
		if (skep_tok_accept(p, TOK_SET))
			value = skep_parse_constant(p);
		e->integer = value;
		add_enumerator(p, e->text, value);
		*tail = e;
		tail = &e->next;
		value = (int64_t)((uint64_t)value + 1);
		if (!skep_tok_accept(p, TOK_COMMA))
			break;
	}
	skep_tok_expect(p, TOK_RBRACE, "',' or '}'");
}

/* --- members -------------------------------------------------------------------------------- */

static int64_t array_len(struct skep_parser *p)
{
	struct skep_span span = skep_tok(p)->span;
	int64_t len = 0;

	if (!skep_tok_is(p, TOK_RBRACKET))
		len = skep_parse_constant(p);
	if (len < 0 || len > INT32_MAX)
		skep_parse_complain(p, SKEP_DIAG_ARRAY_LEN, span, NULL, NULL);
	skep_tok_expect(p, TOK_RBRACKET, NULL);
	return len;
}

/* int x[4][2] is 4 of int[2]. */
static void dimensions(struct skep_parser *p, struct skep_field_def *field, struct skep_buf *type)
{
	field->array_len = -1;
	if (skep_tok_accept(p, TOK_LBRACKET))
		field->array_len = array_len(p);
	while (skep_tok_accept(p, TOK_LBRACKET))
		skep_buf_printf(type, "[%lld]", (long long)array_len(p));
}

static void bit_width(struct skep_parser *p, struct skep_field_def *field)
{
	struct skep_span span;
	int64_t bits;

	if (!skep_tok_accept(p, TOK_COLON))
		return;
	span = skep_tok(p)->span;
	bits = skep_parse_constant(p);
	if (bits < 1 || bits > 64)
		skep_parse_complain(p, SKEP_DIAG_BIT_WIDTH, span, NULL, NULL);
	field->bit_size = (uint32_t)bits;
}

/* int (*f)(int): all that matters is that it is a pointer. */
static const char *function_pointer(struct skep_parser *p)
{
	const char *name;

	skep_tok_take(p);
	skep_tok_expect(p, TOK_STAR, NULL);
	name = skep_tok_expect_name(p, "a member's name");
	skep_tok_expect(p, TOK_RPAREN, NULL);
	if (skep_tok_is(p, TOK_LPAREN))
		skip_balanced(p, NULL);
	else
		skep_tok_unexpected(p, "'('");
	return name;
}

/* As in C, a definition within another one holds outside of it, too. */
static void hoist(struct skep_parser *p, struct skep_struct_def *def)
{
	*p->structs_tail = def;
	p->structs_tail = &def->next;
}

/* What is pointed to needs a name; C keeps such ones from programs. */
static const char *name_unnamed(struct skep_parser *p, struct skep_struct_def *def)
{
	if (!def->name[0]) {
		def->name = skep_arena_printf(p->arena, "%s __unnamed_%u",
					      def->is_enum    ? "enum"
					      : def->is_union ? "union"
							      : "struct",
					      ++p->n_unnamed);
		hoist(p, def);
	}
	return def->name;
}

static void declarator(struct skep_parser *p, struct skep_field_def *field,
		       struct skep_struct_def *inner, const char *base)
{
	_cleanup_buf_ struct skep_buf type = {0};
	bool is_pointer = false;

	if (inner && skep_tok_is(p, TOK_STAR))
		base = name_unnamed(p, inner);
	else
		field->inner = inner;
	skep_buf_puts(&type, base);
	while (skep_tok_accept(p, TOK_STAR)) {
		skep_buf_puts(&type, is_pointer ? "*" : " *");
		is_pointer = true;
		while (skep_tok_accept_word(p, "const") || skep_tok_accept_word(p, "volatile"))
			;
	}
	field->name = "";
	if (skep_tok_is(p, TOK_LPAREN)) {
		field->name = function_pointer(p);
		skep_buf_clear(&type);
		skep_buf_puts(&type, "void *");
	} else if (!skep_tok_is(p, TOK_COLON)) {
		field->name = skep_tok_expect_name(p, "a member's name");
	}
	dimensions(p, field, &type);
	bit_width(p, field);
	attributes(p, NULL);
	field->type_name = skep_arena_strdup(p->arena, type.data ? type.data : "");
}

static struct skep_field_def *new_field(struct skep_parser *p, uint32_t from)
{
	struct skep_field_def *field = skep_arena_new(p->arena, struct skep_field_def);

	field->span = (struct skep_span){from, 0};
	field->name = "";
	field->type_name = "";
	field->array_len = -1;
	return field;
}

/* struct foo x; names a type, struct foo { … } x; and struct { … }; define one. */
static bool at_definition(struct skep_parser *p)
{
	uint32_t n = 1;

	if (!skep_tok_is_word(p, "struct") && !skep_tok_is_word(p, "union") &&
	    !skep_tok_is_word(p, "enum"))
		return false;
	n += skep_tok_ahead(p, 1)->kind == TOK_IDENT;
	return skep_tok_ahead(p, n)->kind == TOK_LBRACE ||
	       (skep_tok_ahead(p, 1)->kind == TOK_IDENT &&
		!strcmp(skep_tok_ahead(p, 1)->text, "__attribute__"));
}

/* The type that a line of members begins with; *ret_inner if it is a definition without a name. */
static const char *member_base(struct skep_parser *p, struct skep_struct_def **ret_inner)
{
	struct skep_struct_def *def;

	*ret_inner = NULL;
	if (!at_definition(p))
		return skep_parse_type_base(p);
	def = record(p);
	if (def->name[0] || def->is_enum)
		hoist(p, def);
	if (!def->name[0])
		*ret_inner = def;
	return def->name;
}

/* struct { … }; is a member without a name; struct foo { … }; is none. */
static struct skep_field_def **unnamed_member(struct skep_parser *p, struct skep_field_def **tail,
					      struct skep_struct_def *inner, uint32_t from)
{
	if (!inner || inner->is_enum)
		return tail;
	*tail = new_field(p, from);
	(*tail)->inner = inner;
	(*tail)->span = skep_parse_span(p, from);
	return &(*tail)->next;
}

/* One line of members; returns where the next goes. */
static struct skep_field_def **member(struct skep_parser *p, struct skep_field_def **tail)
{
	uint32_t from = skep_tok(p)->span.off;
	bool is_definition = at_definition(p);
	struct skep_struct_def *inner;
	const char *base = member_base(p, &inner);

	if (is_definition && skep_tok_accept(p, TOK_SEMI))
		return unnamed_member(p, tail, inner, from);
	do {
		*tail = new_field(p, from);
		declarator(p, *tail, inner, base);
		(*tail)->span = skep_parse_span(p, from);
		tail = &(*tail)->next;
	} while (skep_tok_accept(p, TOK_COMMA));
	if (!skep_tok_accept(p, TOK_SEMI) && !skep_tok_is(p, TOK_RBRACE))
		skep_tok_unexpected(p, "';'");
	return tail;
}

static void members(struct skep_parser *p, struct skep_struct_def *def, struct skep_span open)
{
	struct skep_field_def **tail = &def->fields;

	while (!p->stop && !skep_tok_is(p, TOK_RBRACE) && !skep_tok_is(p, TOK_END)) {
		if (skep_tok_accept(p, TOK_SEMI))
			continue;
		tail = member(p, tail);
		skep_tok_recover(p);
	}
	if (!skep_tok_accept(p, TOK_RBRACE)) {
		skep_parse_fail(p, SKEP_DIAG_BRACE_OPEN, open, NULL, NULL);
		p->stop = true;
	}
}

/* --- all ------------------------------------------------------------------------------------ */

static void body(struct skep_parser *p, struct skep_struct_def *def)
{
	struct skep_span open = skep_tok(p)->span;

	if (!skep_tok_expect(p, TOK_LBRACE, NULL))
		return;
	if (def->is_enum)
		enumerators(p, def);
	else if (skep_parse_enter(p))
		members(p, def, open);
	if (!def->is_enum)
		skep_parse_leave(p);
	attributes(p, def);
}

static struct skep_struct_def *record(struct skep_parser *p)
{
	struct skep_struct_def *def = skep_arena_new(p->arena, struct skep_struct_def);
	const char *word = skep_tok(p)->text;

	def->span = skep_tok(p)->span;
	def->name = "";
	def->is_union = !strcmp(word, "union");
	def->is_enum = !strcmp(word, "enum");
	skep_tok_take(p);
	attributes(p, def);
	if (skep_tok_is(p, TOK_IDENT))
		def->name = skep_arena_printf(p->arena, "%s %s", word, skep_tok_take(p)->text);
	attributes(p, def);
	body(p, def);
	def->span = skep_parse_span(p, def->span.off);
	return def;
}

void skep_parse_record(struct skep_parser *p)
{
	struct skep_struct_def *def = record(p);

	skep_tok_accept(p, TOK_SEMI);
	hoist(p, def);
}
