/*
 * Watches what processes map, for follow.c: records of the kernel, from
 * perfring.c.
 *
 * A record is in its ring a moment after its time. So that none is overtaken by
 * a later one from another CPU, the last millisecond waits for the next step.
 *
 * Processes that were there before are read from /proc a few at a time, between
 * the steps: starting a script is not to wait for that. The youngest come first,
 * as those end first.
 */
#include <skep/symbol.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/vec.h"
#include "linux/perfring.h"
#include "symbol/usyms.h"
#include "symbol/watch.h"

#define RING_BYTES    (64UL * 1024)
#define WAKEUP_BYTES  4096 /* some 30 records: five programs started */
#define SETTLE_NS     1000000
#define SIGHTS_A_STEP 16

struct skep_watch {
	struct skep_usyms *syms;      /* borrowed */
	struct skep_perfrings *rings; /* owned; NULL: it is fed */
	uint64_t lost;                /* then: reports */
	SKEP_VEC(pid_t) unseen;       /* the youngest last */
	pid_t only;
};

/* --- Records ---------------------------------------------------------------------------------- */

void skep_watch_record(struct skep_usyms *syms, pid_t only, const struct skep_perf_record *record)
{
	struct skep_perf_change change;

	if (!skep_perf_record_change(record, &change) || (only && (pid_t)change.pid != only))
		return;
	pid_t pid = (pid_t)change.pid;
	switch (change.kind) {
	case SKEP_PERF_MAPPED: skep_usyms_on_map(syms, pid, &change.mapping, change.path); break;
	case SKEP_PERF_FORKED: skep_usyms_on_fork(syms, pid, (pid_t)change.parent); break;
	case SKEP_PERF_EXECUTED: skep_usyms_on_exec(syms, pid); break;
	case SKEP_PERF_EXITED: break; /* stacks of the past still name it */
	}
}

void skep_watch_take(struct skep_watch *watch, const struct skep_perf_record *record)
{
	watch->lost += skep_perf_record_lost(record);
	skep_watch_record(watch->syms, watch->only, record);
}

static void on_record(void *ctx, const struct skep_perf_record *record)
{
	skep_watch_take(ctx, record);
}

/* --- The watch ------------------------------------------------------------------------------- */

/* Those whose numbers were given in this turn, which has come to @last, or in the one before. */
static void list_processes(struct skep_watch *watch, pid_t last, bool in_this_turn)
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");

	while (proc && (entry = readdir(proc))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);
		if (!*end && pid > 0 && (pid <= last) == in_this_turn)
			skep_vec_push(&watch->unseen, (pid_t)pid);
	}
	if (proc)
		closedir(proc);
}

/* Numbers rise, and begin anew at the end: the one given last is that of the youngest. */
static void list_all(struct skep_watch *watch)
{
	_cleanup_buf_ struct skep_buf text = {0};
	const char *at = NULL;

	if (!skep_file_read("/proc/loadavg", 256, &text))
		at = strrchr(text.data, ' ');
	pid_t last = at ? (pid_t)strtol(at, NULL, 10) : INT_MAX;
	list_processes(watch, last, false);
	list_processes(watch, last, true);
}

int skep_watch_open(struct skep_usyms *syms, pid_t only, struct skep_watch **ret)
{
	struct skep_perfrings *rings;
	int err = skep_perfrings_open(RING_BYTES, WAKEUP_BYTES, &rings);

	if (err)
		return err;
	skep_watch_open_fed(syms, only, ret);
	(*ret)->rings = rings;
	return 0;
}

void skep_watch_open_fed(struct skep_usyms *syms, pid_t only, struct skep_watch **ret)
{
	struct skep_watch *watch = skep_xcalloc(1, sizeof(*watch));

	*watch = (struct skep_watch){.syms = syms, .only = only};
	if (!only)
		list_all(watch);
	else
		skep_usyms_note_process(syms, only);
	syms->followed = true;
	*ret = watch;
}

static void consume(struct skep_watch *watch, uint64_t until_ns)
{
	if (watch->rings)
		skep_perfrings_consume(watch->rings, until_ns, on_record, watch);
}

void skep_watch_free(struct skep_watch *watch)
{
	if (!watch)
		return;
	watch->syms->followed = false;
	skep_perfrings_free(watch->rings); /* NULL is fine */
	skep_vec_done(&watch->unseen);
	free(watch);
}

int skep_watch_fd(const struct skep_watch *watch)
{
	return watch && watch->rings ? skep_perfrings_fd(watch->rings) : -1;
}

static void see_some(struct skep_watch *watch)
{
	for (int i = 0; i < SIGHTS_A_STEP && watch->unseen.len; i++)
		skep_usyms_on_sight(watch->syms, watch->unseen.data[--watch->unseen.len]);
}

bool skep_watch_step(struct skep_watch *watch)
{
	if (!watch)
		return false;
	consume(watch, skep_clock_ns() - SETTLE_NS);
	see_some(watch);
	return watch->unseen.len;
}

void skep_watch_finish(struct skep_watch *watch)
{
	const struct timespec settle = {.tv_nsec = SETTLE_NS};

	if (!watch || !watch->rings)
		return;
	uint64_t until_ns = skep_clock_ns();
	nanosleep(&settle, NULL);
	consume(watch, until_ns);
}

uint64_t skep_watch_lost(const struct skep_watch *watch)
{
	return watch ? watch->lost + skep_usyms_dropped(watch->syms) : 0;
}
