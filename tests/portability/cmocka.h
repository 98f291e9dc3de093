/*
 * The little of cmocka that the tests of the machine use, for targets that have
 * no cmocka library: the first check that fails ends the program.
 */
#ifndef TESTS_PORTABILITY_CMOCKA_H
#define TESTS_PORTABILITY_CMOCKA_H

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

static inline int run_tests(const struct CMUnitTest *tests, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("[ RUN      ] %s\n", tests[i].name);
		fflush(stdout);
		tests[i].run(NULL);
		printf("[       OK ] %s\n", tests[i].name);
	}
	printf("[==========] %zu test(s) run.\n[  PASSED  ] %zu test(s).\n", n, n);
	return 0;
}
#define cmocka_run_group_tests_name(group, tests, setup, teardown)                                 \
	run_tests(tests, sizeof(tests) / sizeof(*(tests)))

#endif
