/*
 * Perf events, watchpoints, many places of a program by one link, tracepoints
 * whose record may be changed, programs that are run by hand: see trial.h.
 */
#include "trial.h"

#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "linux/feature.h"
#include "linux/newer.h"

enum { N_CALLS = 100, PAGE = 4096 };

/* --- Counters of the kernel and the processor ------------------------------------------------ */

/* Events are on the first CPU, so what makes them happen is, too. */
static void on_first_cpu(void (*action)(void))
{
	cpu_set_t first, before;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(first), &first), 0);
	action();
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void spin_here(void)
{
	struct timespec now, start;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((now.tv_sec - start.tv_sec) * 1000000000 + now.tv_nsec - start.tv_nsec < 20000000);
}

static void touch_pages_here(void)
{
	char *pages = mmap(NULL, N_CALLS * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(pages, MAP_FAILED);
	madvise(pages, N_CALLS * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < N_CALLS; i++)
		((volatile char *)pages)[i * PAGE] = 1;
	munmap(pages, N_CALLS * PAGE);
}

static void sleep_here(void)
{
	for (int i = 0; i < N_CALLS; i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void spin(struct trial *trial)
{
	on_first_cpu(spin_here);
}

static void touch_pages(struct trial *trial)
{
	on_first_cpu(touch_pages_here);
}

static void give_way(struct trial *trial)
{
	on_first_cpu(sleep_here);
}

/* To the second CPU and back: the event is counted where the thread arrives. */
static void migrate(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++) {
		cpu_set_t one;
		CPU_ZERO(&one);
		CPU_SET(i % 2, &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	}
	cpu_set_t all;
	memset(&all, 0xff, sizeof(all));
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

struct counter {
	const char *name;
	uint32_t type;
	uint64_t config, period;
	void (*fire)(struct trial *trial);
};

static void count(const struct counter *counter)
{
	struct trial trial = {
		.name = counter->name,
		.prog_type = BPF_PROG_TYPE_PERF_EVENT,
		.at = {.type = SKEP_ATTACH_PERF,
		       .perf = {.type = counter->type,
				.config = counter->config,
				.period = counter->period,
				.pid = -1,
				.one_cpu = true}},
		.fire = counter->fire,
		.link_type = BPF_LINK_TYPE_PERF_EVENT,
		.only_this_pid = true,
	};

	trial_run(&trial);
}

#define COUNTER(function, ...)                                                                     \
	static void function(void **state)                                                         \
	{                                                                                          \
		count(&(struct counter){__VA_ARGS__});                                             \
	}
COUNTER(perf_cpu_clock, "perf.software.cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK,
	1000000, spin)
COUNTER(perf_task_clock, "perf.software.task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK,
	1000000, spin)
COUNTER(perf_faults, "perf.software.page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, 1,
	touch_pages)
COUNTER(perf_minor, "perf.software.minor-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN,
	1, touch_pages)
COUNTER(perf_switches, "perf.software.context-switches", PERF_TYPE_SOFTWARE,
	PERF_COUNT_SW_CONTEXT_SWITCHES, 1, give_way)
COUNTER(perf_cycles, "perf.hardware", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, 100000, spin)
COUNTER(perf_cache, "perf.hw_cache", PERF_TYPE_HW_CACHE,
	PERF_COUNT_HW_CACHE_L1D | PERF_COUNT_HW_CACHE_RESULT_ACCESS << 16, 100000, spin)

static void perf_migrations(void **state)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		trial_not_here("perf.software.cpu-migrations", "there is one processor");
	count(&(struct counter){"perf.software.cpu-migrations", PERF_TYPE_SOFTWARE,
				PERF_COUNT_SW_CPU_MIGRATIONS, 1, migrate});
}

/* What cannot be made to happen here, or never happens: a program can be put there. */
static void perf_seldom(void **state)
{
	static const uint64_t configs[] = {
		PERF_COUNT_SW_PAGE_FAULTS_MAJ,  PERF_COUNT_SW_ALIGNMENT_FAULTS,
		PERF_COUNT_SW_EMULATION_FAULTS, PERF_COUNT_SW_DUMMY,
		PERF_COUNT_SW_BPF_OUTPUT,       PERF_COUNT_SW_CGROUP_SWITCHES};
	struct skep_attach at = {.type = SKEP_ATTACH_PERF,
				 .target = "perf.software",
				 .perf = {.type = PERF_TYPE_SOFTWARE, .period = 1, .pid = -1}};
	struct skep_object object;

	object_with_counters(&object);
	add_counter(&object, BPF_PROG_TYPE_PERF_EVENT, 0, 0);
	struct skep_session *session = open_session(&object);
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		at.perf.config = configs[i];
		attach(session, &at);
	}
	skep_session_close(session);
	skep_object_done(&object);
}

/* --- Watchpoints ------------------------------------------------------------------------------ */

/* One that is attached but never fires is not here either. */
static void need_watchpoints(const char *name)
{
	struct skep_feature_result result;

	skep_feature_try(SKEP_FEATURE_WATCHPOINT, &result);
	if (!result.yes)
		trial_not_here(name, "%s", result.why);
}

static volatile uint64_t watched;

static void write_watched(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++)
		watched++;
}

static void watchpoint(void **state)
{
	struct trial trial = {
		.name = "watchpoint",
		.prog_type = BPF_PROG_TYPE_PERF_EVENT,
		.at = {.type = SKEP_ATTACH_PERF,
		       .perf = {.type = PERF_TYPE_BREAKPOINT,
				.period = 1,
				.pid = getpid(),
				.bp_addr = (uintptr_t)&watched,
				.bp_type = HW_BREAKPOINT_W,
				.bp_len = HW_BREAKPOINT_LEN_8}},
		.fire = write_watched,
		.fires = N_CALLS,
		.link_type = BPF_LINK_TYPE_PERF_EVENT,
	};

	need_watchpoints(trial.name);
	trial_run(&trial);
}

static void *write_at_signal(void *arg)
{
	sem_t *go = arg;

	sem_wait(&go[0]);
	write_watched(NULL);
	sem_post(&go[1]);
	sem_wait(&go[0]);
	return NULL;
}

/* Threads that were there before it are watched, too. */
static void watchpoint_of_threads(void **state)
{
	struct skep_attach at = {.type = SKEP_ATTACH_PERF,
				 .target = "watchpoint",
				 .perf = {.type = PERF_TYPE_BREAKPOINT,
					  .period = 1,
					  .pid = getpid(),
					  .bp_addr = (uintptr_t)&watched,
					  .bp_type = HW_BREAKPOINT_W,
					  .bp_len = HW_BREAKPOINT_LEN_8}};
	struct skep_object object;
	pthread_t thread;
	sem_t go[2];

	need_watchpoints("watchpoint.threads");
	sem_init(&go[0], 0, 0);
	sem_init(&go[1], 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, write_at_signal, go), 0);
	object_with_counters(&object);
	at.prog = add_counter(&object, BPF_PROG_TYPE_PERF_EVENT, 0, 0);
	struct skep_session *session = open_session(&object);
	attach(session, &at);
	assert_int_equal(skep_session_n_links(session), 2);
	sem_post(&go[0]);
	sem_wait(&go[1]);
	assert_int_equal(counter(session, 0), N_CALLS);
	sem_post(&go[0]);
	pthread_join(thread, NULL);
	skep_session_close(session);
	skep_object_done(&object);
}

static uint64_t kernel_symbol(const char *name)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long addr;
	char line[512], symbol[256];
	uint64_t found = 0;

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx %*c %255s", &addr, symbol) == 2 && !strcmp(symbol, name))
			found = addr;
	}
	fclose(file);
	return found;
}

static void call_getpid(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++)
		syscall(SYS_getpid);
}

/* Executed kernel code, on every CPU. */
static void watchpoint_kernel(void **state)
{
	struct trial trial = {
		.name = "watchpoint.kernel",
		.prog_type = BPF_PROG_TYPE_PERF_EVENT,
		.at = {.type = SKEP_ATTACH_PERF,
		       .perf = {.type = PERF_TYPE_BREAKPOINT,
				.period = 1,
				.pid = -1,
				.bp_addr = kernel_symbol("__x64_sys_getpid"),
				.bp_type = HW_BREAKPOINT_X,
				.bp_len = sizeof(long)}},
		.fire = call_getpid,
		.fires = N_CALLS,
		.link_type = -1,
		.only_this_pid = true,
	};

	need_watchpoints(trial.name);
	if (!trial.at.perf.bp_addr)
		trial_not_here(trial.name, "/proc/kallsyms has no __x64_sys_getpid");
	trial_run(&trial);
}

/* --- Many places of a program ----------------------------------------------------------------- */

#define PROBED(n)                                                                                  \
	__attribute__((noinline)) static int probed_##n(int x)                                     \
	{                                                                                          \
		__asm__ volatile("" : "+r"(x));                                                    \
		return x * n;                                                                      \
	}
PROBED(3)
PROBED(5)
PROBED(7)

static uint64_t file_offset(int (*function)(int))
{
	uint64_t off = skep_own_file_off((uintptr_t)function);

	assert_true(off != 0);
	return off;
}

static void call_probed(struct trial *trial)
{
	for (int i = 0; i < N_CALLS; i++)
		assert_int_equal(probed_3(i) + probed_5(i) + probed_7(i), 15 * i);
}

struct multi {
	const char *name;
	uint32_t attach_type, fires;
	bool ret, session;
};

static void run_multi(const struct multi *multi)
{
	const uint64_t offs[] = {file_offset(probed_3), file_offset(probed_5),
				 file_offset(probed_7)};
	struct trial trial = {
		.name = multi->name,
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.expected_attach_type = multi->attach_type,
		.at = {.type = SKEP_ATTACH_UPROBE_MULTI,
		       .uprobe_multi = {.path = "/proc/self/exe",
					.file_offs = offs,
					.n = 3,
					.pid = getpid(),
					.ret = multi->ret,
					.session = multi->session}},
		.fire = call_probed,
		.fires = multi->fires,
		.link_type = LINK_TYPE_UPROBE_MULTI,
	};

	trial_run(&trial);
}

static void uprobe_multi(void **state)
{
	run_multi(&(struct multi){"uprobe.multi", ATTACH_UPROBE_MULTI, 3 * N_CALLS});
}

static void uretprobe_multi(void **state)
{
	run_multi(
		&(struct multi){"uretprobe.multi", ATTACH_UPROBE_MULTI, 3 * N_CALLS, .ret = true});
}

/* At entry, and, as the program gives 0 there, at return. */
static void uprobe_session(void **state)
{
	run_multi(&(struct multi){"uprobe.session", ATTACH_UPROBE_SESSION, 6 * N_CALLS,
				  .session = true});
}

/* --- Run by hand ------------------------------------------------------------------------------ */

static int socket_filter(void)
{
	struct skep_insn insns[] = {skep_alu64_imm(SKEP_MOV, SKEP_R0, 0), skep_exit()};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = 2;
	attr.license = (uintptr_t) "GPL";
	return skep_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* Each run of a packet program by hand passes the tracepoint bpf_test_finish at its end. */
static void run_filter(struct trial *trial)
{
	_cleanup_close_ int prog = socket_filter();
	const char packet[64] = {0};
	union bpf_attr attr;

	assert_true(prog >= 0);
	for (int i = 0; i < N_CALLS; i++) {
		memset(&attr, 0, sizeof(attr));
		attr.test.prog_fd = (uint32_t)prog;
		attr.test.data_in = (uintptr_t)packet;
		attr.test.data_size_in = sizeof(packet);
		assert_int_equal(skep_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)), 0);
	}
}

static void raw_tracepoint_writable(void **state)
{
	struct trial trial = {
		.name = "raw_tracepoint.writable",
		.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
		.at = {.type = SKEP_ATTACH_RAW_TRACEPOINT_WRITABLE,
		       .raw_tracepoint.name = "bpf_test_finish"},
		.fire = run_filter,
		.fires = N_CALLS,
		.link_type = BPF_LINK_TYPE_RAW_TRACEPOINT,
		.only_this_pid = true,
	};

	trial_run(&trial);
}

/* What the program writes to the record is what the kernel goes on with. */
static void raw_tracepoint_changes_the_record(void **state)
{
	_cleanup_close_ int filter = socket_filter();
	const struct skep_attach at = {.type = SKEP_ATTACH_RAW_TRACEPOINT_WRITABLE,
				       .target = "raw_tracepoint.writable",
				       .raw_tracepoint.name = "bpf_test_finish"};
	const char packet[64] = {0};
	struct skep_object object;
	struct code code = {0};
	union bpf_attr attr;

	object_with_counters(&object);
	emit(&code, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1));
	emit(&code, skep_call(HELPER_PID_TGID));
	emit(&code, skep_alu64_imm(SKEP_RSH, SKEP_R0, 32));
	emit(&code, skep_jmp_imm(SKEP_JNE, SKEP_R0, getpid(), 2));
	emit(&code, skep_ldx_mem(SKEP_DW, SKEP_R1, SKEP_R6, 0));
	emit(&code, skep_st_mem(SKEP_W, SKEP_R1, 0, -EBADE));
	emit_return(&code, 0);
	add_prog(&object, BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, &code);
	struct skep_session *session = open_session(&object);
	attach(session, &at);
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)filter;
	attr.test.data_in = (uintptr_t)packet;
	attr.test.data_size_in = sizeof(packet);
	assert_int_equal(skep_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)), -EBADE);
	skep_session_close(session);
	skep_object_done(&object);
}

/* A syscall program's context is any bytes; what it writes there comes back. */
static void syscall_program(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_session *session = NULL;
	struct skep_object object;
	struct code code = {0};
	uint64_t context[2] = {40, 0};
	uint32_t ret = 0;

	object_with_counters(&object);
	emit(&code, skep_ldx_mem(SKEP_DW, SKEP_R2, SKEP_R1, 0));
	emit(&code, skep_alu64_imm(SKEP_ADD, SKEP_R2, 2));
	emit(&code, skep_stx_mem(SKEP_DW, SKEP_R1, SKEP_R2, 8));
	emit_return(&code, 7);
	uint32_t prog = add_prog(&object, BPF_PROG_TYPE_SYSCALL, &code);
	object.progs[prog].flags = BPF_F_SLEEPABLE;
	int err = skep_session_open(&object, NULL, &session, &diag);
	if (err) {
		skep_object_done(&object);
		trial_not_here("syscall", "%s", strerror(-err));
	}
	assert_int_equal(skep_session_run(session, prog, context, sizeof(context), &ret), 0);
	assert_int_equal(ret, 7);
	assert_int_equal(context[1], 42);
	skep_session_close(session);
	skep_object_done(&object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(perf_cpu_clock),
		cmocka_unit_test(perf_task_clock),
		cmocka_unit_test(perf_faults),
		cmocka_unit_test(perf_minor),
		cmocka_unit_test(perf_switches),
		cmocka_unit_test(perf_migrations),
		cmocka_unit_test(perf_seldom),
		cmocka_unit_test(perf_cycles),
		cmocka_unit_test(perf_cache),
		cmocka_unit_test(watchpoint),
		cmocka_unit_test(watchpoint_of_threads),
		cmocka_unit_test(watchpoint_kernel),
		cmocka_unit_test(uprobe_multi),
		cmocka_unit_test(uretprobe_multi),
		cmocka_unit_test(uprobe_session),
		cmocka_unit_test(raw_tracepoint_writable),
		cmocka_unit_test(raw_tracepoint_changes_the_record),
		cmocka_unit_test(syscall_program),
	};

	return cmocka_run_group_tests(tests, need_root, NULL);
}
