/* How whole a profile's stacks are, see health.h: samples sorted by process and reason, summed. */
#include "profiler/health.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	uint32_t pid;
	skep_profile_str comm, reason;
	uint64_t n;
};

/* A stack's outermost frame says why it is broken; 0: it is whole. */
static skep_profile_str reason_of(const struct skep_profile *profile, uint32_t node)
{
	if (!node)
		return 0;
	while (profile->nodes[node].parent)
		node = profile->nodes[node].parent;
	const struct skep_profile_frame *frame = &profile->frames[profile->nodes[node].frame];
	return frame->kind == SKEP_FRAME_BROKEN ? frame->name : 0;
}

static int by_process(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->comm != y->comm)
		return x->comm < y->comm ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->reason < y->reason ? -1 : x->reason > y->reason;
}

static int by_reason(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->comm != y->comm)
		return x->comm < y->comm ? -1 : 1;
	if (x->reason != y->reason)
		return x->reason < y->reason ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int by_broken(const void *a, const void *b)
{
	const struct skep_health_row *x = a, *y = b;
	uint64_t n = x->stacks - x->whole, m = y->stacks - y->whole;

	if (n != m)
		return n > m ? -1 : 1;
	return x->stacks > y->stacks ? -1 : x->stacks < y->stacks;
}

static struct entry *entries_of(const struct skep_profile *profile)
{
	struct entry *entries = skep_xcalloc(profile->n_samples + 1, sizeof(*entries));
	uint32_t last = profile->n_types ? profile->n_types - 1 : 0;

	for (uint32_t i = 0; i < profile->n_samples; i++) {
		const struct skep_profile_sample *sample = &profile->samples[i];
		entries[i] = (struct entry){
			.pid = sample->pid,
			.comm = sample->comm,
			.reason = reason_of(profile, sample->node),
			.n = sample->values[last] > 0 ? (uint64_t)sample->values[last] : 0,
		};
	}
	return entries;
}

/* The row of @entry: the last one, as they are sorted; or a new one. */
static struct skep_health_row *row_of(struct skep_health *health, const struct entry *entry,
				      bool by_name)
{
	struct skep_health_row *row = health->rows.len ? skep_vec_last(&health->rows) : NULL;

	if (!row || row->comm != entry->comm || (!by_name && row->pid != entry->pid)) {
		row = skep_vec_add(&health->rows);
		row->comm = entry->comm;
	}
	row->pid = entry->pid;
	return row;
}

/* @n stacks that end alike, of so many processes. */
static void add(struct skep_health *health, struct skep_health_row *row, const struct entry *entry,
		uint64_t n, uint32_t processes)
{
	row->stacks += n;
	health->stacks += n;
	if (!entry->reason) {
		row->whole += n;
		health->whole += n;
	} else if (n > row->reason_cnt) {
		row->reason = entry->reason;
		row->reason_cnt = n;
		row->processes = processes;
	}
}

static bool is_alike(const struct entry *a, const struct entry *b, bool by_name)
{
	return a->comm == b->comm && a->reason == b->reason && (by_name || a->pid == b->pid);
}

/* From sorted entries. */
static void sum(const struct entry *entries, uint32_t n_entries, bool by_name,
		struct skep_health *health)
{
	for (uint32_t i = 0, next; i < n_entries; i = next) {
		struct skep_health_row *row = row_of(health, &entries[i], by_name);
		uint32_t processes = 0;
		uint64_t n = 0;
		for (next = i; next < n_entries && is_alike(&entries[i], &entries[next], by_name);
		     next++) {
			processes += next == i || entries[next].pid != entries[next - 1].pid;
			n += entries[next].n;
		}
		add(health, row, &entries[i], n, processes);
	}
}

void skep_health_of(const struct skep_profile *profile, bool by_name, struct skep_health *ret)
{
	struct entry *entries = entries_of(profile);

	*ret = (struct skep_health){0};
	qsort(entries, profile->n_samples, sizeof(*entries), by_name ? by_reason : by_process);
	sum(entries, profile->n_samples, by_name, ret);
	free(entries);
	skep_vec_foreach (struct skep_health_row, row, &ret->rows)
		ret->rows_broken += row->whole < row->stacks;
	if (ret->rows.len)
		qsort(ret->rows.data, ret->rows.len, sizeof(*ret->rows.data), by_broken);
}

void skep_health_done(struct skep_health *health)
{
	skep_vec_done(&health->rows);
}
