/* How long a profile says it has looked: until its probes begin to be taken off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "profiler/profiler.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Probes in code of processes take long to take off; else little is done at the end here. */
static void test_taking_probes_off_is_no_looking(void **state)
{
	const pid_t self = getpid();
	const struct skep_profiler_wish wish = {
		.source = SKEP_PROFILER_ALLOC,
		.pids = &self,
		.n_pids = 1,
		.hertz = 99,
		.no_user = true,
	};
	_cleanup_profile_ struct skep_profile profile = {0};
	struct skep_diag diag = {0};
	struct skep_profiler *profiler = NULL;

	assert_int_equal(skep_profiler_open(&wish, &profiler, &diag), 0);
	uint64_t start = now_ns();
	usleep(1000);
	uint64_t end = now_ns();
	assert_int_equal(skep_profiler_finish(profiler, &profile, &diag), 0);
	uint64_t finished = now_ns();
	assert_true(profile.duration_ns >= end - start);
	assert_true(profile.duration_ns - (end - start) < (finished - end) / 2);
	skep_profiler_close(profiler);
	skep_diag_done(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taking_probes_off_is_no_looking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
