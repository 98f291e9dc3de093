/* Memory: page faults, what processes wait for while memory is freed, kills. */
#include "watch/panel.h"

static const struct skep_column process_columns[] = {
	{"PID", "pid", SKEP_UNIT_NUMBER, 7, 2},
	{"PROCESS", "process", SKEP_UNIT_TEXT, 15, 0},
	{"FAULTS/s", "faults_per_second", SKEP_UNIT_RATE, 8, 0},
	{"FROM DISK/s", "major_faults_per_second", SKEP_UNIT_RATE, 11, 1},
};

static const struct skep_column reclaim_columns[] = {
	{"PROCESS", "process", SKEP_UNIT_TEXT, 15, 0},
	{"STALLS/s", "stalls_per_second", SKEP_UNIT_RATE, 8, 0},
	{"STALLED", "stalled_ns", SKEP_UNIT_NS, 8, 0},
};

static const struct skep_column kill_columns[] = {
	{"PROCESS", "process", SKEP_UNIT_TEXT, 15, 0},
	{"KILLED", "kills", SKEP_UNIT_COUNT, 6, 0},
};

static void add_process(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	uint64_t faults = words[SKEP_USED_MINOR] + words[SKEP_USED_MAJOR];

	if (!skep_filter_takes(walk->filter, row_key))
		return;
	skep_panel_process(walk, row_key, words);
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, faults));
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, words[SKEP_USED_MAJOR]));
}

static void add_reclaim(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_name *key = row_key;

	if (!skep_filter_takes_name(walk->filter, key->comm))
		return;
	skep_row_text(walk->view, walk->table, key->comm, sizeof(key->comm));
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, words[0]));
	skep_row_number(walk->table,
			(double)*skep_panel_words(walk->snapshot, SKEP_TALLY_RECLAIM_NS, key));
}

static void add_kill(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_name *key = row_key;

	skep_row_text(walk->view, walk->table, key->comm, sizeof(key->comm));
	skep_row_number(walk->table, (double)words[0]);
}

/* Of what processes count. */
static double known_rate(const struct skep_snapshot *snapshot, uint64_t n)
{
	return skep_panel_known(snapshot, SKEP_TALLY_PROCESSES, skep_snapshot_rate(snapshot, n));
}

static void add_facts(const struct skep_snapshot *snapshot, struct skep_shown *ret)
{
	const struct skep_rows *processes = &snapshot->rows[SKEP_TALLY_PROCESSES];
	uint64_t major = skep_rows_sum(processes, SKEP_USED_MAJOR);
	uint64_t faults = skep_rows_sum(processes, SKEP_USED_MINOR) + major;

	skep_shown_add_fact(ret, "free", "available_bytes", SKEP_UNIT_BYTES,
			    (double)snapshot->memory.available);
	skep_shown_add_fact(ret, "faults", "faults_per_second", SKEP_UNIT_RATE,
			    known_rate(snapshot, faults));
	skep_shown_add_fact(ret, "from disk", "major_faults_per_second", SKEP_UNIT_RATE,
			    known_rate(snapshot, major));
	skep_shown_add_fact(ret, "stalls", "stalls_per_second", SKEP_UNIT_RATE,
			    skep_panel_rate(snapshot, SKEP_TALLY_RECLAIMS));
	skep_shown_add_fact(ret, "kswapd wakes", "kswapd_wakes_per_second", SKEP_UNIT_RATE,
			    skep_panel_rate(snapshot, SKEP_TALLY_KSWAPD));
	skep_shown_add_fact(
		ret, "OOM kills", "oom_kills", SKEP_UNIT_COUNT,
		skep_panel_known(snapshot, SKEP_TALLY_VICTIMS,
				 (double)skep_rows_sum(&snapshot->rows[SKEP_TALLY_KILLED], 0)));
	skep_shown_add_fact(ret, "total", "total_bytes", SKEP_UNIT_BYTES,
			    (double)snapshot->memory.total);
	if (snapshot->memory.swap_total)
		skep_shown_add_fact(
			ret, "swap used", "swap_used_bytes", SKEP_UNIT_BYTES,
			(double)(snapshot->memory.swap_total - snapshot->memory.swap_free));
}

void skep_panel_memory(const struct skep_snapshot *snapshot, const struct skep_filter *filter,
		       struct skep_shown *ret)
{
	struct skep_panel_walk walk = {.snapshot = snapshot, .filter = filter, .view = ret};

	ret->why_not = snapshot->why_not[SKEP_SOURCE_memory] ? snapshot->why_not[SKEP_SOURCE_memory]
							     : snapshot->why_not[SKEP_SOURCE_tasks];
	add_facts(snapshot, ret);
	walk.table = skep_shown_add_table(ret, "most page faults", "processes", process_columns,
					  N_COLUMNS(process_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_PROCESSES],
			WORD(SKEP_USED_MINOR) | WORD(SKEP_USED_MAJOR), add_process);
	walk.table = skep_shown_add_table(ret, "waits until memory is freed", "reclaim",
					  reclaim_columns, N_COLUMNS(reclaim_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_RECLAIMS], WORD(0), add_reclaim);
	walk.table = skep_shown_add_table(ret, "killed for lack of memory", "oom_kills_of",
					  kill_columns, N_COLUMNS(kill_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_KILLED], WORD(0), add_kill);
}
