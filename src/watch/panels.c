/* What the panels have in common, and the table of them. */
#include "watch/panels.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "watch/panel.h"

const struct skep_panel skep_panels[SKEP_PANEL_CNT] = {
#define PANEL(name, title, tools, shows) {#name, title, tools, shows, skep_panel_##name},
#include "watch/panels.def"
#undef PANEL
};

bool skep_filter_takes_name(const struct skep_filter *filter, const char comm[SKEP_COMM])
{
	char name[SKEP_COMM + 1] = "";

	memcpy(name, comm, SKEP_COMM);
	return !filter->name ||
	       (filter->pid ? !strcmp(name, filter->name) : strstr(name, filter->name) != NULL);
}

bool skep_filter_takes(const struct skep_filter *filter, const struct skep_key_process *key)
{
	if (filter->pid)
		return key->pid == filter->pid;
	if (filter->cgroup && key->cgroup != filter->cgroup)
		return false;
	return skep_filter_takes_name(filter, key->comm);
}

void skep_peer_text(uint64_t family, const uint8_t address[16], struct skep_buf *buf)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(family == AF_INET ? AF_INET : AF_INET6, address, text, sizeof(text)))
		skep_buf_puts(buf, text);
}

struct skep_histogram skep_snapshot_histogram(const struct skep_snapshot *snapshot,
					      enum skep_tally tally, unsigned bits)
{
	const struct skep_rows *rows = &snapshot->rows[tally];

	return (struct skep_histogram){.counts = rows->n ? skep_rows_value(rows, 0) : NULL,
				       .n = skep_tallies[tally].words,
				       .bits = bits};
}

struct skep_histogram skep_snapshot_took(const struct skep_snapshot *snapshot, uint64_t op,
					 const char *disk, uint64_t *sum)
{
	const struct skep_rows *rows = &snapshot->rows[SKEP_TALLY_TOOK];
	bool any = false;

	memset(sum, 0, SKEP_HIST_FINE * sizeof(*sum));
	for (uint32_t i = 0; i < rows->n; i++) {
		const struct skep_key_disk *key = skep_rows_key(rows, i);
		const uint64_t *counts = skep_rows_value(rows, i);
		if (key->op != op || (disk && strncmp(disk, key->disk, sizeof(key->disk)) != 0))
			continue;
		any = true;
		for (int bucket = 0; bucket < SKEP_HIST_FINE; bucket++)
			sum[bucket] += counts[bucket];
	}
	return (struct skep_histogram){
		.counts = any ? sum : NULL, .n = SKEP_HIST_FINE, .bits = SKEP_HIST_FINE_BITS};
}

const uint64_t *skep_panel_words(const struct skep_snapshot *snapshot, enum skep_tally tally,
				 const void *key)
{
	static const uint64_t none[SKEP_HIST_FINE];
	const uint64_t *words = skep_rows_find(&snapshot->rows[tally], key);

	return words ? words : none;
}

double skep_panel_known(const struct skep_snapshot *snapshot, enum skep_tally tally, double value)
{
	return snapshot->why_not[skep_tallies[tally].source] ? NAN : value;
}

double skep_panel_rate(const struct skep_snapshot *snapshot, enum skep_tally tally)
{
	return skep_panel_known(
		snapshot, tally,
		skep_snapshot_rate(snapshot, skep_rows_sum(&snapshot->rows[tally], 0)));
}

void skep_panel_process(struct skep_panel_walk *walk, const struct skep_key_process *key,
			const uint64_t *words)
{
	char name[64];

	skep_row_number(walk->table, key->pid ? (double)key->pid : NAN);
	if (key->pid)
		snprintf(name, sizeof(name), "%.16s", key->comm);
	else
		snprintf(name, sizeof(name), "%.16s (%llu ended)", key->comm,
			 (unsigned long long)words[SKEP_USED_ENDED]);
	skep_row_text(walk->view, walk->table, name, sizeof(name));
}

void skep_panel_walk(struct skep_panel_walk *walk, const struct skep_rows *rows, uint64_t order_by,
		     skep_panel_add *add)
{
	_cleanup_free_ uint32_t *order = skep_rows_sorted(rows, order_by);
	uint32_t end = skep_table_n_rows(walk->table) + SKEP_PANEL_ROWS;

	for (uint32_t i = 0; i < rows->n && skep_table_n_rows(walk->table) < end; i++) {
		if (!skep_rows_weight(rows, order[i], order_by))
			break;
		add(walk, skep_rows_key(rows, order[i]), skep_rows_value(rows, order[i]));
	}
}
