/* Tokens, taken from the preprocessed text one by one; see lex.c. */
#ifndef SKEP_TRACE_PARSE_LEX_H
#define SKEP_TRACE_PARSE_LEX_H

#include "trace/parse/preprocess.h"

enum skep_tok {
	TOK_END,
	TOK_BAD, /* already reported; stands for an expression */
	TOK_IDENT,
	TOK_INT,
	TOK_STRING,
	TOK_VAR,       /* $x */
	TOK_MAP,       /* @x, @ */
	TOK_PARAM,     /* $1 */
	TOK_PARAM_CNT, /* $# */
#define PUNCT(name, text) TOK_##name,
#include "trace/parse/punct.def"
#undef PUNCT
	TOK_N_KINDS
};

struct skep_token {
	enum skep_tok kind;
	struct skep_span span; /* of the #define's name, if it came out of one */
	const char *text;      /* IDENT, VAR, MAP: NUL-terminated; STRING: escapes resolved */
	uint32_t text_len;
	int64_t integer;
	bool is_unsigned;
	bool starts_line; /* first on its line */
};

/** Text being read: the script, or the body of a #define. */
struct skep_cursor {
	const char *text;
	uint32_t at, end;
	const struct skep_pp_macro *macro; /* NULL: the script */
};

#define SKEP_EXPANSION_MAX 32
/** Tokens of one script, #defines expanded. */
#define SKEP_TOKENS_MAX (1u << 20)

struct skep_lexer {
	struct skep_pp *pp;     /* borrowed */
	struct skep_diag *diag; /* NULL: quiet, while text is skipped after an error */
	struct skep_cursor cursors[SKEP_EXPANSION_MAX];
	uint32_t n_cursors;
	struct skep_span use; /* of the outermost #define being expanded */
	enum skep_tok last;
	uint32_t n_tokens;
	bool no_expand;
	bool failed;
};

/** Read @text from @at up to @end; offsets are those of the source. */
void skep_lex_init(struct skep_lexer *lx, struct skep_pp *pp, const char *text, uint32_t at,
		   uint32_t end);
/** Go on at @at, forgetting expansions under way. */
void skep_lex_seek(struct skep_lexer *lx, uint32_t at);
void skep_lex_next(struct skep_lexer *lx, struct skep_token *ret);
/** As people write it: "'{'", "a name", … */
const char *skep_tok_name(enum skep_tok kind);

/* --- shared by lex.c and literal.c --- */
static inline struct skep_cursor *skep_lex_cursor(struct skep_lexer *lx)
{
	return &lx->cursors[lx->n_cursors - 1];
}
static inline char skep_lex_char(struct skep_lexer *lx, uint32_t ahead)
{
	const struct skep_cursor *c = skep_lex_cursor(lx);

	return ahead < c->end - c->at ? c->text[c->at + ahead] : '\0';
}
/** From @from to here, in the source. */
struct skep_span skep_lex_span(const struct skep_lexer *lx, uint32_t from);
/** Report, unless quiet; the token becomes BAD. */
void skep_lex_fail(struct skep_lexer *lx, struct skep_token *tok, enum skep_diag_id id,
		   struct skep_span span, const char *what);
void skep_lex_number(struct skep_lexer *lx, struct skep_token *ret);
void skep_lex_string(struct skep_lexer *lx, struct skep_token *ret);
void skep_lex_char_constant(struct skep_lexer *lx, struct skep_token *ret);

#endif
