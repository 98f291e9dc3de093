/* The oldest attach types, through their whole lives: see trial.h. */
#include "trial.h"

#include <linux/perf_event.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#define N_CALLS 100

static void call_getpid(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++)
		syscall(SYS_getpid);
}

static void tracepoint(void **state)
{
	struct trial trial = {
		.name = "tracepoint",
		.prog_type = BPF_PROG_TYPE_TRACEPOINT,
		.at = {.type = SKEP_ATTACH_TRACEPOINT,
		       .tracepoint.id = tracepoint_id("syscalls/sys_enter_getpid")},
		.fire = call_getpid,
		.fires = N_CALLS,
		.link_type = BPF_LINK_TYPE_PERF_EVENT,
		.only_this_pid = true,
	};

	trial_run(&trial);
}

static void rename_thread(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++)
		assert_int_equal(prctl(PR_SET_NAME, i % 2 ? "odd" : "even"), 0);
}

static void raw_tracepoint(void **state)
{
	struct trial trial = {
		.name = "raw_tracepoint",
		.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
		.at = {.type = SKEP_ATTACH_RAW_TRACEPOINT, .raw_tracepoint.name = "task_rename"},
		.fire = rename_thread,
		.fires = N_CALLS,
		.link_type = BPF_LINK_TYPE_RAW_TRACEPOINT,
		.only_this_pid = true,
	};

	trial_run(&trial);
}

/* Gives the processor away on the first CPU, where the event is. */
static void switch_away(struct trial *trial)
{
	cpu_set_t first, before;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(first), &first), 0);
	for (int i = 0; i < N_CALLS; i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void perf_software(void **state)
{
	struct trial trial = {
		.name = "perf.software",
		.prog_type = BPF_PROG_TYPE_PERF_EVENT,
		.at = {.type = SKEP_ATTACH_PERF,
		       .perf = {.type = PERF_TYPE_SOFTWARE,
				.config = PERF_COUNT_SW_CONTEXT_SWITCHES,
				.period = 1,
				.pid = -1,
				.one_cpu = true}},
		.fire = switch_away,
		.link_type = BPF_LINK_TYPE_PERF_EVENT,
	};

	trial_run(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tracepoint),
		cmocka_unit_test(raw_tracepoint),
		cmocka_unit_test(perf_software),
	};

	return cmocka_run_group_tests(tests, need_root, NULL);
}
