/* Syscalls: which fail, in which process, why. */
#include <stdio.h>
#include <string.h>

#include "trace/parse.h"
#include "watch/panel.h"

static const struct skep_column columns[] = {
	{"PROCESS", "process", SKEP_UNIT_TEXT, 15, 0},
	{"CALL", "call", SKEP_UNIT_TEXT, 12, 0},
	{"FAILS/s", "fails_per_second", SKEP_UNIT_RATE, 7, 0},
	{"ERROR", "error", SKEP_UNIT_TEXT, 12, 1},
	{"", "errno", SKEP_UNIT_TEXT, 8, 2},
};

void skep_panel_syscall_name(uint64_t nr, char *ret, size_t size)
{
	const char *name = skep_syscall_name((uint32_t)nr);

	if (name)
		snprintf(ret, size, "%s", name);
	else
		snprintf(ret, size, "syscall %llu", (unsigned long long)nr);
}

static void add_row(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_failed *key = row_key;
	const char *name = strerrorname_np((int)key->err);
	char call[48];

	if (!skep_filter_takes_name(walk->filter, key->comm))
		return;
	skep_panel_syscall_name(key->nr, call, sizeof(call));
	skep_row_text(walk->view, walk->table, key->comm, sizeof(key->comm));
	skep_row_text(walk->view, walk->table, call, sizeof(call));
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, words[0]));
	skep_row_text(walk->view, walk->table, strerror((int)key->err), 64);
	skep_row_text(walk->view, walk->table, name ? name : "?", 32);
}

void skep_panel_syscalls(const struct skep_snapshot *snapshot, const struct skep_filter *filter,
			 struct skep_shown *ret)
{
	struct skep_panel_walk walk = {.snapshot = snapshot, .filter = filter, .view = ret};

	ret->why_not = snapshot->why_not[SKEP_SOURCE_syscall];
	skep_shown_add_fact(ret, "fail", "fails_per_second", SKEP_UNIT_RATE,
			    skep_panel_rate(snapshot, SKEP_TALLY_FAILED));
	walk.table = skep_shown_add_table(ret, "system calls that fail", "failed", columns,
					  N_COLUMNS(columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_FAILED], WORD(0), add_row);
}
