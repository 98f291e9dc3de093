/* Specifications of probes: the grammars of spec.h, read from left to right. */
#include "tool/spec.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

struct reader {
	struct skep_arena *arena;
	const char *at;
	const char *wrong; /* what is, once something is */
};

static bool fail(struct reader *r, const char *what)
{
	if (!r->wrong)
		r->wrong = what;
	return false;
}

static void skip_blanks(struct reader *r)
{
	r->at += strspn(r->at, " \t");
}

static const char *copy(struct skep_arena *arena, const char *from, size_t len)
{
	while (len && strchr(" \t", from[len - 1]))
		len--;
	while (len && strchr(" \t", *from))
		from++, len--;
	return skep_arena_printf(arena, "%.*s", (int)len, from);
}

/* How long @text is up to one of @ends that stands outside of brackets and quotes. */
static size_t span(const char *text, const char *ends)
{
	size_t i = 0;
	int depth = 0;
	char quote = 0;

	for (; text[i]; i++) {
		char c = text[i];
		if (quote) {
			if (c == '\\' && text[i + 1])
				i++;
			else if (c == quote)
				quote = 0;
			continue;
		}
		if (!depth && strchr(ends, c))
			break;
		if (c == '"' || c == '\'')
			quote = c;
		depth += c == '(' || c == '[';
		depth -= (c == ')' || c == ']') && depth;
	}
	return i;
}

/* --- The place ------------------------------------------------------------------------------- */

/* What an attach point in quotes may hold. */
static bool is_place_text(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text <= ' ' || strchr("\"\\{};,", *text) || *text == 0x7f)
			return false;
	}
	return true;
}

static bool take_parts(struct reader *r, const char *head, struct skep_tool_spec *spec)
{
	const char *first = strchr(head, ':'), *second = first ? strchr(first + 1, ':') : NULL;

	spec->kind = 'p';
	spec->library = "";
	spec->function = head;
	if (second) {
		spec->kind = first == head ? 'p' : head[0];
		if (first > head + 1 || !strchr("prtuU", spec->kind))
			return fail(r, "its kind is none of p, r, t, u");
		spec->kind = spec->kind == 'U' ? 'u' : spec->kind;
		spec->library = copy(r->arena, first + 1, (size_t)(second - first - 1));
		spec->function = second + 1;
	} else if (first) {
		spec->library = copy(r->arena, head, (size_t)(first - head));
		spec->function = first + 1;
	}
	if (!spec->function[0])
		return fail(r, "it names no function");
	if ((spec->kind == 't' || spec->kind == 'u') && !spec->library[0])
		return fail(r, spec->kind == 't' ? "a tracepoint needs its category"
						 : "a USDT probe needs its program");
	return true;
}

static bool take_place(struct reader *r, const char *ends, struct skep_tool_spec *spec)
{
	size_t len = strcspn(r->at, ends);
	const char *head = copy(r->arena, r->at, len);

	r->at += len;
	if (!is_place_text(head))
		return fail(r, "its place has a character that none has");
	return take_parts(r, head, spec);
}

/* --- The signature --------------------------------------------------------------------------- */

/* "size_t size" is size, (uint64)arg2. */
static bool take_param(struct reader *r, const char *text, uint32_t number,
		       struct skep_spec_value *ret)
{
	size_t end = strlen(text), start = end;

	while (start &&
	       (strchr("_$", text[start - 1])
			? true
			: false || (text[start - 1] >= '0' && text[start - 1] <= '9') ||
				  ((text[start - 1] | 32) >= 'a' && (text[start - 1] | 32) <= 'z')))
		start--;
	if (start == end || !start)
		return fail(r, "its signature is no list of TYPE NAME");
	ret->written = copy(r->arena, text + start, end - start);
	const char *type = copy(r->arena, text, start);
	ret->text =
		skep_tool_spec_typed(r->arena, type, skep_arena_printf(r->arena, "arg%u", number));
	return ret->text ? true : fail(r, "its signature has a type that is not known");
}

static bool take_signature(struct reader *r, struct skep_tool_spec *spec)
{
	size_t len = span(++r->at, ")");
	const char *all = copy(r->arena, r->at, len);

	if (r->at[len] != ')')
		return fail(r, "its signature has no end");
	r->at += len + 1;
	while (*all) {
		size_t part = span(all, ",");
		if (spec->n_params == SKEP_SPEC_PARAMS_MOST)
			return fail(r, "its signature is too long");
		const char *text = copy(r->arena, all, part);
		if (!take_param(r, text, spec->n_params, &spec->params[spec->n_params]))
			return false;
		spec->n_params++;
		all += part + (all[part] == ',');
	}
	return true;
}

/* --- Expressions ----------------------------------------------------------------------------- */

static bool take_expr(struct reader *r, struct skep_tool_spec *spec, const char *text,
		      const char **ret)
{
	*ret = skep_tool_spec_expr(r->arena, spec, text);
	return *ret ? true : fail(r, "this is no expression that a probe can have");
}

/* Up to @ends, separated by commas. */
static bool take_values(struct reader *r, const char *ends, struct skep_tool_spec *spec)
{
	char both[8] = ",";

	strcat(both, ends);
	do {
		size_t len = span(r->at, both);
		struct skep_spec_value *value = &spec->values[spec->n_values];
		if (spec->n_values == SKEP_SPEC_VALUES_MOST)
			return fail(r, "it has too many values");
		value->written = copy(r->arena, r->at, len);
		r->at += len;
		if (!take_expr(r, spec, value->written, &value->text))
			return false;
		spec->n_values++;
	} while (*r->at == ',' && r->at++);
	return true;
}

/* --- Messages -------------------------------------------------------------------------------- */

/* Two in brackets: the first is the signature; one is, too, if it stands at the name. */
static bool take_brackets(struct reader *r, struct skep_tool_spec *spec)
{
	if (*r->at == '(' && !take_signature(r, spec))
		return false;
	skip_blanks(r);
	if (*r->at != '(')
		return true;
	size_t len = span(++r->at, ")");
	if (r->at[len] != ')')
		return fail(r, "its filter has no end");
	const char *filter = copy(r->arena, r->at, len);
	r->at += len + 1;
	return take_expr(r, spec, filter, &spec->filter);
}

static bool is_format(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

static bool take_message(struct reader *r, struct skep_tool_spec *spec)
{
	if (!take_brackets(r, spec))
		return false;
	skip_blanks(r);
	if (!*r->at)
		return true;
	if (*r->at != '"')
		return fail(r,
			    "what follows is neither a filter in brackets nor a format in quotes");
	size_t len = 1;
	for (; r->at[len] && r->at[len] != '"'; len++)
		len += r->at[len] == '\\' && r->at[len + 1];
	if (r->at[len] != '"')
		return fail(r, "its format has no end");
	spec->format = skep_arena_printf(r->arena, "%.*s", (int)len - 1, r->at + 1);
	r->at += len + 1;
	skip_blanks(r);
	if (!is_format(spec->format))
		return fail(r, "its format has control characters");
	if (*r->at == ',')
		return r->at++, take_values(r, "", spec);
	return *r->at ? fail(r, "a comma is missing behind its format") : true;
}

/* --- Values ---------------------------------------------------------------------------------- */

static bool take_types(struct reader *r, const char *types, struct skep_tool_spec *spec)
{
	uint32_t n = 0;

	while (*types) {
		size_t len = span(types, ",");
		const char *type = copy(r->arena, types, len);
		if (n == spec->n_values)
			break;
		spec->values[n].text = skep_tool_spec_typed(r->arena, type, spec->values[n].text);
		if (!spec->values[n].text)
			return fail(r, "it has a type that is not known");
		n++;
		types += len + (types[len] == ',');
	}
	return n == spec->n_values && !*types ? true : fail(r, "it has not a type for each value");
}

static bool take_label(struct reader *r, struct skep_tool_spec *spec)
{
	size_t len = strcspn(spec->written, "#");

	spec->label = copy(r->arena, spec->written, len);
	if (*r->at == '#') {
		spec->label = copy(r->arena, r->at + 1, strlen(r->at + 1));
		r->at += strlen(r->at);
	}
	return is_format(spec->label) ? true : fail(r, "its label has control characters");
}

static bool take_collected(struct reader *r, struct skep_tool_spec *spec)
{
	if (*r->at != '(')
		return fail(r, "it needs a signature: ()");
	if (!take_signature(r, spec))
		return false;
	if (*r->at == ':') {
		size_t len = span(++r->at, ":#");
		const char *types = copy(r->arena, r->at, len);
		r->at += len;
		if (*r->at != ':')
			return fail(r, "it has types, but no values");
		r->at++;
		if (!take_values(r, ":#", spec) || !take_types(r, types, spec))
			return false;
	}
	if (*r->at == ':') {
		size_t len = span(++r->at, "#");
		const char *filter = copy(r->arena, r->at, len);
		r->at += len;
		if (!take_expr(r, spec, filter, &spec->filter))
			return false;
	}
	if (!take_label(r, spec))
		return false;
	return *r->at ? fail(r, "something stands behind it") : true;
}

/* --- All of it ------------------------------------------------------------------------------- */

static bool take(struct reader *r, enum skep_spec_grammar grammar, struct skep_tool_spec *spec)
{
	static const char *const ends[] = {"", " \t(\"", "("};

	skip_blanks(r);
	if (!take_place(r, ends[grammar], spec))
		return false;
	if (grammar == SKEP_SPEC_MESSAGE)
		return take_message(r, spec);
	return grammar == SKEP_SPEC_VALUES ? take_collected(r, spec) : true;
}

int skep_tool_spec_read(struct skep_arena *arena, enum skep_spec_grammar grammar, const char *text,
			uint32_t number, struct skep_tool_spec *ret, struct skep_diag *diag)
{
	struct reader r = {.arena = arena, .at = text};
	struct skep_tool_spec spec = {
		.written = text, .filter = "1", .label = "", .number = number};

	if (strlen(text) > 4096)
		fail(&r, "it is too long");
	else
		take(&r, grammar, &spec);
	if (!r.wrong && spec.wants_latency && spec.kind != 'r')
		fail(&r, "$entry() and $latency are for returns: r:…");
	if (r.wrong) {
		skep_diag_add(diag, SKEP_DIAG_TOOL_SPEC, SKEP_NOWHERE, text, r.wrong);
		return -EINVAL;
	}
	*ret = spec;
	return 0;
}

const char *skep_tool_spec_place(struct skep_arena *arena, const struct skep_tool_spec *spec,
				 enum skep_spec_place place)
{
	bool is_return = place == SKEP_SPEC_LEAVE || (place == SKEP_SPEC_HIT && spec->kind == 'r');
	bool is_users = spec->library[0];

	if (spec->kind == 't')
		return skep_arena_printf(arena, "tracepoint:\"%s\":\"%s\"", spec->library,
					 spec->function);
	if (spec->kind == 'u')
		return skep_arena_printf(arena, "usdt:\"%s\":\"%s\"", spec->library,
					 spec->function);
	if (is_users)
		return skep_arena_printf(arena, "%s:\"%s\":\"%s\"",
					 is_return ? "uretprobe" : "uprobe", spec->library,
					 spec->function);
	return skep_arena_printf(arena, "%s:\"%s\"", is_return ? "kretprobe" : "kprobe",
				 spec->function);
}
