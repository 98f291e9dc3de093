/*
 * Watches what processes map, for follow.c: records of the kernel, from
 * perfring.c.
 *
 * A record is in its ring a moment after its time. So that none is overtaken by
 * a later one from another CPU, the last millisecond waits for the next step.
 *
 * Processes that were there before are read from /proc a few at a time, between
 * the steps: starting a script is not to wait for that.
 */
#include <skep/symbol.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
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
	DIR *proc;                    /* owned; NULL: all processes were seen */
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
		watch->proc = opendir("/proc");
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

static void close_proc(struct skep_watch *watch)
{
	if (watch->proc)
		closedir(watch->proc);
	watch->proc = NULL;
}

void skep_watch_free(struct skep_watch *watch)
{
	if (!watch)
		return;
	watch->syms->followed = false;
	skep_perfrings_free(watch->rings); /* NULL is fine */
	close_proc(watch);
	free(watch);
}

int skep_watch_fd(const struct skep_watch *watch)
{
	return watch && watch->rings ? skep_perfrings_fd(watch->rings) : -1;
}

static void see_some(struct skep_watch *watch)
{
	const struct dirent *entry;

	for (int i = 0; watch->proc && i < SIGHTS_A_STEP;) {
		entry = readdir(watch->proc);
		if (!entry) {
			close_proc(watch);
			return;
		}
		char *end;
		long pid = strtol(entry->d_name, &end, 10);
		if (*end || pid <= 0)
			continue;
		skep_usyms_on_sight(watch->syms, (pid_t)pid);
		i++;
	}
}

bool skep_watch_step(struct skep_watch *watch)
{
	if (!watch)
		return false;
	consume(watch, skep_clock_ns() - SETTLE_NS);
	see_some(watch);
	return watch->proc;
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
