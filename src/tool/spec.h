/*
 * Specifications of probes as the users of argdist, trace, funccount and their kin write them,
 * and what they are in the language of scripts. Three grammars, of which each begins with a place:
 *
 *	place    = [ [ kind ":" ] library ":" ] function | kind ":" category ":" event
 *	kind     = "p" entry | "r" return | "t" tracepoint | "u" USDT
 *	pattern  = place				vfs_*   c:malloc   t:sched:*
 *	message  = place [ "(" signature ")" ] [ "(" filter ")" ] [ "format" { "," expr } ]
 *	values   = place "(" signature ")" ":" type { "," type } ":" expr { "," expr }
 *		   [ ":" filter ] [ "#" label ]
 *
 * Expressions are C's with arg1… (the first is 1), parameters of the signature by name, retval,
 * $entry(name), $latency, STRCMP("text", expr), and the language's own names.
 */
#ifndef SKEP_TOOL_SPEC_H
#define SKEP_TOOL_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/diag.h>

#include "base/arena.h"

#define SKEP_SPEC_VALUES_MOST 8
#define SKEP_SPEC_PARAMS_MOST 12

enum skep_spec_grammar { SKEP_SPEC_PATTERN, SKEP_SPEC_MESSAGE, SKEP_SPEC_VALUES };

struct skep_spec_value {
	const char *written; /* as the user wrote it */
	const char *text;    /* as the script has it */
};

/** All texts are on the arena and hold nothing that ends a statement or a block. */
struct skep_tool_spec {
	const char *written;            /* all of it */
	char kind;                      /* p r t u */
	const char *library, *function; /* library "": the kernel; of tracepoints the category */
	struct skep_spec_value params[SKEP_SPEC_PARAMS_MOST]; /* their names, and expressions */
	uint32_t n_params;
	const char *filter; /* an expression; "1" without */
	const char *format; /* of a message, between its quotes, escapes kept; NULL: none */
	struct skep_spec_value values[SKEP_SPEC_VALUES_MOST];
	uint32_t n_values;
	const char *label;  /* of values */
	uint32_t number;    /* of it among all, for names of maps */
	bool wants_latency; /* $latency is used, or $entry() */
	bool wants_entry[SKEP_SPEC_PARAMS_MOST];
};

/**
 * Read @text as @grammar has it.
 *
 * @ret    on @arena; untouched on error
 * Return  0 | -EINVAL (see @diag)
 */
int skep_tool_spec_read(struct skep_arena *arena, enum skep_spec_grammar grammar, const char *text,
			uint32_t number, struct skep_tool_spec *ret, struct skep_diag *diag);

/** The attach point: where it is hit (by its kind), or the entry or return of its function. */
enum skep_spec_place { SKEP_SPEC_HIT, SKEP_SPEC_ENTER, SKEP_SPEC_LEAVE };
const char *skep_tool_spec_place(struct skep_arena *arena, const struct skep_tool_spec *spec,
				 enum skep_spec_place place);

/* spec_expr.c */
/**
 * An expression in the language of scripts, for the values of @spec (whose parameters are known);
 * notes what it wants of the function's entry. NULL: it has what no expression has.
 */
const char *skep_tool_spec_expr(struct skep_arena *arena, struct skep_tool_spec *spec,
				const char *text);
/** @text, of C's @type, as a value of the script: a cast, or str(). NULL: no such type. */
const char *skep_tool_spec_typed(struct skep_arena *arena, const char *type, const char *text);

#endif
