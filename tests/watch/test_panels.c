/* Panels of snapshots made by hand: the numbers that were put in, in the right cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "snapshots.h"
#include "watch/panel.h"
#include "watch/panels.h"

#define SECONDS 2

struct fixture {
	struct skep_arena arena;
	struct skep_snapshot now;
	struct skep_filter filter;
	struct skep_shown shown;
};

static void begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	skep_arena_init(&f->arena);
	init_snapshot(&f->now, SECONDS);
	f->shown.arena = &f->arena;
}

static void end(struct fixture *f)
{
	skep_shown_done(&f->shown);
	skep_snapshot_done(&f->now);
	skep_arena_done(&f->arena);
}

static const struct skep_table *table_of(const struct fixture *f, const char *json)
{
	skep_vec_foreach (struct skep_table, table, &f->shown.tables) {
		if (!strcmp(table->json, json))
			return table;
	}
	fail_msg("no table %s", json);
	return NULL;
}

static const struct skep_cell *cell(const struct fixture *f, const char *json, uint32_t row,
				    const char *column)
{
	const struct skep_table *table = table_of(f, json);

	assert_true(row < skep_table_n_rows(table));
	for (uint32_t i = 0; i < table->n_columns; i++) {
		if (!strcmp(table->columns[i].json, column))
			return skep_table_cell(table, row, i);
	}
	fail_msg("no column %s in %s", column, json);
	return NULL;
}

static void check_number(const struct fixture *f, const char *json, uint32_t row,
			 const char *column, double want)
{
	assert_true(fabs(cell(f, json, row, column)->number - want) < 1e-9);
}

static void check_text(const struct fixture *f, const char *json, uint32_t row, const char *column,
		       const char *want)
{
	assert_string_equal(cell(f, json, row, column)->text, want);
}

static double fact(const struct fixture *f, const char *json)
{
	skep_vec_foreach (struct skep_fact, found, &f->shown.facts) {
		if (!strcmp(found->json, json))
			return found->number;
	}
	fail_msg("no fact %s", json);
	return 0;
}

static void test_cpu(void **state)
{
	struct fixture f;
	struct skep_key_function function = {.is_kernel = 1, .comm = "b", .name = "copy_page"};

	begin(&f);
	put_used(&f.now, 1, "a", SKEP_USED_CPU_NS, SECOND / 2);
	put_used(&f.now, 2, "b", SKEP_USED_CPU_NS, SECOND);
	put_used(&f.now, 2, "b", SKEP_USED_WAIT_NS, SECOND / 5);
	put_used(&f.now, 2, "b", SKEP_USED_WAITS, 40);
	put_used(&f.now, 0, "c", SKEP_USED_CPU_NS, SECOND / 10);
	put_used(&f.now, 0, "c", SKEP_USED_ENDED, 3);
	put(&f.now, SKEP_TALLY_FUNCTIONS, &function, 0, 30);
	memcpy(function.name, "memcpy", 7);
	function.is_kernel = 0;
	put(&f.now, SKEP_TALLY_FUNCTIONS, &function, 0, 10);
	skep_panels[SKEP_PANEL_cpu].build(&f.now, &f.filter, &f.shown);
	assert_true(fact(&f, "busy_percent") == 10);
	assert_true(isnan(fact(&f, "wait_p99_ns")));
	check_number(&f, "processes", 0, "pid", 2);
	check_number(&f, "processes", 0, "cpu_percent", 50);
	check_number(&f, "processes", 0, "wait_percent", 10);
	check_number(&f, "processes", 0, "runs_per_second", 20);
	check_text(&f, "processes", 2, "process", "c (3 ended)");
	assert_true(cell(&f, "processes", 2, "pid")->is_empty);
	check_text(&f, "functions", 0, "function", "copy_page");
	check_text(&f, "functions", 0, "in", "kernel");
	check_number(&f, "functions", 1, "percent", 25);
	end(&f);
}

static void test_memory(void **state)
{
	struct fixture f;
	struct skep_key_name name = name_key("squeezed");

	begin(&f);
	put_used(&f.now, 1, "a", SKEP_USED_MINOR, 100);
	put_used(&f.now, 2, "b", SKEP_USED_MAJOR, 300);
	put(&f.now, SKEP_TALLY_RECLAIMS, &name, 0, 4);
	put(&f.now, SKEP_TALLY_RECLAIM_NS, &name, 0, 5000000);
	put(&f.now, SKEP_TALLY_KILLED, &name, 0, 1);
	skep_panels[SKEP_PANEL_memory].build(&f.now, &f.filter, &f.shown);
	assert_true(fact(&f, "faults_per_second") == 200);
	assert_true(fact(&f, "major_faults_per_second") == 150);
	assert_true(fact(&f, "oom_kills") == 1);
	assert_true(fact(&f, "available_bytes") == 50 * MIB);
	check_text(&f, "processes", 0, "process", "b");
	check_number(&f, "processes", 1, "faults_per_second", 50);
	check_number(&f, "reclaim", 0, "stalls_per_second", 2);
	check_number(&f, "reclaim", 0, "stalled_ns", 5000000);
	check_text(&f, "oom_kills_of", 0, "process", "squeezed");
	end(&f);
}

static void test_disks(void **state)
{
	struct fixture f;
	struct skep_key_disk disk = disk_key("vda", SKEP_OP_READ);
	struct skep_key_file file = {.folder = "log", .name = "syslog", .op = SKEP_OP_WRITE};
	struct skep_key_file root = {.folder = "/", .name = "core", .op = SKEP_OP_READ};

	begin(&f);
	put_took(&f.now, "vda", SKEP_OP_READ, 1000, 20);
	put_took(&f.now, "vda", SKEP_OP_WRITE, 1000, 8);
	put(&f.now, SKEP_TALLY_BYTES, &disk, 0, 4 * MIB);
	put(&f.now, SKEP_TALLY_FILES, &file, 0, 3 * MIB);
	put(&f.now, SKEP_TALLY_FILES, &root, 0, 2 * MIB);
	put(&f.now, SKEP_TALLY_DIRECT, &disk, 0, MIB);
	put_used(&f.now, 3, "reader", SKEP_USED_READ, 4 * MIB);
	skep_panels[SKEP_PANEL_disks].build(&f.now, &f.filter, &f.shown);
	assert_true(fact(&f, "reads_per_second") == 10);
	assert_true(fact(&f, "read_bytes_per_second") == 2 * MIB);
	assert_true(fact(&f, "writes_per_second") == 4);
	check_text(&f, "disks", 0, "operation", "read");
	assert_true(cell(&f, "disks", 0, "p50_ns")->number >= 896000);
	assert_true(cell(&f, "disks", 0, "p50_ns")->number <= 1024000);
	check_text(&f, "files", 0, "file", "log/syslog");
	check_text(&f, "files", 1, "file", "/core");
	check_text(&f, "files", 2, "file", "(past the cache, vda)");
	check_number(&f, "processes", 0, "read_bytes_per_second", 2 * MIB);
	assert_int_equal(f.shown.histograms.len, 2);
	end(&f);
}

/* What is of no file is not left out because there are many files. */
static void test_many_files(void **state)
{
	struct fixture f;
	struct skep_key_disk disk = disk_key("vda", SKEP_OP_READ);

	begin(&f);
	for (uint32_t i = 0; i < 2 * SKEP_PANEL_ROWS; i++) {
		struct skep_key_file file = {.folder = "src", .op = SKEP_OP_READ};
		snprintf(file.name, sizeof(file.name), "file%u", i);
		put(&f.now, SKEP_TALLY_FILES, &file, 0, 4096);
	}
	put(&f.now, SKEP_TALLY_DIRECT, &disk, 0, 3 * MIB);
	put(&f.now, SKEP_TALLY_UNNAMED, &disk, 0, 2 * MIB);
	skep_panels[SKEP_PANEL_disks].build(&f.now, &f.filter, &f.shown);
	check_text(&f, "files", 0, "file", "(past the cache, vda)");
	check_text(&f, "files", 1, "file", "(the file system of vda)");
	check_text(&f, "files", 2, "operation", "read");
	end(&f);
}

static void test_network(void **state)
{
	struct fixture f;
	struct skep_key_states opened = {.from = 2, .to = 1}, failed = {.from = 2, .to = 7};
	struct skep_key_peer peer = {.family = 10, .port = 443, .address = {[15] = 1}};
	struct skep_key_refused refused = {
		.family = 2, .port = 9, .v4 = 0x0100007f, .err = ECONNREFUSED};

	begin(&f);
	put(&f.now, SKEP_TALLY_STATES, &opened, 0, 6);
	put(&f.now, SKEP_TALLY_STATES, &failed, 0, 2);
	put(&f.now, SKEP_TALLY_REFUSED, &refused, 0, 2);
	put(&f.now, SKEP_TALLY_PEERS, &peer, SKEP_PEER_SENT, 2 * MIB);
	put(&f.now, SKEP_TALLY_PEERS, &peer, SKEP_PEER_RTT_US, 300);
	put(&f.now, SKEP_TALLY_PEERS, &peer, SKEP_PEER_RTTS, 3);
	skep_panels[SKEP_PANEL_network].build(&f.now, &f.filter, &f.shown);
	assert_true(fact(&f, "opened_per_second") == 3);
	assert_true(fact(&f, "failed_per_second") == 1);
	check_text(&f, "peers", 0, "peer", "::1");
	check_text(&f, "peers", 0, "service_of", "peer");
	check_number(&f, "peers", 0, "sent_bytes_per_second", MIB);
	check_number(&f, "peers", 0, "round_trip_ns", 100000);
	check_text(&f, "failed", 0, "peer", "127.0.0.1");
	check_text(&f, "failed", 0, "why", "Connection refused");
	end(&f);
}

static void test_processes(void **state)
{
	struct fixture f;
	struct skep_key_exec exec = {.parent = "make", .comm = "cc1"};
	struct skep_key_exit good = {.comm = "cc1"}, bad = {.comm = "cc1", .code = 2 << 8};
	struct skep_key_exit killed = {.comm = "cc1", .code = SIGKILL};
	struct skep_key_signal signal = {.nr = SIGKILL, .from = "kill", .to = "cc1"};
	struct skep_key_name name = name_key("cc1");

	begin(&f);
	put(&f.now, SKEP_TALLY_EXECS, &exec, 0, 8);
	put(&f.now, SKEP_TALLY_EXITS, &good, 0, 10);
	put(&f.now, SKEP_TALLY_EXITS, &bad, 0, 4);
	put(&f.now, SKEP_TALLY_EXITS, &killed, 0, 2);
	put(&f.now, SKEP_TALLY_SIGNALS, &signal, 0, 2);
	put(&f.now, SKEP_TALLY_LIVED, &name, SKEP_LIVED_NS, 160);
	put(&f.now, SKEP_TALLY_LIVED, &name, SKEP_LIVED_N, 16);
	skep_panels[SKEP_PANEL_processes].build(&f.now, &f.filter, &f.shown);
	assert_true(fact(&f, "exits_per_second") == 8);
	assert_true(fact(&f, "failed_exits_per_second") == 3);
	check_text(&f, "started", 0, "parent", "make");
	check_number(&f, "started", 0, "lives_ns", 10);
	check_text(&f, "failed", 0, "status", "status 2");
	check_text(&f, "failed", 1, "status", "SIGKILL");
	assert_int_equal(skep_table_n_rows(table_of(&f, "failed")), 2);
	check_text(&f, "signals", 0, "from", "kill");
	end(&f);
}

static void test_syscalls(void **state)
{
	struct fixture f;
	struct skep_key_failed known = {.comm = "a", .nr = 257, .err = ENOENT};
	struct skep_key_failed unknown = {.comm = "b", .nr = 9999, .err = EPERM};

	begin(&f);
	put(&f.now, SKEP_TALLY_FAILED, &known, 0, 10);
	put(&f.now, SKEP_TALLY_FAILED, &unknown, 0, 2);
	skep_panels[SKEP_PANEL_syscalls].build(&f.now, &f.filter, &f.shown);
	assert_true(fact(&f, "fails_per_second") == 6);
	check_text(&f, "failed", 0, "call", "openat");
	check_text(&f, "failed", 0, "errno", "ENOENT");
	check_text(&f, "failed", 1, "call", "syscall 9999");
	end(&f);
}

static bool takes(struct skep_filter filter, uint64_t pid, uint64_t cgroup, const char *name)
{
	struct skep_key_process key = process_key(pid, name);

	key.cgroup = cgroup;
	return skep_filter_takes(&filter, &key);
}

static void test_filters(void **state)
{
	struct skep_filter none = {0}, pid = {.pid = 5, .name = "bash"}, name = {.name = "as"};
	struct skep_filter cgroup = {.cgroup = 77};

	assert_true(takes(none, 5, 1, "bash"));
	assert_true(takes(pid, 5, 1, "anything"));
	assert_false(takes(pid, 6, 1, "bash"));
	assert_true(skep_filter_takes_name(&pid, name_key("bash").comm));
	assert_false(skep_filter_takes_name(&pid, name_key("bash2").comm));
	assert_true(takes(name, 6, 1, "bash"));
	assert_true(takes(name, 0, 0, "as"));
	assert_false(takes(name, 6, 1, "ld"));
	assert_true(takes(cgroup, 6, 77, "ld"));
	assert_false(takes(cgroup, 6, 78, "ld"));
}

/* Nothing divides by a time, a number of CPUs or a total that is not there. */
static void test_an_empty_snapshot(void **state)
{
	for (int i = 0; i < SKEP_PANEL_CNT; i++) {
		struct fixture f;

		begin(&f);
		memset(&f.now.cpu, 0, sizeof(f.now.cpu));
		f.now.ns = f.now.n_cpus = 0;
		f.now.why_not[SKEP_SOURCE_tasks] = f.now.why_not[SKEP_SOURCE_disk] =
			"no such thing";
		skep_panels[i].build(&f.now, &f.filter, &f.shown);
		assert_true(f.shown.tables.len > 0);
		skep_vec_foreach (struct skep_table, table, &f.shown.tables)
			assert_int_equal(skep_table_n_rows(table), 0);
		skep_vec_foreach (struct skep_fact, found, &f.shown.facts)
			assert_true(isnan(found->number) || found->number >= 0);
		bool is_blind =
			i == SKEP_PANEL_cpu || i == SKEP_PANEL_memory || i == SKEP_PANEL_disks;
		assert_int_equal(f.shown.why_not != NULL, is_blind);
		end(&f);
	}
}

/* What nobody can see here is not known, and not 0; the machine's own numbers are known all the
 * same. */
static void test_what_is_not_seen(void **state)
{
	struct fixture f;

	for (int i = 0; i < SKEP_PANEL_CNT; i++) {
		begin(&f);
		for (int source = 0; source < SKEP_SOURCE_CNT; source++)
			f.now.why_not[source] = "no such thing";
		skep_panels[i].build(&f.now, &f.filter, &f.shown);
		skep_vec_foreach (struct skep_fact, found, &f.shown.facts) {
			bool is_machines =
				strstr(found->json, "_bytes") && !strstr(found->json, "per_second");
			is_machines = is_machines || !strcmp(found->json, "busy_percent");
			if (found->is_empty == is_machines)
				fail_msg("%s", found->json);
		}
		end(&f);
	}
	begin(&f);
	f.now.why_not[SKEP_SOURCE_memory] = "no such thing";
	skep_panels[SKEP_PANEL_memory].build(&f.now, &f.filter, &f.shown);
	assert_true(isnan(fact(&f, "stalls_per_second")) && isnan(fact(&f, "oom_kills")));
	assert_true(fact(&f, "faults_per_second") == 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_many_files),
		cmocka_unit_test(test_what_is_not_seen),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_syscalls),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_an_empty_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
