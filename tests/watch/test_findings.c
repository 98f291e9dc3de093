/*
 * Every rule on snapshots made by hand: it says what was put in, and keeps quiet just below its
 * threshold. A rule of findings.def without a make_<name>() here does not compile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "watch/findings.h"
#include "snapshots.h"

#define SECONDS 10

/* Each puts in what is just enough, or just not. */

static void make_oom_kills(struct skep_snapshot *now, bool enough)
{
	struct skep_key_name key = name_key("hungry");

	put(now, SKEP_TALLY_KILLED, &key, 0, enough ? 2 : 0);
}

static void make_crashes(struct skep_snapshot *now, bool enough)
{
	struct skep_key_exit key = {.comm = "faulty", .code = enough ? SIGSEGV : SIGTERM};

	put(now, SKEP_TALLY_EXITS, &key, 0, 1);
}

static void make_little_memory(struct skep_snapshot *now, bool enough)
{
	now->memory.available = enough ? 4 * MIB : 5 * MIB;
}

static void make_reclaim(struct skep_snapshot *now, bool enough)
{
	struct skep_key_name key = name_key("squeezed");

	put(now, SKEP_TALLY_RECLAIM_NS, &key, 0, (enough ? 12 : 0) * SECONDS * SECOND / 100);
}

static void make_busy(struct skep_snapshot *now, bool enough)
{
	now->cpu.busy = enough ? 97 : 89;
	put_used(now, 1, "cc1", SKEP_USED_CPU_NS, 3 * SECOND);
	put_used(now, 2, "cc1", SKEP_USED_CPU_NS, 3 * SECOND);
	put_used(now, 3, "ld", SKEP_USED_CPU_NS, 2 * SECOND);
}

/* 2 of 100 waits are long: the 99th percentile is in the middle of them. */
static void make_waits(struct skep_snapshot *now, bool enough)
{
	struct skep_key_name key = name_key("mysqld");

	put_used(now, 7, "mysqld", SKEP_USED_WAITS, 1000);
	put_used(now, 7, "mysqld", SKEP_USED_WAIT_NS, SECOND);
	put(now, SKEP_TALLY_LATE, &key,
	    skep_histogram_bucket(enough ? 2500 : 600, SKEP_HIST_COARSE_BITS), 20);
}

static void make_hog(struct skep_snapshot *now, bool enough)
{
	put_used(now, 42, "spinner", SKEP_USED_CPU_NS, (enough ? 98 : 89) * SECONDS * SECOND / 100);
}

static void make_slow_reads(struct skep_snapshot *now, bool enough)
{
	put_took(now, "vda", SKEP_OP_READ, 100, 97);
	put_took(now, "vda", SKEP_OP_READ, enough ? 20000 : 5000, 3);
	put_took(now, "vda", SKEP_OP_WRITE, 90000, 50);
}

static void make_slow_writes(struct skep_snapshot *now, bool enough)
{
	put_took(now, "vda", SKEP_OP_WRITE, 100, 90);
	put_took(now, "vda", SKEP_OP_WRITE, enough ? 400000 : 50000, 8);
	put_took(now, "vdb", SKEP_OP_WRITE, enough ? 400000 : 50000, 2);
}

static void make_page_reads(struct skep_snapshot *now, bool enough)
{
	put_used(now, 9, "postgres", SKEP_USED_MAJOR, enough ? 4000 : 499);
}

static void make_refused(struct skep_snapshot *now, bool enough)
{
	struct skep_key_refused key = {
		.family = 2, .port = 5432, .v4 = 0x0100007f, .err = ECONNREFUSED};

	put(now, SKEP_TALLY_REFUSED, &key, 0, enough ? 34 : 2);
}

static struct skep_key_peer peer_key(uint8_t last)
{
	return (struct skep_key_peer){.family = 2, .port = 443, .address = {10, 0, 0, last}};
}

static void make_sent_again(struct skep_snapshot *now, bool enough)
{
	struct skep_key_peer key = peer_key(5);

	put(now, SKEP_TALLY_RETRANSMITS, "", 0, enough ? 12 : 4);
	put(now, SKEP_TALLY_PEERS, &key, SKEP_PEER_AGAIN, enough ? 10 : 4);
}

static void make_far(struct skep_snapshot *now, bool enough)
{
	struct skep_key_peer key = peer_key(6);

	put(now, SKEP_TALLY_PEERS, &key, SKEP_PEER_RTTS, 2);
	put(now, SKEP_TALLY_PEERS, &key, SKEP_PEER_RTT_US, enough ? 240000 : 199000);
}

static void make_failing(struct skep_snapshot *now, bool enough)
{
	struct skep_key_exit key = {.comm = "check", .code = 3 << 8};

	put(now, SKEP_TALLY_EXITS, &key, 0, enough ? 5 : 2);
}

static void make_short_lives(struct skep_snapshot *now, bool enough)
{
	struct skep_key_exec key = {.parent = "make", .comm = "cc1"};
	struct skep_key_name name = name_key("cc1");

	put(now, SKEP_TALLY_EXECS, &key, 0, 400);
	put(now, SKEP_TALLY_LIVED, &name, SKEP_LIVED_N, 400);
	put(now, SKEP_TALLY_LIVED, &name, SKEP_LIVED_NS, enough ? 400 * 12000000ull : 400 * SECOND);
}

static void make_failing_calls(struct skep_snapshot *now, bool enough)
{
	struct skep_key_failed key = {
		.comm = "python3", .nr = 257, .err = enough ? ENOENT : EAGAIN};

	put(now, SKEP_TALLY_FAILED, &key, 0, 6000);
}

static void (*const make[SKEP_FINDING_CNT])(struct skep_snapshot *now, bool enough) = {
#define FINDING(name, ...) [SKEP_FINDING_##name] = make_##name,
#include "watch/findings.def"
#undef FINDING
};

static const char *const says[SKEP_FINDING_CNT] = {
	[SKEP_FINDING_oom_kills] = "memory ran out: the kernel killed hungry 2 times",
	[SKEP_FINDING_crashes] = "faulty crashed once (SIGSEGV)",
	[SKEP_FINDING_little_memory] = "only 4.00 MiB of 100 MiB of memory are available",
	[SKEP_FINDING_reclaim] = "squeezed stands still for 12% of the time until memory is freed",
	[SKEP_FINDING_busy] = "the CPUs are 97% busy; 75% of that is cc1",
	[SKEP_FINDING_waits] = "mysqld waits 2.56 ms for a CPU at the 99th percentile",
	[SKEP_FINDING_hog] = "spinner (42) uses 98% of a CPU",
	[SKEP_FINDING_slow_reads] = "3% of reads took over 10 ms, all on vda",
	[SKEP_FINDING_slow_writes] = "10% of writes took over 100 ms, 80% of them on vda",
	[SKEP_FINDING_page_reads] = "postgres waits for 400 pages a second to come from disk",
	[SKEP_FINDING_refused] = "34 connections to 127.0.0.1 port 5432 failed: Connection refused",
	[SKEP_FINDING_sent_again] =
		"12 segments had to be sent again, most of them to 10.0.0.5 port 443",
	[SKEP_FINDING_far] = "a round trip to 10.0.0.6 takes 120 ms",
	[SKEP_FINDING_failing] = "check failed 5 times (status 3)",
	[SKEP_FINDING_short_lives] = "make starts 40 cc1 processes a second, each lives 12.0 ms",
	[SKEP_FINDING_failing_calls] =
		"openat of python3 fails 600 times a second: No such file or directory",
};

/* What the rule @id says of a snapshot; NULL: nothing. Others may find something, too. */
static const char *found_by(struct skep_findings *findings, int id)
{
	skep_vec_foreach (struct skep_finding, finding, &findings->found) {
		if ((int)finding->id == id)
			return finding->text;
	}
	return NULL;
}

static void check(int id, bool enough)
{
	struct skep_snapshot now;
	struct skep_arena arena;
	struct skep_findings findings = {.arena = &arena};

	skep_arena_init(&arena);
	init_snapshot(&now, SECONDS);
	make[id](&now, enough);
	skep_findings_find(&now, &findings);
	const char *text = found_by(&findings, id);
	if (enough && (!text || strcmp(text, says[id]) != 0))
		fail_msg("%s says \"%s\", not \"%s\"", skep_finding_rules[id].name,
			 text ? text : "nothing", says[id]);
	if (!enough && text)
		fail_msg("%s should be quiet, but says \"%s\"", skep_finding_rules[id].name, text);
	skep_findings_done(&findings);
	skep_snapshot_done(&now);
	skep_arena_done(&arena);
}

static void test_each_rule_says_what_it_found(void **state)
{
	for (int id = 0; id < SKEP_FINDING_CNT; id++)
		check(id, true);
}

static void test_each_rule_is_quiet_below_its_threshold(void **state)
{
	for (int id = 0; id < SKEP_FINDING_CNT; id++)
		check(id, false);
}

static void test_a_quiet_machine_has_no_findings(void **state)
{
	struct skep_snapshot now;
	struct skep_arena arena;
	struct skep_findings findings = {.arena = &arena};

	skep_arena_init(&arena);
	init_snapshot(&now, SECONDS);
	skep_findings_find(&now, &findings);
	assert_int_equal(findings.found.len, 0);
	skep_snapshot_clear(&now); /* of no time at all */
	memset(&now.memory, 0, sizeof(now.memory));
	skep_findings_find(&now, &findings);
	assert_int_equal(findings.found.len, 0);
	skep_snapshot_done(&now);
	skep_arena_done(&arena);
}

/* Names come from processes. */
static void test_names_do_not_act_on_the_terminal(void **state)
{
	struct skep_snapshot now;
	struct skep_arena arena;
	struct skep_findings findings = {.arena = &arena};

	skep_arena_init(&arena);
	init_snapshot(&now, SECONDS);
	put_used(&now, 1, "\033[31mred\007_0123456789", SKEP_USED_CPU_NS, SECONDS * SECOND);
	skep_findings_find(&now, &findings);
	assert_string_equal(findings.found.data[0].text, "?[31mred?_012345 (1) uses 100% of a CPU");
	skep_findings_done(&findings);
	skep_snapshot_done(&now);
	skep_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_rule_says_what_it_found),
		cmocka_unit_test(test_each_rule_is_quiet_below_its_threshold),
		cmocka_unit_test(test_a_quiet_machine_has_no_findings),
		cmocka_unit_test(test_names_do_not_act_on_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
