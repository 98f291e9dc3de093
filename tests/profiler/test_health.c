/* How whole a profile's stacks are: shares by process and by name, and the reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "profiler/health.h"

static uint32_t node(struct skep_profile *profile, uint32_t parent, const char *name,
		     enum skep_frame_kind kind)
{
	const struct skep_profile_frame frame = {
		.name = skep_profile_text(profile, name),
		.kind = (uint8_t)kind,
	};

	return skep_profile_node(profile, parent, skep_profile_frame(profile, &frame));
}

static void add(struct skep_profile *profile, const char *comm, uint32_t pid, const char *broken,
		int64_t n)
{
	uint32_t at = broken ? node(profile, 0, broken, SKEP_FRAME_BROKEN) : 0;
	const struct skep_profile_sample sample = {
		.node = node(profile, at, "main", SKEP_FRAME_USER),
		.pid = pid,
		.comm = skep_profile_text(profile, comm),
		.values = {1000 * n, n},
	};

	skep_profile_add(profile, &sample);
}

static void fill(struct skep_profile *profile)
{
	skep_profile_init(profile);
	skep_profile_add_type(profile, "cpu", "nanoseconds");
	skep_profile_add_type(profile, "samples", "count");
	add(profile, "good", 1, NULL, 50);
	add(profile, "bad", 2, "[broken: x]", 10);
	add(profile, "bad", 2, "[broken: y]", 11);
	add(profile, "bad", 2, NULL, 5);
	add(profile, "bad", 3, "[broken: x]", 4);
	add(profile, "bad", 4, NULL, 20);
}

static void test_by_process(void **state)
{
	_cleanup_profile_ struct skep_profile profile;
	struct skep_health health;

	fill(&profile);
	skep_health_of(&profile, false, &health);
	assert_int_equal(health.stacks, 100);
	assert_int_equal(health.whole, 75);
	assert_int_equal(health.rows.len, 4);
	assert_int_equal(health.rows_broken, 2);
	const struct skep_health_row *row = &health.rows.data[0];
	assert_int_equal(row->pid, 2);
	assert_int_equal(row->stacks, 26);
	assert_int_equal(row->whole, 5);
	assert_string_equal(profile.strings[row->reason], "[broken: y]");
	assert_int_equal(row->reason_cnt, 11);
	assert_int_equal(health.rows.data[1].pid, 3);
	assert_int_equal(health.rows.data[2].pid, 1);
	skep_health_done(&health);
}

static void test_by_name(void **state)
{
	_cleanup_profile_ struct skep_profile profile;
	struct skep_health health;

	fill(&profile);
	skep_health_of(&profile, true, &health);
	assert_int_equal(health.rows.len, 2);
	assert_int_equal(health.rows_broken, 1);
	const struct skep_health_row *row = &health.rows.data[0];
	assert_string_equal(profile.strings[row->comm], "bad");
	assert_int_equal(row->stacks, 50);
	assert_int_equal(row->whole, 25);
	assert_string_equal(profile.strings[row->reason], "[broken: x]");
	assert_int_equal(row->reason_cnt, 14);
	assert_int_equal(row->processes, 2);
	skep_health_done(&health);
}

static void test_of_nothing(void **state)
{
	_cleanup_profile_ struct skep_profile profile;
	struct skep_health health;

	skep_profile_init(&profile);
	skep_health_of(&profile, false, &health);
	assert_int_equal(health.rows.len, 0);
	assert_int_equal(health.stacks, 0);
	skep_health_done(&health);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_process),
		cmocka_unit_test(test_by_name),
		cmocka_unit_test(test_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
