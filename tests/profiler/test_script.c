/* The script of a wish: what filters become, and that no gap is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "profiler/profiler.h"

static void assert_has(const struct skep_profiler_wish *wish, const char *text)
{
	_cleanup_buf_ struct skep_buf script = {0};

	skep_profiler_script(wish, &script);
	if (!strstr(script.data, text))
		fail_msg("no %s in:\n%s", text, script.data);
}

static void test_no_gap_is_left_in_any_source(void **state)
{
	for (int i = 0; i < SKEP_PROFILER_SOURCE_CNT; i++) {
		_cleanup_buf_ struct skep_buf script = {0};
		const struct skep_profiler_wish wish = {
			.source = (enum skep_profiler_source)i,
			.hertz = 49,
			.event = "tracepoint:sched:sched_switch",
		};
		skep_profiler_script(&wish, &script);
		assert_null(strstr(script.data, "$("));
		assert_non_null(strstr(script.data, "comm"));
	}
}

static void test_filters_are_all_to_hold(void **state)
{
	const pid_t pids[] = {12, 34};
	struct skep_profiler_wish wish = {.hertz = 49};

	assert_has(&wish, "/pid && true/");
	wish.but = 7;
	assert_has(&wish, "/pid && pid != 7/");
	wish.pids = pids;
	wish.n_pids = 1;
	assert_has(&wish, "/pid && pid == 12/");
	wish.n_pids = 2;
	assert_has(&wish, "/pid && (pid == 12 || pid == 34)/");
	wish.tid = 56;
	wish.comm = "a\"b\\c";
	wish.cgroup = "/sys/fs/cgroup/x";
	assert_has(&wish, "(pid == 12 || pid == 34) && tid == 56 && comm == \"a\\\"b\\\\c\" && "
			  "in_cgroup(\"/sys/fs/cgroup/x\")");
}

static void test_halves_of_stacks_can_be_left_out(void **state)
{
	struct skep_profiler_wish wish = {.hertz = 49};

	assert_has(&wish, "[pid, (uint32)0, comm, kstack, ustack]");
	wish.with_threads = wish.no_kernel = true;
	assert_has(&wish, "[pid, tid, comm, kstack(0), ustack]");
	wish.no_kernel = false;
	wish.no_user = true;
	assert_has(&wish, "[pid, tid, comm, kstack, ustack(0)]");
	wish = (struct skep_profiler_wish){.source = SKEP_PROFILER_EVENT, .event = "uprobe:x:y"};
	assert_has(&wish, "kstack(0), ustack");
}

static void test_an_event_is_counted_or_summed(void **state)
{
	struct skep_profiler_wish wish = {
		.source = SKEP_PROFILER_EVENT,
		.event = "tracepoint:syscalls:sys_enter_write",
	};

	assert_has(&wish, "tracepoint:syscalls:sys_enter_write\n/true/");
	assert_has(&wish, " = count();");
	wish.value = "args.count";
	assert_has(&wish, " = stats(args.count);");
}

static void test_an_allocator_is_named(void **state)
{
	struct skep_profiler_wish wish = {.source = SKEP_PROFILER_LEAKS, .cpid = 1};

	assert_has(&wish, "uretprobe:\"libc\":malloc");
	assert_has(&wish, "descends_from(cpid)");
	wish.allocator = "/opt/lib je.so";
	assert_has(&wish, "uprobe:\"/opt/lib je.so\":free");
	wish.allocator = "a\"b";
	assert_has(&wish, "uprobe:\"a\\\"b\":free");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_gap_is_left_in_any_source),
		cmocka_unit_test(test_filters_are_all_to_hold),
		cmocka_unit_test(test_halves_of_stacks_can_be_left_out),
		cmocka_unit_test(test_an_event_is_counted_or_summed),
		cmocka_unit_test(test_an_allocator_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
