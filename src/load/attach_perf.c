/*
 * Perf events: timers and software counters. A profile is one event on each
 * online CPU; an interval is one event on one of them.
 */
#include "load/attach.h"

#include <errno.h>

enum { CPUS_MAX = 4096 };

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

int load_attach_perf(struct skep_session *session, const struct skep_attach *at,
		     struct skep_diag *diag)
{
	int err = attach_each_cpu(session, at);

	if (err == -ENOENT || err == -EOPNOTSUPP)
		return skep_diag_fail(
			diag, err, SKEP_DIAG_ATTACH_ABSENT, at->span, at->target,
			"such counter (a virtual machine often hides the processor's)");
	return err ? load_attach_failed(at, err, diag) : 0;
}
