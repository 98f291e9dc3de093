/*
 * Expressions of specifications, word by word. What is no word passes as it is, except for what
 * ends a statement, opens a block or begins a comment: the expression stays one, whatever it is.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tool/spec.h"

struct writer {
	struct skep_arena *arena;
	struct skep_tool_spec *spec;
	const char *at;
	struct skep_buf *out;
	int depth;
};

/* --- Types ----------------------------------------------------------------------------------- */

static const struct {
	const char *c, *script;
} types[] = {
#define TYPE(c, script) {c, script},
#include "tool/spec_types.def"
#undef TYPE
};

/* Without const and the like; blanks between words are one. */
static const char *plain_type(struct skep_arena *arena, const char *type)
{
	static const char *const skipped[] = {"const", "volatile", "__user", "register"};
	_cleanup_buf_ struct skep_buf out = {0};

	while (*(type += strspn(type, " \t"))) {
		size_t len = strcspn(type, " \t*");
		bool is_skipped = false;
		len += !len; /* a star */
		for (size_t i = 0; i < sizeof(skipped) / sizeof(*skipped); i++)
			is_skipped |= strlen(skipped[i]) == len && !memcmp(skipped[i], type, len);
		if (!is_skipped) {
			skep_buf_puts(&out, out.len ? " " : "");
			skep_buf_add(&out, type, len);
		}
		type += len;
	}
	return skep_arena_strdup(arena, out.data ? out.data : "");
}

static bool is_type_text(const char *type)
{
	for (; *type; type++) {
		if (!isalnum((unsigned char)*type) && !strchr("_ *", *type))
			return false;
	}
	return true;
}

const char *skep_tool_spec_typed(struct skep_arena *arena, const char *type, const char *text)
{
	type = plain_type(arena, type);
	if (!strcmp(type, "char *") && !strncmp(text, "str(", 4))
		return text;
	if (!strcmp(type, "char *"))
		return skep_arena_printf(arena, "str(%s)", text);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (!strcmp(types[i].c, type))
			return skep_arena_printf(arena, "(%s)(%s)", types[i].script, text);
	}
	if (!strncmp(type, "struct ", strlen("struct ")) && strchr(type, '*') && is_type_text(type))
		return skep_arena_printf(arena, "((%s)(%s))", type, text);
	return strchr(type, '*') && is_type_text(type)
		       ? skep_arena_printf(arena, "(uint64)(%s)", text)
		       : NULL;
}

/* --- Words ----------------------------------------------------------------------------------- */

static size_t word_len(const char *at)
{
	size_t len = *at == '$';

	while (isalnum((unsigned char)at[len]) || at[len] == '_')
		len++;
	return len;
}

static const char *known_word(const char *word, size_t len)
{
	static const char *const words[][2] = {
		{"$retval", "retval"}, {"$pid", "tid"},      {"$tgid", "pid"},  {"$PID", "pid"},
		{"$uid", "uid"},       {"$gid", "gid"},      {"$comm", "comm"}, {"$COMM", "comm"},
		{"$cpu", "cpu"},       {"$task", "curtask"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strlen(words[i][0]) == len && !memcmp(words[i][0], word, len))
			return words[i][1];
	}
	return NULL;
}

static int find_param(const struct skep_tool_spec *spec, const char *word, size_t len)
{
	for (uint32_t i = 0; i < spec->n_params; i++) {
		if (strlen(spec->params[i].written) == len &&
		    !memcmp(spec->params[i].written, word, len))
			return (int)i;
	}
	return -1;
}

/* $entry(name), behind the word */
static bool put_entry(struct writer *w)
{
	w->at += strspn(w->at, " \t");
	if (*w->at++ != '(')
		return false;
	size_t len = word_len(w->at);
	int param = find_param(w->spec, w->at, len);
	if (param < 0 || w->at[len] != ')')
		return false;
	w->at += len + 1;
	w->spec->wants_latency = true;
	w->spec->wants_entry[param] = true;
	skep_buf_printf(w->out, "@entry_%u_%d[tid]", w->spec->number, param);
	return true;
}

/* How long a text in quotes at @at is, with them; 0: it has no end, or control characters. */
static size_t quoted_len(const char *at)
{
	size_t len = 1;

	for (; at[len] && at[len] != at[0]; len++) {
		if (at[len] == '\\' && at[len + 1])
			len++;
		if ((unsigned char)at[len] < ' ' || at[len] == 0x7f)
			return 0;
	}
	return at[len] ? len + 1 : 0;
}

/* STRCMP("text", expr), behind the word: str(expr) == "text" */
static bool put_strcmp(struct writer *w)
{
	w->at += strspn(w->at, " \t(");
	size_t len = *w->at == '"' ? quoted_len(w->at) : 0;
	if (!len)
		return false;
	const char *text = skep_arena_printf(w->arena, "%.*s", (int)len - 2, w->at + 1);
	w->at += len;
	w->at += strspn(w->at, " \t");
	if (*w->at++ != ',')
		return false;
	w->at += strspn(w->at, " \t");
	size_t end = strcspn(w->at, ")");
	const char *inner = skep_tool_spec_expr(
		w->arena, w->spec, skep_arena_printf(w->arena, "%.*s", (int)end, w->at));
	if (!inner || w->at[end] != ')')
		return false;
	w->at += end + 1;
	if (!strncmp(inner, "str(", 4))
		skep_buf_printf(w->out, "(%s == \"%s\")", inner, text);
	else
		skep_buf_printf(w->out, "(str(%s) == \"%s\")", inner, text);
	return true;
}

/* arg1 is the first here, and arg0 in scripts; "@user": of the process */
static bool put_argument(struct writer *w, const char *word)
{
	unsigned long number = strtoul(word + 3, NULL, 10);
	bool is_user = !strncmp(w->at, "@user", 5);

	if (!number || number > 16 || w->spec->kind == 'r')
		return false;
	w->at += is_user ? 5 : 0;
	skep_buf_printf(w->out, is_user ? "uptr(arg%lu)" : "arg%lu", number - 1);
	return true;
}

static bool is_argument(const char *word, size_t len)
{
	return len > 3 && len < 6 && !memcmp(word, "arg", 3) &&
	       strspn(word + 3, "0123456789") == len - 3;
}

static bool put_word(struct writer *w)
{
	const char *word = w->at, *known;
	size_t len = word_len(word);
	int param = find_param(w->spec, word, len);

	w->at += len;
	if (param >= 0) {
		skep_buf_puts(w->out, w->spec->params[param].text);
		return w->spec->kind != 'r';
	}
	if (is_argument(word, len))
		return put_argument(w, word);
	if (len == 6 && !memcmp(word, "$entry", len))
		return put_entry(w);
	if (len == 6 && !memcmp(word, "STRCMP", len))
		return put_strcmp(w);
	if (len == 8 && !memcmp(word, "$latency", len)) {
		w->spec->wants_latency = true;
		skep_buf_printf(w->out, "(nsecs - @entered_%u[tid])", w->spec->number);
		return true;
	}
	if ((known = known_word(word, len)))
		return skep_buf_puts(w->out, known), true;
	skep_buf_add(w->out, word, len);
	return word[0] != '$';
}

/* "text" or 'c' as it is */
static bool put_quoted(struct writer *w)
{
	size_t len = quoted_len(w->at);

	skep_buf_add(w->out, w->at, len);
	w->at += len;
	return len > 0;
}

static bool put_sign(struct writer *w)
{
	char c = *w->at;
	bool is_comment = c == '/' && (w->at[1] == '/' || w->at[1] == '*');

	w->depth += c == '(' || c == '[';
	w->depth -= c == ')' || c == ']';
	if (is_comment || w->depth < 0 || (unsigned char)c < ' ' || c == 0x7f ||
	    strchr("{};#@\\`", c))
		return false;
	skep_buf_addc(w->out, c);
	w->at++;
	return true;
}

const char *skep_tool_spec_expr(struct skep_arena *arena, struct skep_tool_spec *spec,
				const char *text)
{
	_cleanup_buf_ struct skep_buf out = {0};
	struct writer w = {.arena = arena, .spec = spec, .at = text, .out = &out};
	bool is_good = *text != '\0';

	while (is_good && *w.at) {
		if (*w.at == '"' || *w.at == '\'')
			is_good = put_quoted(&w);
		else if (isalpha((unsigned char)*w.at) || *w.at == '_' || *w.at == '$')
			is_good = put_word(&w);
		else if (isdigit((unsigned char)*w.at)) {
			size_t len = word_len(w.at);
			skep_buf_add(&out, w.at, len);
			w.at += len;
		} else
			is_good = put_sign(&w);
	}
	return is_good && !w.depth && out.len ? skep_arena_strdup(arena, out.data) : NULL;
}
