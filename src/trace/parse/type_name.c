/*
 * Names of types, and the question that C's grammar leaves open: is
 * "(" name ")" a cast or an expression in parentheses?
 *
 *	(struct foo)…  (uint64)…  (unsigned long)…	a type, by its words
 *	(foo *)…  (foo[4])…  before an operand		a type, by its suffix
 *	(foo) before an operand				a type, unless foo is known
 *							to be a value
 *
 * Known values are builtins, enumerators of the script, constants, macros,
 * and names all in capitals where what follows could be an operator. As in
 * bpftrace, everything else is a type: (foo)-1 casts.
 */
#include <string.h>

#include "base/buf.h"
#include "trace/parse/parser.h"

static const char *const type_words[] = {
	"void",    "bool",     "char",     "short",    "int",    "long",    "unsigned",  "signed",
	"float",   "double",   "int8",     "int16",    "int32",  "int64",   "uint8",     "uint16",
	"uint32",  "uint64",   "string",   "buffer",   "int8_t", "int16_t", "int32_t",   "int64_t",
	"uint8_t", "uint16_t", "uint32_t", "uint64_t", "size_t", "ssize_t", "uintptr_t", "u8",
	"u16",     "u32",      "u64",      "s8",       "s16",    "s32",     "s64",       "__u8",
	"__u16",   "__u32",    "__u64",    "__s8",     "__s16",  "__s32",   "__s64",
};

static const char *const combining_words[] = {"unsigned", "signed", "long", "short", "int", "char"};
static const char *const record_words[] = {"struct", "union", "enum"};
static const char *const qualifier_words[] = {"const", "volatile"};

static bool is_among(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(word, words[i]))
			return true;
	}
	return false;
}

#define IS_AMONG(word, words) is_among(word, words, sizeof(words) / sizeof(*(words)))

bool skep_is_type_word(const char *word)
{
	return IS_AMONG(word, type_words);
}

/* --- looking ahead -------------------------------------------------------------------------- */

/* What a run of tokens looks like, if it is a type. */
struct shape {
	uint32_t n;      /* tokens */
	bool is_certain; /* by its first word */
	bool has_suffix;
	bool ends_in_star; /* as no expression does */
	const char *name;  /* the word it starts with */
};

static bool word_ahead(struct skep_parser *p, uint32_t n, const char *const *words, size_t n_words)
{
	const struct skep_token *tok = skep_tok_ahead(p, n);

	return tok->kind == TOK_IDENT && is_among(tok->text, words, n_words);
}

#define WORD_AHEAD(p, n, words) word_ahead(p, n, words, sizeof(words) / sizeof(*(words)))

/* [4] or []: a number is needed, since x[$i] is an expression. */
static uint32_t bracket_len(struct skep_parser *p, uint32_t n)
{
	uint32_t len = skep_tok_ahead(p, n + 1)->kind == TOK_INT ? 3 : 2;

	return skep_tok_ahead(p, n + len - 1)->kind == TOK_RBRACKET ? len : 0;
}

static void look_at_suffixes(struct skep_parser *p, struct shape *shape)
{
	for (;;) {
		enum skep_tok kind = skep_tok_ahead(p, shape->n)->kind;
		uint32_t len = 0;

		if (kind == TOK_STAR)
			len = 1;
		else if (kind == TOK_LBRACKET)
			len = bracket_len(p, shape->n);
		else if (WORD_AHEAD(p, shape->n, qualifier_words))
			len = 1;
		if (!len)
			return;
		shape->has_suffix |= kind != TOK_IDENT;
		shape->ends_in_star = kind == TOK_STAR;
		shape->n += len;
	}
}

/* The longest run from the @from-th token that could be a type. */
static bool look_at_type(struct skep_parser *p, uint32_t from, struct shape *ret)
{
	struct shape shape = {.n = from};

	while (WORD_AHEAD(p, shape.n, qualifier_words)) {
		shape.is_certain = true;
		shape.n++;
	}
	if (WORD_AHEAD(p, shape.n, record_words)) {
		shape.is_certain = true;
		shape.n++;
	}
	if (skep_tok_ahead(p, shape.n)->kind != TOK_IDENT)
		return false;
	shape.name = skep_tok_ahead(p, shape.n)->text;
	shape.is_certain |= skep_is_type_word(shape.name);
	shape.n++;
	if (IS_AMONG(shape.name, combining_words)) {
		while (WORD_AHEAD(p, shape.n, combining_words))
			shape.n++;
	}
	look_at_suffixes(p, &shape);
	*ret = shape;
	return true;
}

static bool is_capitals(const char *name)
{
	for (; *name; name++) {
		if (*name >= 'a' && *name <= 'z')
			return false;
	}
	return true;
}

static bool is_value_name(const struct skep_parser *p, const char *name)
{
	size_t len = strlen(name);
	int64_t ignored;

	return skep_builtin_find(name) != SKEP_BI_NONE || !strcmp(name, "true") ||
	       !strcmp(name, "false") || skep_strmap_get(&p->enumerators, name, len) ||
	       skep_constant_find(name, &ignored) || skep_macro_find(p, name) ||
	       (p->macro && skep_macro_param_find(p->macro, name));
}

/* May a cast's operand start so, and if so, could it as well go on with an operator? */
static bool starts_operand(enum skep_tok kind, bool *ret_is_operator)
{
	*ret_is_operator = kind == TOK_SUB || kind == TOK_ADD || kind == TOK_STAR ||
			   kind == TOK_AMP || kind == TOK_LPAREN;
	return *ret_is_operator || kind == TOK_IDENT || kind == TOK_INT || kind == TOK_STRING ||
	       kind == TOK_VAR || kind == TOK_MAP || kind == TOK_PARAM || kind == TOK_PARAM_CNT ||
	       kind == TOK_NOT || kind == TOK_TILDE || kind == TOK_BAD;
}

/* "(" "typeof" "(" … ")" ")": nothing else ends so. */
static bool at_typeof_cast(struct skep_parser *p)
{
	const struct skep_token *word = skep_tok_ahead(p, 1);
	uint32_t n = 2, depth = 0;

	if (word->kind != TOK_IDENT || strcmp(word->text, "typeof") != 0)
		return false;
	for (;; n++) {
		enum skep_tok kind = skep_tok_ahead(p, n)->kind;
		depth += kind == TOK_LPAREN;
		depth -= kind == TOK_RPAREN && depth;
		if (!depth || kind == TOK_END)
			return skep_tok_ahead(p, n + 1)->kind == TOK_RPAREN;
	}
}

bool skep_parse_at_cast(struct skep_parser *p)
{
	struct shape shape;
	bool is_operator;

	if (at_typeof_cast(p))
		return true;
	if (!look_at_type(p, 1, &shape) || skep_tok_ahead(p, shape.n)->kind != TOK_RPAREN)
		return false;
	if (shape.is_certain || shape.ends_in_star)
		return true;
	if (!starts_operand(skep_tok_ahead(p, shape.n + 1)->kind, &is_operator))
		return false;
	if (shape.has_suffix)
		return !is_value_name(p, shape.name);
	return !is_value_name(p, shape.name) && !(is_operator && is_capitals(shape.name));
}

bool skep_parse_at_type(struct skep_parser *p)
{
	struct shape shape;
	enum skep_tok end;

	if (!look_at_type(p, 0, &shape))
		return false;
	end = skep_tok_ahead(p, shape.n)->kind;
	if (end != TOK_RPAREN && end != TOK_COMMA)
		return false;
	if (p->macro && skep_macro_param_find(p->macro, shape.name))
		return false; /* which may be given a type or a value */
	return shape.is_certain || !is_value_name(p, shape.name);
}

/* --- reading -------------------------------------------------------------------------------- */

static void skip_qualifiers(struct skep_parser *p)
{
	while (skep_tok_accept_word(p, "const") || skep_tok_accept_word(p, "volatile"))
		;
}

static void add_word(struct skep_buf *name, const char *word)
{
	if (name->len)
		skep_buf_addc(name, ' ');
	skep_buf_puts(name, word);
}

static void read_words(struct skep_parser *p, struct skep_buf *name)
{
	const char *word;

	skip_qualifiers(p);
	if (WORD_AHEAD(p, 0, record_words))
		add_word(name, skep_tok_take(p)->text);
	word = skep_tok_expect_name(p, name->len ? "a name" : "a type");
	add_word(name, word);
	while (IS_AMONG(word, combining_words) && WORD_AHEAD(p, 0, combining_words))
		add_word(name, skep_tok_take(p)->text);
	skip_qualifiers(p);
}

const char *skep_parse_type_base(struct skep_parser *p)
{
	_cleanup_buf_ struct skep_buf name = {0};

	read_words(p, &name);
	return skep_arena_strdup(p->arena, name.data ? name.data : "");
}

static void read_bracket(struct skep_parser *p, struct skep_buf *name)
{
	const struct skep_token *tok = skep_tok(p);

	if (tok->kind == TOK_INT) {
		if (tok->integer < 0 || tok->integer > INT32_MAX)
			skep_parse_fail(p, SKEP_DIAG_ARRAY_LEN, tok->span, NULL, NULL);
		skep_buf_printf(name, "[%lld]", (long long)tok->integer);
		skep_tok_take(p);
	} else {
		skep_buf_puts(name, "[]");
	}
	skep_tok_expect(p, TOK_RBRACKET, NULL);
}

const char *skep_parse_type_name(struct skep_parser *p)
{
	_cleanup_buf_ struct skep_buf name = {0};
	bool is_pointer = false;

	read_words(p, &name);
	for (;;) {
		if (skep_tok_accept(p, TOK_STAR)) {
			skep_buf_puts(&name, is_pointer ? "*" : " *");
			is_pointer = true;
			skip_qualifiers(p);
		} else if (skep_tok_accept(p, TOK_LBRACKET)) {
			read_bracket(p, &name);
		} else {
			break;
		}
	}
	return skep_arena_strdup(p->arena, name.data ? name.data : "");
}
