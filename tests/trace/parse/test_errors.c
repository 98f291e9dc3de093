/*
 * Mistakes and what is said about them: tests/data/errors/parse.txt, and those
 * that are too large or too odd for a file.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "script.h"
#include "../errors_data.h"

static void run_case(const struct errors_case *c, void *arg)
{
	struct script s;
	int *n_bad = arg;

	script_parse(&s, c->script, c->script_len);
	if (!errors_data_match(c, &s.diag) || !c->n || s.err != -EINVAL || s.tree)
		++*n_bad;
	for (size_t i = 0; i < s.diag.n_items; i++) {
		const struct skep_span span = s.diag.items[i].span;

		assert_true(span.off <= c->script_len && span.len <= c->script_len - span.off);
	}
	script_done(&s);
}

static void test_file(void **state)
{
	int n_bad = 0;

	assert_true(errors_data_each(TESTS "/data/errors/parse.txt", run_case, &n_bad) > 150);
	assert_int_equal(n_bad, 0);
}

/* --- limits ---------------------------------------------------------------------------------- */

static void check(const struct skep_buf *text, int err, enum skep_diag_id id)
{
	struct script s;

	script_parse(&s, text->data, text->len);
	assert_int_equal(s.err, err);
	assert_null(s.tree);
	assert_true(s.diag.n_items > 0);
	assert_string_equal(skep_diag_code(s.diag.items[0].id), skep_diag_code(id));
	script_done(&s);
}

static void check_fine(const struct skep_buf *text)
{
	struct script s;

	script_parse(&s, text->data, text->len);
	assert_int_equal(s.err, 0);
	assert_int_equal(s.diag.n_items, 0);
	script_done(&s);
}

static void repeat(struct skep_buf *buf, const char *text, uint32_t n)
{
	for (; n; n--)
		skep_buf_puts(buf, text);
}

/* "before", n × "open", "middle", n × "close", "after" */
static void nest(struct skep_buf *buf, const char *const *parts, uint32_t n)
{
	skep_buf_clear(buf);
	skep_buf_puts(buf, parts[0]);
	repeat(buf, parts[1], n);
	skep_buf_puts(buf, parts[2]);
	repeat(buf, parts[3], n);
	skep_buf_puts(buf, parts[4]);
}

static void test_size(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "BEGIN { }");
	skep_buf_fill(&text, '\n', (1 << 20) - text.len);
	check_fine(&text);
	skep_buf_addc(&text, '\n');
	check(&text, -E2BIG, SKEP_DIAG_TEXT_SIZE);
}

static void test_nul(void **state)
{
	struct skep_buf text = {.data = (char *)"BEGIN { \0 }", .len = 11};

	check(&text, -EINVAL, SKEP_DIAG_TEXT_NUL);
}

static void test_empty(void **state)
{
	struct skep_buf text = {.data = (char *)""};

	check(&text, -EINVAL, SKEP_DIAG_NO_PROBE);
}

static void test_nesting(void **state)
{
	static const char *const shapes[][5] = {
		{"BEGIN { $x = ", "(", "1", ")", " }"},
		{"BEGIN { $x = ", "~", "1", "", " }"},
		{"BEGIN { $x = ", "(uint8)", "1", "", " }"},
		{"BEGIN { $x = ", "f(", "1", ")", " }"},
		{"BEGIN { $x = ", "@m[", "1", "]", " }"},
		{"BEGIN { $x = ", "$a[", "1", "]", " }"},
		{"BEGIN { $x = ", "1 ? 2 : ", "1", "", " }"},
		{"BEGIN { $x = ", "{ ", "1", " }", " }"},
		{"BEGIN ", "{", "", "}", ""},
		{"BEGIN { ", "if (1) {", "", "}", " }"},
		{"BEGIN { if (1) { }", " else if (1) { }", "", "", " }"},
		{"BEGIN { ", "while (1) {", "", "}", " }"},
		{"struct s { ", "struct { ", "int x;", "} x;", " }; BEGIN { }"},
	};
	_cleanup_buf_ struct skep_buf text = {0};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		nest(&text, shapes[i], 90);
		check_fine(&text);
		nest(&text, shapes[i], 5000);
		check(&text, -E2BIG, SKEP_DIAG_NESTING);
	}
}

/* Trees grow deep without nesting, too. */
static void test_depth(void **state)
{
	static const char *const shapes[][5] = {
		{"BEGIN { $x = 1", " + 1", "", "", " }"},
		{"BEGIN { $x = $s", ".a", "", "", " }"},
		{"BEGIN { $x = $s", "[0]", "", "", " }"},
		{"kprobe:f /1", " || 1", "", "", "/ { }"},
	};
	_cleanup_buf_ struct skep_buf text = {0};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		nest(&text, shapes[i], SKEP_TREE_MAX - 10);
		check_fine(&text);
		nest(&text, shapes[i], 100000);
		check(&text, -E2BIG, SKEP_DIAG_NESTING);
	}
}

static void test_if_nesting(void **state)
{
	static const char *const shape[] = {"", "#if 1\n", "BEGIN { }\n", "#endif\n", ""};
	_cleanup_buf_ struct skep_buf text = {0};

	nest(&text, shape, 64);
	check_fine(&text);
	nest(&text, shape, 65);
	check(&text, -EINVAL, SKEP_DIAG_IF_NESTING);
}

/* Each #define holds the one before twice: 2^40 tokens. */
static void test_define_explosion(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "#define A0 +1\n");
	for (int i = 1; i < 20; i++)
		skep_buf_printf(&text, "#define A%d A%d A%d A%d A%d\n", i, i - 1, i - 1, i - 1,
				i - 1);
	skep_buf_puts(&text, "BEGIN { print(1 A19) }");
	check(&text, -E2BIG, SKEP_DIAG_TOO_MANY_TOKENS);
}

static void test_define_depth(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "#define A0 1\n");
	for (int i = 1; i < 100; i++)
		skep_buf_printf(&text, "#define A%d A%d\n", i, i - 1);
	skep_buf_puts(&text, "BEGIN { print(A20); print(A99) }");
	check(&text, -EINVAL, SKEP_DIAG_DEFINE_DEPTH);
}

static void test_many_defines(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	repeat(&text, "#define A 1\n", 1025);
	skep_buf_puts(&text, "BEGIN { }");
	check(&text, -EINVAL, SKEP_DIAG_TOO_MANY_DEFINES);
}

static void test_many_probes(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	repeat(&text, "kprobe:f,", 16384);
	skep_buf_puts(&text, "{ }");
	check_fine(&text);
	text.len -= 3;
	skep_buf_puts(&text, "kprobe:f { }");
	check(&text, -E2BIG, SKEP_DIAG_TOO_MANY_PROBES);
}

/* Each macro calls the one before twice. */
static void test_macro_explosion(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "macro m0(x) { x + x }\n");
	for (int i = 1; i < 30; i++)
		skep_buf_printf(&text, "macro m%d(x) { m%d(x) + m%d(x) }\n", i, i - 1, i - 1);
	skep_buf_puts(&text, "BEGIN { $a = m4(1) }\n");
	check_fine(&text);
	skep_buf_puts(&text, "BEGIN { $a = m29(1) }\n");
	check(&text, -E2BIG, SKEP_DIAG_MACRO_SIZE);
}

static void test_macro_params(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_puts(&text, "macro m(a0");
	for (int i = 1; i < 65; i++)
		skep_buf_printf(&text, ", a%d", i);
	skep_buf_puts(&text, ") { 1 } BEGIN { }");
	check(&text, -EINVAL, SKEP_DIAG_MACRO_PARAMS);
}

/* After 20 messages nobody reads on. */
static void test_many_errors(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct script s;

	skep_buf_puts(&text, "BEGIN {");
	repeat(&text, " print(1 2);", 100);
	skep_buf_puts(&text, " }");
	script_parse(&s, text.data, text.len);
	assert_int_equal(s.err, -EINVAL);
	assert_int_equal(s.diag.n_items, 20);
	script_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),         cmocka_unit_test(test_size),
		cmocka_unit_test(test_nul),          cmocka_unit_test(test_empty),
		cmocka_unit_test(test_nesting),      cmocka_unit_test(test_depth),
		cmocka_unit_test(test_if_nesting),   cmocka_unit_test(test_define_explosion),
		cmocka_unit_test(test_define_depth), cmocka_unit_test(test_many_defines),
		cmocka_unit_test(test_many_probes),  cmocka_unit_test(test_macro_explosion),
		cmocka_unit_test(test_macro_params), cmocka_unit_test(test_many_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
