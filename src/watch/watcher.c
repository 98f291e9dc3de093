/*
 * Opening the sources and reading them, see watcher.h.
 *
 * Most maps of the scripts only ever go on counting, and are read by difference: nothing is taken
 * away from under a program that adds to it. Where there are many keys, those whose values have
 * stood still for long are removed: so that a map does not fill up, and what is remembered of it
 * does not grow with all that ever was.
 */
#include "watch/watcher_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "base/fd.h"

/** Readings after which a key may leave a map that is half full, or has KEYS_MOST keys. */
#define STANDS_STILL 20
#define KEYS_MOST    256
/** A pass may take a hundredth of the time. */
#define PACE              100

#define SOURCE(name, ...) extern const char skep_watch_script_##name[];
#include "watch/sources.def"
#undef SOURCE

static const struct {
	const char *name, *text;
} sources[SKEP_SOURCE_CNT] = {
#define SOURCE(name, sees) {"watch/" #name ".bt", skep_watch_script_##name},
#include "watch/sources.def"
#undef SOURCE
};

uint64_t skep_watcher_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool skep_pace_is_due(const struct skep_pace *pace, uint64_t now_ns)
{
	return now_ns >= pace->next_ns;
}

void skep_pace_passed(struct skep_pace *pace, uint64_t began_ns)
{
	uint64_t now_ns = skep_watcher_now();

	pace->next_ns = began_ns + (now_ns - began_ns) * PACE;
}

/* --- Opening --------------------------------------------------------------------------------- */

/* The first error in a line: "T0101: no tracepoint is called …". */
static char *first_error(const struct skep_diag *diag, int err)
{
	for (size_t i = 0; i < diag->n_items; i++) {
		if (skep_diag_severity(diag->items[i].id) == SKEP_ERROR)
			return skep_xstrdup(diag->items[i].what);
	}
	return skep_xstrdup(strerror(-err));
}

static bool has_records(const struct skep_live *live, const char *name, uint32_t bytes)
{
	const struct skep_trace_map *map = skep_live_map(live, name);

	return map && map->value->size == bytes;
}

static bool records_fit(const struct skep_live *live, enum skep_source_id source)
{
	if (source == SKEP_SOURCE_tasks)
		return has_records(live, "@tasks", sizeof(struct skep_task_record)) &&
		       has_records(live, "@gone", sizeof(struct skep_task_record));
	if (source == SKEP_SOURCE_network)
		return has_records(live, "@sockets", sizeof(struct skep_socket_record)) &&
		       has_records(live, "@closed", sizeof(struct skep_socket_record));
	return true;
}

/* Do the script's maps look as our structs say? */
static bool find_maps(struct skep_watcher *watcher, enum skep_source_id source)
{
	for (int i = 0; i < SKEP_TALLY_CNT; i++) {
		const struct skep_tally_row *tally = &skep_tallies[i];
		if (tally->source != source || !tally->map)
			continue;
		const struct skep_trace_map *map = skep_live_map(watcher->live[source], tally->map);
		if (!map || (map->key ? map->key->size : 0) != tally->key_bytes ||
		    map->value->size != 8 * tally->words)
			return false;
		watcher->maps[i] = map;
	}
	return records_fit(watcher->live[source], source);
}

static int open_source(struct skep_watcher *watcher, enum skep_source_id source,
		       struct skep_diag *diag)
{
	char own_pid[16];
	const char *params[] = {own_pid};

	snprintf(own_pid, sizeof(own_pid), "%d", getpid());
	const struct skep_live_opts opts = {.params = params, .n_params = 1, .btf = watcher->btf};
	int err = skep_live_open_with(sources[source].name, sources[source].text, &opts,
				      &watcher->live[source], diag);
	if (!err && find_maps(watcher, source))
		return 0;
	skep_live_close(watcher->live[source]);
	watcher->live[source] = NULL;
	watcher->why_not[source] = first_error(diag, err ? err : -EINVAL);
	return err ? err : -EINVAL;
}

static void init(struct skep_watcher *watcher)
{
	for (int i = 0; i < SKEP_TALLY_CNT; i++)
		skep_rows_init(&watcher->before[i], skep_tallies[i].key_bytes,
			       8 * (skep_tallies[i].words + 1));
	skep_tasks_init(&watcher->tasks);
	skep_sockets_init(&watcher->sockets);
	skep_functions_init(&watcher->functions);
}

int skep_watcher_open(struct skep_watcher **ret, struct skep_diag *diag)
{
	struct skep_watcher *watcher = skep_xcalloc(1, sizeof(*watcher));
	_cleanup_diag_ struct skep_diag first = {0};
	int err = 0, n_open = 0;

	init(watcher);
	skep_btf_open_kernel(&watcher->btf, NULL); /* each script says that it has none */
	for (int i = 0; i < SKEP_SOURCE_CNT; i++) {
		_cleanup_diag_ struct skep_diag own = {0};
		int failed = open_source(watcher, i, &own);
		n_open += !failed;
		if (!failed || err)
			continue;
		err = failed;
		first = own;
		own = (struct skep_diag){0};
	}
	skep_cost_init(&watcher->cost, watcher->live);
	if (!n_open) {
		*diag = first;
		first = (struct skep_diag){0};
		skep_watcher_close(watcher);
		return err;
	}
	struct skep_snapshot unused;
	skep_snapshot_init(&unused);
	skep_watcher_read(watcher, true, &unused);
	skep_snapshot_done(&unused);
	*ret = watcher;
	return 0;
}

void skep_watcher_close(struct skep_watcher *watcher)
{
	if (!watcher)
		return;
	for (int i = 0; i < SKEP_SOURCE_CNT; i++) {
		skep_live_close(watcher->live[i]);
		free(watcher->why_not[i]);
	}
	for (int i = 0; i < SKEP_TALLY_CNT; i++)
		skep_rows_done(&watcher->before[i]);
	skep_tasks_done(&watcher->tasks);
	skep_sockets_done(&watcher->sockets);
	skep_functions_done(&watcher->functions);
	skep_cost_done(&watcher->cost);
	skep_btf_free(watcher->btf);
	free(watcher);
}

/* --- Differences ----------------------------------------------------------------------------- */

/* Adds what @now has more than @before; returns whether that is anything. */
static bool add_difference(const uint64_t *now, uint64_t *before, uint32_t words,
			   struct skep_rows *into, const void *key)
{
	uint64_t *sum;

	if (!memcmp(now, before, 8 * words) || !(sum = skep_rows_at(into, key)))
		return false;
	for (uint32_t word = 0; word < words; word++) {
		sum[word] += now[word] - before[word];
		before[word] = now[word];
	}
	return true;
}

struct tally_reading {
	struct skep_watcher *watcher;
	enum skep_tally tally;
	struct skep_rows *into;
};

/* What was added since it was read counts, too. */
static bool still_counts(void *ctx, const void *key, void *value)
{
	const struct tally_reading *reading = ctx;
	const struct skep_tally_row *tally = &skep_tallies[reading->tally];
	uint64_t now[SKEP_HIST_FINE], *before = value;

	if (before[tally->words] < STANDS_STILL)
		return true;
	int err = skep_map_take_key(skep_live_maps(reading->watcher->live[tally->source]),
				    reading->watcher->maps[reading->tally], key, now);
	if (!err)
		add_difference(now, before, tally->words, reading->into, key);
	return err && err != -ENOENT;
}

static void make_room(struct tally_reading *reading, size_t n)
{
	struct skep_watcher *watcher = reading->watcher;
	enum skep_tally tally = reading->tally;
	size_t most = watcher->maps[tally]->max_keys / 2;

	if (skep_tallies[tally].key_bytes && n > (most < KEYS_MOST ? most : KEYS_MOST))
		skep_rows_keep(&watcher->before[tally], still_counts, reading);
}

static void read_differences(struct skep_watcher *watcher, enum skep_tally tally,
			     struct skep_rows *into)
{
	uint32_t words = skep_tallies[tally].words;
	struct skep_map_entries entries;

	skep_map_read(skep_live_maps(watcher->live[skep_tallies[tally].source]),
		      watcher->maps[tally], false, &entries);
	for (size_t i = 0; i < entries.n; i++) {
		const struct skep_map_entry *entry = &entries.entries[i];
		const void *key = entry->key ? entry->key : "";
		uint64_t *before = skep_rows_at(&watcher->before[tally], key);
		if (!before)
			continue;
		bool differs = add_difference(entry->value, before, words, into, key);
		before[words] = differs ? 0 : before[words] + 1;
	}
	make_room(&(struct tally_reading){.watcher = watcher, .tally = tally, .into = into},
		  entries.n);
	skep_map_entries_done(&entries);
}

static void read_taken(struct skep_watcher *watcher, enum skep_tally tally, struct skep_rows *into)
{
	struct skep_map_entries entries;

	skep_map_take(skep_live_maps(watcher->live[skep_tallies[tally].source]),
		      watcher->maps[tally], false, &entries);
	for (size_t i = 0; i < entries.n; i++) {
		uint64_t *sum = skep_rows_at(into, entries.entries[i].key);
		for (uint32_t word = 0; sum && word < skep_tallies[tally].words; word++)
			sum[word] += ((const uint64_t *)entries.entries[i].value)[word];
	}
	skep_map_entries_done(&entries);
}

/* --- A reading ------------------------------------------------------------------------------- */

static void read_losses(struct skep_watcher *watcher, struct skep_live_losses *into)
{
	for (int i = 0; i < SKEP_SOURCE_CNT; i++) {
		struct skep_live_losses *before = &watcher->losses[i];
		if (!watcher->live[i])
			continue;
		struct skep_live_losses now = skep_live_losses(watcher->live[i]);
		for (int cause = 0; cause < SKEP_LOSS_CNT; cause++)
			into->by_cause[cause] += now.by_cause[cause] - before->by_cause[cause];
		into->map_full += now.map_full - before->map_full;
		into->missed += now.missed - before->missed;
		*before = now;
	}
}

/* "MemAvailable:    123 kB" */
static uint64_t meminfo(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

static void read_memory(struct skep_snapshot *into)
{
	_cleanup_buf_ struct skep_buf text = {0};

	if (skep_file_read("/proc/meminfo", 1 << 16, &text))
		return;
	into->memory.total = meminfo(text.data, "MemTotal:");
	into->memory.available = meminfo(text.data, "MemAvailable:");
	into->memory.swap_total = meminfo(text.data, "SwapTotal:");
	into->memory.swap_free = meminfo(text.data, "SwapFree:");
}

/* "cpu  user nice system idle iowait irq softirq steal …": idle and iowait are no work, and what
 * the host of a virtual machine took is none of ours. */
static void read_ticks(struct skep_watcher *watcher, struct skep_snapshot *into)
{
	_cleanup_buf_ struct skep_buf text = {0};
	unsigned long long n[7];

	if (skep_file_read("/proc/stat", 1 << 20, &text) ||
	    sscanf(text.data, "cpu %llu %llu %llu %llu %llu %llu %llu", &n[0], &n[1], &n[2], &n[3],
		   &n[4], &n[5], &n[6]) != 7)
		return;
	uint64_t busy = n[0] + n[1] + n[2] + n[5] + n[6], all = busy + n[3] + n[4];
	into->cpu.busy = busy - watcher->busy_ticks;
	into->cpu.all = all - watcher->all_ticks;
	watcher->busy_ticks = busy;
	watcher->all_ticks = all;
}

static void name_victims(const struct skep_watcher *watcher, struct skep_snapshot *into)
{
	const struct skep_rows *victims = &into->rows[SKEP_TALLY_VICTIMS];

	for (uint32_t i = 0; i < victims->n; i++) {
		const struct skep_key_number *pid = skep_rows_key(victims, i);
		const char *name = skep_tasks_name(&watcher->tasks, pid->n);
		struct skep_key_name key = {{0}};
		strncpy(key.comm, name ? name : "?", sizeof(key.comm) - 1);
		uint64_t *n = skep_rows_at(&into->rows[SKEP_TALLY_KILLED], &key);
		if (n)
			*n += *(const uint64_t *)skep_rows_value(victims, i);
	}
}

static void read_tallies(struct skep_watcher *watcher, struct skep_snapshot *into)
{
	for (int i = 0; i < SKEP_TALLY_CNT; i++) {
		if (!watcher->maps[i])
			continue;
		if (skep_tallies[i].is_taken)
			read_taken(watcher, i, &into->rows[i]);
		else
			read_differences(watcher, i, &into->rows[i]);
	}
}

void skep_watcher_read(struct skep_watcher *watcher, bool whole, struct skep_snapshot *into)
{
	uint64_t began_ns = skep_watcher_now();
	bool is_first = !watcher->last_ns;

	skep_snapshot_clear(into);
	into->n_cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	into->ns = is_first ? 0 : began_ns - watcher->last_ns;
	watcher->last_ns = began_ns;
	for (int i = 0; i < SKEP_SOURCE_CNT; i++)
		into->why_not[i] = watcher->why_not[i];
	read_tallies(watcher, into);
	name_victims(watcher, into);
	if (watcher->live[SKEP_SOURCE_tasks])
		skep_tasks_read(&watcher->tasks, watcher->live[SKEP_SOURCE_tasks], whole,
				is_first ? NULL : into);
	if (watcher->live[SKEP_SOURCE_network])
		skep_sockets_read(&watcher->sockets, watcher->live[SKEP_SOURCE_network],
				  &watcher->tasks.spaces, whole, is_first ? NULL : into);
	if (!is_first)
		skep_functions_name(&watcher->functions, into);
	read_ticks(watcher, into);
	read_memory(into);
	read_losses(watcher, &into->losses);
	skep_cost_read(&watcher->cost, watcher->live, &into->overhead);
	into->overhead.readings = 1;
	into->overhead.reading_ns = skep_watcher_now() - began_ns;
}
