/* What the kernel's records say of processes, see processes.h. */
#include "linux/perfring.h"
#include "unwind/processes.h"

void skep_unwind_processes_on_record(struct skep_unwind_processes *processes,
				     const struct skep_perf_record *record)
{
	uint64_t time_ns = record->time_ns;
	struct skep_perf_change change;

	if (!skep_perf_record_change(record, &change))
		return;
	const struct skep_unwind_place place = {
		.tgid = (pid_t)change.pid, .mapping = &change.mapping, .path = change.path};
	switch (change.kind) {
	case SKEP_PERF_MAPPED: skep_unwind_processes_on_map(processes, &place, time_ns); break;
	case SKEP_PERF_FORKED:
		skep_unwind_processes_on_fork(processes, change.pid, change.parent, time_ns);
		break;
	case SKEP_PERF_EXECUTED:
		skep_unwind_processes_on_exec(processes, change.pid, time_ns);
		break;
	case SKEP_PERF_EXITED:
		skep_unwind_processes_on_exit(processes, change.pid, change.tid, time_ns);
		break;
	}
}
