/*
 * Listing, against the machine: counts against tracefs, and where Debian's bpftrace
 * is installed, its output against ours, every tracepoint with every field.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "linux/bpf.h"
#include "trace/provider/provider.h"
#include "script.h"

static struct fixture f;
static struct skep_buf out;

static int setup(void **state)
{
	fixture_init(&f);
	return 0;
}

static int teardown(void **state)
{
	fixture_done(&f);
	skep_buf_done(&out);
	return 0;
}

static void need_tracefs(void)
{
	const char *root = skep_tracefs();
	char path[256];

	snprintf(path, sizeof(path), "%s/available_events", root ? root : "");
	if (!root || access(path, R_OK))
		skip();
}

static const char *list(const char *pattern, bool verbose)
{
	skep_buf_clear(&out);
	assert_int_equal(skep_probe_list(&f.x, pattern, verbose, &out), 0);
	return out.data ? out.data : "";
}

static size_t count(const char *text, char c)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

/* What `bpftrace @args` prints; skips the test where there is none that works. */
static void from_bpftrace(const char *args, struct skep_buf *ret)
{
	char command[256], chunk[4096];
	size_t n;

	snprintf(command, sizeof(command), "bpftrace %s 2>/dev/null", args);
	FILE *pipe = geteuid() ? NULL : popen(command, "re");
	while (pipe && (n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		skep_buf_add(ret, chunk, n);
	if (!pipe || pclose(pipe) || !ret->data)
		skip();
}

static void counts(void **state)
{
	_cleanup_buf_ struct skep_buf events = {0};
	char path[256];

	need_tracefs();
	snprintf(path, sizeof(path), "%s/available_events", skep_tracefs());
	assert_int_equal(skep_file_read(path, 1 << 20, &events), 0);
	assert_int_equal(count(list("tracepoint:*", false), '\n'), count(events.data, '\n'));
	assert_int_equal(count(list("tracepoint:*:*", false), '\n'), count(events.data, '\n'));
}

static void as_bpftrace(const char *pattern, const char *args, bool verbose)
{
	_cleanup_buf_ struct skep_buf want = {0};

	from_bpftrace(args, &want);
	list(pattern, verbose);
	if (want.len == out.len && !memcmp(want.data, out.data, want.len))
		return;
	size_t at = 0;
	while (at < want.len && at < out.len && want.data[at] == out.data[at])
		at++;
	fail_msg("bpftrace: %.80s\nskep: %.80s", want.data + at, out.data ? out.data + at : "");
}

static void tracepoints_as_bpftrace(void **state)
{
	need_tracefs();
	as_bpftrace("tracepoint:*", "-l 'tracepoint:*'", false);
	as_bpftrace("t:sched:*wak*", "-l 't:sched:*wak*'", false);
}

static void arguments_as_bpftrace(void **state)
{
	need_tracefs();
	as_bpftrace("tracepoint:*", "-lv 'tracepoint:*'", true);
}

static void functions_as_bpftrace(void **state)
{
	as_bpftrace("uprobe:/bin/bash:*", "-l 'uprobe:/bin/bash:*'", false);
	as_bpftrace("uprobe:/bin/bash:read*", "-l 'uprobe:/bin/bash:read*'", false);
}

static void usdt_as_bpftrace(void **state)
{
	static const char libc[] = "/lib/x86_64-linux-gnu/libc.so.6";
	char pattern[128], args[160];

	if (access(libc, R_OK))
		skip();
	snprintf(pattern, sizeof(pattern), "usdt:%s:*", libc);
	snprintf(args, sizeof(args), "-l '%s'", pattern);
	as_bpftrace(pattern, args, false);
}

static void by_name(void **state)
{
	need_tracefs();
	assert_non_null(
		strstr(list("*nanosleep*", false), "tracepoint:syscalls:sys_enter_nanosleep\n"));
	assert_null(strstr(out.data, "openat"));
	assert_string_equal(list("tracepoint:syscalls:sys_enter_openat", true),
			    "tracepoint:syscalls:sys_enter_openat\n"
			    "    int __syscall_nr\n"
			    "    int dfd\n"
			    "    const char * filename\n"
			    "    int flags\n"
			    "    umode_t mode\n");
	assert_string_equal(list("t:sched:sched_switch, software:faults", false),
			    "tracepoint:sched:sched_switch\nsoftware:faults:\n");
}

static void fixed(void **state)
{
	assert_string_equal(list("software:*", false), "software:alignment-faults:\n"
						       "software:bpf-output:\n"
						       "software:context-switches:\n"
						       "software:cpu-clock:\n"
						       "software:cpu-migrations:\n"
						       "software:cpu:\n"
						       "software:cs:\n"
						       "software:dummy:\n"
						       "software:emulation-faults:\n"
						       "software:faults:\n"
						       "software:major-faults:\n"
						       "software:minor-faults:\n"
						       "software:page-faults:\n"
						       "software:task-clock:\n");
	assert_string_equal(list("interval:*", false),
			    "interval:hz:\ninterval:ms:\ninterval:s:\ninterval:us:\n");
	assert_string_equal(list("profile:hz", false), "profile:hz:\n");
	assert_string_equal(list("self:*", false), "self:signal:SIGUSR1\nself:signal:SIGUSR2\n");
	assert_string_equal(list("watchpoint:*", false), "");
}

static void everything(void **state)
{
	need_tracefs();
	const char *text = list("", false);

	assert_non_null(strstr(text, "hardware:cycles:\n"));
	assert_non_null(strstr(text, "software:cs:\n"));
	assert_non_null(strstr(text, "tracepoint:sched:sched_switch\n"));
	assert_null(strstr(text, "interval:"));
	assert_null(strstr(text, "uprobe:"));
	assert_int_equal(f.diag.n_items, 0);
	if (skep_types_btf(&f.types))
		assert_non_null(strstr(text, "rawtracepoint:vmlinux:sched_switch\n"));
}

static void typed(void **state)
{
	if (!skep_types_btf(&f.types))
		skip();
	assert_string_equal(list("rawtracepoint:sched_process_exec", true),
			    "rawtracepoint:vmlinux:sched_process_exec\n"
			    "    struct task_struct * p\n"
			    "    pid_t old_pid\n"
			    "    struct linux_binprm * bprm\n");
	assert_non_null(strstr(list("iter:*", false), "iter:task\n"));
	assert_non_null(strstr(list("iter:task_file", true), "    struct file * file\n"));
}

static void unknown(void **state)
{
	assert_int_equal(skep_probe_list(&f.x, "tracepint:*", false, &out), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_PROVIDER);
	assert_string_equal(f.diag.items[0].hint, "did you mean tracepoint?");
	assert_int_equal(skep_probe_list(&f.x, "usdt:/no/such/file:*", false, &out), -EINVAL);
	assert_int_equal(f.diag.items[1].id, SKEP_DIAG_PROBE_BINARY);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts),
		TEST(tracepoints_as_bpftrace),
		TEST(arguments_as_bpftrace),
		TEST(functions_as_bpftrace),
		TEST(usdt_as_bpftrace),
		TEST(by_name),
		TEST(fixed),
		TEST(everything),
		TEST(typed),
		TEST(unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
