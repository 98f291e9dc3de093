/*
 * Perf events: timers, counters of the kernel and of the processor, and
 * watchpoints. A profile is one event on each online CPU; an interval is one
 * event on one of them. A watchpoint of a process is one event for each of its
 * threads, which goes with it from CPU to CPU and which the threads and children
 * it makes have too: the processor has but four for whoever runs.
 */
#include "load/attach.h"

#include <dirent.h>
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <stdio.h>
#include <stdlib.h>

enum { CPUS_MAX = 4096 };

static bool is_watchpoint(const struct skep_attach *at)
{
	return at->perf.type == PERF_TYPE_BREAKPOINT;
}

static struct perf_event_attr event_attr(const struct skep_attach *at)
{
	struct perf_event_attr attr = {
		.type = at->perf.type,
		.size = sizeof(attr),
		.config = at->perf.config,
		.freq = at->perf.freq,
	};

	/* one union: Hz if freq, else a number of events */
	attr.sample_period = at->perf.period;
	if (is_watchpoint(at)) {
		attr.bp_addr = at->perf.bp_addr;
		attr.bp_type = at->perf.bp_type;
		attr.bp_len = at->perf.bp_len;
		attr.inherit = at->perf.pid >= 0;
	}
	return attr;
}

static int attach_cpu(struct skep_session *session, const struct skep_attach *at, int cpu)
{
	struct perf_event_attr attr = event_attr(at);
	int fd = load_perf_open(&attr, at->perf.pid, cpu);

	return fd < 0 ? fd : load_perf_link(session, at, fd);
}

/* A CPU may go offline between the listing and here; the others count. */
static int attach_each_cpu(struct skep_session *session, const struct skep_attach *at)
{
	unsigned *cpus = skep_xmalloc(CPUS_MAX * sizeof(*cpus));
	unsigned n = skep_online_cpus(cpus, at->perf.one_cpu ? 1 : CPUS_MAX);
	size_t had = session->links.len;
	int err = 0;

	for (unsigned i = 0; i < n && (!err || err == -ENODEV); i++)
		err = attach_cpu(session, at, (int)cpus[i]);
	free(cpus);
	return err == -ENODEV && session->links.len > had ? 0 : err;
}

static int report(const struct skep_attach *at, int err, struct skep_diag *diag)
{
	if (!is_watchpoint(at) && (err == -ENOENT || err == -EOPNOTSUPP))
		return skep_diag_fail(
			diag, err, SKEP_DIAG_ATTACH_ABSENT, at->span, at->target,
			"such counter (a virtual machine often hides the processor's)");
	load_attach_failed(at, err, diag);
	if (!is_watchpoint(at))
		return err;
	if (err == -ENOSPC)
		skep_diag_why(diag, "all of the processor's breakpoints are taken");
	else if (err == -ENOENT || err == -EOPNOTSUPP)
		skep_diag_why(diag, "this kernel has no hardware breakpoints");
	else if (err == -EINVAL && at->perf.bp_type & HW_BREAKPOINT_X && at->perf.bp_addr >> 63)
		skep_diag_why(diag, "a kernel without kprobes lets nobody watch its code");
	else if (err == -EINVAL)
		skep_diag_why(diag, "the processor watches 1, 2, 4 or 8 bytes at an address that "
				    "is a multiple of their number");
	return err;
}

/* A thread may end between the listing and here; the others count. */
static int attach_each_thread(struct skep_session *session, const struct skep_attach *at)
{
	size_t had = session->links.len;
	char path[64];
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", at->perf.pid);
	DIR *dir = opendir(path);
	if (!dir)
		return -ESRCH;
	for (struct dirent *entry; (entry = readdir(dir)) && (!err || err == -ESRCH);) {
		struct skep_attach thread = *at;
		thread.perf.pid = atoi(entry->d_name);
		if (thread.perf.pid > 0) /* no thread is called "." */
			err = attach_cpu(session, &thread, -1);
	}
	closedir(dir);
	return err == -ESRCH && session->links.len > had ? 0 : err;
}

int load_attach_perf(struct skep_session *session, const struct skep_attach *at,
		     struct skep_diag *diag)
{
	int err = is_watchpoint(at) && at->perf.pid >= 0 ? attach_each_thread(session, at)
							 : attach_each_cpu(session, at);

	return err ? report(at, err, diag) : 0;
}
