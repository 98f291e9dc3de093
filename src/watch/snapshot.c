/* Snapshots: what happened in a stretch of time, see snapshot.h. */
#include "watch/snapshot.h"

#include <string.h>

#define MADE    false
#define DIFFERS false
#define TAKEN   true

const struct skep_tally_row skep_tallies[SKEP_TALLY_CNT] = {
#define TALLY(name, source, map, key, words, how)                                                  \
	{#name, SKEP_SOURCE_##source, map, sizeof(struct skep_key_##key), words, how},
#include "watch/tallies.def"
#undef TALLY
};

void skep_snapshot_init(struct skep_snapshot *snapshot)
{
	memset(snapshot, 0, sizeof(*snapshot));
	for (int i = 0; i < SKEP_TALLY_CNT; i++)
		skep_rows_init(&snapshot->rows[i], skep_tallies[i].key_bytes,
			       8 * skep_tallies[i].words);
}

void skep_snapshot_done(struct skep_snapshot *snapshot)
{
	for (int i = 0; i < SKEP_TALLY_CNT; i++)
		skep_rows_done(&snapshot->rows[i]);
}

void skep_snapshot_clear(struct skep_snapshot *snapshot)
{
	snapshot->ns = 0;
	memset(&snapshot->cpu, 0, sizeof(snapshot->cpu));
	for (int i = 0; i < SKEP_TALLY_CNT; i++)
		skep_rows_clear(&snapshot->rows[i]);
	memset(&snapshot->overhead, 0, sizeof(snapshot->overhead));
	memset(&snapshot->losses, 0, sizeof(snapshot->losses));
}

static void add_overhead(struct skep_overhead *into, const struct skep_overhead *later)
{
	into->own_ns += later->own_ns;
	into->runs += later->runs;
	into->runs_ns += later->runs_ns;
	into->measured_ns += later->measured_ns;
	into->readings += later->readings;
	into->reading_ns += later->reading_ns;
	into->resident = later->resident;
	into->unread += later->unread;
}

static void add_losses(struct skep_live_losses *into, const struct skep_live_losses *later)
{
	for (int i = 0; i < SKEP_LOSS_CNT; i++)
		into->by_cause[i] += later->by_cause[i];
	into->map_full += later->map_full;
	into->missed += later->missed;
}

void skep_snapshot_add(struct skep_snapshot *snapshot, const struct skep_snapshot *later)
{
	snapshot->ns += later->ns;
	snapshot->n_cpus = later->n_cpus;
	snapshot->cpu.busy += later->cpu.busy;
	snapshot->cpu.all += later->cpu.all;
	snapshot->memory = later->memory;
	for (int i = 0; i < SKEP_TALLY_CNT; i++)
		skep_rows_add(&snapshot->rows[i], &later->rows[i]);
	add_overhead(&snapshot->overhead, &later->overhead);
	add_losses(&snapshot->losses, &later->losses);
	memcpy(snapshot->why_not, later->why_not, sizeof(snapshot->why_not));
}

/* Rows under their key, or without a number where that process ended. */
static void add_folded(struct skep_rows *into, const struct skep_rows *rows,
		       const struct skep_rows *ended)
{
	for (uint32_t i = 0; i < rows->n; i++) {
		struct skep_key_process key;
		memcpy(&key, skep_rows_key(rows, i), sizeof(key));
		if (skep_rows_find(ended, &key.pid))
			key.pid = key.cgroup = 0;
		uint64_t *sum = skep_rows_at(into, &key);
		const uint64_t *words = skep_rows_value(rows, i);
		for (int word = 0; sum && word < SKEP_USED_CNT; word++)
			sum[word] += words[word];
	}
}

void skep_snapshot_fold(struct skep_snapshot *snapshot)
{
	struct skep_rows *rows = &snapshot->rows[SKEP_TALLY_PROCESSES], ended, folded;

	skep_rows_init(&ended, 8, 8);
	skep_rows_init(&folded, rows->key_bytes, rows->value_bytes);
	for (uint32_t i = 0; i < rows->n; i++) {
		const struct skep_key_process *key = skep_rows_key(rows, i);
		if (key->pid && ((const uint64_t *)skep_rows_value(rows, i))[SKEP_USED_ENDED])
			skep_rows_at(&ended, &key->pid);
	}
	if (ended.n) {
		add_folded(&folded, rows, &ended);
		skep_rows_done(rows);
		*rows = folded;
	}
	skep_rows_done(&ended);
}

double skep_snapshot_rate(const struct skep_snapshot *snapshot, uint64_t n)
{
	return snapshot->ns ? (double)n * 1e9 / (double)snapshot->ns : 0;
}
