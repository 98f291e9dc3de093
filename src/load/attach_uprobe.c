/*
 * User-space probes: a breakpoint at an offset of a file, seen in every
 * process that maps the file, or in one. The event's type is the number of
 * the kernel's "uprobe" PMU, and its configuration:
 *
 *	63                        32                     1   0
 *	+---------------------------+--------------------+---+
 *	| file offset of semaphore  | 0                  | r |  r: at return
 *	+---------------------------+--------------------+---+
 *
 * where the bit of r is what the PMU's format/retprobe says.
 */
#include "load/attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

enum { SEMAPHORE_SHIFT = 32 };

static int event_attr(const struct skep_attach *at, struct perf_event_attr *ret)
{
	int type = skep_pmu_type("uprobe");
	int bit = at->uprobe.ret ? skep_pmu_retprobe_bit("uprobe") : 0;

	if (type < 0)
		return type;
	if (bit < 0)
		return bit;
	if (at->uprobe.ref_ctr_off >> 32)
		return -ERANGE;
	*ret = (struct perf_event_attr){
		.type = (uint32_t)type,
		.size = sizeof(*ret),
		.config = (uint64_t)at->uprobe.ret << bit | at->uprobe.ref_ctr_off
								    << SEMAPHORE_SHIFT,
	};
	ret->uprobe_path = (uint64_t)(uintptr_t)at->uprobe.path;
	ret->probe_offset = at->uprobe.file_off;
	return 0;
}

/* An event is bound to a process or to a CPU; for every process, any CPU stands for all. */
static int open_event(const struct skep_attach *at)
{
	struct perf_event_attr attr;
	int err = event_attr(at, &attr);

	if (err)
		return err;
	return load_perf_open(&attr, at->uprobe.pid, at->uprobe.pid < 0 ? 0 : -1);
}

static int report(const struct skep_attach *at, int err, struct skep_diag *diag)
{
	load_attach_failed(at, err, diag);
	if (err == -ENOENT)
		skep_diag_why(diag, "there is no file %s, or this kernel has no user-space probes",
			      at->uprobe.path);
	else if (err == -EINVAL || err == -EIO || err == -EOPNOTSUPP)
		skep_diag_why(diag,
			      "no breakpoint can be put at offset 0x%llx of %s: it is not the "
			      "start of an instruction, or the file is not an ordinary program",
			      (unsigned long long)at->uprobe.file_off, at->uprobe.path);
	else if (err == -ERANGE)
		skep_diag_why(diag, "its semaphore lies beyond 4 GiB in the file");
	return err;
}

int load_attach_uprobe(struct skep_session *session, const struct skep_attach *at,
		       struct skep_diag *diag)
{
	int fd = open_event(at);
	int err = fd < 0 ? fd : load_perf_link(session, at, fd);

	return err ? report(at, err, diag) : 0;
}
