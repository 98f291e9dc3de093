/*
 * Arguments of raw tracepoints whose types the verifier knows: it, and the machine's, let us read
 * every member that lower/typed.c takes for readable. SKEP_EVERY sets which of the kernel's
 * tracepoints are tried, each so many-th.
 */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skep/btf.h>

#include "compiled.h"
#include "linux/feature.h"

#define PREFIX       "btf_trace_"
#define MOST_MEMBERS 40
#define EVERY        25

static uint32_t target_of(const struct skep_btf *btf, uint32_t id)
{
	return skep_btf_strip(btf, skep_btf_target(btf, skep_btf_strip(btf, id)));
}

static bool is_number(const struct skep_btf *btf, const struct skep_btf_member *member)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, skep_btf_strip(btf, member->type));

	return member->name[0] && !member->bit_size &&
	       (kind == SKEP_BTF_INT || kind == SKEP_BTF_ENUM || kind == SKEP_BTF_PTR);
}

/* One assignment a member, and for pointers also to some of what they point to; how many. */
static uint32_t read_members(const struct skep_btf *btf, const char *path, uint32_t record,
			     uint32_t most, struct skep_buf *out)
{
	struct skep_btf_member member;
	uint32_t n = 0;

	for (uint32_t i = 0; i < skep_btf_n_members(btf, record) && n < most; i++) {
		if (skep_btf_member(btf, record, i, &member) || !is_number(btf, &member))
			continue;
		char further[512];
		uint32_t to = target_of(btf, member.type);
		snprintf(further, sizeof(further), "%s.%s", path, member.name);
		skep_buf_printf(out, "\t@x = (uint64)%s;\n", further);
		n++;
		if (most > 4 && to && skep_btf_kind(btf, to) == SKEP_BTF_STRUCT)
			n += read_members(btf, further, to, most / 4, out);
	}
	return n;
}

static uint32_t read_args(const struct skep_btf *btf, uint32_t proto, struct skep_buf *out)
{
	struct skep_btf_member param;
	uint32_t n = 0;

	for (uint32_t i = 1; i < skep_btf_n_members(btf, proto); i++) {
		if (skep_btf_member(btf, proto, i, &param) || !param.name[0])
			continue;
		uint32_t record = target_of(btf, param.type);
		char path[256];
		snprintf(path, sizeof(path), "args.%s", param.name);
		if (record && skep_btf_kind(btf, record) == SKEP_BTF_STRUCT)
			n += read_members(btf, path, record, MOST_MEMBERS, out);
	}
	return n;
}

/* The names are those of the stub's parameters, not of the typedef's. */
static uint32_t stub_of(struct skep_btf *btf, const char *event)
{
	char name[256];

	snprintf(name, sizeof(name), "__probestub_%s", event);
	uint32_t id = skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_FUNC));
	return id ? skep_btf_target(btf, id) : 0;
}

/* Whether there was something to read. */
static bool try_event(struct skep_btf *btf, const char *event)
{
	_cleanup_buf_ struct skep_buf script = {0}, report = {0};
	struct compiled c;
	uint32_t proto = stub_of(btf, event);

	skep_buf_printf(&script, "rawtracepoint:vmlinux:%s {\n", event);
	if (!proto || !read_args(btf, proto, &script))
		return false;
	skep_buf_puts(&script, "}\n");
	if (!compiled_open(&c, script.data) && !compiled_load(&c))
		compiled_verify(&c);
	compiled_report(&c, &report);
	bool is_typed = !c.compile_err && c.program.object.progs[0].type == BPF_PROG_TYPE_TRACING;
	if (c.load_err || c.verify_err)
		fail_msg("%s\n%s", script.data, report.data);
	compiled_done(&c);
	return is_typed;
}

static void test_members(void **state)
{
	const char *every_text = getenv("SKEP_EVERY");
	uint32_t every = every_text ? (uint32_t)atoi(every_text) : EVERY, n = 0, n_typed = 0;
	struct skep_btf *btf;

	if (skep_btf_open_kernel(&btf, NULL))
		skip();
	for (uint32_t id = 1; id <= skep_btf_n_types(btf); id++) {
		const char *name = skep_btf_name(btf, id);
		if (skep_btf_kind(btf, id) != SKEP_BTF_TYPEDEF ||
		    strncmp(name, PREFIX, strlen(PREFIX)) != 0 || n++ % every)
			continue;
		n_typed += try_event(btf, name + strlen(PREFIX));
	}
	fprintf(stderr, "%u tracepoints, %u of them tried have typed arguments\n", n, n_typed);
	assert_true(n_typed > 0);
	skep_btf_free(btf);
}

static uint32_t type_of(const char *script)
{
	struct compiled c;

	assert_int_equal(compiled_open(&c, script), 0);
	assert_int_equal(compiled_load(&c), 0);
	uint32_t type = c.program.object.progs[0].type;
	compiled_done(&c);
	return type;
}

/* Only where there is something to read so. */
static void test_choice(void **state)
{
	static const char *const typed[] = {
		"rawtracepoint:sched_switch { @x = args.next.pid; }",
		"rawtracepoint:sched_switch { $n = args.next; @x[$n.pid] = $n.comm; }",
		"rawtracepoint:sched_switch { @x = args.next.se.vruntime; }",
		"rawtracepoint:sched_switch /args.prev.pid/ { @m = args.prev.mm; @t = @m.total_vm}",
	};
	static const char *const raw[] = {
		"rawtracepoint:sched_switch { @x = args.preempt; }",
		"rawtracepoint:sched_switch { @x = args.next.comm; }",
		"rawtracepoint:sched_switch { $n = args.next; $n = args.prev; @x = $n.pid; }",
		"rawtracepoint:sched_switch { if (args.preempt) { $n = args.next; } @x = $n.pid; }",
		"rawtracepoint:sched_switch { @x = ((struct task_struct *)arg1).pid; }",
		"rawtracepoint:sched_switch { @x = args.next.sched_migrated; }",
	};

	for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++)
		assert_int_equal(type_of(typed[i]), BPF_PROG_TYPE_TRACING);
	for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++)
		assert_int_equal(type_of(raw[i]), BPF_PROG_TYPE_RAW_TRACEPOINT);
}

static uint32_t n_kfunc_calls(const char *script)
{
	struct compiled c;
	uint32_t n = 0;

	assert_int_equal(compiled_open(&c, script), 0);
	assert_int_equal(compiled_load(&c), 0);
	assert_int_equal(compiled_verify(&c), 0);
	const struct skep_object_prog *prog = &c.program.object.progs[0];
	for (size_t i = 0; i < prog->n_insns; i++)
		n += prog->insns[i].code == (SKEP_JMP | SKEP_CALL) &&
		     prog->insns[i].src == BPF_PSEUDO_KFUNC_CALL;
	compiled_done(&c);
	return n;
}

/* What Linux trusts is cast before a pointer is read from it, and only then. */
static void test_casts(void **state)
{
	static const struct {
		const char *script;
		uint32_t n;
	} cases[] = {
		{"rawtracepoint:sched_switch { @x = args.next.pid; }", 0},
		{"rawtracepoint:sched_switch { @x = args.next.mm; }", 1},
		{"rawtracepoint:sched_switch { @x = args.next.real_parent.real_parent.pid; }", 1},
		{"rawtracepoint:sched_switch { @x = curtask.tgid; }", 0},
		{"rawtracepoint:sched_switch { @x = curtask.signal.oom_score_adj; }", 1},
	};

	if (!skep_has_feature(SKEP_FEATURE_JIT) || !compiled_target()->isa_v4)
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(n_kfunc_calls(cases[i].script), cases[i].n);
}

static void check_storage(const char *body, enum skep_storage expected)
{
	_cleanup_buf_ struct skep_buf script = {0}, report = {0};
	struct compiled c;

	skep_buf_printf(&script,
			"rawtracepoint:sched_wakeup, rawtracepoint:sched_wakeup_new { "
			"@m[args.p.pid] = nsecs; } %s",
			body);
	if (compiled_open(&c, script.data) || compiled_load(&c) || compiled_verify(&c)) {
		compiled_report(&c, &report);
		fail_msg("%s\n%s", script.data, report.data);
	}
	if (compiled_find(&c, "@m")->storage != expected)
		fail_msg("%s is kept in another way", script.data);
	compiled_done(&c);
}

/* Values of threads that are arguments are kept with them, where all keys are such. */
static void test_threads(void **state)
{
	static const char *const kept[] = {
		"rawtracepoint:sched_switch { delete(@m, args.next.pid); }",
		"rawtracepoint:sched_switch /@m[args.next.pid]/ { @x = @m[args.next.pid]; "
		"@m[args.prev.pid] = @x; delete(@m[args.next.pid]); }",
		"rawtracepoint:sched_switch { $n = args.next; $i = $n.pid; @m[$i]++; delete(@m, "
		"$i); }",
		"tracepoint:syscalls:sys_enter_read { delete(@m, tid); @x = has_key(@m, tid); }",
		"tracepoint:syscalls:sys_enter_read { @m[curtask.pid] = 5; delete(@m, "
		"curtask.pid); }",
	};
	static const char *const hashed[] = {
		"",
		"rawtracepoint:sched_switch { delete(@m, args.next.tgid); }",
		"rawtracepoint:sched_switch { delete(@m, args.next.pid); @m[5] = 1; }",
		"rawtracepoint:sched_switch { delete(@m, args.next.pid); @l = len(@m); }",
		"rawtracepoint:sched_switch { delete(@m, args.next.real_parent.pid); }",
		"tracepoint:sched:sched_switch { delete(@m, args.next_pid); }",
		("rawtracepoint:sched_switch { @o[1] = 1; for ($kv : @o) { delete(@m, "
		 "args.next.pid); } }"),
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		check_storage(kept[i], SKEP_STORE_TASK);
	for (size_t i = 0; i < sizeof(hashed) / sizeof(hashed[0]); i++)
		check_storage(hashed[i], SKEP_STORE_HASH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_casts),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
