/* What an interval has named already: by address, process and kind; and its bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/impl.h"

#define MANY 20000
#define MOST 100000

static void test_each_once(void **state)
{
	struct skep_named_set set = {0};
	bool is_new;

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < MANY; i++) {
			struct skep_named *named = skep_named_find(&set, SKEP_NAMED_INSTRUCTION,
								   i * 16, i % 7, &is_new);
			assert_int_equal(is_new, !round);
			assert_int_equal(named->at, round ? i + 1 : 0);
			named->at = i + 1;
		}
	}
	assert_int_equal(set.n, MANY);
	skep_named_done(&set);
	assert_int_equal(set.n, 0);
}

static void test_what_tells_them_apart(void **state)
{
	struct skep_named_set set = {0};
	bool is_new;

	skep_named_find(&set, SKEP_NAMED_INSTRUCTION, 0, 0, &is_new)->at = 1;
	assert_true(is_new);
	skep_named_find(&set, SKEP_NAMED_RETURN, 0, 0, &is_new)->at = 2;
	assert_true(is_new);
	skep_named_find(&set, SKEP_NAMED_STACK, 0, 0, &is_new)->at = 3;
	assert_true(is_new);
	skep_named_find(&set, SKEP_NAMED_INSTRUCTION, 0, 1, &is_new)->at = 4;
	assert_true(is_new);
	assert_int_equal(skep_named_find(&set, SKEP_NAMED_INSTRUCTION, 0, 0, &is_new)->at, 1);
	assert_int_equal(skep_named_find(&set, SKEP_NAMED_RETURN, 0, 0, &is_new)->at, 2);
	assert_int_equal(skep_named_find(&set, SKEP_NAMED_STACK, 0, 0, &is_new)->at, 3);
	assert_int_equal(skep_named_find(&set, SKEP_NAMED_INSTRUCTION, 0, 1, &is_new)->at, 4);
	assert_false(is_new);
	skep_named_clear(&set);
	assert_int_equal(skep_named_find(&set, SKEP_NAMED_STACK, 0, 0, &is_new)->at, 0);
	assert_true(is_new);
	skep_named_done(&set);
}

/* It is forgotten, not wrong, beyond its bound. */
static void test_bound(void **state)
{
	struct skep_named_set set = {0};
	bool is_new;

	for (uint32_t i = 0; i < MOST; i++) {
		struct skep_named *named = skep_named_find(&set, SKEP_NAMED_RETURN, i, 5, &is_new);
		assert_true(is_new);
		assert_int_equal(named->at, 0);
		named->at = 1;
		assert_true(set.cap <= 1u << 16);
	}
	skep_named_find(&set, SKEP_NAMED_RETURN, MOST - 1, 5, &is_new);
	assert_false(is_new);
	skep_named_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_what_tells_them_apart),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
