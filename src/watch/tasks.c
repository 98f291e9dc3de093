/*
 * What processes used, from the counters that the kernel keeps for each thread.
 *
 * A pass over all threads gives their counters; what a thread has more than in the pass before
 * is its process' share. A thread that ended left its last counters behind. So nothing is counted
 * twice and nothing is missed, whatever happens between two passes:
 *
 *	known, and in this pass       the difference
 *	known, and ended              the difference to its last counters; then it is forgotten
 *	new, began after the first    all of it
 *	new, began before the first   nothing, but it is known now (it slipped through before)
 *	known, but in neither         it is ending: the kernel has not let go of it yet
 *
 * Numbers of threads are used again: a thread is the same if it began at the same time.
 */
#include "watch/watcher_impl.h"

#include <string.h>

/** Passes after which a thread that was not seen any more is forgotten. */
#define PASSES 5

struct task {
	struct skep_task_record last;
	uint64_t pass;
};

void skep_tasks_init(struct skep_tasks *tasks)
{
	*tasks = (struct skep_tasks){.began_ns = skep_watcher_now()};
	skep_rows_init(&tasks->known, 8, sizeof(struct task));
	skep_rows_init(&tasks->spaces, 8, 8);
}

void skep_tasks_done(struct skep_tasks *tasks)
{
	skep_rows_done(&tasks->known);
	skep_rows_done(&tasks->spaces);
}

const char *skep_tasks_name(const struct skep_tasks *tasks, uint64_t pid)
{
	const struct task *leader = skep_rows_find(&tasks->known, &pid);

	return leader ? leader->last.comm : NULL;
}

/* --- Counting -------------------------------------------------------------------------------- */

static struct skep_key_process key_of(const struct skep_task_record *record, bool is_process)
{
	struct skep_key_process key = {0};

	if (is_process) {
		key.pid = record->pid;
		key.cgroup = record->cgroup;
	}
	memcpy(key.comm, record->comm, sizeof(key.comm));
	return key;
}

/* @since: where it stood; NULL: it began at nothing. @is_process: as a process with a number. */
static void count(const struct skep_task_record *record, const struct skep_task_record *since,
		  bool is_process, struct skep_rows *processes)
{
	struct skep_key_process key = key_of(record, is_process);
	uint64_t used[SKEP_USED_ENDED], any = 0;

	for (int i = 0; i < SKEP_USED_ENDED; i++) {
		used[i] = record->used[i] - (since ? since->used[i] : 0);
		any |= used[i];
	}
	if (!any)
		return;
	uint64_t *sum = skep_rows_at(processes, &key);
	for (int i = 0; sum && i < SKEP_USED_ENDED; i++)
		sum[i] += used[i];
}

static bool is_same(const struct task *task, const struct skep_task_record *record)
{
	return task && task->pass && task->last.start_ns == record->start_ns;
}

static void note_space(struct skep_tasks *tasks, const struct skep_task_record *record)
{
	uint64_t *pid = record->netns ? skep_rows_at(&tasks->spaces, &record->netns) : NULL;

	if (pid && !*pid)
		*pid = record->pid;
}

static void on_living(struct skep_tasks *tasks, uint64_t tid, const struct skep_task_record *record,
		      struct skep_snapshot *into)
{
	struct task *task = skep_rows_at(&tasks->known, &tid);
	bool is_known = is_same(task, record), is_new = record->start_ns > tasks->began_ns;

	if (into && (is_known || is_new))
		count(record, is_known ? &task->last : NULL, true,
		      &into->rows[SKEP_TALLY_PROCESSES]);
	if (task)
		*task = (struct task){.last = *record, .pass = tasks->pass};
	note_space(tasks, record);
}

/* The last of a process' threads that goes is its leader. */
static void count_end(const struct skep_task_record *record, uint64_t tid, bool is_process,
		      struct skep_rows *processes)
{
	struct skep_key_process key = key_of(record, is_process);

	if (tid != record->pid)
		return;
	uint64_t *sum = skep_rows_at(processes, &key);
	if (sum)
		sum[SKEP_USED_ENDED]++;
}

static void on_ended(struct skep_tasks *tasks, uint64_t tid, const struct skep_task_record *record,
		     struct skep_snapshot *into)
{
	struct task *task = skep_rows_find(&tasks->known, &tid);
	const char *name = skep_tasks_name(tasks, record->pid);
	struct skep_rows *processes = into ? &into->rows[SKEP_TALLY_PROCESSES] : NULL;

	if (!is_same(task, record)) {
		/* one that nobody saw alive: among others of its name */
		if (processes && record->start_ns > tasks->began_ns) {
			count(record, NULL, false, processes);
			count_end(record, tid, false, processes);
		}
		return;
	}
	if (processes) {
		struct skep_task_record named = *record;
		memcpy(named.comm, name ? name : task->last.comm, sizeof(named.comm));
		named.cgroup = task->last.cgroup;
		count(&named, &task->last, true, processes);
		count_end(&named, tid, true, processes);
	}
	task->pass = 0;
}

/* --- Reading --------------------------------------------------------------------------------- */

static bool is_kept(void *ctx, const void *key, void *value)
{
	const struct skep_tasks *tasks = ctx;
	const struct task *task = value;

	return task->pass && task->pass + PASSES > tasks->pass;
}

static void read_map(struct skep_tasks *tasks, const struct skep_live *live, const char *name,
		     void (*on_record)(struct skep_tasks *, uint64_t tid,
				       const struct skep_task_record *, struct skep_snapshot *),
		     struct skep_snapshot *into)
{
	const struct skep_trace_map *map = skep_live_map(live, name);
	struct skep_map_entries entries;

	if (!map)
		return;
	skep_map_take(skep_live_maps(live), map, false, &entries);
	for (size_t i = 0; i < entries.n; i++)
		on_record(tasks, *(const uint64_t *)entries.entries[i].key,
			  entries.entries[i].value, into);
	skep_map_entries_done(&entries);
}

void skep_tasks_read(struct skep_tasks *tasks, const struct skep_live *live, bool whole,
		     struct skep_snapshot *into)
{
	uint64_t began_ns = skep_watcher_now();

	if (whole || skep_pace_is_due(&tasks->pace, began_ns)) {
		tasks->pass++;
		skep_rows_clear(&tasks->spaces);
		skep_live_iterate(live);
		read_map(tasks, live, "@tasks", on_living, into);
		skep_pace_passed(&tasks->pace, began_ns);
	}
	read_map(tasks, live, "@gone", on_ended, into);
	skep_rows_keep(&tasks->known, is_kept, tasks);
}
