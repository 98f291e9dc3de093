/*
 * What a verification may take, and what is reported of it: limits of time, instructions and memory
 * end it with an errno and a name of their own.
 */
#include "alone.h"

#include <errno.h>

/* Some 400,000 instructions, each round another state. */
static const char long_loop[] =
	"r0 = 0\nagain:\nr0 += 1\nif r0 < 200000 goto again\nr0 = 0\nexit\n";

static void refused(const struct skep_verify_opts *opts, int err, const char *name)
{
	struct skep_verify_report report;

	assert_int_equal(verify(long_loop, opts, NULL, &report), err);
	assert_string_equal(report.refusal, name);
}

static void test_limits(void **state)
{
	struct skep_verify_report report;

	assert_int_equal(verify(long_loop, &(struct skep_verify_opts){0}, NULL, &report), 0);
	assert_null(report.refusal);
	assert_int_equal(report.n_processed, 400003);
	refused(&(struct skep_verify_opts){.time_ns = 1}, -EAGAIN, "time_is_up");
	refused(&(struct skep_verify_opts){.most_insns = 1000}, -E2BIG, "too_many_insns");
	refused(&(struct skep_verify_opts){.memory_bytes = 1 << 16}, -E2BIG, "too_much_memory");
}

/* Of the chain that takes most, each function's rounded up to 16. */
static void test_stack(void **state)
{
	struct skep_verify_report report;

	assert_int_equal(
		verify("r1 = 0\n*(u64 *)(r10 -24) = r1\ncall deep\ncall flat\nr0 = 0\nexit\n"
		       "deep:\nr1 = 0\n*(u64 *)(r10 -64) = r1\nr0 = 0\nexit\n"
		       "flat:\nr1 = 0\n*(u64 *)(r10 -8) = r1\nr0 = 0\nexit\n",
		       &(struct skep_verify_opts){0}, NULL, &report),
		0);
	assert_int_equal(report.stack_bytes, 32 + 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits),
					   cmocka_unit_test(test_stack)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
