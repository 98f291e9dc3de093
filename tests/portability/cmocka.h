/*
 * The little of cmocka that the tests of the machine use, for targets that have
 * no cmocka library: the first check that fails ends the program, a test that
 * is skipped is left.
 */
#ifndef TESTS_PORTABILITY_CMOCKA_H
#define TESTS_PORTABILITY_CMOCKA_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
};

#define cmocka_unit_test(function)                                                                 \
	{                                                                                          \
		.name = #function, .run = (function)                                               \
	}
#define print_message(...) printf(__VA_ARGS__)
#define print_error(...)   printf(__VA_ARGS__)
#define fail_msg(...)                                                                              \
	do {                                                                                       \
		printf("%s:%d: ", __FILE__, __LINE__);                                             \
		printf(__VA_ARGS__);                                                               \
		printf("\n");                                                                      \
		exit(1);                                                                           \
	} while (0)
#define check_or_fail(ok, what)                                                                    \
	do {                                                                                       \
		if (!(ok))                                                                         \
			fail_msg("%s", what);                                                      \
	} while (0)
#define assert_true(value)            check_or_fail(value, #value)
#define assert_false(value)           check_or_fail(!(value), "not " #value)
#define assert_null(value)            check_or_fail((value) == NULL, #value " is not NULL")
#define assert_non_null(value)        check_or_fail((value) != NULL, #value " is NULL")
#define assert_string_equal(a, b)     check_or_fail(!strcmp(a, b), #a " differs from " #b)
#define assert_string_not_equal(a, b) check_or_fail(strcmp(a, b), #a " is " #b)
#define assert_int_equal(a, b)                                                                     \
	do {                                                                                       \
		unsigned long long a_ = (unsigned long long)(a), b_ = (unsigned long long)(b);     \
		if (a_ != b_)                                                                      \
			fail_msg("%s is %#llx, not %#llx", #a, a_, b_);                            \
	} while (0)

#define assert_in_range(value, low, high)                                                          \
	check_or_fail((value) >= (low) && (value) <= (high), #value " is out of range")
#define assert_memory_equal(a, b, n)     check_or_fail(!memcmp(a, b, n), #a " differs from " #b)
#define assert_int_not_equal(a, b)       check_or_fail((a) != (b), #a " is " #b)
#define assert_ptr_equal(a, b)           check_or_fail((a) == (b), #a " is not " #b)
#define assert_ptr_not_equal(a, b)       check_or_fail((a) != (b), #a " is " #b)
#define assert_return_code(result, code) check_or_fail((result) >= 0, #result " failed")

static jmp_buf after_test;

static inline void skip(void)
{
	longjmp(after_test, 1);
}

static inline bool run_test(const struct CMUnitTest *test)
{
	printf("[ RUN      ] %s\n", test->name);
	fflush(stdout);
	if (setjmp(after_test)) {
		printf("[  SKIPPED ] %s\n", test->name);
		return false;
	}
	test->run(NULL);
	printf("[       OK ] %s\n", test->name);
	return true;
}

typedef int test_fixture(void **state);

static inline int run_tests(const struct CMUnitTest *tests, size_t n, test_fixture *setup,
			    test_fixture *teardown)
{
	size_t passed = 0;

	if (setup && setup(NULL))
		fail_msg("%s", "the setup failed");
	for (size_t i = 0; i < n; i++)
		passed += run_test(&tests[i]);
	if (teardown && teardown(NULL))
		fail_msg("%s", "the teardown failed");
	printf("[==========] %u test(s) run.\n[  PASSED  ] %u test(s).\n", (unsigned)n,
	       (unsigned)passed);
	if (passed < n)
		printf("[  SKIPPED ] %u test(s).\n", (unsigned)(n - passed));
	return 0;
}
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
	run_tests(tests, sizeof(tests) / sizeof(*(tests)), setup, teardown)
#define cmocka_run_group_tests_name(group, tests, setup, teardown)                                 \
	cmocka_run_group_tests(tests, setup, teardown)

#endif
