/*
 * Reads a tool's header: the first comment's lines become sections ("option: …" and the lines that
 * go on with it), and each kind of section has a function that understands it (kinds).
 *
 * The bytes may be anybody's: lengths and numbers are bounded, and no text leaves here with
 * characters that a terminal would act on.
 */
#include "tool/header.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"

#define COMMENT_MOST (64 << 10)
#define NAME_MOST    31

/* One section as it is gathered. */
struct section {
	const struct kind *kind; /* NULL: none yet */
	struct skep_span span;   /* of its first line */
	struct skep_buf first, more;
};

struct reader {
	struct skep_arena *arena;
	const struct skep_source *source;
	struct skep_diag *diag;
	size_t at, end; /* what is left of the comment */
	struct section section;
	struct skep_tool_header header;
};

struct kind {
	const char *name;
	int (*take)(struct reader *r);
	bool once;
	int paragraph;
};

static const char *const paragraph_names[] = {
	[SKEP_TOOL_SHOWS] = "shows",
	[SKEP_TOOL_HOW] = "how",
	[SKEP_TOOL_OVERHEAD] = "overhead",
	[SKEP_TOOL_CAVEATS] = "caveats",
};

const char *skep_tool_paragraph_name(enum skep_tool_paragraph paragraph)
{
	return paragraph_names[paragraph];
}

/* --- Words ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* The length of the word at @at, which ends at a blank. */
static size_t word_len(const char *at)
{
	return strcspn(at, " \t");
}

/* Letters, digits, '-' and '_', of which the first is a letter; as long as a name may be. */
static bool is_name(const char *text, size_t len, int (*is_letter)(int))
{
	if (!len || len > NAME_MOST || !is_letter((unsigned char)text[0]))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (!is_letter(c) && !isdigit(c) && c != '-' && c != '_')
			return false;
	}
	return true;
}

static char *keep(struct reader *r, const char *text, size_t len)
{
	return skep_arena_dup(r->arena, text, len);
}

/* The section's text in one line. */
static char *whole(struct reader *r)
{
	const struct section *s = &r->section;

	if (!s->more.len)
		return skep_arena_strdup(r->arena, s->first.data ? s->first.data : "");
	return skep_arena_printf(r->arena, "%s%s%s", s->first.len ? s->first.data : "",
				 s->first.len ? " " : "", s->more.data);
}

static int wrong(struct reader *r, const char *what, const char *how)
{
	return skep_diag_fail(r->diag, -EINVAL, SKEP_DIAG_TOOL_WRITTEN, r->section.span, what, how);
}

static int too_many(struct reader *r, unsigned most)
{
	return skep_diag_fail(r->diag, -EINVAL, SKEP_DIAG_TOOL_MANY, r->section.span, most,
			      r->section.kind->name);
}

static int twice(struct reader *r, const char *what)
{
	return skep_diag_fail(r->diag, -EINVAL, SKEP_DIAG_TOOL_TWICE, r->section.span, what);
}

/* --- The kinds of sections ------------------------------------------------------------------- */

static int take_title(struct reader *r)
{
	const char *text = whole(r), *colon = strchr(text, ':');

	if (!colon || !is_name(text, (size_t)(colon - text), islower) || !skip_blanks(colon + 1)[0])
		return skep_diag_fail(r->diag, -EINVAL, SKEP_DIAG_TOOL_NONE, r->section.span,
				      "the first line of its comment is not NAME: SUMMARY");
	r->header.name = keep(r, text, (size_t)(colon - text));
	r->header.summary = skip_blanks(colon + 1);
	return 0;
}

/* A sentence that others begin: no capital, no stop. */
static int take_unsafe(struct reader *r)
{
	const char *text = whole(r);

	if (!text[0] || text[strlen(text) - 1] == '.')
		return wrong(r, "what is unsafe",
			     "unsafe: what it does to the machine, without a full stop");
	r->header.unsafe = text;
	return 0;
}

static int take_filter(struct reader *r)
{
	static const char *const names[] = {
#define FILTER(id, word, ...) word,
#include "tool/filters.def"
#undef FILTER
	};

	for (const char *at = whole(r); *(at = skip_blanks(at)); at += word_len(at)) {
		uint32_t found = SKEP_TOOL_FILTER_CNT;
		for (uint32_t i = 0; i < SKEP_TOOL_FILTER_CNT; i++) {
			if (strlen(names[i]) == word_len(at) &&
			    !strncmp(names[i], at, word_len(at)))
				found = i;
		}
		if (found == SKEP_TOOL_FILTER_CNT)
			return skep_diag_fail(r->diag, -EINVAL, SKEP_DIAG_TOOL_FILTER,
					      r->section.span, keep(r, at, word_len(at)));
		r->header.filters |= 1u << found;
	}
	return r->header.filters ? 0 : wrong(r, "a filter", "filter: pid tid uid comm cgroup");
}

/* "-x --failed  help", "--least=MS  help", "--type=ext4|xfs  help" */
static bool parse_option(struct reader *r, const char *at, struct skep_tool_option *ret)
{
	if (at[0] == '-' && isalnum((unsigned char)at[1]) && is_blank(at[2])) {
		ret->short_name = at[1];
		at = skip_blanks(at + 2);
	}
	if (strncmp(at, "--", 2))
		return false;
	at += 2;
	size_t len = word_len(at), name_len = strcspn(at, "= \t");
	if (!is_name(at, name_len, islower))
		return false;
	ret->name = keep(r, at, name_len);
	ret->help = keep(r, skip_blanks(at + len), strlen(skip_blanks(at + len)));
	if (name_len < len) {
		ret->arg = keep(r, at + name_len + 1, len - name_len - 1);
		ret->choices = strchr(ret->arg, '|') ? ret->arg : NULL;
	}
	return ret->help[0] && (!ret->arg || ret->arg[0]);
}

static int take_option(struct reader *r)
{
	struct skep_tool_header *h = &r->header;
	struct skep_tool_option option = {0};

	if (!parse_option(r, whole(r), &option))
		return wrong(r, "an option", "-x --long  help, or --long=VALUE  help");
	for (uint32_t i = 0; i < h->n_options; i++) {
		if (!strcmp(h->options[i].name, option.name))
			return twice(r, skep_arena_printf(r->arena, "--%s", option.name));
		if (option.short_name && h->options[i].short_name == option.short_name)
			return twice(r, skep_arena_printf(r->arena, "-%c", option.short_name));
	}
	if (h->n_options == SKEP_TOOL_OPTIONS_MOST)
		return too_many(r, SKEP_TOOL_OPTIONS_MOST);
	h->options[h->n_options++] = option;
	return 0;
}

/* "COUNT=0  help", "FUNCTION…  help" */
static bool parse_argument(struct reader *r, const char *at, struct skep_tool_argument *ret)
{
	static const char more[] = "…";
	size_t len = word_len(at), name_len = strcspn(at, "= \t");
	size_t bare_len = name_len;

	if (name_len > strlen(more) && !strncmp(at + name_len - strlen(more), more, strlen(more))) {
		ret->takes_rest = true;
		bare_len -= strlen(more);
	}
	if (!is_name(at, bare_len, isupper))
		return false;
	ret->name = keep(r, at, bare_len);
	if (name_len < len)
		ret->fallback = keep(r, at + name_len + 1, len - name_len - 1);
	ret->help = keep(r, skip_blanks(at + len), strlen(skip_blanks(at + len)));
	return ret->help[0];
}

static int take_argument(struct reader *r)
{
	struct skep_tool_header *h = &r->header;
	struct skep_tool_argument argument = {0};
	const struct skep_tool_argument *last =
		h->n_arguments ? &h->arguments[h->n_arguments - 1] : NULL;

	if (!parse_argument(r, whole(r), &argument))
		return wrong(r, "an argument", "NAME=DEFAULT  help, NAME  help, or NAME…  help");
	if (h->n_arguments == SKEP_TOOL_ARGUMENTS_MOST)
		return too_many(r, SKEP_TOOL_ARGUMENTS_MOST);
	for (uint32_t i = 0; i < h->n_arguments; i++) {
		if (!strcmp(h->arguments[i].name, argument.name))
			return twice(r, argument.name);
	}
	if (last && last->takes_rest)
		return skep_diag_fail(r->diag, -EINVAL, SKEP_DIAG_TOOL_REST, r->section.span,
				      argument.name, last->name);
	if (last && last->fallback && !argument.fallback)
		return skep_diag_fail(r->diag, -EINVAL, SKEP_DIAG_TOOL_DEFAULT, r->section.span,
				      argument.name, last->name);
	h->arguments[h->n_arguments++] = argument;
	return 0;
}

/* "ext4dist --type=ext4  time of ext4's operations": two blanks end the options. */
static int take_alias(struct reader *r)
{
	struct skep_tool_header *h = &r->header;
	const char *text = whole(r), *options = skip_blanks(text + word_len(text));
	const char *end = strstr(options, "  ");

	if (!is_name(text, word_len(text), islower) || !end || strncmp(options, "--", 2) ||
	    !skip_blanks(end)[0])
		return wrong(r, "an alias", "NAME --option=VALUE  summary");
	if (h->n_aliases == SKEP_TOOL_ALIASES_MOST)
		return too_many(r, SKEP_TOOL_ALIASES_MOST);
	h->aliases[h->n_aliases++] =
		(struct skep_tool_alias){.name = keep(r, text, word_len(text)),
					 .words = keep(r, options, (size_t)(end - options)),
					 .summary = skip_blanks(end)};
	return 0;
}

static int take_example(struct reader *r)
{
	struct skep_tool_header *h = &r->header;
	struct section *s = &r->section;

	if (!s->first.len || !s->more.len)
		return wrong(r, "an example", "a command, and under it, indented, what it does");
	if (h->n_examples == SKEP_TOOL_EXAMPLES_MOST)
		return too_many(r, SKEP_TOOL_EXAMPLES_MOST);
	h->examples[h->n_examples++] =
		(struct skep_tool_example){.command = skep_arena_strdup(r->arena, s->first.data),
					   .words = skep_arena_strdup(r->arena, s->more.data)};
	return 0;
}

static int take_paragraph(struct reader *r)
{
	const char *text = whole(r);

	if (!text[0])
		return wrong(r, "a paragraph",
			     "NAME: text, and more of it in lines that are indented");
	r->header.paragraphs[r->section.kind->paragraph] = text;
	return 0;
}

/* Their order is that of the header. The title is none that can be named. */
static const struct kind title = {"", take_title, true, -1};

static const struct kind kinds[] = {
	{"unsafe", take_unsafe, true, -1},
	{"filter", take_filter, true, -1},
	{"option", take_option, false, -1},
	{"argument", take_argument, false, -1},
	{"alias", take_alias, false, -1},
	{"example", take_example, false, -1},
	{"shows", take_paragraph, true, SKEP_TOOL_SHOWS},
	{"how", take_paragraph, true, SKEP_TOOL_HOW},
	{"overhead", take_paragraph, true, SKEP_TOOL_OVERHEAD},
	{"caveats", take_paragraph, true, SKEP_TOOL_CAVEATS},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* --- Lines become sections ------------------------------------------------------------------- */

static int finish(struct reader *r)
{
	return r->section.kind ? r->section.kind->take(r) : 0;
}

static const struct kind *find_kind(const char *name, size_t len)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		if (strlen(kinds[i].name) == len && !strncmp(kinds[i].name, name, len))
			return &kinds[i];
	}
	return NULL;
}

static int no_section(struct reader *r, struct skep_span span, const char *line, size_t len)
{
	_cleanup_buf_ struct skep_buf name = {0};
	const char *names[N_KINDS];

	for (size_t i = 0; i < N_KINDS; i++)
		names[i] = kinds[i].name;
	skep_buf_add_printable(&name, line, len > NAME_MOST ? NAME_MOST : len);
	skep_diag_add(r->diag, SKEP_DIAG_TOOL_SECTION, span, name.len ? name.data : "");
	skep_diag_try(r->diag, "a line that goes on with the one above it is indented by two more");
	if (r->diag)
		skep_diag_did_you_mean(r->diag, name.len ? name.data : "", names, N_KINDS);
	return -EINVAL;
}

/* Is @next where it may be? */
static int check_place(struct reader *r, const struct kind *next, struct skep_span span)
{
	const struct kind *last = r->section.kind;

	if (last == &title || next > last || (next == last && !next->once))
		return 0;
	return skep_diag_fail(r->diag, -EINVAL,
			      next == last ? SKEP_DIAG_TOOL_TWICE : SKEP_DIAG_TOOL_ORDER, span,
			      next->name, last->name);
}

/* A line that begins a section: "option: …", or the title. */
static int begin(struct reader *r, const char *line, size_t len, struct skep_span span)
{
	bool is_first = !r->section.kind;
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : len;
	const struct kind *kind = is_first ? &title : find_kind(line, name_len);
	int err = finish(r);

	if (err)
		return err;
	if (!kind || !colon)
		return is_first ? skep_diag_fail(
					  r->diag, -EINVAL, SKEP_DIAG_TOOL_NONE, span,
					  "the first line of its comment is not NAME: SUMMARY")
				: no_section(r, span, line, name_len);
	if (!is_first && (err = check_place(r, kind, span)))
		return err;
	skep_buf_clear(&r->section.first);
	skep_buf_clear(&r->section.more);
	r->section.kind = kind;
	r->section.span = span;
	size_t skip = is_first ? 0 : name_len + 1;
	while (skip < len && is_blank(line[skip]))
		skip++;
	skep_buf_add_printable(&r->section.first, line + skip, len - skip);
	return 0;
}

/* A line that goes on with the section. */
static int go_on(struct reader *r, const char *line, size_t len, struct skep_span span)
{
	if (!r->section.kind)
		return no_section(r, span, line, len);
	if (r->section.more.len)
		skep_buf_addc(&r->section.more, ' ');
	skep_buf_add_printable(&r->section.more, line, len);
	return 0;
}

/* One line of the comment, without its star and the blank behind it. */
static int take_line(struct reader *r, size_t at, size_t end)
{
	const char *text = r->source->text;
	size_t indent = 0;

	while (at < end && is_blank(text[at]))
		at++;
	at += at < end && text[at] == '*';
	while (end > at && isspace((unsigned char)text[end - 1]))
		end--;
	while (at < end && is_blank(text[at])) {
		at++;
		indent++;
	}
	struct skep_span span = {(uint32_t)at, (uint32_t)(end - at)};
	if (at == end)
		return 0;
	return indent >= 3 ? go_on(r, text + at, end - at, span)
			   : begin(r, text + at, end - at, span);
}

static int take_lines(struct reader *r)
{
	int err = 0;

	while (!err && r->at < r->end) {
		const char *text = r->source->text;
		const char *line_end = memchr(text + r->at, '\n', r->end - r->at);
		size_t end = line_end ? (size_t)(line_end - text) : r->end;
		err = take_line(r, r->at, end);
		r->at = end + 1;
	}
	return err ? err : finish(r);
}

/* --- The comment ----------------------------------------------------------------------------- */

/* Behind blanks, and behind a line "#!…" that names who runs the file. */
static size_t find_start(const struct skep_source *source)
{
	size_t at = 0;

	if (source->len > 2 && !memcmp(source->text, "#!", 2)) {
		const char *end = memchr(source->text, '\n', source->len);
		at = end ? (size_t)(end - source->text) : source->len;
	}
	while (at < source->len && isspace((unsigned char)source->text[at]))
		at++;
	return at;
}

static int find_comment(struct reader *r)
{
	const char *text = r->source->text;
	size_t at = find_start(r->source), left = r->source->len - at;

	if (left < 4 || memcmp(text + at, "/*", 2))
		return skep_diag_fail(r->diag, -EINVAL, SKEP_DIAG_TOOL_NONE, SKEP_NOWHERE,
				      "it does not begin with a comment");
	const char *end = memmem(text + at + 2, left - 2, "*/", 2);
	if (!end || end - (text + at) > COMMENT_MOST)
		return skep_diag_fail(r->diag, -EINVAL, SKEP_DIAG_TOOL_NONE,
				      (struct skep_span){(uint32_t)at, 2},
				      end ? "its first comment is longer than 64 KiB"
					  : "its first comment has no end");
	r->at = at + 2;
	r->end = (size_t)(end - text);
	return 0;
}

static bool has_script(const struct skep_source *source, size_t at)
{
	while (at < source->len && isspace((unsigned char)source->text[at]))
		at++;
	return at < source->len;
}

int skep_tool_header_read(struct skep_arena *arena, const struct skep_source *source,
			  struct skep_tool_header *ret, struct skep_diag *diag)
{
	struct reader r = {.arena = arena, .source = source, .diag = diag};
	int err = find_comment(&r);
	size_t comment_end = r.end;

	if (!err)
		err = take_lines(&r);
	if (!err && !r.header.name)
		err = skep_diag_fail(diag, -EINVAL, SKEP_DIAG_TOOL_NONE, SKEP_NOWHERE,
				     "its first comment is empty");
	r.header.has_script = !err && has_script(source, comment_end + strlen("*/"));
	if (!err)
		*ret = r.header;
	skep_buf_done(&r.section.first);
	skep_buf_done(&r.section.more);
	return err;
}
