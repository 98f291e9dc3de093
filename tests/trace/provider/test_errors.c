/*
 * Every script of tests/data/errors/probes.txt gives the message that its header
 * names, there where it says, and hints that help where they are known.
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
#include "linux/feature.h"
#include "trace/provider/provider.h"
#include "script.h"

static struct fixture f;

static int setup(void **state)
{
	fixture_init(&f);
	return 0;
}

static int teardown(void **state)
{
	fixture_done(&f);
	return 0;
}

/* The config block is the one thing of these scripts that is more than attach points. */
static const char *take_config(const char *script, size_t *ret_skipped)
{
	unsigned long long max;

	*ret_skipped = 0;
	if (sscanf(script, "config = { max_probes = %llu }", &max) != 1)
		return script;
	f.config.max_probes = max;
	*ret_skipped = (size_t)(strchr(script, '\n') + 1 - script);
	return script + *ret_skipped;
}

static void check(const char *code, unsigned line, unsigned col, const char *script)
{
	size_t skipped;

	f.config.max_probes = 4096;
	script = take_config(script, &skipped);
	int err = fixture_expand(&f, script);
	for (size_t i = 0; i < f.diag.n_items; i++) {
		const struct skep_diag_item *item = &f.diag.items[i];
		uint32_t at_line, at_col;
		skep_source_pos(&f.source, item->span.off, &at_line, &at_col);
		if (strcmp(skep_diag_code(item->id), code) != 0 ||
		    at_line + (skipped > 0) != line || at_col != col)
			continue;
		assert_true(skep_diag_severity(item->id) != SKEP_ERROR || err);
		return;
	}
	_cleanup_buf_ struct skep_buf text = {0};
	skep_diag_render(&f.diag, false, &text);
	fail_msg("no %s at %u:%u for\n%sbut\n%s", code, line, col, script,
		 text.data ? text.data : "nothing");
}

/* Whether this machine is one of which the row is true. */
static bool is_here(const char *code, const char *script)
{
	bool no_tracefs = !skep_tracefs() || geteuid() != 0;
	bool no_kprobes = skep_pmu_type("kprobe") < 0;

	if (no_tracefs || !skep_types_btf(&f.types))
		return false;
	if (!strncmp(script, "watchpoint:", strlen("watchpoint:")) && !strcmp(code, "L0120"))
		return !skep_has_feature(SKEP_FEATURE_WATCHPOINT);
	return no_kprobes || (strcmp(code, "L0120") != 0 && strcmp(code, "L0121") != 0);
}

static void data_file(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char code[16], *at, *next;
	unsigned line, col, n = 0;

	assert_int_equal(skep_file_read(ERRORS_FILE, 1 << 20, &text), 0);
	for (at = text.data; at; at = next) {
		assert_int_equal(sscanf(at, "=== %15s %u:%u", code, &line, &col), 3);
		char *script = strchr(at, '\n') + 1;
		next = strstr(script, "\n=== ");
		if (next)
			*++next = '\0';
		if (is_here(code, script))
			check(code, line, col, script);
		if (next)
			*next = '=';
		n++;
	}
	assert_true(n > 30);
}

static const char *hint(const char *script)
{
	fixture_expand(&f, script);
	assert_true(f.diag.n_items > 0);
	return f.diag.items[0].hint ? f.diag.items[0].hint : "";
}

static void hints(void **state)
{
	if (!is_here("L0120", "kprobe:"))
		skip();
	assert_string_equal(hint("tracepiont:sched:sched_switch {}"), "did you mean tracepoint?");
	assert_string_equal(hint("t:sched:sched_swich {}"), "did you mean sched_switch?");
	assert_string_equal(hint("t:syscall:sys_enter_openat {}"),
			    "did you mean syscalls:sys_enter_openat?");
	assert_string_equal(hint("t:shed:no_such {}"), "did you mean sched?");
	assert_string_equal(hint("rt:sched_swich {}"), "did you mean sched_switch?");
	assert_string_equal(hint("uprobe:libc:maloc {}"), "did you mean malloc?");
	assert_string_equal(hint("software:page-fault {}"), "did you mean page-faults?");
	assert_string_equal(hint("kprobe:vfs_reed {}"), "did you mean vfs_read?");
	assert_string_equal(hint("iter:tusk {}"), "did you mean task?");
	assert_string_equal(hint("uprobe:/bin/bassh:x {}"), "did you mean /bin/bash?");
	assert_string_equal(hint("self:signal:SIGUSER1 {}"), "did you mean SIGUSR1?");
}

/* A kprobe on a kernel without them: why, and the tracepoint that is about the same. */
static void alternatives(void **state)
{
	if (skep_pmu_type("kprobe") >= 0 || !is_here("L0120", "kprobe:"))
		skip();
	assert_string_equal(hint("kprobe:do_sys_openat2 {}"),
			    "use tracepoint:syscalls:sys_enter_openat2");
	assert_non_null(strstr(f.diag.items[0].why, "CONFIG_KPROBES"));
	assert_string_equal(hint("kretprobe:__x64_sys_close {}"),
			    "use tracepoint:syscalls:sys_exit_close");
	assert_string_equal(hint("kprobe:vfs_* {}"),
			    "use a tracepoint: skep trace -l 'tracepoint:*' lists them");
}

/* tracefs that cannot be read, arguments that nobody describes. */
static void no_format(void **state)
{
	struct skep_probe_spec spec = {.span = {0, 4}};
	struct skep_probe probe = {.spec = &spec};

	probe.attach.target = "tracepoint:no_such:event";
	assert_int_equal(skep_tracepoint_layout(&f.x, &probe), -ENOENT);
	assert_string_equal(skep_diag_code(f.diag.items[0].id), skep_tracefs() ? "L0113" : "L0112");
	probe.attach.target = "tracepoint:../../etc:passwd";
	assert_int_equal(skep_tracepoint_layout(&f.x, &probe), -ENOENT);
	probe.attach.target = "rawtracepoint:vmlinux:no_such";
	assert_int_equal(skep_rawtracepoint_layout(&f.x, &probe), -ENOENT);
	assert_string_equal(skep_diag_code(f.diag.items[2].id), "L0113");
	probe.attach.target = "usdt:x:y:z";
	probe.usdt_text = "4@(((";
	assert_int_equal(skep_usdt_layout(&f.x, &probe), -EOPNOTSUPP);
	assert_string_equal(skep_diag_code(f.diag.items[3].id), "L0123");
}

/* In a child without privileges, where root may read tracefs and others may not. */
static void no_privilege(void **state)
{
	if (geteuid() != 0 || !skep_tracefs())
		skip();
	assert_int_equal(seteuid(65534), 0);
	int err = fixture_expand(&f, "t:sched:sched_switch {}");
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(err, -EINVAL);
	assert_string_equal(skep_diag_code(f.diag.items[0].id), "L0112");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(data_file), TEST(hints),        TEST(alternatives),
		TEST(no_format), TEST(no_privilege),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
