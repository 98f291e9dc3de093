/*
 * Any bytes as a specification of probes, in each of the grammars: what a script is made of stays
 * an expression, a string or an attach point in quotes, whatever was written.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "tool/spec.h"
#include "tool/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing that ends a statement or a block stands outside of quotes, and brackets are closed. */
static void check_expr(const char *text)
{
	char quote = 0;
	int depth = 0;

	for (; *text; text++) {
		if ((unsigned char)*text < ' ')
			abort();
		if (quote) {
			if (*text == '\\' && text[1])
				text++;
			else if (*text == quote)
				quote = 0;
			continue;
		}
		if (*text == '"' || *text == '\'')
			quote = *text;
		depth += *text == '(' || *text == '[';
		depth -= *text == ')' || *text == ']';
		if (depth < 0 || strchr("{};#", *text))
			abort();
	}
	if (quote || depth)
		abort();
}

static void check(struct skep_arena *arena, const struct skep_tool_spec *spec)
{
	check_expr(skep_tool_spec_place(arena, spec, SKEP_SPEC_HIT));
	check_expr(skep_tool_spec_place(arena, spec, SKEP_SPEC_LEAVE));
	check_expr(spec->filter);
	for (uint32_t i = 0; i < spec->n_values; i++)
		check_expr(spec->values[i].text);
	for (uint32_t i = 0; i < spec->n_params; i++)
		check_expr(spec->params[i].text);
}

static void fill(struct skep_arena *arena, const char *text, struct skep_diag *diag)
{
	static const char script[] =
		"/* x */\n%each message\n$(probe) { $(format)$(args) $(place) }\n"
		"%end\n%each values\n$(columns) $(label) $(histogram)\n%end\n";
	const struct skep_source source = {"fuzz", script, sizeof(script) - 1};
	_cleanup_buf_ struct skep_buf out = {0};

	skep_tool_fill(arena, &source, &text, 1, &out, diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_diag diag = {0};
	struct skep_arena arena;

	skep_arena_init(&arena);
	const char *text = skep_arena_printf(&arena, "%.*s", (int)(size < 8192 ? size : 8192),
					     (const char *)data);
	for (int grammar = SKEP_SPEC_PATTERN; grammar <= SKEP_SPEC_VALUES; grammar++) {
		struct skep_tool_spec spec;
		size_t before = diag.n_errors;
		if (!skep_tool_spec_read(&arena, (enum skep_spec_grammar)grammar, text, 0, &spec,
					 &diag))
			check(&arena, &spec);
		else if (diag.n_errors == before)
			abort(); /* refused without a word */
	}
	fill(&arena, text, &diag);
	skep_diag_done(&diag);
	skep_arena_done(&arena);
	return 0;
}
