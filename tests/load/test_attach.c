/* Each attach type: put a program somewhere, make it run, count. */
#include "fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

static void syscall_tracepoint_counts_exactly(void **state)
{
	struct skep_object object;
	struct skep_attach at = {.type = SKEP_ATTACH_TRACEPOINT, .target = "sys_enter_getpid"};

	object_with_counters(&object);
	at.prog = add_counter(&object, BPF_PROG_TYPE_TRACEPOINT, getpid(), 0);
	at.tracepoint.id = tracepoint_id("syscalls/sys_enter_getpid");
	struct skep_session *session = open_session(&object);
	syscall(SYS_getpid);
	assert_int_equal(counter(session, 0), 0);
	attach(session, &at);
	for (int i = 0; i < 1234; i++)
		syscall(SYS_getpid);
	assert_int_equal(counter(session, 0), 1234);
	skep_session_detach_all(session);
	syscall(SYS_getpid);
	assert_int_equal(counter(session, 0), 1234);
	skep_session_close(session);
	skep_object_done(&object);
}

static void cookies_tell_places_apart(void **state)
{
	struct skep_object object;
	struct code code = {0};
	struct skep_attach at = {.type = SKEP_ATTACH_TRACEPOINT, .target = "getpid, getppid"};

	object_with_counters(&object);
	emit_cookie(&code, 1);
	emit_return(&code, 0);
	at.prog = add_prog(&object, BPF_PROG_TYPE_TRACEPOINT, &code);
	struct skep_session *session = open_session(&object);
	at.tracepoint.id = tracepoint_id("syscalls/sys_enter_getpid");
	at.cookie = 0x1122334455667788;
	attach(session, &at);
	at.tracepoint.id = tracepoint_id("syscalls/sys_enter_getppid");
	at.cookie = 42;
	attach(session, &at);
	syscall(SYS_getpid);
	assert_true(counter(session, 1) == 0x1122334455667788);
	syscall(SYS_getppid);
	assert_int_equal(counter(session, 1), 42);
	skep_session_close(session);
	skep_object_done(&object);
}

static void raw_tracepoint_fires(void **state)
{
	struct skep_object object;
	struct skep_attach at = {.type = SKEP_ATTACH_RAW_TRACEPOINT,
				 .target = "sched_switch",
				 .raw_tracepoint.name = "sched_switch"};

	object_with_counters(&object);
	at.prog = add_counter(&object, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);
	struct skep_session *session = open_session(&object);
	attach(session, &at);
	for (int i = 0; i < 10; i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	/* away and back again, ten times */
	assert_true(counter(session, 0) >= 20);
	skep_session_close(session);
	skep_object_done(&object);
}

static void spin_ms(int ms)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
}

static void cpu_clock_samples_every_cpu(void **state)
{
	struct skep_object object;
	struct skep_attach at = {.type = SKEP_ATTACH_PERF,
				 .target = "profile:hz:1000",
				 .perf = {.type = PERF_TYPE_SOFTWARE,
					  .config = PERF_COUNT_SW_CPU_CLOCK,
					  .period = 1000,
					  .freq = true,
					  .pid = -1}};

	object_with_counters(&object);
	at.prog = add_counter(&object, BPF_PROG_TYPE_PERF_EVENT, getpid(), 0);
	struct skep_session *session = open_session(&object);
	size_t before = count_open_files();
	attach(session, &at);
	/* a link and its event for each */
	assert_int_equal(count_open_files() - before, 2 * skep_online_cpus((unsigned[64]){0}, 64));
	spin_ms(200);
	assert_in_range(counter(session, 0), 20, 400);
	skep_session_close(session);
	skep_object_done(&object);
}

static void interval_runs_on_one_cpu(void **state)
{
	struct skep_object object;
	struct skep_attach at = {.type = SKEP_ATTACH_PERF,
				 .target = "interval:ms:10",
				 .perf = {.type = PERF_TYPE_SOFTWARE,
					  .config = PERF_COUNT_SW_CPU_CLOCK,
					  .period = 10000000,
					  .pid = -1,
					  .one_cpu = true}};

	object_with_counters(&object);
	at.prog = add_counter(&object, BPF_PROG_TYPE_PERF_EVENT, 0, 0);
	struct skep_session *session = open_session(&object);
	attach(session, &at);
	spin_ms(300);
	assert_in_range(counter(session, 0), 15, 60);
	skep_session_close(session);
	skep_object_done(&object);
}

static void software_events_count(void **state)
{
	struct skep_object object;
	struct skep_attach at = {.type = SKEP_ATTACH_PERF,
				 .target = "software:page-faults:1",
				 .perf = {.type = PERF_TYPE_SOFTWARE,
					  .config = PERF_COUNT_SW_PAGE_FAULTS,
					  .period = 1,
					  .pid = -1}};
	enum { PAGES = 50 };

	object_with_counters(&object);
	at.prog = add_counter(&object, BPF_PROG_TYPE_PERF_EVENT, getpid(), 0);
	struct skep_session *session = open_session(&object);
	volatile char *pages = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise((void *)pages, PAGES * 4096, MADV_NOHUGEPAGE);
	attach(session, &at);
	for (int i = 0; i < PAGES; i++)
		pages[i * 4096] = 1;
	assert_in_range(counter(session, 0), PAGES, PAGES + 20);
	munmap((void *)pages, PAGES * 4096);
	skep_session_close(session);
	skep_object_done(&object);
}

/* --- user space ------------------------------------------------------------------------- */

__attribute__((noinline)) static int probed_function(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n * 3;
}

static volatile unsigned short semaphore __attribute__((section(".probes"))) = 0;

static uint64_t file_offset(const volatile void *addr)
{
	uint64_t off = skep_own_file_off((uintptr_t)addr);

	assert_true(off != 0);
	return off;
}

static struct skep_attach uprobe_here(bool ret, pid_t pid)
{
	return (struct skep_attach){
		.type = SKEP_ATTACH_UPROBE,
		.target = "uprobe:test:probed_function",
		.uprobe = {.path = "/proc/self/exe",
			   .file_off = file_offset((const void *)probed_function),
			   .pid = pid,
			   .ret = ret}};
}

static void uprobe_and_uretprobe_count_calls(void **state)
{
	struct skep_object object;
	struct skep_attach entry = uprobe_here(false, -1), exit = uprobe_here(true, -1);
	struct code code = {0};

	object_with_counters(&object);
	entry.prog = add_counter(&object, BPF_PROG_TYPE_KPROBE, getpid(), 0);
	emit_cookie(&code, 2);
	emit_return(&code, 0);
	exit.prog = add_prog(&object, BPF_PROG_TYPE_KPROBE, &code);
	exit.cookie = 77;
	struct skep_session *session = open_session(&object);
	attach(session, &entry);
	for (int i = 0; i < 100; i++)
		probed_function(i);
	assert_int_equal(counter(session, 0), 100);
	assert_int_equal(counter(session, 2), 0);
	attach(session, &exit);
	assert_int_equal(probed_function(5), 15);
	assert_int_equal(counter(session, 0), 101);
	assert_int_equal(counter(session, 2), 77);
	skep_session_detach_all(session);
	probed_function(1);
	assert_int_equal(counter(session, 0), 101);
	skep_session_close(session);
	skep_object_done(&object);
}

static void uprobe_of_one_process_leaves_others_alone(void **state)
{
	struct skep_object object;
	struct skep_attach at = uprobe_here(false, 1);

	object_with_counters(&object);
	at.prog = add_counter(&object, BPF_PROG_TYPE_KPROBE, 0, 0);
	struct skep_session *session = open_session(&object);
	attach(session, &at);
	probed_function(1);
	assert_int_equal(counter(session, 0), 0);
	at.uprobe.pid = getpid();
	attach(session, &at);
	probed_function(1);
	assert_int_equal(counter(session, 0), 1);
	skep_session_close(session);
	skep_object_done(&object);
}

static void usdt_semaphore_is_raised_while_attached(void **state)
{
	struct skep_object object;
	struct skep_attach at = uprobe_here(false, -1);

	object_with_counters(&object);
	at.prog = add_counter(&object, BPF_PROG_TYPE_KPROBE, 0, 0);
	at.uprobe.ref_ctr_off = file_offset(&semaphore);
	struct skep_session *session = open_session(&object);
	assert_int_equal(semaphore, 0);
	attach(session, &at);
	assert_int_equal(semaphore, 1);
	skep_session_detach_all(session);
	assert_int_equal(semaphore, 0);
	skep_session_close(session);
	skep_object_done(&object);
}

/* Hundreds at once: none runs any more when detaching returns. */
static void many_places_detach_together(void **state)
{
	struct skep_object object;
	struct skep_attach at = {.type = SKEP_ATTACH_TRACEPOINT, .target = "sys_enter_getpid"};
	size_t before = count_open_files();
	enum { PLACES = 60 };

	object_with_counters(&object);
	for (int i = 0; i < PLACES; i++)
		add_counter(&object, BPF_PROG_TYPE_TRACEPOINT, getpid(), 0);
	at.tracepoint.id = tracepoint_id("syscalls/sys_enter_getppid");
	struct skep_session *session = open_session(&object);
	for (at.prog = 0; at.prog < PLACES; at.prog++)
		attach(session, &at);
	syscall(SYS_getppid);
	assert_int_equal(counter(session, 0), PLACES);
	skep_session_detach_all(session);
	syscall(SYS_getppid);
	assert_int_equal(counter(session, 0), PLACES);
	skep_session_close(session);
	assert_int_equal(count_open_files(), before);
	skep_object_done(&object);
}

/* --- failures ----------------------------------------------------------------------------- */

static enum skep_diag_id attach_fails(struct skep_session *session, const struct skep_attach *at,
				      int err)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	size_t files = count_open_files();

	assert_int_equal(skep_session_attach(session, at, &diag), err);
	assert_int_equal(count_open_files(), files);
	assert_int_equal(diag.n_items, 1);
	assert_int_equal(diag.items[0].span.off, at->span.off);
	return diag.items[0].id;
}

static void what_is_not_there_is_named(void **state)
{
	struct skep_object object;
	struct skep_attach at = {.type = SKEP_ATTACH_RAW_TRACEPOINT,
				 .target = "rawtracepoint:none",
				 .span = {3, 4},
				 .raw_tracepoint.name = "no_such_tracepoint"};

	object_with_counters(&object);
	uint32_t raw = add_counter(&object, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);
	uint32_t kprobe = add_counter(&object, BPF_PROG_TYPE_KPROBE, 0, 0);
	uint32_t perf = add_counter(&object, BPF_PROG_TYPE_PERF_EVENT, 0, 0);
	uint32_t tracepoint = add_counter(&object, BPF_PROG_TYPE_TRACEPOINT, 0, 0);
	struct skep_session *session = open_session(&object);
	at.prog = raw;
	assert_int_equal(attach_fails(session, &at, -ENOENT), SKEP_DIAG_ATTACH_ABSENT);
	at.prog = kprobe;
	assert_int_equal(attach_fails(session, &at, -EINVAL), SKEP_DIAG_ATTACH_PROG);
	at = uprobe_here(false, -1);
	at.prog = kprobe;
	at.uprobe.path = "/no/such/file";
	assert_int_equal(attach_fails(session, &at, -ENOENT), SKEP_DIAG_ATTACH_FAILED);
	at = (struct skep_attach){.type = SKEP_ATTACH_TRACEPOINT,
				  .prog = tracepoint,
				  .target = "tracepoint:none",
				  .tracepoint.id = 999999};
	assert_int_equal(attach_fails(session, &at, -EINVAL), SKEP_DIAG_ATTACH_ABSENT);
	at = (struct skep_attach){.type = SKEP_ATTACH_PERF,
				  .prog = perf,
				  .target = "software:none",
				  .perf = {PERF_TYPE_SOFTWARE, 999, 1, false, -1, false}};
	assert_int_equal(attach_fails(session, &at, -ENOENT), SKEP_DIAG_ATTACH_ABSENT);
	skep_session_close(session);
	skep_object_done(&object);
}

static void a_probe_inside_an_instruction_is_refused(void **state)
{
	struct skep_object object;
	struct skep_attach at = uprobe_here(false, -1);

	object_with_counters(&object);
	at.prog = add_counter(&object, BPF_PROG_TYPE_KPROBE, 0, 0);
	at.uprobe.file_off = UINT64_C(1) << 40;
	struct skep_session *session = open_session(&object);
	assert_int_equal(attach_fails(session, &at, -EINVAL), SKEP_DIAG_ATTACH_FAILED);
	skep_session_close(session);
	skep_object_done(&object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syscall_tracepoint_counts_exactly),
		cmocka_unit_test(cookies_tell_places_apart),
		cmocka_unit_test(raw_tracepoint_fires),
		cmocka_unit_test(cpu_clock_samples_every_cpu),
		cmocka_unit_test(interval_runs_on_one_cpu),
		cmocka_unit_test(software_events_count),
		cmocka_unit_test(uprobe_and_uretprobe_count_calls),
		cmocka_unit_test(uprobe_of_one_process_leaves_others_alone),
		cmocka_unit_test(usdt_semaphore_is_raised_while_attached),
		cmocka_unit_test(many_places_detach_together),
		cmocka_unit_test(what_is_not_there_is_named),
		cmocka_unit_test(a_probe_inside_an_instruction_is_refused),
	};

	return cmocka_run_group_tests(tests, need_root, NULL);
}
