/*
 * Aggregates whose keys are known when compiling: which they are, and that they count as hashes
 * do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "compiled.h"

struct row {
	const char *body, *expected; /* what @x then is */
	enum skep_storage storage;
};

static void check(const struct row *row)
{
	_cleanup_buf_ struct skep_buf script = {0};
	struct compiled c;

	skep_buf_printf(&script, "BEGIN { %s }", row->body);
	compiled_run(&c, script.data);
	assert_int_equal(compiled_find(&c, "@x")->storage, row->storage);
	const char *got = compiled_map(&c, "@x");
	if (strcmp(got, row->expected) != 0)
		fail_msg("%s\n  gives: %s  not:   %s", row->body, got, row->expected);
	compiled_done(&c);
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&rows[i]);
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#define LOOP(n, body)    "$i = 0; while ($i < " #n ") { " body " $i++; }"

static void test_known(void **state)
{
	static const struct row rows[] = {
		{"@x[\"a\"] = count(); @x[\"b\"] = count(); @x[\"a\"] = count();",
		 "@x[b]: 1\n@x[a]: 2\n", SKEP_STORE_CHOICE},
		{"@x[7] = sum(5); @x[-3] = sum(0); if (pid == 0) { @x[8] = sum(1); }",
		 "@x[-3]: 0\n@x[7]: 5\n", SKEP_STORE_CHOICE},
		{LOOP(6, "@x[$i == 0 ? \"a\" : $i < 3 ? \"longer\" : \"b\"] = count();"),
		 "@x[a]: 1\n@x[longer]: 2\n@x[b]: 3\n", SKEP_STORE_CHOICE},
		{LOOP(4, "@x[$i & 1 ? \"odd\" : \"even\", $i < 3, 9] = max($i);"),
		 "@x[odd, true, 9]: 1\n@x[even, true, 9]: 2\n@x[odd, false, 9]: 3\n",
		 SKEP_STORE_CPU_HASH},
		{LOOP(4, "@x[$i & 1 ? \"odd\" : \"even\", $i < 3 ? 1 : 0, 9] = sum($i);"),
		 "@x[odd, 1, 9]: 1\n@x[even, 1, 9]: 2\n@x[odd, 0, 9]: 3\n", SKEP_STORE_CHOICE},
		{"@x[{ $y = 5; $y > 4 ? \"more\" : \"less\" }] = avg(4);", "@x[more]: 4\n",
		 SKEP_STORE_CHOICE},
		{"@x[\"same\"] = min(4); @x[\"same\"] = min(3); @x[\"none\"] = min(9);",
		 "@x[same]: 3\n@x[none]: 9\n", SKEP_STORE_CHOICE},
		{"@x[\"h\", \"i\"] = hist(3); @x[\"h\", pid > 0 ? \"j\" : \"k\"] = hist(1);",
		 "@x[h, i]:\n"
		 "[2, 4)                 1 "
		 "|@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n\n"
		 "@x[h, j]:\n"
		 "[1]                    1 "
		 "|@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n\n",
		 SKEP_STORE_CHOICE},
	};

	CHECK_ROWS(rows);
}

/* Several numbers have no name, and so the same key. */
static void test_calls(void **state)
{
	static const struct row rows[] = {
		{"@x[syscall_name(1)] = count(); @x[syscall_name(0)] = count(); "
		 "@x[syscall_name(pid + 100000000)] = count(); @x[syscall_name(100000)] = count(); "
		 "@x[syscall_name(-1)] = count(); @x[\"unknown\"] = count(); "
		 "@x[pid ? syscall_name(1) : \"\"] = count();",
#if defined(__x86_64__)
		 "@x[read]: 1\n@x[write]: 2\n@x[unknown]: 4\n",
#else
		 "@x[io_destroy]: 2\n@x[io_setup]: 1\n@x[unknown]: 4\n",
#endif
		 SKEP_STORE_CHOICE},
	};

	CHECK_ROWS(rows);
}

/* What is looked at by itself, or of which more than constants are a key. */
static void test_others(void **state)
{
	static const struct row rows[] = {
		{"@x[\"a\"] = count(); @y = @x[\"a\"];", "@x[a]: 1\n", SKEP_STORE_CPU_HASH},
		{"@x[\"a\"] = count(); delete(@x[\"a\"]);", "", SKEP_STORE_CPU_HASH},
		{"@x[\"a\"] = count(); delete(@x, \"a\");", "", SKEP_STORE_CPU_HASH},
		{"@x[\"a\"] = count(); @y = has_key(@x, \"a\");", "@x[a]: 1\n",
		 SKEP_STORE_CPU_HASH},
		{"@x[\"a\"] = count(); @y = len(@x);", "@x[a]: 1\n", SKEP_STORE_CPU_HASH},
		{"@x[\"a\"] = count(); for ($kv : @x) { @y = $kv.0; }", "@x[a]: 1\n",
		 SKEP_STORE_CPU_HASH},
		{"@x[\"a\"] = count(); $b = \"b\"; @x[$b] = count(); @x[$b] = count();",
		 "@x[a]: 1\n@x[b]: 2\n", SKEP_STORE_CPU_HASH},
		{"@x[\"a\"] = count(); @x[probetype] = count(); @x[probetype] = count();",
		 "@x[a]: 1\n@x[special]: 2\n", SKEP_STORE_CPU_HASH},
		{"@x[\"a\"] = 5;", "@x[a]: 5\n", SKEP_STORE_HASH},
		{"@x[1, 2, 3, 4, 5] = count();", "@x[1, 2, 3, 4, 5]: 1\n", SKEP_STORE_CPU_HASH},
		{"@x[syscall_name(1), syscall_name(pid) == \"\" ? 1 : 2, 3] = hist(1); "
		 "clear(@x);",
		 "@x[write, 2, 3]:\n"
		 "[1]                    1 "
		 "|@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n\n",
		 SKEP_STORE_CPU_HASH},
	};

	CHECK_ROWS(rows);
}

static void check_script(const char *script, const char *expected, enum skep_storage storage)
{
	struct compiled c;

	compiled_run(&c, script);
	assert_int_equal(compiled_find(&c, "@x")->storage, storage);
	assert_string_equal(compiled_map(&c, "@x"), expected);
	compiled_done(&c);
}

/* Options decide which of them there are; limits of the script's are kept. */
static void test_options(void **state)
{
	check_script("BEGIN { if (getopt(\"all\")) { @x[comm] = count(); } else { @x[\"all\"] = "
		     "count(); } }",
		     "@x[all]: 1\n", SKEP_STORE_CHOICE);
	check_script("BEGIN { @x[getopt(\"all\") ? comm : \"all\", getopt(\"n\", 3)] = count(); }",
		     "@x[all, 3]: 1\n", SKEP_STORE_CHOICE);
	check_script("config = { max_map_keys = 2 } BEGIN { @x[\"a\"] = count(); "
		     "@x[\"b\"] = count(); if (pid == 0) { @x[\"c\"] = count(); } }",
		     "@x[a]: 1\n@x[b]: 1\n", SKEP_STORE_CPU_HASH);
	check_script("let @x = percpuhash(5); BEGIN { @x[\"a\"] = count(); }", "@x[a]: 1\n",
		     SKEP_STORE_CPU_HASH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
