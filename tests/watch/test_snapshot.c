/* Snapshots: stretches of time add up; what ended goes by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "snapshots.h"

static uint64_t used(const struct skep_snapshot *snapshot, uint64_t pid, const char *name,
		     uint32_t word)
{
	struct skep_key_process key = process_key(pid, name);
	const uint64_t *words = skep_rows_find(&snapshot->rows[SKEP_TALLY_PROCESSES], &key);

	return words ? words[word] : 0;
}

static void test_stretches_add_up(void **state)
{
	struct skep_snapshot sum, one;

	skep_snapshot_init(&sum);
	init_snapshot(&one, 1);
	for (int i = 1; i <= 3; i++) {
		skep_snapshot_clear(&one);
		one.ns = SECOND;
		one.cpu.all = 100;
		one.memory.available = (uint64_t)i * MIB;
		one.overhead.own_ns = 5;
		one.overhead.unread = 2;
		one.losses.map_full = 1;
		put_used(&one, 7, "x", SKEP_USED_CPU_NS, 10);
		put_used(&one, (uint64_t)i, "y", SKEP_USED_CPU_NS, 1);
		skep_snapshot_add(&sum, &one);
	}
	assert_int_equal(sum.ns, 3 * SECOND);
	assert_int_equal(sum.cpu.all, 300);
	assert_int_equal(sum.memory.available, 3 * MIB); /* the latest */
	assert_int_equal(sum.overhead.own_ns, 15);
	assert_int_equal(sum.overhead.unread, 6);
	assert_int_equal(sum.losses.map_full, 3);
	assert_int_equal(used(&sum, 7, "x", SKEP_USED_CPU_NS), 30);
	assert_int_equal(used(&sum, 2, "y", SKEP_USED_CPU_NS), 1);
	assert_true(skep_snapshot_rate(&sum, 30) == 10);
	skep_snapshot_done(&sum);
	skep_snapshot_done(&one);
}

/* A process is bash at first, then cc1, and ends; another one goes on. */
static void test_what_ended_goes_by_name(void **state)
{
	struct skep_snapshot now;

	init_snapshot(&now, 1);
	put_used(&now, 5, "bash", SKEP_USED_CPU_NS, 1);
	put_used(&now, 5, "cc1", SKEP_USED_CPU_NS, 20);
	put_used(&now, 5, "cc1", SKEP_USED_ENDED, 1);
	put_used(&now, 0, "cc1", SKEP_USED_CPU_NS, 300);
	put_used(&now, 0, "cc1", SKEP_USED_ENDED, 2);
	put_used(&now, 6, "cc1", SKEP_USED_CPU_NS, 4000);
	skep_snapshot_fold(&now);
	assert_int_equal(used(&now, 0, "bash", SKEP_USED_CPU_NS), 1);
	assert_int_equal(used(&now, 0, "cc1", SKEP_USED_CPU_NS), 320);
	assert_int_equal(used(&now, 0, "cc1", SKEP_USED_ENDED), 3);
	assert_int_equal(used(&now, 5, "cc1", SKEP_USED_CPU_NS), 0);
	assert_int_equal(used(&now, 6, "cc1", SKEP_USED_CPU_NS), 4000);
	skep_snapshot_done(&now);
}

static void test_tallies_name_their_maps(void **state)
{
	for (int i = 0; i < SKEP_TALLY_CNT; i++) {
		assert_int_equal(skep_tallies[i].key_bytes % 8, 0);
		assert_true(skep_tallies[i].words > 0);
		assert_true(!skep_tallies[i].map || skep_tallies[i].map[0] == '@');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stretches_add_up),
		cmocka_unit_test(test_what_ended_goes_by_name),
		cmocka_unit_test(test_tallies_name_their_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
