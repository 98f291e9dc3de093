/* Tables: order by any column, numbers as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "watch/table.h"

static const struct skep_column columns[] = {
	{"NAME", "name", SKEP_UNIT_TEXT, 4, 0},
	{"N", "n", SKEP_UNIT_COUNT, 4, 0},
};

static void fill(struct skep_shown *shown, struct skep_table *table)
{
	static const struct {
		const char *name;
		double n;
	} rows[] = {{"b", 2}, {"a", NAN}, {"d", 7}, {"c", 2}};

	for (size_t i = 0; i < 4; i++) {
		skep_row_text(shown, table, rows[i].name, 8);
		skep_row_number(table, rows[i].n);
	}
}

static void check_order(const struct skep_table *table, const char *names)
{
	assert_int_equal(skep_table_n_rows(table), strlen(names));
	for (uint32_t row = 0; names[row]; row++)
		assert_int_equal(skep_table_cell(table, row, 0)->text[0], names[row]);
}

static void test_sorting(void **state)
{
	struct skep_arena arena;
	struct skep_shown shown = {.arena = &arena};

	skep_arena_init(&arena);
	struct skep_table *table = skep_shown_add_table(&shown, "t", "t", columns, 2);
	skep_table_sort(table, 0);
	check_order(table, "");
	fill(&shown, table);
	check_order(table, "badc");
	skep_table_sort(table, 1); /* greatest first, what is not known last, alike as they came */
	check_order(table, "dbca");
	skep_table_sort(table, 0);
	check_order(table, "abcd");
	skep_table_sort(table, 5);
	check_order(table, "abcd");
	skep_shown_done(&shown);
	skep_arena_done(&arena);
}

static void check_text(enum skep_unit unit, double number, const char *want)
{
	_cleanup_buf_ struct skep_buf buf = {0};

	skep_unit_text(unit, number, &buf);
	assert_string_equal(buf.data, want);
}

static void test_units(void **state)
{
	check_text(SKEP_UNIT_RATE, 0, "0");
	check_text(SKEP_UNIT_RATE, 0.25, "0.25");
	check_text(SKEP_UNIT_RATE, 9.994, "9.99");
	check_text(SKEP_UNIT_RATE, 9.996, "10.0");
	check_text(SKEP_UNIT_RATE, 123.4, "123");
	check_text(SKEP_UNIT_RATE, 999.4, "999");
	check_text(SKEP_UNIT_RATE, 999.6, "999");
	check_text(SKEP_UNIT_RATE, 12345, "12.3k");
	check_text(SKEP_UNIT_COUNT, 7, "7");
	check_text(SKEP_UNIT_NUMBER, 1234567, "1234567");
	check_text(SKEP_UNIT_PERCENT, 99.96, "100.0%");
	check_text(SKEP_UNIT_BYTES, 1536, "1.50 KiB");
	check_text(SKEP_UNIT_NS, 2100000, "2.10 ms");
	check_text(SKEP_UNIT_NS, NAN, "-");
}

static void test_facts_say_what_is_a_second(void **state)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	struct skep_fact rate = {.title = "forks", .unit = SKEP_UNIT_RATE, .number = 12};
	struct skep_fact size = {.title = " free", .unit = SKEP_UNIT_BYTES, .number = 1024};

	skep_fact_text(&rate, &buf);
	skep_fact_text(&size, &buf);
	assert_string_equal(buf.data, "forks 12.0/s free 1.00 KiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorting),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_facts_say_what_is_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
