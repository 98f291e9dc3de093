/*
 * Kernel tracepoints, by the id tracefs gives them. The event is opened on one
 * CPU only: programs on a tracepoint run on every CPU whatever the event says.
 */
#include "load/attach.h"

#include <errno.h>

int load_attach_tracepoint(struct skep_session *session, const struct skep_attach *at,
			   struct skep_diag *diag)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = at->tracepoint.id,
		.sample_period = 1,
		.wakeup_events = 1,
	};
	int fd = load_perf_open(&attr, -1, 0);
	int err = fd < 0 ? fd : load_perf_link(session, at, fd);

	if (err == -EINVAL || err == -ENOENT)
		return skep_diag_fail(diag, err, SKEP_DIAG_ATTACH_ABSENT, at->span, at->target,
				      "such tracepoint");
	return err ? load_attach_failed(at, err, diag) : 0;
}
