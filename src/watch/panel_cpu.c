/* CPU: who runs, who waits to run, and what is running. */
#include <string.h>

#include "watch/panel.h"

#define US_NS 1000.0

static const struct skep_column process_columns[] = {
	{"PID", "pid", SKEP_UNIT_NUMBER, 7, 2},
	{"PROCESS", "process", SKEP_UNIT_TEXT, 15, 0},
	{"CPU", "cpu_percent", SKEP_UNIT_PERCENT, 6, 0},
	{"WAITS", "wait_percent", SKEP_UNIT_PERCENT, 6, 1},
	{"RUNS/s", "runs_per_second", SKEP_UNIT_RATE, 6, 3},
	{"p99 WAIT", "wait_p99_ns", SKEP_UNIT_NS, 8, 4},
};

static const struct skep_column function_columns[] = {
	{"ON CPU", "percent", SKEP_UNIT_PERCENT, 6, 0},
	{"FUNCTION", "function", SKEP_UNIT_TEXT, 20, 0},
	{"IN", "in", SKEP_UNIT_TEXT, 6, 2},
	{"PROCESS", "process", SKEP_UNIT_TEXT, 15, 1},
};

double skep_panel_wait_p99_ns(const struct skep_snapshot *snapshot, const char comm[SKEP_COMM],
			      uint64_t waits)
{
	struct skep_key_name key;
	struct skep_histogram late = {.n = SKEP_HIST_COARSE, .bits = SKEP_HIST_COARSE_BITS};

	memcpy(key.comm, comm, sizeof(key.comm));
	late.counts = skep_panel_words(snapshot, SKEP_TALLY_LATE, &key);
	return skep_histogram_percentile(&late, 0.99, waits) * US_NS;
}

/* Waits are kept by name: a row's share of them is only known where the name is its own. */
static uint64_t waits_of_name(const struct skep_snapshot *snapshot, const char comm[SKEP_COMM])
{
	const struct skep_rows *rows = &snapshot->rows[SKEP_TALLY_PROCESSES];
	uint64_t waits = 0;

	for (uint32_t i = 0; i < rows->n; i++) {
		const struct skep_key_process *key = skep_rows_key(rows, i);
		if (!memcmp(key->comm, comm, SKEP_COMM))
			waits += ((const uint64_t *)skep_rows_value(rows, i))[SKEP_USED_WAITS];
	}
	return waits;
}

static void add_process(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_process *key = row_key;
	const struct skep_snapshot *now = walk->snapshot;
	double p99;

	if (!skep_filter_takes(walk->filter, key))
		return;
	p99 = skep_panel_wait_p99_ns(now, key->comm, waits_of_name(now, key->comm));
	skep_panel_process(walk, key, words);
	skep_row_number(walk->table, skep_snapshot_rate(now, words[SKEP_USED_CPU_NS]) / 1e7);
	skep_row_number(walk->table, skep_snapshot_rate(now, words[SKEP_USED_WAIT_NS]) / 1e7);
	skep_row_number(walk->table, skep_snapshot_rate(now, words[SKEP_USED_WAITS]));
	skep_row_number(walk->table, p99 > 0 ? p99 : NAN);
}

static void add_function(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_function *key = row_key;
	uint64_t all = skep_rows_sum(&walk->snapshot->rows[SKEP_TALLY_FUNCTIONS], 0);

	if (!skep_filter_takes_name(walk->filter, key->comm))
		return;
	skep_row_number(walk->table, 100.0 * (double)words[0] / (double)all);
	skep_row_text(walk->view, walk->table, key->name, sizeof(key->name));
	skep_row_text(walk->view, walk->table, key->is_kernel ? "kernel" : "user", 8);
	skep_row_text(walk->view, walk->table, key->comm, sizeof(key->comm));
}

double skep_panel_busy_percent(const struct skep_snapshot *snapshot)
{
	return snapshot->cpu.all ? 100.0 * (double)snapshot->cpu.busy / (double)snapshot->cpu.all
				 : 0;
}

static void add_facts(const struct skep_snapshot *snapshot, const struct skep_histogram *waits,
		      struct skep_shown *ret)
{
	uint64_t n = waits->counts ? skep_histogram_total(waits) : 0;
	double p50 = n ? skep_histogram_percentile(waits, 0.5, n) * US_NS : NAN;
	double p99 = n ? skep_histogram_percentile(waits, 0.99, n) * US_NS : NAN;

	skep_shown_add_fact(ret, "busy", "busy_percent", SKEP_UNIT_PERCENT,
			    skep_panel_busy_percent(snapshot));
	skep_shown_add_fact(ret, "wait p99", "wait_p99_ns", SKEP_UNIT_NS, p99);
	skep_shown_add_fact(ret, "p50", "wait_p50_ns", SKEP_UNIT_NS, p50);
	skep_shown_add_fact(
		ret, "runs", "runs_per_second", SKEP_UNIT_RATE,
		skep_panel_known(snapshot, SKEP_TALLY_WAITS, skep_snapshot_rate(snapshot, n)));
}

void skep_panel_cpu(const struct skep_snapshot *snapshot, const struct skep_filter *filter,
		    struct skep_shown *ret)
{
	struct skep_panel_walk walk = {.snapshot = snapshot, .filter = filter, .view = ret};
	struct skep_histogram waits =
		skep_snapshot_histogram(snapshot, SKEP_TALLY_WAITS, SKEP_HIST_FINE_BITS);

	ret->why_not = snapshot->why_not[SKEP_SOURCE_cpu] ? snapshot->why_not[SKEP_SOURCE_cpu]
							  : snapshot->why_not[SKEP_SOURCE_tasks];
	add_facts(snapshot, &waits, ret);
	walk.table = skep_shown_add_table(ret, "busiest processes", "processes", process_columns,
					  N_COLUMNS(process_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_PROCESSES], WORD(SKEP_USED_CPU_NS),
			add_process);
	walk.table = skep_shown_add_table(ret, "functions on the CPUs", "functions",
					  function_columns, N_COLUMNS(function_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_FUNCTIONS], WORD(0), add_function);
	skep_shown_add_histogram(ret, "wait for a CPU, us", "wait_us", waits);
}
