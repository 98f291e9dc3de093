/*
 * Expansion of everything that needs no binary, against the running kernel's
 * tracefs and BTF. Where tracefs cannot be read the tests that need it are skipped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/bpf.h>
#include <linux/perf_event.h>

#include "base/fd.h"
#include "linux/bpf.h"
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

static void need_tracefs(void)
{
	const char *root = skep_tracefs();
	char path[256];

	snprintf(path, sizeof(path), "%s/events/sched/sched_switch/id", root ? root : "");
	if (!root || access(path, R_OK))
		skip();
}

static const struct skep_probe *one(const char *text, const char *name)
{
	assert_int_equal(fixture_expand(&f, text), 0);
	assert_int_equal(f.x.n_probes, 1);
	assert_string_equal(f.x.probes[0]->name, name);
	assert_string_equal(f.x.probes[0]->attach.target, name);
	assert_int_equal(f.x.probes[0]->index, 0);
	return f.x.probes[0];
}

static void special(void **state)
{
	const struct skep_probe *probe = one("BEGIN {}", "begin");

	assert_int_equal(probe->special, SKEP_PROBE_BEGIN);
	assert_int_equal(probe->provider->prog_type, BPF_PROG_TYPE_RAW_TRACEPOINT);
	assert_int_equal(one("end {}", "end")->special, SKEP_PROBE_END);
	probe = one("self:signal:SIGUSR1 {}", "self:signal:SIGUSR1");
	assert_int_equal(probe->special, SKEP_PROBE_SIGNAL);
	assert_int_equal(probe->signal, SIGUSR1);
}

static void timers(void **state)
{
	static const struct {
		const char *text, *name;
		uint64_t period;
		bool freq, one_cpu;
	} cases[] = {
		{"interval:s:1 {}", "interval:s:1", 1000000000, false, true},
		{"i:ms:100 {}", "interval:ms:100", 100000000, false, true},
		{"interval:us:50 {}", "interval:us:50", 50000, false, true},
		{"interval:hz:5 {}", "interval:hz:5", 5, true, true},
		{"interval:1s {}", "interval:us:1000000", 1000000000, false, true},
		{"interval:1000000 {}", "interval:us:1000", 1000000, false, true},
		{"profile:hz:99 {}", "profile:hz:99", 99, true, false},
		{"p:500ms {}", "profile:us:500000", 500000000, false, false},
		{"profile:s:0x2 {}", "profile:s:2", 2000000000, false, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct skep_attach *at = &one(cases[i].text, cases[i].name)->attach;
		assert_int_equal(at->type, SKEP_ATTACH_PERF);
		assert_int_equal(at->perf.type, PERF_TYPE_SOFTWARE);
		assert_int_equal(at->perf.config, PERF_COUNT_SW_CPU_CLOCK);
		assert_int_equal(at->perf.period, cases[i].period);
		assert_int_equal(at->perf.freq, cases[i].freq);
		assert_int_equal(at->perf.one_cpu, cases[i].one_cpu);
		assert_int_equal(at->perf.pid, -1);
	}
}

static void counters(void **state)
{
	const struct skep_attach *at = &one("s:faults:7 {}", "software:faults:7")->attach;

	assert_int_equal(at->perf.type, PERF_TYPE_SOFTWARE);
	assert_int_equal(at->perf.config, PERF_COUNT_SW_PAGE_FAULTS);
	assert_int_equal(at->perf.period, 7);
	assert_false(at->perf.freq || at->perf.one_cpu);
	at = &one("software:cs: {}", "software:cs")->attach;
	assert_int_equal(at->perf.config, PERF_COUNT_SW_CONTEXT_SWITCHES);
	assert_int_equal(at->perf.period, 1000);
	at = &one("hardware:cache-misses:1e6 {}", "hardware:cache-misses:1000000")->attach;
	assert_int_equal(at->perf.type, PERF_TYPE_HARDWARE);
	assert_int_equal(at->perf.config, PERF_COUNT_HW_CACHE_MISSES);
	f.x.pid = 42;
	assert_int_equal(one("s:cpu {}", "software:cpu")->attach.perf.pid, 42);
	assert_int_equal(one("p:hz:9 {}", "profile:hz:9")->attach.perf.pid, 42);
	assert_int_equal(one("i:hz:9 {}", "interval:hz:9")->attach.perf.pid, -1);
	f.x.pid = -1;
}

static uint64_t tracefs_id(const char *path)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char full[512];

	snprintf(full, sizeof(full), "%s/events/%s/id", skep_tracefs(), path);
	assert_int_equal(skep_file_read(full, 100, &text), 0);
	return strtoull(text.data, NULL, 10);
}

static void tracepoint(void **state)
{
	need_tracefs();
	const struct skep_probe *probe =
		one("t:sched:sched_switch {}", "tracepoint:sched:sched_switch");

	assert_int_equal(probe->attach.type, SKEP_ATTACH_TRACEPOINT);
	assert_int_equal(probe->attach.tracepoint.id, tracefs_id("sched/sched_switch"));
	assert_int_equal(probe->attach.span.off, 0);
	assert_int_equal(probe->attach.span.len, 20);
	assert_non_null(probe->def);
	assert_int_equal(probe->provider->ctx, SKEP_CTX_TRACEPOINT);
}

static void named(void **state)
{
	need_tracefs();
	assert_int_equal(fixture_expand(&f, "mine=t:sched:sched_switch,t:sched:sched_waking {}"),
			 0);
	assert_int_equal(f.x.n_probes, 2);
	assert_string_equal(f.x.probes[0]->name, "mine");
	assert_string_equal(f.x.probes[0]->attach.target, "tracepoint:sched:sched_switch");
	assert_string_equal(f.x.probes[1]->name, "tracepoint:sched:sched_waking");
}

/* What the script's author gets must be exactly what available_events has. */
static void wildcards(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};
	uint32_t n = 0;
	char path[256], *save;

	need_tracefs();
	snprintf(path, sizeof(path), "%s/available_events", skep_tracefs());
	assert_int_equal(skep_file_read(path, 1 << 20, &text), 0);
	f.config.max_probes = 65536;
	assert_int_equal(fixture_expand(&f, "tracepoint:*:* {}"), 0);
	for (char *line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		n++;
	assert_int_equal(f.x.n_probes, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(f.x.probes[i]->index, i);
		assert_true(!i || strcmp(f.x.probes[i - 1]->name, f.x.probes[i]->name) < 0);
	}
	assert_int_equal(fixture_expand(&f, "tracepoint:*sched_switch {}"), 0);
	assert_int_equal(f.x.n_probes, 1);
}

static void duplicates(void **state)
{
	need_tracefs();
	assert_int_equal(fixture_expand(&f, "t:sched:sched_switch, t:sched:sched_sw*, "
					    "tracepoint:sched:sched_switch {} "
					    "t:sched:sched_switch {}"),
			 0);
	/* Once for each of the two probes: sched_swap_numa may be there too. */
	uint32_t n = 0;
	for (uint32_t i = 0; i < f.x.n_probes; i++)
		n += !strcmp(f.x.probes[i]->name, "tracepoint:sched:sched_switch");
	assert_int_equal(n, 2);
	assert_ptr_not_equal(f.x.probes[0]->def, f.x.probes[f.x.n_probes - 1]->def);
}

static void any_provider(void **state)
{
	need_tracefs();
	assert_int_equal(fixture_expand(&f, "*:sys_enter_open* {}"), 0);
	assert_true(f.x.n_probes >= 2);
	for (uint32_t i = 0; i < f.x.n_probes; i++)
		assert_memory_equal(f.x.probes[i]->name, "tracepoint:syscalls:sys_enter_open", 34);
	assert_int_equal(f.diag.n_items, 0);
}

static void limit(void **state)
{
	need_tracefs();
	f.config.max_probes = 5;
	assert_int_equal(fixture_expand(&f, "tracepoint:syscalls:sys_enter_* {} BEGIN {}"),
			 -EINVAL);
	assert_int_equal(f.x.n_probes, 5);
	assert_int_equal(f.diag.n_items, 1);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_LIMIT);
}

/* config.missing_probes decides; a script's only attach point must exist in any case. */
static void missing(void **state)
{
	static const char text[] = "BEGIN {} t:sched:no_such_event {}";

	need_tracefs();
	assert_int_equal(fixture_expand(&f, text), 0);
	assert_int_equal(f.x.n_probes, 1);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_MISSING_SKIPPED);
	f.config.missing_probes = "ignore";
	assert_int_equal(fixture_expand(&f, text), 0);
	assert_int_equal(f.diag.n_items, 0);
	f.config.missing_probes = "error";
	assert_int_equal(fixture_expand(&f, text), -EINVAL);
	assert_int_equal(f.x.n_probes, 1);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_MISSING);
	f.config.missing_probes = "warn";
	assert_int_equal(fixture_expand(&f, "t:sched:no_such_event {}"), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_MISSING);
	assert_int_equal(fixture_expand(&f, "t:sched:no_such, t:sched:none {}"), -EINVAL);
	assert_int_equal(f.diag.items[2].id, SKEP_DIAG_PROBE_NONE);
}

static const struct skep_field *field(const struct skep_probe *probe, const char *name)
{
	for (uint32_t i = 0; i < probe->args->n_fields; i++) {
		if (!strcmp(probe->args->fields[i].name, name))
			return &probe->args->fields[i];
	}
	fail_msg("no field %s", name);
	return NULL;
}

static struct skep_probe *laid_out(const char *text)
{
	assert_int_equal(fixture_expand(&f, text), 0);
	struct skep_probe *probe = f.x.probes[0];
	assert_int_equal(probe->provider->layout(&f.x, probe), 0);
	assert_non_null(probe->args);
	return probe;
}

static void tracepoint_args(void **state)
{
	need_tracefs();
	const struct skep_probe *probe = laid_out("t:syscalls:sys_enter_openat {}");
	const struct skep_field *at = field(probe, "filename");

	assert_int_equal(at->type->kind, SKEP_T_PTR);
	assert_int_equal(at->type->space, SKEP_SPACE_USER);
	assert_int_equal(at->type->elem->size, 1);
	assert_int_equal(at->off, 24);
	at = field(probe, "dfd"); /* a slot of 8 bytes, of which 4 are the int */
	assert_int_equal(at->type->kind, SKEP_T_INT);
	assert_int_equal(at->type->size, 4);
	assert_true(at->type->is_signed);
	assert_int_equal(field(probe, "common_pid")->off, 4);

	probe = laid_out("t:sched:sched_switch {}");
	at = field(probe, "prev_comm");
	assert_int_equal(at->type->kind, SKEP_T_STRING);
	assert_int_equal(at->type->size, 16);
	at = field(probe, "prev_state");
	assert_true(at->type->size == 8 && at->type->is_signed);
	assert_int_equal(probe->args->size, 64);

	probe = laid_out("t:sched:sched_process_exec {}");
	at = field(probe, "filename");
	assert_true(at->is_data_loc);
	assert_int_equal(at->type->kind, SKEP_T_PTR);
	assert_int_equal(at->type->space, SKEP_SPACE_KERNEL);
	assert_int_equal(at->type->elem->size, 1);

	probe = laid_out("t:raw_syscalls:sys_enter {}");
	at = field(probe, "args");
	assert_int_equal(at->type->kind, SKEP_T_ARRAY);
	assert_int_equal(at->type->n, 6);
	assert_int_equal(at->type->elem->size, 8);
}

/* Every field of every event: types fit their place, names are there. */
static void all_layouts(void **state)
{
	uint32_t n_fields = 0;

	need_tracefs();
	f.config.max_probes = 65536;
	assert_int_equal(fixture_expand(&f, "tracepoint:*:* {}"), 0);
	for (uint32_t i = 0; i < f.x.n_probes; i++) {
		struct skep_probe *probe = f.x.probes[i];
		assert_int_equal(skep_tracepoint_layout(&f.x, probe), 0);
		for (uint32_t j = 0; j < probe->args->n_fields; j++, n_fields++) {
			const struct skep_field *at = &probe->args->fields[j];
			assert_true(at->type && at->name[0]);
			uint32_t size = at->is_data_loc || at->is_rel_loc ? 4 : at->type->size;
			if (at->off + size > probe->args->size)
				fail_msg("%s.%s: %u + %u > %u", probe->name, at->name, at->off,
					 size, probe->args->size);
		}
	}
	assert_true(n_fields > f.x.n_probes * 4);
}

static void need_btf(void)
{
	if (!skep_types_btf(&f.types))
		skip();
}

static void rawtracepoint(void **state)
{
	need_btf();
	const struct skep_probe *probe =
		one("rt:sched_switch {}", "rawtracepoint:vmlinux:sched_switch");

	assert_int_equal(probe->attach.type, SKEP_ATTACH_RAW_TRACEPOINT);
	assert_string_equal(probe->attach.raw_tracepoint.name, "sched_switch");
	one("rawtracepoint:vmlinux:sched_switch {}", "rawtracepoint:vmlinux:sched_switch");
	assert_int_equal(fixture_expand(&f, "rt:sched_process_f* {}"), 0);
	assert_true(f.x.n_probes >= 2);
}

static void rawtracepoint_args(void **state)
{
	need_btf();
	const struct skep_probe *probe = laid_out("rt:sched_switch {}");
	const struct skep_field *at = field(probe, "prev");

	assert_int_equal(field(probe, "preempt")->off, 0);
	assert_int_equal(field(probe, "preempt")->type->size, 1);
	assert_int_equal(at->off, 8);
	assert_int_equal(at->type->kind, SKEP_T_PTR);
	assert_int_equal(at->type->elem->kind, SKEP_T_RECORD);
	assert_string_equal(at->type->elem->record->name, "struct task_struct");
	assert_int_equal(field(probe, "prev_state")->type->size, 4);
	assert_int_equal(field(probe, "prev_state")->off, 24);
	probe = laid_out("rt:sys_enter {}");
	assert_int_equal(field(probe, "id")->off, 8);
}

static void all_rawtracepoints(void **state)
{
	need_btf();
	f.config.max_probes = 65536;
	assert_int_equal(fixture_expand(&f, "rawtracepoint:* {}"), 0);
	assert_true(f.x.n_probes > 500);
	for (uint32_t i = 0; i < f.x.n_probes; i++) {
		assert_int_equal(skep_rawtracepoint_layout(&f.x, f.x.probes[i]), 0);
		for (uint32_t j = 0; j < f.x.probes[i]->args->n_fields; j++) {
			/* Names, not what is made up for want of them. */
			const char *name = f.x.probes[i]->args->fields[j].name;
			char made_up[16];
			snprintf(made_up, sizeof(made_up), "arg%u", j);
			if (!strcmp(name, made_up))
				fail_msg("%s has no name for argument %u", f.x.probes[i]->name, j);
		}
	}
}

static void fentry_args(void **state)
{
	need_btf();
	struct skep_probe_spec spec = {.text = "f:vfs_read"};
	struct skep_probe probe = {.spec = &spec,
				   .provider = skep_provider_find("fexit"),
				   .kfunc = "vmlinux:vfs_read"};

	probe.attach.target = "fexit:vmlinux:vfs_read";
	assert_int_equal(skep_fentry_layout(&f.x, &probe), 0);
	assert_int_equal(probe.args->n_fields, 4);
	assert_string_equal(probe.args->fields[0].name, "file");
	assert_string_equal(probe.args->fields[0].type->elem->record->name, "struct file");
	assert_int_equal(probe.args->fields[2].off, 16);
	assert_int_equal(probe.retval->size, 8);
	assert_true(probe.retval->is_signed);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(special),
		TEST(timers),
		TEST(counters),
		TEST(tracepoint),
		TEST(named),
		TEST(wildcards),
		TEST(duplicates),
		TEST(any_provider),
		TEST(limit),
		TEST(missing),
		TEST(tracepoint_args),
		TEST(all_layouts),
		TEST(rawtracepoint),
		TEST(rawtracepoint_args),
		TEST(all_rawtracepoints),
		TEST(fentry_args),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
