/*
 * What the files of the parser share. A function is named after its rule of
 * the grammar; it leaves the parser behind what it has read.
 *
 * Errors: the first mistake in a statement is reported and the parser
 * *panics*: from then on there seem to be no more tokens, so all rules end
 * quickly, returning half-made nodes that nobody will look at (a script with
 * an error has no tree). The rule that can go on, a list of statements, of
 * members, of probes, calls skep_tok_recover(). So rules never return NULL,
 * need not check, and one mistake gives one message.
 */
#ifndef SKEP_TRACE_PARSE_PARSER_H
#define SKEP_TRACE_PARSE_PARSER_H

#include "base/arena.h"
#include "base/strmap.h"
#include "base/vec.h"
#include "trace/ast.h"
#include "trace/parse.h"
#include "trace/parse/lex.h"

#define SKEP_PARSE_DEPTH_MAX 200
#define SKEP_PARSE_TEXT_MAX  (1u << 20)
#define SKEP_PARSE_ERROR_MAX 20

enum skep_macro_param_kind { SKEP_PARAM_VAR, SKEP_PARAM_MAP, SKEP_PARAM_EXPR };

struct skep_macro_param {
	struct skep_macro_param *next;
	enum skep_macro_param_kind kind;
	const char *name; /* "$x", "@x", "x" */
	struct skep_span span;
};

/** macro name(params) { body } */
struct skep_macro {
	struct skep_macro *next; /* of the same name, other parameters; newest first */
	const char *name;
	struct skep_span span;
	struct skep_macro_param *params;
	uint32_t n_params;
	struct skep_stmt *body;
};

struct skep_parser {
	struct skep_arena *arena; /* borrowed, as all down to diag */
	const struct skep_source *source;
	const struct skep_params *params;
	struct skep_diag *diag;
	struct skep_pp pp;
	struct skep_lexer lx;
	SKEP_VEC(struct skep_token) tokens; /* of the top-level item at hand */
	size_t at;                          /* the next one */
	size_t stmt_at;                     /* the first of the statement at hand */
	uint32_t last_end;                  /* offset behind the token before it */
	struct skep_token none;             /* what a panic sees */
	bool panic;
	bool stop; /* a limit was exceeded, or too many errors */
	uint32_t n_errors;
	int err;
	uint32_t depth;
	uint32_t n_hidden_vars, n_unnamed; /* for names of what has none */
	bool in_loop_head; /* of a for: after an error, all up to its body's end is skipped */
	uint32_t n_loops;  /* around the statement at hand */
	struct skep_script *script;
	/* where the next of each goes */
	struct skep_config_item **config_tail;
	struct skep_map_decl **decls_tail;
	struct skep_struct_def **structs_tail;
	struct skep_probe_def **probes_tail;
	bool has_config;
	uint32_t n_specs;
	struct skep_strmap enumerators; /* name → int64_t *, on the arena */
	struct skep_strmap macros;      /* name → struct skep_macro * */
	struct skep_macro *macro;       /* whose body is being parsed */
};

/* --- attach_option.c --- */

/** Does @text begin with "getopt("? */
bool skep_is_spec_option(const char *text, uint32_t len);
/** How long that getopt(…) is, at most to the end of the line. */
uint32_t skep_spec_option_len(const char *text, uint32_t len);
/** The option's value; noted among the script's. NULL: reported. */
const char *skep_parse_spec_option(struct skep_parser *p, struct skep_span span);

/* --- token.c --- */

const struct skep_token *skep_tok(struct skep_parser *p);
/** The @n-th token from here; 0 is skep_tok(). */
const struct skep_token *skep_tok_ahead(struct skep_parser *p, uint32_t n);
const struct skep_token *skep_tok_take(struct skep_parser *p);
bool skep_tok_is(struct skep_parser *p, enum skep_tok kind);
bool skep_tok_is_word(struct skep_parser *p, const char *word);
bool skep_tok_accept(struct skep_parser *p, enum skep_tok kind);
bool skep_tok_accept_word(struct skep_parser *p, const char *word);
/** Take a token of this kind, or report "expected @what, found …" (NULL: the kind's name). */
bool skep_tok_expect(struct skep_parser *p, enum skep_tok kind, const char *what);
/** The text of a NAME to be taken, which may be a keyword; "" after an error. */
const char *skep_tok_expect_name(struct skep_parser *p, const char *what);
/** Of the next token, or of the end of the last one if there is none. */
struct skep_span skep_tok_span(struct skep_parser *p);
/** Was the token before this one unreadable? Then what follows from it is not worth saying. */
bool skep_tok_was_bad(const struct skep_parser *p);
/** "expected @what, found …" at the next token. */
void skep_tok_unexpected(struct skep_parser *p, const char *what);
/** Report and panic. False if nothing was reported, the parser being in panic already. */
bool skep_parse_fail(struct skep_parser *p, enum skep_diag_id id, struct skep_span span,
		     const char *a, const char *b);
/** Report, and go on. @a, @b: for the row's format; NULL where it has none. */
bool skep_parse_complain(struct skep_parser *p, enum skep_diag_id id, struct skep_span span,
			 const char *a, const char *b);
/** End a panic: skip to behind the next ';' or balanced '}', or to before a '}' of more. */
void skep_tok_recover(struct skep_parser *p);
/** Text from here on is tokens again, from offset @at. */
void skep_tok_restart(struct skep_parser *p, uint32_t at);
/** Count a level of nesting; false if there are too many (reported). */
bool skep_parse_enter(struct skep_parser *p);
static inline void skep_parse_leave(struct skep_parser *p)
{
	p->depth--;
}
/** From offset @from to the end of the last token. */
static inline struct skep_span skep_parse_span(const struct skep_parser *p, uint32_t from)
{
	return (struct skep_span){from, p->last_end > from ? p->last_end - from : 0};
}

/* --- expr.c, primary.c --- */

struct skep_expr *skep_parse_expr(struct skep_parser *p);
struct skep_expr *skep_parse_unary(struct skep_parser *p);
struct skep_expr *skep_parse_primary(struct skep_parser *p);
/** typeof(TYPE or expr), the parser being at the word. */
struct skep_expr *skep_parse_typeof(struct skep_parser *p);
/** An expression before a block. "a = b" in it is said to be a mistake. */
struct skep_expr *skep_parse_condition(struct skep_parser *p);
/** expr, expr, … up to @close, which is taken. */
void skep_parse_list(struct skep_parser *p, enum skep_tok close, struct skep_expr **ret,
		     uint32_t *ret_n);
/** A new node starting at the next token. */
struct skep_expr *skep_expr_new(struct skep_parser *p, enum skep_expr_kind kind);
/** A constant number, folded; 0 after an error. */
int64_t skep_parse_constant(struct skep_parser *p);
bool skep_expr_is_lvalue(const struct skep_expr *e);

/* --- type_name.c --- */

/** The words of a type without stars and brackets: "struct foo", "unsigned long". */
const char *skep_parse_type_base(struct skep_parser *p);
/** A type's name in canonical form: "struct foo *", "uint64[4]"; "" after an error. */
const char *skep_parse_type_name(struct skep_parser *p);
/** Is "(" TYPE ")" here a cast, the parser being at the parenthesis? */
bool skep_parse_at_cast(struct skep_parser *p);
/** Does what is here up to @close or ',' name a type (sizeof, offsetof)? */
bool skep_parse_at_type(struct skep_parser *p);
bool skep_is_type_word(const char *word);

/* --- stmt.c --- */

/** "{" statements "}": the list, maybe NULL. */
struct skep_stmt *skep_parse_block(struct skep_parser *p);
struct skep_stmt *skep_parse_if(struct skep_parser *p);
/** The value of a block or an if that stands where a value is needed; reported if it has none. */
struct skep_expr *skep_block_value(struct skep_parser *p, struct skep_stmt *body,
				   struct skep_span span);
struct skep_expr *skep_if_value(struct skep_parser *p, struct skep_stmt *stmt);

/* --- probe.c, attach.c, decl.c, record.c: items of the top level --- */

void skep_parse_probe(struct skep_parser *p);
void skep_parse_config(struct skep_parser *p);
void skep_parse_map_decl(struct skep_parser *p);
void skep_parse_macro(struct skep_parser *p);
void skep_parse_record(struct skep_parser *p);
/** The attach point at @at of the text; *ret_end is behind it. False if reported. */
bool skep_parse_attach_point(struct skep_parser *p, uint32_t at, uint32_t *ret_end,
			     struct skep_probe_spec **ret);
struct skep_macro_param *skep_macro_param_find(const struct skep_macro *macro, const char *name);
struct skep_macro *skep_macro_find(const struct skep_parser *p, const char *name);

/* --- expand.c --- */

/** Replace calls of macros by their bodies; check that the tree is not too deep. */
void skep_expand_macros(struct skep_parser *p);

#endif
