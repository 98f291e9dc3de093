/* Rows by key: what a plain array of pairs would hold, whatever is done with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "watch/rows.h"

#define KEYS 5000

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static bool is_even(void *ctx, const void *key, void *value)
{
	return *(const uint64_t *)key % 2 == 0;
}

static void test_sums_are_found_again(void **state)
{
	static uint64_t sums[KEYS];
	struct skep_rows rows;
	uint64_t seed = 1;

	skep_rows_init(&rows, 8, 16);
	for (int i = 0; i < 50000; i++) {
		uint64_t key = next(&seed) % KEYS, n = next(&seed);
		uint64_t *words = skep_rows_at(&rows, &key);
		words[0]++;
		words[1] += n;
		sums[key] += n;
	}
	for (uint64_t key = 0; key < KEYS; key++) {
		const uint64_t *words = skep_rows_find(&rows, &key);
		assert_int_equal(words ? words[1] : 0, sums[key]);
	}
	assert_int_equal(skep_rows_sum(&rows, 0), 50000);
	skep_rows_keep(&rows, is_even, NULL);
	for (uint64_t key = 0; key < KEYS; key++)
		assert_int_equal(skep_rows_find(&rows, &key) != NULL, key % 2 == 0 && sums[key]);
	skep_rows_clear(&rows);
	assert_null(skep_rows_find(&rows, &(uint64_t){2}));
	assert_int_equal(rows.n, 0);
	skep_rows_done(&rows);
}

static void test_rows_are_added_by_key(void **state)
{
	struct skep_rows a, b;

	skep_rows_init(&a, 8, 8);
	skep_rows_init(&b, 8, 8);
	*(uint64_t *)skep_rows_at(&a, &(uint64_t){1}) = 10;
	*(uint64_t *)skep_rows_at(&b, &(uint64_t){1}) = 5;
	*(uint64_t *)skep_rows_at(&b, &(uint64_t){2}) = 7;
	skep_rows_add(&a, &b);
	assert_int_equal(*(uint64_t *)skep_rows_find(&a, &(uint64_t){1}), 15);
	assert_int_equal(*(uint64_t *)skep_rows_find(&a, &(uint64_t){2}), 7);
	skep_rows_done(&a);
	skep_rows_done(&b);
}

static void test_a_key_of_no_bytes_has_one_row(void **state)
{
	struct skep_rows rows;

	skep_rows_init(&rows, 0, 8);
	assert_null(skep_rows_find(&rows, ""));
	*(uint64_t *)skep_rows_at(&rows, "") += 2;
	*(uint64_t *)skep_rows_at(&rows, "") += 3;
	assert_int_equal(rows.n, 1);
	assert_int_equal(skep_rows_sum(&rows, 0), 5);
	skep_rows_done(&rows);
}

static void test_order_is_by_the_words_asked_for(void **state)
{
	static const uint64_t values[][2] = {{1, 9}, {5, 5}, {3, 1}};
	struct skep_rows rows;

	skep_rows_init(&rows, 8, 16);
	for (uint64_t i = 0; i < 3; i++)
		memcpy(skep_rows_at(&rows, &i), values[i], 16);
	_cleanup_free_ uint32_t *first = skep_rows_sorted(&rows, 1);
	_cleanup_free_ uint32_t *both = skep_rows_sorted(&rows, 3);
	assert_int_equal(first[0], 1);
	assert_int_equal(first[1], 2);
	assert_int_equal(first[2], 0);
	/* 10 and 10: then by key */
	assert_int_equal(both[0], 0);
	assert_int_equal(both[1], 1);
	assert_int_equal(both[2], 2);
	skep_rows_done(&rows);
}

static void test_rows_over_the_limit_are_counted(void **state)
{
	struct skep_rows rows;

	skep_rows_init(&rows, 8, 8);
	for (uint64_t key = 0; key < SKEP_ROWS_MOST; key++)
		assert_non_null(skep_rows_at(&rows, &key));
	assert_null(skep_rows_at(&rows, &(uint64_t){SKEP_ROWS_MOST}));
	assert_non_null(skep_rows_at(&rows, &(uint64_t){7}));
	assert_int_equal(rows.n_refused, 1);
	skep_rows_done(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums_are_found_again),
		cmocka_unit_test(test_rows_are_added_by_key),
		cmocka_unit_test(test_a_key_of_no_bytes_has_one_row),
		cmocka_unit_test(test_order_is_by_the_words_asked_for),
		cmocka_unit_test(test_rows_over_the_limit_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
