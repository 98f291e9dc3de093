/*
 * Every wrong script of tests/data/errors/types.txt gives exactly the messages
 * written above it, at those places. A first line of "//unsafe" allows unsafe
 * functions, "//params" gives the parameters 1 and abc.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../errors_data.h"
#include "script.h"

struct tally {
	int n, n_wrong;
};

static void run(const struct errors_case *c, void *arg)
{
	static const char *const params[] = {"1", "abc"};
	struct tally *tally = arg;
	char *text = strndup(c->script, c->script_len);
	bool has_params = !strncmp(text, "//params\n", 9);
	bool is_unsafe = !strncmp(text, "//unsafe\n", 9);
	struct script s;

	script_check(&s, text, params, has_params ? 2 : 0, is_unsafe);
	tally->n++;
	tally->n_wrong += !errors_data_match(c, &s.diag);
	script_done(&s);
	free(text);
}

static void wrong_scripts_are_told_so(void **state)
{
	struct tally tally = {0};

	(void)state;
	assert_true(errors_data_each(ERRORS_FILE, run, &tally) >= 200);
	assert_int_equal(tally.n_wrong, 0);
}

static void assert_fails(const char *text, const char *id)
{
	struct script s;

	assert_int_equal(script_check(&s, text, NULL, 0, false), -EINVAL);
	assert_string_equal(skep_diag_code(s.diag.items[0].id), id);
	script_done(&s);
}

static void without_btf_the_reason_is_given(void **state)
{
	(void)state;
	setenv("SKEP_BTF_PATH", "/no/such/file", 1);
	assert_fails("kprobe:f { @x = curtask->pid; }", "T0071");
	assert_fails("kprobe:f { @x = ((struct file *)arg0)->f_mode; }", "T0059");
	unsetenv("SKEP_BTF_PATH");
}

static void arguments_may_be_unknown(void **state)
{
	(void)state;
	assert_fails("tracepoint:test:nothing { @x = args.fd; }", "T0081");
}

static void suggestions_are_near(void **state)
{
	static const struct {
		const char *text, *hint;
	} rows[] = {
		{"BEGIN { @x = pidd; }", "did you mean pid?"},
		{"BEGIN { prinntf(\"x\"); }", "did you mean printf?"},
		{"BEGIN { $count = 1; @x = $cuont; }", "did you mean $count?"},
		{"tracepoint:test:a { @x = args.filenam; }", "did you mean filename?"},
		{"config = { max_strlenn=64 } BEGIN { exit(); }", "did you mean max_strlen?"},
		{"BEGIN { @x = strlen; }", "it is a function: strlen(…)"},
	};
	struct script s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script_check(&s, rows[i].text, NULL, 0, false);
		assert_int_equal(s.diag.n_items, 1);
		assert_string_equal(s.diag.items[0].hint, rows[i].hint);
		script_done(&s);
	}
}

static void both_places_of_a_mismatch_are_named(void **state)
{
	struct script s;

	(void)state;
	script_check(&s, "BEGIN { @x[pid] = 1; }\nprofile:hz:9 { @x[comm] = 2; }", NULL, 0, false);
	assert_int_equal(s.diag.n_items, 1);
	assert_string_equal(s.diag.items[0].why, "elsewhere it is uint64 (line 1, column 12)");
	script_done(&s);
}

/* One place of several has other arguments: the error is that place's, and is given once. */
static void errors_of_one_place_are_given_once(void **state)
{
	struct script s;

	(void)state;
	script_check(&s,
		     "tracepoint:test:a, tracepoint:test:other, tracepoint:test:other2\n"
		     "{ $s = -5; @x = args.count / $s; }",
		     NULL, 0, false);
	assert_int_equal(s.diag.n_errors, 1);
	assert_int_equal(s.diag.n_items, 2);
	assert_string_equal(skep_diag_code(s.diag.items[0].id), "T0054");
	assert_string_equal(skep_diag_code(s.diag.items[1].id), "T0060");
	script_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_scripts_are_told_so),
		cmocka_unit_test(without_btf_the_reason_is_given),
		cmocka_unit_test(arguments_may_be_unknown),
		cmocka_unit_test(suggestions_are_near),
		cmocka_unit_test(both_places_of_a_mismatch_are_named),
		cmocka_unit_test(errors_of_one_place_are_given_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
