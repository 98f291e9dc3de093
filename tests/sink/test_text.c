/* Numbers, quantities, columns and JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "sink/columns.h"
#include "sink/jsonw.h"
#include "sink/number.h"
#include "sink/units.h"

static void check_number(uint64_t value)
{
	struct skep_buf buf = {0};
	char want[128], room[SKEP_DIGITS_MAX];

	skep_sink_u64(&buf, value);
	skep_buf_addc(&buf, ' ');
	skep_sink_s64(&buf, (int64_t)value);
	skep_buf_addc(&buf, ' ');
	skep_sink_hex(&buf, value);
	skep_buf_addc(&buf, ' ');
	char *octal = skep_sink_digits_pow2(room, value, 3, false);
	skep_buf_add(&buf, octal, (size_t)(room + sizeof(room) - octal));
	snprintf(want, sizeof(want), "%" PRIu64 " %" PRId64 " %" PRIx64 " %" PRIo64, value,
		 (int64_t)value, value, value);
	assert_string_equal(buf.data, want);
	skep_buf_done(&buf);
}

static void test_numbers(void **state)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		for (uint64_t d = 0; d < 5; d++) {
			check_number((1ull << bit) - 2 + d);
			check_number(~(1ull << bit) - 2 + d);
		}
	}
	for (uint64_t power = 1, i = 0; i < 20; i++, power *= 10) {
		check_number(power - 1);
		check_number(power);
	}
}

/* Quoted exactly when a double is another number. */
static void test_json_numbers(void **state)
{
	for (unsigned bit = 40; bit < 63; bit++) {
		for (int64_t d = -3; d < 4; d++) {
			int64_t value = (int64_t)(1ull << bit) + d;
			bool same = (int64_t)(double)value == value;
			struct skep_buf buf = {0};
			skep_sink_json_s64(&buf, -value);
			assert_int_equal(buf.data[0] == '"', !same);
			skep_buf_clear(&buf);
			skep_sink_json_u64(&buf, (uint64_t)value);
			assert_int_equal(buf.data[0] == '"', !same);
			skep_buf_done(&buf);
		}
	}
}

static void check_text(struct skep_buf *buf, const char *want)
{
	assert_string_equal(buf->data, want);
	skep_buf_clear(buf);
}

static void test_units(void **state)
{
	static const struct {
		void (*print)(struct skep_buf *, uint64_t);
		uint64_t value;
		const char *want;
	} cases[] = {
		{skep_sink_bytes, 0, "0 B"},
		{skep_sink_bytes, 1023, "1023 B"},
		{skep_sink_bytes, 1536, "1.50 KiB"},
		{skep_sink_bytes, 21797011456, "20.3 GiB"},
		{skep_sink_bytes, UINT64_MAX, "15.9 EiB"},
		{skep_sink_count, 999, "999"},
		{skep_sink_count, 1234, "1.23k"},
		{skep_sink_count, 45600000, "45.6M"},
		{skep_sink_count, UINT64_MAX, "18.4E"},
		{skep_sink_duration, 0, "0 ns"},
		{skep_sink_duration, 850, "850 ns"},
		{skep_sink_duration, 1250, "1.25 us"},
		{skep_sink_duration, 12500000, "12.5 ms"},
		{skep_sink_duration, 3200000000, "3.20 s"},
		{skep_sink_duration, 245000000000, "4m05s"},
		{skep_sink_duration, 7380000000000, "2h03m"},
		{skep_sink_duration, 446400000000000, "5d04h"},
	};
	struct skep_buf buf = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cases[i].print(&buf, cases[i].value);
		check_text(&buf, cases[i].want);
	}
	skep_sink_percent(&buf, 1, 8);
	check_text(&buf, "12.5%");
	skep_sink_percent(&buf, 5, 0);
	check_text(&buf, "0.0%");
	skep_sink_percent(&buf, UINT64_MAX, UINT64_MAX);
	check_text(&buf, "100.0%");
	skep_buf_done(&buf);
}

static void test_columns(void **state)
{
	struct skep_columns table;
	struct skep_buf buf = {0};

	skep_columns_init(&table, 3, "lrl");
	skep_columns_add(&table, "NAME", -1);
	skep_columns_add(&table, "RUNS", -1);
	skep_columns_add(&table, "WHY", -1);
	skep_columns_add(&table, "caf\xc3\xa9\n", -1);
	skep_columns_u64(&table, 1234567);
	skep_columns_add(&table, "", -1);
	skep_columns_add(&table, "x", -1);
	skep_columns_render(&table, &buf);
	check_text(&buf, "NAME      RUNS  WHY\ncaf\xc3\xa9?  1234567\nx\n");
	table.max_width = 4;
	skep_columns_render(&table, &buf);
	check_text(&buf, "NAME  RUNS  WHY\ncaf\xe2\x80\xa6  123\xe2\x80\xa6\nx\n");
	skep_columns_done(&table);
	skep_columns_init(&table, 1, "l");
	skep_columns_render(&table, &buf);
	assert_int_equal(buf.len, 0);
	skep_columns_done(&table);
	skep_buf_done(&buf);
}

static void test_json(void **state)
{
	volatile double zero = 0;
	struct skep_buf buf = {0};
	struct skep_jsonw w = {.buf = &buf};

	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "type");
	skep_jsonw_string(&w, "a\"b");
	skep_jsonw_key(&w, "list");
	skep_jsonw_open(&w, '[');
	skep_jsonw_u64(&w, 1);
	skep_jsonw_s64(&w, -2);
	skep_jsonw_open(&w, '{');
	skep_jsonw_close(&w);
	skep_jsonw_bool(&w, true);
	skep_jsonw_null(&w);
	skep_jsonw_double(&w, 0.25);
	skep_jsonw_double(&w, 0.0 / zero);
	skep_jsonw_close(&w);
	skep_jsonw_key(&w, "nested");
	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "x");
	skep_jsonw_bytes(&w, "\xff", 1);
	skep_jsonw_close(&w);
	skep_jsonw_close(&w);
	assert_int_equal(w.depth, 0);
	check_text(&buf, "{\"type\": \"a\\\"b\", \"list\": [1,-2,{},true,null,0.25,null], "
			 "\"nested\": {\"x\": \"\xef\xbf\xbd\"}}");
	skep_buf_done(&buf);
}

static void test_padding(void **state)
{
	struct skep_buf buf = {0};

	skep_buf_puts(&buf, "a:");
	skep_sink_u64(&buf, 5);
	skep_sink_pad(&buf, 2, 4, false, '0');
	check_text(&buf, "a:0005");
	skep_buf_puts(&buf, "xyz");
	skep_sink_pad(&buf, 0, 5, true, ' ');
	skep_sink_pad(&buf, 0, 2, false, ' ');
	check_text(&buf, "xyz  ");
	skep_buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_json_numbers),
		cmocka_unit_test(test_units),   cmocka_unit_test(test_columns),
		cmocka_unit_test(test_json),    cmocka_unit_test(test_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
