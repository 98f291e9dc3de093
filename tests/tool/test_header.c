/* Headers that are as they should be, and one of each kind that is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "tool/header.h"

struct reading {
	struct skep_arena arena;
	struct skep_source source;
	struct skep_diag diag;
	struct skep_tool_header header;
	int err;
};

static struct reading *read_text(const char *text)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	skep_arena_init(&reading->arena);
	reading->source = (struct skep_source){"small.bt", text, strlen(text)};
	reading->diag.source = &reading->source;
	reading->err = skep_tool_header_read(&reading->arena, &reading->source, &reading->header,
					     &reading->diag);
	return reading;
}

static void done(struct reading *reading)
{
	skep_diag_done(&reading->diag);
	skep_arena_done(&reading->arena);
	free(reading);
}

static void everything(void **state)
{
	struct reading *reading = read_text("#!/usr/bin/env -S skep tool\n"
					    "/*\n"
					    " * small: a tool: with all\n"
					    " *\n"
					    " * unsafe: it sets fire\n"
					    " *   to the house\n"
					    " * filter: pid cgroup\n"
					    " * option: -x --exact     without\n"
					    " *   rounding\n"
					    " * option: --type=a|b  of which\n"
					    " * argument: TIMES  how many\n"
					    " * argument: NAME…=nobody  of whom\n"
					    " * alias: tiny --exact --type=b  the same\n"
					    " * example: small -x\n"
					    " *   exact,\n"
					    " *   more or less\n"
					    " * shows: What\n"
					    " *\n"
					    " *   it was given.\n"
					    " * caveats: Many.\n"
					    " */\n"
					    "begin {}");
	const struct skep_tool_header *h = &reading->header;

	assert_int_equal(reading->err, 0);
	assert_string_equal(h->name, "small");
	assert_string_equal(h->summary, "a tool: with all");
	assert_string_equal(h->unsafe, "it sets fire to the house");
	assert_true(h->has_script);
	assert_int_equal(h->filters, 1u << SKEP_TOOL_FILTER_PID | 1u << SKEP_TOOL_FILTER_CGROUP);
	assert_int_equal(h->n_options, 2);
	assert_int_equal(h->options[0].short_name, 'x');
	assert_string_equal(h->options[0].name, "exact");
	assert_null(h->options[0].arg);
	assert_string_equal(h->options[0].help, "without rounding");
	assert_int_equal(h->options[1].short_name, 0);
	assert_string_equal(h->options[1].choices, "a|b");
	assert_int_equal(h->n_arguments, 2);
	assert_null(h->arguments[0].fallback);
	assert_string_equal(h->arguments[1].name, "NAME");
	assert_string_equal(h->arguments[1].fallback, "nobody");
	assert_true(h->arguments[1].takes_rest);
	assert_int_equal(h->n_aliases, 1);
	assert_string_equal(h->aliases[0].words, "--exact --type=b");
	assert_string_equal(h->aliases[0].summary, "the same");
	assert_string_equal(h->examples[0].command, "small -x");
	assert_string_equal(h->examples[0].words, "exact, more or less");
	assert_string_equal(h->paragraphs[SKEP_TOOL_SHOWS], "What it was given.");
	assert_null(h->paragraphs[SKEP_TOOL_HOW]);
	assert_string_equal(h->paragraphs[SKEP_TOOL_CAVEATS], "Many.");
	done(reading);
}

static void only_a_title(void **state)
{
	struct reading *reading = read_text("/* small: one line */\n\n");

	assert_int_equal(reading->err, 0);
	assert_string_equal(reading->header.summary, "one line");
	assert_false(reading->header.has_script);
	assert_null(reading->header.unsafe);
	assert_int_equal(reading->header.n_options, 0);
	done(reading);
}

static void nothing_for_a_terminal(void **state)
{
	struct reading *reading = read_text("/* small: red \x1b[31m text */");

	assert_string_equal(reading->header.summary, "red ?[31m text");
	done(reading);
}

static const struct {
	const char *lines;
	enum skep_diag_id id;
	const char *said;
} refused[] = {
	{"begin {}", SKEP_DIAG_TOOL_NONE, "it does not begin with a comment"},
	{"", SKEP_DIAG_TOOL_NONE, "it does not begin with a comment"},
	{"#!x", SKEP_DIAG_TOOL_NONE, "it does not begin with a comment"},
	{"/* small: no", SKEP_DIAG_TOOL_NONE, "its first comment has no end"},
	{"/**/", SKEP_DIAG_TOOL_NONE, "its first comment is empty"},
	{"/* Some words: of mine */", SKEP_DIAG_TOOL_NONE, "is not NAME: SUMMARY"},
	{"/* small: */", SKEP_DIAG_TOOL_NONE, "is not NAME: SUMMARY"},
	{"/* a\n * small: x */", SKEP_DIAG_TOOL_NONE, "is not NAME: SUMMARY"},
	{"/* s: t\n * optoin: --x  y */", SKEP_DIAG_TOOL_SECTION, "no section optoin"},
	{"/* s: t\n * words */", SKEP_DIAG_TOOL_SECTION, "no section words"},
	{"/*\n *    s: t */", SKEP_DIAG_TOOL_SECTION, "no section s: t"},
	{"/* s: t\n * filter: pid gid */", SKEP_DIAG_TOOL_FILTER, "cannot filter by gid"},
	{"/* s: t\n * filter: */", SKEP_DIAG_TOOL_WRITTEN, "a filter is written"},
	{"/* s: t\n * option: -x  y */", SKEP_DIAG_TOOL_WRITTEN, "an option is written"},
	{"/* s: t\n * option: --x */", SKEP_DIAG_TOOL_WRITTEN, "an option is written"},
	{"/* s: t\n * option: --x=  y */", SKEP_DIAG_TOOL_WRITTEN, "an option is written"},
	{"/* s: t\n * option: --X  y */", SKEP_DIAG_TOOL_WRITTEN, "an option is written"},
	{"/* s: t\n * option: --x  y\n * option: --x  y */", SKEP_DIAG_TOOL_TWICE, "--x is there"},
	{"/* s: t\n * option: -x --y  y\n * option: -x --z  y */", SKEP_DIAG_TOOL_TWICE, "-x is"},
	{"/* s: t\n * argument: x  y */", SKEP_DIAG_TOOL_WRITTEN, "an argument is written"},
	{"/* s: t\n * argument: …  y */", SKEP_DIAG_TOOL_WRITTEN, "an argument is written"},
	{"/* s: t\n * argument: A  y\n * argument: A  y */", SKEP_DIAG_TOOL_TWICE, "A is there"},
	{"/* s: t\n * argument: A…  y\n * argument: B  y */", SKEP_DIAG_TOOL_REST, "argument B"},
	{"/* s: t\n * argument: A=1  y\n * argument: B  y */", SKEP_DIAG_TOOL_DEFAULT,
	 "argument B"},
	{"/* s: t\n * alias: u  y */", SKEP_DIAG_TOOL_WRITTEN, "an alias is written"},
	{"/* s: t\n * alias: u --x y */", SKEP_DIAG_TOOL_WRITTEN, "an alias is written"},
	{"/* s: t\n * example: s -x\n * how: x */", SKEP_DIAG_TOOL_WRITTEN,
	 "an example is written"},
	{"/* s: t\n * how:\n */", SKEP_DIAG_TOOL_WRITTEN, "a paragraph is written"},
	{"/* s: t\n * how: a\n * how: b */", SKEP_DIAG_TOOL_TWICE, "how is there twice"},
	{"/* s: t\n * how: a\n * shows: b */", SKEP_DIAG_TOOL_ORDER, "shows stands behind how"},
};

static void each_mistake_has_its_message(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct reading *reading = read_text(refused[i].lines);

		print_message("%s\n", refused[i].lines);
		assert_int_equal(reading->err, -EINVAL);
		assert_int_equal(reading->diag.n_items, 1);
		assert_int_equal(reading->diag.items[0].id, refused[i].id);
		assert_non_null(strstr(reading->diag.items[0].what, refused[i].said));
		done(reading);
	}
}

static void a_mistake_has_its_place(void **state)
{
	struct reading *reading = read_text("/*\n * small: x\n * optoin: --x  y\n */");
	_cleanup_buf_ struct skep_buf out = {0};

	skep_diag_render(&reading->diag, false, &out);
	assert_non_null(strstr(out.data, "--> small.bt:3:4"));
	assert_non_null(strstr(out.data, "did you mean option?"));
	done(reading);
}

/* The text of @n sections, each with a name of its own. */
static void write_many(struct skep_buf *out, const char *before, int n, char letter)
{
	skep_buf_clear(out);
	skep_buf_puts(out, "/* s: t\n");
	for (int i = 0; i < n; i++)
		skep_buf_printf(out, " * %s%c%c%c  x\n * \n", before, letter, letter + i / 26,
				letter + i % 26);
	skep_buf_puts(out, "*/");
}

static void check_bound(const char *before, int most, char letter)
{
	_cleanup_buf_ struct skep_buf text = {0};

	write_many(&text, before, most, letter);
	struct reading *reading = read_text(text.data);
	assert_int_equal(reading->err, 0);
	done(reading);
	write_many(&text, before, most + 1, letter);
	reading = read_text(text.data);
	assert_int_equal(reading->err, -EINVAL);
	assert_int_equal(reading->diag.items[0].id, SKEP_DIAG_TOOL_MANY);
	done(reading);
}

static void numbers_are_bounded(void **state)
{
	check_bound("option: --", SKEP_TOOL_OPTIONS_MOST, 'a');
	check_bound("argument: ", SKEP_TOOL_ARGUMENTS_MOST, 'A');
	check_bound("alias: x --", SKEP_TOOL_ALIASES_MOST, 'a');
	check_bound("example: s\n *   ", SKEP_TOOL_EXAMPLES_MOST, 'a');
}

static void a_comment_is_bounded(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "/* s: ");
	skep_buf_fill(&text, 'x', 100000);
	skep_buf_puts(&text, " */");
	struct reading *reading = read_text(text.data);
	assert_int_equal(reading->diag.items[0].id, SKEP_DIAG_TOOL_NONE);
	assert_non_null(strstr(reading->diag.items[0].what, "longer than 64 KiB"));
	done(reading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything),
		cmocka_unit_test(only_a_title),
		cmocka_unit_test(nothing_for_a_terminal),
		cmocka_unit_test(each_mistake_has_its_message),
		cmocka_unit_test(a_mistake_has_its_place),
		cmocka_unit_test(numbers_are_bounded),
		cmocka_unit_test(a_comment_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
