/*
 * First pass over a script: comments, #! and # lines.
 *
 * The result is a text of the same length in which comments, directives and
 * branches not taken are blanks, so that every span found later points into
 * the original; and the list of #defines with the places from which they
 * hold. Expansion itself happens token by token in lex.c. Headers are
 * recorded, never read: types come from BTF, constants from constants.def.
 *
 * Next: lex.c.
 */
#include "trace/parse/preprocess.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"

#define PP_NEST_MAX 64

/* One open #if. */
struct branch {
	struct skep_span span;
	const char *directive;
	bool is_live;   /* text is kept now */
	bool was_taken; /* one of its branches has been */
	bool in_else;
	bool is_outer_live;
};

struct directives {
	struct skep_pp *pp;
	const char *text; /* comments blank */
	struct branch branches[PP_NEST_MAX];
	uint32_t n_branches;
};

/* A line starting with '#': where its parts are. */
struct line {
	uint32_t off;          /* of '#' */
	uint32_t end;          /* behind its last character */
	struct skep_span name; /* "define" */
	struct skep_span rest; /* "AF_INET 2", without blanks around */
};

static const char *const directive_names[] = {"define", "undef",  "include", "if",
					      "ifdef",  "ifndef", "elif",    "else",
					      "endif",  "error",  "warning", "pragma"};

static int fail(struct skep_pp *pp)
{
	pp->failed = true;
	return -EINVAL;
}

static bool is_live(const struct directives *d)
{
	return !d->n_branches || d->branches[d->n_branches - 1].is_live;
}

static bool span_is(const struct directives *d, struct skep_span span, const char *word)
{
	return span.len == strlen(word) && !memcmp(d->text + span.off, word, span.len);
}

static struct skep_span word_at(const char *text, uint32_t off, uint32_t end)
{
	uint32_t at = off;

	if (at < end && skep_is_word_start(text[at])) {
		while (at < end && skep_is_word(text[at]))
			at++;
	}
	return (struct skep_span){off, at - off};
}

static uint32_t skip_blanks(const char *text, uint32_t at, uint32_t end)
{
	while (at < end && skep_is_space(text[at]))
		at++;
	return at;
}

static struct skep_span trim(const char *text, uint32_t off, uint32_t end)
{
	off = skip_blanks(text, off, end);
	while (end > off && skep_is_space(text[end - 1]))
		end--;
	return (struct skep_span){off, end - off};
}

static const char *copy_span(struct directives *d, struct skep_span span)
{
	return skep_arena_dup(d->pp->arena, d->text + span.off, span.len);
}

/* --- #define, #undef, #include ------------------------------------------------------------ */

static void add_macro(struct skep_pp *pp, struct skep_pp_macro *macro)
{
	void **place = skep_strmap_put(&pp->macros, macro->name, strlen(macro->name));

	macro->older = *place;
	*place = macro;
}

static int define(struct directives *d, const struct line *line)
{
	struct skep_span name = word_at(d->text, line->rest.off, line->end);
	struct skep_pp_macro *macro;
	struct skep_span body;

	if (!name.len) {
		skep_diag_add(d->pp->diag, SKEP_DIAG_DEFINE_NAME,
			      line->rest.len ? line->rest : line->name,
			      span_is(d, line->name, "define") ? "define" : "undef");
		return fail(d->pp);
	}
	if (d->pp->n_macros++ == SKEP_PP_MACROS_MAX)
		skep_diag_add(d->pp->diag, SKEP_DIAG_TOO_MANY_DEFINES, line->name,
			      SKEP_PP_MACROS_MAX);
	if (d->pp->n_macros > SKEP_PP_MACROS_MAX)
		return fail(d->pp);
	body = trim(d->text, name.off + name.len, line->end);
	macro = skep_arena_new(d->pp->arena, struct skep_pp_macro);
	*macro = (struct skep_pp_macro){
		.name = copy_span(d, name),
		.body = copy_span(d, body),
		.body_len = body.len,
		.from = line->end,
		.has_params =
			name.off + name.len < line->end && d->text[name.off + name.len] == '(',
		.is_undef = span_is(d, line->name, "undef"),
	};
	add_macro(d->pp, macro);
	return 0;
}

static int include(struct directives *d, const struct line *line)
{
	const char *text = d->pp->source->text; /* "//" in a path is no comment */
	struct skep_span rest = trim(text, line->name.off + line->name.len, line->end);
	char open = rest.len ? text[rest.off] : '\0';
	const char *close = NULL;
	struct skep_include *header;

	if (open == '<' || open == '"')
		close = memchr(text + rest.off + 1, open == '<' ? '>' : '"', rest.len - 1);
	if (!close || close == text + rest.off + 1) {
		skep_diag_add(d->pp->diag, SKEP_DIAG_INCLUDE_NAME, rest.len ? rest : line->name);
		return fail(d->pp);
	}
	header = skep_arena_new(d->pp->arena, struct skep_include);
	header->span = (struct skep_span){rest.off, close + 1 - (text + rest.off)};
	header->name = skep_arena_dup(d->pp->arena, text + rest.off + 1, header->span.len - 2);
	*d->pp->includes_tail = header;
	d->pp->includes_tail = &header->next;
	return 0;
}

/* --- #if and its kin ------------------------------------------------------------------------ */

static int condition_of(struct directives *d, const struct line *line, bool *ret)
{
	struct skep_span name;

	if (span_is(d, line->name, "if") || span_is(d, line->name, "elif"))
		return skep_pp_condition(d->pp, d->text, line->rest, ret);
	name = word_at(d->text, line->rest.off, line->end);
	if (!name.len) {
		skep_diag_add(d->pp->diag, SKEP_DIAG_DEFINE_NAME, line->name,
			      span_is(d, line->name, "ifdef") ? "ifdef" : "ifndef");
		return fail(d->pp);
	}
	*ret = !!skep_pp_find(d->pp, d->text + name.off, name.len, line->off) ==
	       span_is(d, line->name, "ifdef");
	return 0;
}

static int open_branch(struct directives *d, const struct line *line)
{
	struct branch *b = &d->branches[d->n_branches];
	bool outer = is_live(d), holds = false;
	int err = 0;

	if (d->n_branches == PP_NEST_MAX) {
		skep_diag_add(d->pp->diag, SKEP_DIAG_IF_NESTING, line->name, PP_NEST_MAX);
		fail(d->pp);
		return -E2BIG;
	}
	if (outer)
		err = condition_of(d, line, &holds);
	*b = (struct branch){
		.span = {line->off, line->name.off + line->name.len - line->off},
		.directive = copy_span(d, line->name),
		.is_live = outer && holds,
		.was_taken = holds || err, /* a bad condition: no #else either, to avoid echoes */
		.is_outer_live = outer,
	};
	d->n_branches++;
	return err;
}

static int switch_branch(struct directives *d, const struct line *line)
{
	bool is_else = span_is(d, line->name, "else"), holds = true;
	const char *name = is_else ? "else" : "elif";
	struct branch *b;

	if (!d->n_branches) {
		skep_diag_add(d->pp->diag, SKEP_DIAG_IF_MISSING, line->name, name);
		return fail(d->pp);
	}
	b = &d->branches[d->n_branches - 1];
	if (b->in_else) {
		skep_diag_add(d->pp->diag, SKEP_DIAG_ELSE_TWICE, line->name, name);
		return fail(d->pp);
	}
	b->in_else = is_else;
	if (!is_else && b->is_outer_live && !b->was_taken && condition_of(d, line, &holds))
		holds = false;
	b->is_live = b->is_outer_live && !b->was_taken && holds;
	b->was_taken = b->was_taken || b->is_live;
	return 0;
}

static int close_branch(struct directives *d, const struct line *line)
{
	if (!d->n_branches) {
		skep_diag_add(d->pp->diag, SKEP_DIAG_IF_MISSING, line->name, "endif");
		return fail(d->pp);
	}
	d->n_branches--;
	return 0;
}

/* --- lines ---------------------------------------------------------------------------------- */

static int unknown(struct directives *d, const struct line *line)
{
	const char *name = copy_span(d, line->name);

	skep_diag_add(d->pp->diag, SKEP_DIAG_DIRECTIVE,
		      line->name.len ? line->name : (struct skep_span){line->off, 1}, name);
	skep_diag_did_you_mean(d->pp->diag, name, directive_names,
			       sizeof(directive_names) / sizeof(*directive_names));
	return fail(d->pp);
}

static int say_error(struct directives *d, const struct line *line)
{
	struct skep_span rest =
		trim(d->pp->source->text, line->name.off + line->name.len, line->end);

	skep_diag_add(d->pp->diag, SKEP_DIAG_HASH_ERROR, rest.len ? rest : line->name,
		      (const char *)skep_arena_dup(d->pp->arena, d->pp->source->text + rest.off,
						   rest.len));
	return fail(d->pp);
}

static int do_line(struct directives *d, const struct line *line)
{
	if (span_is(d, line->name, "if") || span_is(d, line->name, "ifdef") ||
	    span_is(d, line->name, "ifndef"))
		return open_branch(d, line);
	if (span_is(d, line->name, "else") || span_is(d, line->name, "elif"))
		return switch_branch(d, line);
	if (span_is(d, line->name, "endif"))
		return close_branch(d, line);
	if (!is_live(d))
		return 0;
	if (span_is(d, line->name, "define") || span_is(d, line->name, "undef"))
		return define(d, line);
	if (span_is(d, line->name, "include"))
		return include(d, line);
	if (span_is(d, line->name, "error"))
		return say_error(d, line);
	if (span_is(d, line->name, "pragma") || span_is(d, line->name, "warning"))
		return 0;
	return unknown(d, line);
}

/* The end of the line from @at; a directive goes on behind a backslash. */
static uint32_t line_end(const struct directives *d, uint32_t at, bool is_directive)
{
	for (; at < d->pp->len; at++) {
		if (d->text[at] != '\n')
			continue;
		if (!is_directive || !at || d->text[at - 1] != '\\')
			break;
	}
	return at;
}

static void blank_out(struct skep_pp *pp, uint32_t from, uint32_t to)
{
	for (; from < to; from++) {
		if (pp->text[from] != '\n')
			pp->text[from] = ' ';
	}
}

/* Backslashes at line ends are blanks to everybody else. */
static void join_lines(char *text, uint32_t from, uint32_t to)
{
	for (; from + 1 < to; from++) {
		if (text[from] == '\\' && text[from + 1] == '\n')
			text[from] = text[from + 1] = ' ';
	}
}

static int walk_lines(struct directives *d, char *text)
{
	uint32_t len = d->pp->len;

	for (uint32_t at = 0; at < len;) {
		uint32_t first = at;
		bool is_directive;
		struct line line = {0};

		while (first < len && text[first] != '\n' && skep_is_space(text[first]))
			first++;
		is_directive = first < len && text[first] == '#';
		line.off = first;
		line.end = line_end(d, at, is_directive);
		if (is_directive) {
			uint32_t word = skip_blanks(text, first + 1, line.end);

			join_lines(text, first, line.end);
			line.name = word_at(text, word, line.end);
			line.rest = trim(text, word + line.name.len, line.end);
			if (do_line(d, &line) == -E2BIG)
				return -EINVAL;
		}
		if (is_directive || !is_live(d))
			blank_out(d->pp, at, line.end);
		at = line.end + 1;
	}
	return 0;
}

static void report_open(struct directives *d)
{
	for (uint32_t i = 0; i < d->n_branches; i++) {
		skep_diag_add(d->pp->diag, SKEP_DIAG_IF_OPEN, d->branches[i].span,
			      d->branches[i].directive);
		d->pp->failed = true;
	}
}

/* What a compiler for this machine, and bpftrace, would have defined. */
static void predefine(struct skep_pp *pp)
{
	static const char *const names[] = {
		"BPFTRACE_HAVE_BTF",
		"SKEP",
		"__linux__",
		"__KERNEL__",
#if defined(__x86_64__)
		"__x86_64__",
#elif defined(__aarch64__)
		"__aarch64__",
#endif
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct skep_pp_macro *macro = skep_arena_new(pp->arena, struct skep_pp_macro);

		*macro = (struct skep_pp_macro){.name = names[i], .body = "1", .body_len = 1};
		add_macro(pp, macro);
	}
}

static void blank_shebang(struct skep_pp *pp, char *text)
{
	uint32_t at = skip_blanks(text, 0, pp->len);

	if (at + 1 >= pp->len || text[at] != '#' || text[at + 1] != '!')
		return;
	while (at < pp->len && text[at] != '\n')
		text[at++] = ' ';
}

int skep_preprocess(struct skep_pp *pp, struct skep_arena *arena, const struct skep_source *source,
		    struct skep_diag *diag)
{
	char *text = skep_arena_dup(arena, source->text, source->len);
	struct directives *d = skep_arena_new(arena, struct directives);

	*pp = (struct skep_pp){
		.arena = arena,
		.source = source,
		.diag = diag,
		.len = source->len,
		.includes_tail = &pp->includes,
	};
	d->pp = pp;
	d->text = text;
	predefine(pp);
	blank_shebang(pp, text);
	skep_pp_blank_comments(pp, text, pp->len);
	pp->text = skep_arena_dup(arena, text, pp->len);
	if (!walk_lines(d, text))
		report_open(d);
	return pp->failed ? -EINVAL : 0;
}

void skep_pp_done(struct skep_pp *pp)
{
	skep_strmap_done(&pp->macros);
}

const struct skep_pp_macro *skep_pp_find(const struct skep_pp *pp, const char *name, size_t len,
					 uint32_t off)
{
	void **place = skep_strmap_get(&pp->macros, name, len);
	const struct skep_pp_macro *macro = place ? *place : NULL;

	while (macro && macro->from > off)
		macro = macro->older;
	return macro && !macro->is_undef ? macro : NULL;
}
