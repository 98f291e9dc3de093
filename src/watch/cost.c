/*
 * What the watching takes: CPU time of this process, and of the programs in the kernel. The
 * kernel measures programs only while somebody asks for it, and that makes each run dearer by two
 * looks at the clock; so it is asked for one reading in MEASURED_OF, and the others are taken to
 * be like it. Where kernel.bpf_stats_enabled is on it measures all the time.
 */
#include "watch/watcher_impl.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/bpf.h"

#define MEASURED_OF 30

static uint64_t own_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000u +
	       ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000u;
}

static uint64_t resident_bytes(void)
{
	_cleanup_buf_ struct skep_buf text = {0};
	unsigned long long size, resident;

	if (skep_file_read("/proc/self/statm", 256, &text) ||
	    sscanf(text.data, "%llu %llu", &size, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct skep_live_cost cost_of(struct skep_live *live)
{
	return live ? skep_live_cost(live) : (struct skep_live_cost){0};
}

static void begin(struct skep_cost *cost, struct skep_live *const *live)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.enable_stats.type = BPF_STATS_RUN_TIME;
	cost->stats_fd = skep_bpf(BPF_ENABLE_STATS, &attr, sizeof(attr));
	for (int i = 0; i < SKEP_SOURCE_CNT; i++)
		cost->before[i] = cost_of(live[i]);
	cost->since_ns = skep_watcher_now();
}

static void end(struct skep_cost *cost, struct skep_live *const *live)
{
	struct skep_overhead *into = &cost->measured;

	*into = (struct skep_overhead){0};
	for (int i = 0; i < SKEP_SOURCE_CNT; i++) {
		struct skep_live_cost now = cost_of(live[i]);
		into->runs += now.runs - cost->before[i].runs;
		into->runs_ns += now.ns - cost->before[i].ns;
	}
	into->measured_ns = skep_watcher_now() - cost->since_ns;
	skep_close(&cost->stats_fd);
}

void skep_cost_init(struct skep_cost *cost, struct skep_live *const *live)
{
	*cost = (struct skep_cost){.stats_fd = -1, .last_own_ns = own_ns()};
}

void skep_cost_done(struct skep_cost *cost)
{
	skep_close(&cost->stats_fd);
}

void skep_cost_read(struct skep_cost *cost, struct skep_live *const *live,
		    struct skep_overhead *into)
{
	uint64_t now_ns = own_ns();

	into->own_ns = now_ns - cost->last_own_ns;
	cost->last_own_ns = now_ns;
	into->resident = resident_bytes();
	if (cost->stats_fd >= 0)
		end(cost, live);
	into->runs = cost->measured.runs;
	into->runs_ns = cost->measured.runs_ns;
	into->measured_ns = cost->measured.measured_ns;
	if (cost->readings++ % MEASURED_OF == 0)
		begin(cost, live);
}
