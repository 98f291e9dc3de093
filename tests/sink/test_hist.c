/*
 * Histograms: labels and bars as known from bpftrace's tests, and for random
 * values that the row they are counted in says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sink/hist.h"

#define FULL "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"

/* The bucket of hist.h's definition. */
static size_t log2_bucket(int64_t value, unsigned bits)
{
	if (value < 0)
		return 0;
	if (value < 1 << bits)
		return 1 + (size_t)value;
	unsigned high = 63 - (unsigned)__builtin_clzll((uint64_t)value);
	size_t a = high - bits + 1;
	return 1 + (a << bits) + (((uint64_t)value >> (high - bits)) & ((1u << bits) - 1));
}

static void check_log2(int64_t value, unsigned bits)
{
	size_t n = ((65 - bits) << bits) + 1, i = log2_bucket(value, bits);
	uint64_t *counts = calloc(n, 8);

	assert_true(i < n);
	counts[i] = 3;
	struct skep_hist hist = skep_hist_log2(counts, n, bits, 1);
	assert_int_equal(hist.n, 1);
	const struct skep_hist_row *row = &hist.rows[0];
	assert_int_equal(row->count, 3);
	assert_int_equal(row->from.is_open, value < 0);
	if (value >= 0) {
		assert_true(row->from.value <= (uint64_t)value);
		assert_true(row->to.value > (uint64_t)value);
		/* No wider than 1/2^bits of what it holds. */
		assert_true(row->to.value - row->from.value <=
			    (row->from.value >> bits ? row->from.value >> bits : 1));
	}
	skep_hist_done(&hist);
	free(counts);
}

static void test_log2_rows_hold_their_values(void **state)
{
	uint64_t seed = 1;

	for (unsigned bits = 0; bits <= 5; bits++) {
		for (int64_t value = -2; value < 5000; value++)
			check_log2(value, bits);
		for (int i = 0; i < 5000; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			check_log2((int64_t)(seed >> (1 + (seed & 63) % 62)), bits);
		}
		check_log2(INT64_MAX, bits);
		check_log2(INT64_MIN, bits);
	}
}

static void test_linear_rows_hold_their_values(void **state)
{
	const int64_t min = -30, max = 75, step = 10;
	const size_t n = (size_t)((max - min) / step) + 2;

	for (int64_t value = -50; value < 100; value++) {
		uint64_t counts[16] = {0};
		size_t i = value < min    ? 0
			   : value >= max ? n - 1
					  : (size_t)((value - min) / step) + 1;
		counts[i] = 1;
		struct skep_hist hist = skep_hist_linear(counts, n, min, max, step);
		assert_int_equal(hist.n, 1);
		const struct skep_hist_row *row = &hist.rows[0];
		assert_true(row->from.is_open || (int64_t)row->from.value <= value);
		assert_true(row->to.is_open || (int64_t)row->to.value > value);
		assert_int_equal(row->from.is_open, value < min);
		skep_hist_done(&hist);
	}
}

static const char *text_of(const struct skep_hist *hist, struct skep_buf *buf)
{
	skep_buf_clear(buf);
	skep_hist_render(hist, buf);
	return buf->data ? buf->data : "";
}

/* The label before the first double blank. */
static void check_label(const char *text, const char *want)
{
	assert_int_equal(strncmp(text, want, strlen(want)), 0);
	assert_int_equal(text[strlen(want)], ' ');
}

static void test_log2_labels(void **state)
{
	static const struct {
		int64_t value;
		unsigned bits;
		const char *label;
	} cases[] = {
		{-1, 0, "(..., 0)"},
		{0, 0, "[0]"},
		{1, 0, "[1]"},
		{2, 0, "[2, 4)"},
		{512, 0, "[512, 1K)"},
		{1024, 0, "[1K, 2K)"},
		{1 << 19, 0, "[512K, 1M)"},
		{1ll << 33, 0, "[8G, 16G)"},
		{1ll << 40, 0, "[1T, 2T)"},
		{1ll << 50, 0, "[1P, 2P)"},
		{INT64_MAX, 0, "[4E, 8E)"},
		{3, 2, "[3]"},
		{7, 2, "[7]"},
		{8, 2, "[8, 10)"},
		{1200, 2, "[1024, 1280)"},
		{1300, 2, "[1280, 1536)"},
		{5000, 2, "[4K, 5K)"},
		{15, 3, "[15]"},
		{16, 3, "[16, 18)"},
	};
	struct skep_buf buf = {0};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t counts[2048] = {0};
		counts[log2_bucket(cases[i].value, cases[i].bits)] = 1;
		struct skep_hist hist = skep_hist_log2(counts, 2048, cases[i].bits, 0);
		check_label(text_of(&hist, &buf), cases[i].label);
		skep_hist_done(&hist);
	}
	skep_buf_done(&buf);
}

static void check_linear(const uint64_t *counts, size_t n, int64_t min, int64_t max, int64_t step,
			 const char *want)
{
	struct skep_buf buf = {0};
	struct skep_hist hist = skep_hist_linear(counts, n, min, max, step);

	assert_string_equal(text_of(&hist, &buf), want);
	skep_hist_done(&hist);
	skep_buf_done(&buf);
}

static void test_linear_labels(void **state)
{
	const uint64_t plain[] = {0, 1, 1, 0}, over[] = {0, 0, 1}, under[] = {1, 0, 0},
		       ones[] = {0, 0, 2, 0};

	/* 640000 is 625K, but the others have no such form: none is used. */
	check_linear(plain, 4, 630000, 650000, 10000,
		     "[630000, 640000)       1 |" FULL "|\n[640000, 650000)       1 |" FULL "|\n");
	check_linear(plain, 4, 0, 2048, 1024,
		     "[0, 1K)                1 |" FULL "|\n[1K, 2K)               1 |" FULL "|\n");
	check_linear(plain, 4, 1 << 20, (1 << 20) + 2048, 1024,
		     "[1M, 1025K)            1 |" FULL "|\n[1025K, 1026K)         1 |" FULL "|\n");
	check_linear(plain, 4, -2048, 0, 1024,
		     "[-2K, -1K)             1 |" FULL "|\n[-1K, 0)               1 |" FULL "|\n");
	check_linear(over, 3, 0, 100, 100, "[100, ...)             1 |" FULL "|\n");
	check_linear(under, 3, 10, 110, 100, "(..., 10)              1 |" FULL "|\n");
	check_linear(ones, 4, 0, 2, 1, "[1]                    2 |" FULL "|\n");
}

static void test_bars(void **state)
{
	uint64_t counts[] = {0, 0, 0, 1, 2, 3, 1000, 0};
	struct skep_buf buf = {0};

	struct skep_hist hist = skep_hist_log2(counts, 8, 0, 1);
	assert_string_equal(
		text_of(&hist, &buf),
		"[2, 4)                 1 |                                                    |\n"
		"[4, 8)                 2 |                                                    |\n"
		"[8, 16)                3 |                                                    |\n"
		"[16, 32)            1000 |" FULL "|\n");
	skep_hist_done(&hist);
	/* All counts divided away: no bars, no division by zero. */
	hist = skep_hist_log2(counts, 8, 0, 5000);
	assert_non_null(strstr(text_of(&hist, &buf), "[16, 32)               0 |     "));
	skep_hist_done(&hist);
	counts[3] = UINT64_MAX;
	hist = skep_hist_log2(counts, 4, 0, 1);
	assert_non_null(strstr(text_of(&hist, &buf), " 18446744073709551615 |" FULL "|\n"));
	skep_hist_done(&hist);
	skep_buf_done(&buf);
}

static void test_empty(void **state)
{
	uint64_t counts[66] = {0};
	struct skep_buf buf = {0};

	struct skep_hist hist = skep_hist_log2(counts, 66, 0, 1);
	assert_string_equal(text_of(&hist, &buf), "");
	skep_hist_json(&hist, &buf);
	assert_string_equal(buf.data, "[]");
	skep_hist_done(&hist);
	skep_buf_done(&buf);
}

static void test_json(void **state)
{
	uint64_t counts[66] = {[0] = 1, [1] = 1, [64] = 2}, linear[] = {1, 0, 1};
	struct skep_buf buf = {0};

	struct skep_hist hist = skep_hist_log2(counts, 66, 0, 1);
	skep_hist_json(&hist, &buf);
	static const char start[] =
		"[{\"max\": -1, \"count\": 1},{\"min\": 0, \"max\": 0, \"count\": 1},";
	assert_int_equal(strncmp(buf.data, start, strlen(start)), 0);
	assert_non_null(strstr(buf.data, "{\"min\": 4611686018427387904, "
					 "\"max\": \"9223372036854775807\", \"count\": 2}]"));
	skep_hist_done(&hist);
	skep_buf_clear(&buf);
	hist = skep_hist_linear(linear, 3, -10, 0, 10);
	skep_hist_json(&hist, &buf);
	assert_string_equal(buf.data, "[{\"max\": -11, \"count\": 1},{\"min\": -10, \"max\": -1, "
				      "\"count\": 0},{\"min\": 0, \"count\": 1}]");
	skep_hist_done(&hist);
	skep_buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log2_rows_hold_their_values),
		cmocka_unit_test(test_linear_rows_hold_their_values),
		cmocka_unit_test(test_log2_labels),
		cmocka_unit_test(test_linear_labels),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
