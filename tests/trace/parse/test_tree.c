/*
 * Scripts and the trees they become: tests/data/parse/<name>.txt has cases
 *
 *	=== what it shows
 *	script
 *	---
 *	the tree, as skep_script_print() writes it
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/fd.h"
#include "script.h"

static void check(const char *name, const char *text, size_t len, const char *want)
{
	_cleanup_buf_ struct skep_buf got = {0};
	struct script s;

	script_parse(&s, text, len);
	if (s.tree)
		skep_script_print(s.tree, &got);
	else
		skep_diag_render(&s.diag, false, &got);
	if (!s.tree || s.diag.n_items || strcmp(got.data ? got.data : "", want) != 0)
		fail_msg("%s\n%.*s--- got\n%s--- wanted\n%s", name, (int)len, text, got.data, want);
	script_done(&s);
}

/* One case, from behind its "=== "; NUL-terminated. */
static void check_case(char *at)
{
	char *script = strchr(at, '\n') + 1;
	char *rule = strstr(script, "\n---\n");

	assert_non_null(rule);
	script[-1] = rule[1] = '\0';
	check(at, script, (size_t)(rule + 1 - script), rule + 5);
}

/* Cases begin with a line "=== …"; each goes up to the next. */
static int check_file(char *text)
{
	int n = 1;

	assert_memory_equal(text, "=== ", 4);
	for (char *at = text + 4, *next; at; at = next, n++) {
		next = strstr(at, "\n=== ");
		if (!next) {
			check_case(at);
			break;
		}
		next[1] = '\0'; /* the line break stays with the tree */
		check_case(at);
		next += 5;
	}
	return n;
}

static int check_named(const char *name)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char path[512];

	snprintf(path, sizeof(path), TESTS "/data/parse/%s.txt", name);
	assert_int_equal(skep_file_read(path, 1 << 22, &text), 0);
	return check_file(text.data);
}

#define FILES(X)                                                                                   \
	X(literals, 10)                                                                            \
	X(expressions, 30)                                                                         \
	X(statements, 21)                                                                          \
	X(probes, 24)                                                                              \
	X(preprocessor, 20)                                                                        \
	X(records, 13)                                                                             \
	X(macros, 14)

#define TEST(name, least)                                                                          \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		assert_true(check_named(#name) >= least);                                          \
	}
FILES(TEST)

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ROW(name, least) cmocka_unit_test(test_##name),
		FILES(ROW)
#undef ROW
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
