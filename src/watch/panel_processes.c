/* Processes: programs that are started, how processes end, signals. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "watch/panel.h"

static const struct skep_column start_columns[] = {
	{"PROGRAM", "program", SKEP_UNIT_TEXT, 15, 0},
	{"BY", "parent", SKEP_UNIT_TEXT, 15, 1},
	{"STARTS/s", "starts_per_second", SKEP_UNIT_RATE, 8, 0},
	{"LIVES", "lives_ns", SKEP_UNIT_NS, 7, 0},
};

static const struct skep_column exit_columns[] = {
	{"PROCESS", "process", SKEP_UNIT_TEXT, 15, 0},
	{"ENDED WITH", "status", SKEP_UNIT_TEXT, 14, 0},
	{"TIMES", "times", SKEP_UNIT_COUNT, 5, 0},
};

static const struct skep_column signal_columns[] = {
	{"SIGNAL", "signal", SKEP_UNIT_TEXT, 9, 0},
	{"FROM", "from", SKEP_UNIT_TEXT, 15, 1},
	{"TO", "to", SKEP_UNIT_TEXT, 15, 0},
	{"TIMES", "times", SKEP_UNIT_COUNT, 5, 0},
};

/* How long those of a name lived that ended; nan: none did. */
double skep_panel_lives_ns(const struct skep_snapshot *snapshot, const char comm[SKEP_COMM])
{
	struct skep_key_name key;
	const uint64_t *lived;

	memcpy(key.comm, comm, sizeof(key.comm));
	lived = skep_panel_words(snapshot, SKEP_TALLY_LIVED, &key);
	return lived[SKEP_LIVED_N] ? (double)lived[SKEP_LIVED_NS] / (double)lived[SKEP_LIVED_N]
				   : NAN;
}

void skep_panel_signal_name(uint64_t nr, char *ret, size_t size)
{
	const char *name = sigabbrev_np((int)nr);

	if (name)
		snprintf(ret, size, "SIG%s", name);
	else
		snprintf(ret, size, "signal %llu", (unsigned long long)nr);
}

static void add_start(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_exec *key = row_key;

	if (!skep_filter_takes_name(walk->filter, key->comm))
		return;
	skep_row_text(walk->view, walk->table, key->comm, sizeof(key->comm));
	skep_row_text(walk->view, walk->table, key->parent, sizeof(key->parent));
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, words[0]));
	skep_row_number(walk->table, skep_panel_lives_ns(walk->snapshot, key->comm));
}

static void add_exit(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_exit *key = row_key;
	char status[32];

	if (!key->code || !skep_filter_takes_name(walk->filter, key->comm))
		return;
	if (WIFSIGNALED((int)key->code))
		skep_panel_signal_name(WTERMSIG((int)key->code), status, sizeof(status));
	else
		snprintf(status, sizeof(status), "status %d", WEXITSTATUS((int)key->code));
	skep_row_text(walk->view, walk->table, key->comm, sizeof(key->comm));
	skep_row_text(walk->view, walk->table, status, sizeof(status));
	skep_row_number(walk->table, (double)words[0]);
}

static void add_signal(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_signal *key = row_key;
	char name[32];

	if (!skep_filter_takes_name(walk->filter, key->to))
		return;
	skep_panel_signal_name(key->nr, name, sizeof(name));
	skep_row_text(walk->view, walk->table, name, sizeof(name));
	skep_row_text(walk->view, walk->table, key->from, sizeof(key->from));
	skep_row_text(walk->view, walk->table, key->to, sizeof(key->to));
	skep_row_number(walk->table, (double)words[0]);
}

uint64_t skep_panel_failed_exits(const struct skep_snapshot *snapshot)
{
	const struct skep_rows *rows = &snapshot->rows[SKEP_TALLY_EXITS];
	uint64_t n = 0;

	for (uint32_t i = 0; i < rows->n; i++) {
		if (((const struct skep_key_exit *)skep_rows_key(rows, i))->code)
			n += *(const uint64_t *)skep_rows_value(rows, i);
	}
	return n;
}

static void add_facts(const struct skep_snapshot *snapshot, struct skep_shown *ret)
{
	skep_shown_add_fact(ret, "forks", "forks_per_second", SKEP_UNIT_RATE,
			    skep_panel_rate(snapshot, SKEP_TALLY_FORKS));
	skep_shown_add_fact(ret, "execs", "execs_per_second", SKEP_UNIT_RATE,
			    skep_panel_rate(snapshot, SKEP_TALLY_EXECS));
	skep_shown_add_fact(ret, "exits", "exits_per_second", SKEP_UNIT_RATE,
			    skep_panel_rate(snapshot, SKEP_TALLY_EXITS));
	skep_shown_add_fact(
		ret, "failed", "failed_exits_per_second", SKEP_UNIT_RATE,
		skep_panel_known(snapshot, SKEP_TALLY_EXITS,
				 skep_snapshot_rate(snapshot, skep_panel_failed_exits(snapshot))));
	skep_shown_add_fact(ret, "signals", "signals_per_second", SKEP_UNIT_RATE,
			    skep_panel_rate(snapshot, SKEP_TALLY_SIGNALS));
}

void skep_panel_processes(const struct skep_snapshot *snapshot, const struct skep_filter *filter,
			  struct skep_shown *ret)
{
	struct skep_panel_walk walk = {.snapshot = snapshot, .filter = filter, .view = ret};

	ret->why_not = snapshot->why_not[SKEP_SOURCE_process];
	add_facts(snapshot, ret);
	walk.table = skep_shown_add_table(ret, "programs started", "started", start_columns,
					  N_COLUMNS(start_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_EXECS], WORD(0), add_start);
	walk.table = skep_shown_add_table(ret, "ended with a failure", "failed", exit_columns,
					  N_COLUMNS(exit_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_EXITS], WORD(0), add_exit);
	walk.table = skep_shown_add_table(ret, "signals", "signals", signal_columns,
					  N_COLUMNS(signal_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_SIGNALS], WORD(0), add_signal);
}
