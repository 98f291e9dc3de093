/*
 * Which places are gathered into one raw tracepoint: many of one kind whose
 * body does not depend on the way there, and no others; and that what is made
 * of them loads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compiled.h"

#define ENTER "tracepoint:syscalls:sys_enter_"
#define EXIT  "tracepoint:syscalls:sys_exit_"

struct expected {
	const char *script;
	uint32_t programs;  /* in the object */
	bool gathers_first; /* the first place is part of a gathering */
	uint32_t most_left; /* places that are attached by themselves */
};

static uint32_t left(const struct skep_trace_program *program)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < program->n_probes; i++)
		n += !program->probes[i]->gather;
	return n;
}

static void check(const struct expected *row)
{
	struct compiled c;

	assert_int_equal(compiled_open(&c, row->script), 0);
	const struct skep_probe *first = c.program.probes[0];
	assert_int_equal(first->gather != NULL, row->gathers_first);
	assert_true(!row->gathers_first || first->gather->first == first);
	assert_int_equal(first->attach.type,
			 row->gathers_first ? SKEP_ATTACH_RAW_TRACEPOINT : SKEP_ATTACH_TRACEPOINT);
	assert_true(left(&c.program) <= row->most_left);
	if (row->programs)
		assert_int_equal(c.program.object.n_progs, row->programs);
	assert_int_equal(compiled_load(&c), 0);
	compiled_done(&c);
}

/* All numbers of this kernel's calls should be known; a newer kernel may have a few more. */
#define UNKNOWN_MOST 12

static void test_gathered(void **state)
{
	static const struct expected rows[] = {
		{ENTER "* { @[probe] = count(); }", 0, true, UNKNOWN_MOST},
		{EXIT "* { @[probe, comm] = count(); }", 0, true, UNKNOWN_MOST},
		{ENTER "* { @[ustack] = count(); }", 0, true, UNKNOWN_MOST},
		{ENTER "*," EXIT "* { @[probe] = count(); }", 0, true, 2 * UNKNOWN_MOST},
		{ENTER "* { for ($kv : @x) { @y[probe] = count(); } @x[1] = 1; }", 0, true,
		 UNKNOWN_MOST},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

static void test_as_they_are(void **state)
{
	static const struct expected rows[] = {
		{ENTER "read," ENTER "write { @[probe] = count(); }", 1, false, UINT32_MAX},
		{ENTER "* { @[kstack] = count(); }", 1, false, UINT32_MAX},
		{ENTER "* { @[kstack(3)] = count(); }", 1, false, UINT32_MAX},
		{ENTER "* { $c = ctx; @[probe] = count(); }", 1, false, UINT32_MAX},
		{"tracepoint:sched:* { @[probe] = count(); }", 1, false, UINT32_MAX},
		/* records that look the same */
		{EXIT "read," EXIT "write { @ = args.ret; }", 1, false, UINT32_MAX},
		{EXIT "read," EXIT "write { @[probe] = args.ret; }", 1, false, UINT32_MAX},
		{ENTER "read," EXIT "read," EXIT "write { @ = args.__syscall_nr; }", 2, false,
		 UINT32_MAX},
		{ENTER "open," ENTER "openat { @ = args.flags; }", 2, false, UINT32_MAX},
		{"tracepoint:sched:sched_wakeup, tracepoint:sched:sched_wakeup_new { @ = "
		 "args.pid; }",
		 1, false, UINT32_MAX},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

/* A call is told from the others by its number: every place has one of its own. */
static void test_table(void **state)
{
	struct compiled c;
	bool seen[4096] = {false};
	uint32_t n = 0;

	assert_int_equal(compiled_open(&c, ENTER "* { @[probe] = count(); }"), 0);
	const struct skep_gather *gather = c.program.probes[0]->gather;
	const uint32_t *places = c.program.object.maps[gather->map].init;
	assert_int_equal(c.program.object.maps[gather->map].value_size, 4 * gather->n_numbers);
	for (uint32_t i = 0; i < gather->n_numbers; i++) {
		if (!places[i])
			continue;
		assert_true(places[i] <= c.program.n_probes && !seen[places[i]]);
		assert_ptr_equal(c.program.probes[places[i] - 1]->gather, gather);
		seen[places[i]] = true;
		n++;
	}
	assert_int_equal(n, gather->n);
	compiled_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gathered),
		cmocka_unit_test(test_as_they_are),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
