/* Histograms: each bucket holds its own values, and percentiles are those of the values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "watch/snapshot.h"

#include "watch/histogram.h"

static void test_buckets_hold_their_values(void **state)
{
	for (unsigned bits = 0; bits <= 2; bits++) {
		for (uint64_t value = 0; value < 100000; value++) {
			uint32_t bucket = skep_histogram_bucket(value, bits);
			assert_true(skep_histogram_from(bucket, bits) <= value);
			assert_true(skep_histogram_from(bucket + 1, bits) > value);
		}
		for (unsigned shift = 17; shift < 63; shift++) {
			uint32_t bucket = skep_histogram_bucket(3ull << (shift - 1), bits);
			assert_true(skep_histogram_from(bucket, bits) <= 3ull << (shift - 1));
			assert_true(bucket < (uint32_t)((65 - bits) << bits) + 1);
		}
	}
}

static struct skep_histogram of_values(uint64_t *counts, const uint64_t *values, uint32_t n)
{
	memset(counts, 0, SKEP_HIST_FINE * sizeof(*counts));
	for (uint32_t i = 0; i < n; i++)
		counts[skep_histogram_bucket(values[i], SKEP_HIST_FINE_BITS)]++;
	return (struct skep_histogram){
		.counts = counts, .n = SKEP_HIST_FINE, .bits = SKEP_HIST_FINE_BITS};
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Within a bucket, which is a quarter of its value wide at most. */
static void test_percentiles_are_near_the_values(void **state)
{
	static uint64_t values[10000], counts[SKEP_HIST_FINE];
	static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999};
	uint64_t seed = 7;

	for (size_t i = 0; i < 10000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		values[i] = (seed >> 33) % (1 + (i % 7) * 10000);
	}
	struct skep_histogram h = of_values(counts, values, 10000);
	qsort(values, 10000, sizeof(*values), by_value);
	assert_int_equal(skep_histogram_total(&h), 10000);
	for (size_t i = 0; i < 5; i++) {
		double is = skep_histogram_percentile(&h, shares[i], 10000);
		double should = (double)values[(size_t)(shares[i] * 10000) - 1];
		assert_true(fabs(is - should) <= should * 0.26 + 1);
	}
}

static void test_what_is_not_in_it_is_below_it(void **state)
{
	static uint64_t counts[SKEP_HIST_FINE];
	uint64_t values[] = {1000, 1000};
	struct skep_histogram h = of_values(counts, values, 2);

	/* Of 1000 values 998 are less than all in the histogram. */
	assert_true(skep_histogram_percentile(&h, 0.99, 1000) == 0);
	assert_true(skep_histogram_percentile(&h, 0.999, 1000) >= 896);
	assert_true(skep_histogram_percentile(&h, 0.5, 2) >= 896);
}

static void test_over_counts_whole_buckets_exactly(void **state)
{
	static uint64_t counts[SKEP_HIST_FINE];
	uint64_t values[] = {1, 100, 10240, 10240, 99999};
	struct skep_histogram h = of_values(counts, values, 5);

	assert_int_equal(skep_histogram_over(&h, 10240), 3);
	assert_int_equal(skep_histogram_over(&h, 1 << 20), 0);
	assert_int_equal(skep_histogram_over(&h, 2), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_hold_their_values),
		cmocka_unit_test(test_percentiles_are_near_the_values),
		cmocka_unit_test(test_what_is_not_in_it_is_below_it),
		cmocka_unit_test(test_over_counts_whole_buckets_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
