/* Disks: what they did and how long it took, for which processes and files. */
#include <stdio.h>
#include <string.h>

#include "watch/panel.h"

#define US_NS 1000.0

static const char *const operations[] = {"read", "write", "flush", "discard"};

static const struct skep_column disk_columns[] = {
	{"DISK", "disk", SKEP_UNIT_TEXT, 6, 0},
	{"DOES", "operation", SKEP_UNIT_TEXT, 7, 0},
	{"OPS/s", "operations_per_second", SKEP_UNIT_RATE, 5, 1},
	{"BYTES/s", "bytes_per_second", SKEP_UNIT_BYTERATE, 9, 0},
	{"p50", "p50_ns", SKEP_UNIT_NS, 7, 3},
	{"p99", "p99_ns", SKEP_UNIT_NS, 7, 2},
};

static const struct skep_column process_columns[] = {
	{"PID", "pid", SKEP_UNIT_NUMBER, 7, 2},
	{"PROCESS", "process", SKEP_UNIT_TEXT, 15, 0},
	{"READS/s", "read_bytes_per_second", SKEP_UNIT_BYTERATE, 9, 0},
	{"WRITES/s", "written_bytes_per_second", SKEP_UNIT_BYTERATE, 9, 1},
};

static const struct skep_column file_columns[] = {
	{"FILE", "file", SKEP_UNIT_TEXT, 24, 0},
	{"DOES", "operation", SKEP_UNIT_TEXT, 7, 1},
	{"BYTES/s", "bytes_per_second", SKEP_UNIT_BYTERATE, 9, 0},
};

static const char *operation(uint64_t op)
{
	return op < sizeof(operations) / sizeof(operations[0]) ? operations[op] : "?";
}

static void add_disk(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_disk *key = row_key;
	struct skep_histogram took = {.counts = words, SKEP_HIST_FINE, SKEP_HIST_FINE_BITS};
	uint64_t n = skep_histogram_total(&took);
	uint64_t bytes = *skep_panel_words(walk->snapshot, SKEP_TALLY_BYTES, key);

	skep_row_text(walk->view, walk->table, key->disk, sizeof(key->disk));
	skep_row_text(walk->view, walk->table, operation(key->op), 8);
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, n));
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, bytes));
	skep_row_number(walk->table, skep_histogram_percentile(&took, 0.5, n) * US_NS);
	skep_row_number(walk->table, skep_histogram_percentile(&took, 0.99, n) * US_NS);
}

/* The word that is walked by differs from row to row: all of them, which then are sorted. */
static void add_disks(struct skep_panel_walk *walk)
{
	const struct skep_rows *rows = &walk->snapshot->rows[SKEP_TALLY_TOOK];

	for (uint32_t i = 0; i < rows->n; i++)
		add_disk(walk, skep_rows_key(rows, i), skep_rows_value(rows, i));
	skep_table_sort(walk->table, 2);
}

static void add_process(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	if (!skep_filter_takes(walk->filter, row_key))
		return;
	skep_panel_process(walk, row_key, words);
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, words[SKEP_USED_READ]));
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, words[SKEP_USED_WRITTEN]));
}

static void file_row(struct skep_panel_walk *walk, const char *name, uint64_t op, uint64_t bytes)
{
	skep_row_text(walk->view, walk->table, name, 100);
	skep_row_text(walk->view, walk->table, operation(op), 8);
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, bytes));
}

static void add_file(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_file *key = row_key;
	char name[100];

	if (key->folder[0] == '/' && !key->folder[1])
		snprintf(name, sizeof(name), "/%.48s", key->name);
	else
		snprintf(name, sizeof(name), "%.32s/%.48s", key->folder, key->name);
	file_row(walk, name, key->op, words[0]);
}

static void add_unnamed(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_disk *key = row_key;
	char name[64];

	snprintf(name, sizeof(name), "(the file system of %.32s)", key->disk);
	file_row(walk, name, key->op, words[0]);
}

static void add_direct(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_disk *key = row_key;
	char name[64];

	snprintf(name, sizeof(name), "(past the cache, %.32s)", key->disk);
	file_row(walk, name, key->op, words[0]);
}

static void add_files(struct skep_panel_walk *walk)
{
	const struct skep_rows *rows = walk->snapshot->rows;

	skep_panel_walk(walk, &rows[SKEP_TALLY_FILES], WORD(0), add_file);
	skep_panel_walk(walk, &rows[SKEP_TALLY_UNNAMED], WORD(0), add_unnamed);
	skep_panel_walk(walk, &rows[SKEP_TALLY_DIRECT], WORD(0), add_direct);
	skep_table_sort(walk->table, 2);
}

static void add_facts(const struct skep_snapshot *snapshot, uint64_t op, const char *const names[6],
		      struct skep_shown *ret)
{
	const struct skep_rows *rows = &snapshot->rows[SKEP_TALLY_BYTES];
	uint64_t *sum = skep_arena_array(ret->arena, uint64_t, SKEP_HIST_FINE), bytes = 0;
	struct skep_histogram took = skep_snapshot_took(snapshot, op, NULL, sum);
	uint64_t n = took.counts ? skep_histogram_total(&took) : 0;

	for (uint32_t i = 0; i < rows->n; i++) {
		if (((const struct skep_key_disk *)skep_rows_key(rows, i))->op == op)
			bytes += *(const uint64_t *)skep_rows_value(rows, i);
	}
	skep_shown_add_fact(
		ret, names[0], names[1], SKEP_UNIT_RATE,
		skep_panel_known(snapshot, SKEP_TALLY_TOOK, skep_snapshot_rate(snapshot, n)));
	skep_shown_add_fact(
		ret, names[4], names[2], SKEP_UNIT_BYTERATE,
		skep_panel_known(snapshot, SKEP_TALLY_BYTES, skep_snapshot_rate(snapshot, bytes)));
	skep_shown_add_histogram(ret, names[5], names[3], took);
}

void skep_panel_disks(const struct skep_snapshot *snapshot, const struct skep_filter *filter,
		      struct skep_shown *ret)
{
	static const char *const reads[] = {
		"reads", "reads_per_second", "read_bytes_per_second", "read_us",
		"read",  "reads, us"};
	static const char *const writes[] = {
		"writes",   "writes_per_second", "written_bytes_per_second",
		"write_us", "written",           "writes, us"};
	struct skep_panel_walk walk = {.snapshot = snapshot, .filter = filter, .view = ret};

	ret->why_not = snapshot->why_not[SKEP_SOURCE_disk];
	add_facts(snapshot, SKEP_OP_READ, reads, ret);
	add_facts(snapshot, SKEP_OP_WRITE, writes, ret);
	walk.table =
		skep_shown_add_table(ret, "disks", "disks", disk_columns, N_COLUMNS(disk_columns));
	add_disks(&walk);
	walk.table = skep_shown_add_table(ret, "busiest processes", "processes", process_columns,
					  N_COLUMNS(process_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_PROCESSES],
			WORD(SKEP_USED_READ) | WORD(SKEP_USED_WRITTEN), add_process);
	walk.table = skep_shown_add_table(ret, "busiest files", "files", file_columns,
					  N_COLUMNS(file_columns));
	add_files(&walk);
}
