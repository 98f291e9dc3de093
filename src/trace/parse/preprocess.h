/* The C preprocessor's part that scripts use; see preprocess.c. */
#ifndef SKEP_TRACE_PARSE_PREPROCESS_H
#define SKEP_TRACE_PARSE_PREPROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/diag.h>

#include "base/strmap.h"
#include "trace/ast.h"

struct skep_arena;

/** One #define. It holds from its line on, up to its #undef or the next #define of the name. */
struct skep_pp_macro {
	struct skep_pp_macro *older; /* of the same name */
	const char *name;
	const char *body; /* comments already blank; not NUL-terminated */
	uint32_t body_len;
	uint32_t from;   /* offset in the source */
	bool has_params; /* #define f(x): known, but not expanded */
	bool is_undef;   /* an #undef */
};

struct skep_pp {
	struct skep_arena *arena; /* borrowed */
	const struct skep_source *source;
	struct skep_diag *diag;
	char *text; /* as long as the source; comments, directives and dead branches blank */
	uint32_t len;
	struct skep_strmap macros; /* name → newest struct skep_pp_macro; owned */
	struct skep_include *includes, **includes_tail;
	uint32_t n_macros;
	bool failed;
};

/** #defines and #undefs of one script. */
#define SKEP_PP_MACROS_MAX 1024

/** Return 0 | -EINVAL errors were reported: @pp is usable nevertheless, to find more of them */
int skep_preprocess(struct skep_pp *pp, struct skep_arena *arena, const struct skep_source *source,
		    struct skep_diag *diag);
void skep_pp_done(struct skep_pp *pp);
/** The #define of a name as it holds at @off; NULL: none. */
const struct skep_pp_macro *skep_pp_find(const struct skep_pp *pp, const char *name, size_t len,
					 uint32_t off);
/** Blank the comments of @len bytes of @text in place. */
void skep_pp_blank_comments(struct skep_pp *pp, char *text, uint32_t len);
/** The value of an #if line's condition: @span of @text (offsets as in the source).
 *  Return 0 | -EINVAL reported */
int skep_pp_condition(struct skep_pp *pp, const char *text, struct skep_span span, bool *ret);

static inline bool skep_is_word_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static inline bool skep_is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static inline bool skep_is_word(char c)
{
	return skep_is_word_start(c) || skep_is_digit(c);
}
static inline bool skep_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

#endif
