/*
 * Kernel functions, one at a time: a breakpoint (or, at a function's entry, what
 * ftrace left room for) that a perf event of the kernel's "kprobe" PMU sets. Its
 * configuration:
 *
 *	config   bit 0 (see the PMU's format/retprobe): at return
 *	config1  address of the function's name; 0: config2 is the place itself
 *	config2  offset from the function's start, in bytes; or an address
 *
 * A name may have a module before it: "nf_nat:nf_nat_setup_info". Many functions
 * at once: attach_kprobe_multi.c.
 */
#include "load/attach.h"

#include <errno.h>
#include <stdio.h>

#include "base/fd.h"

/* One event stands for every CPU and process: the kernel puts the breakpoint into its text once. */
static int open_event(const struct skep_attach *at)
{
	struct perf_event_attr attr = {.size = sizeof(attr)};
	int type = skep_pmu_type("kprobe");
	int bit = type >= 0 && at->kprobe.ret ? skep_pmu_retprobe_bit("kprobe") : 0;

	if (type < 0)
		return type;
	if (bit < 0)
		return bit;
	attr.type = (uint32_t)type;
	attr.config = (uint64_t)at->kprobe.ret << bit;
	attr.kprobe_func = (uint64_t)(uintptr_t)at->kprobe.func;
	attr.probe_offset = at->kprobe.func ? at->kprobe.off : at->kprobe.addr;
	return load_perf_open(&attr, -1, 0);
}

static int report(const struct skep_attach *at, int err, struct skep_diag *diag)
{
	if (skep_pmu_type("kprobe") < 0)
		return skep_diag_fail(diag, err, SKEP_DIAG_ATTACH_ABSENT, at->span, at->target,
				      "kprobes (CONFIG_KPROBES)");
	load_attach_failed(at, err, diag);
	if (err == -ENOENT)
		skep_diag_why(diag, "there is no such function now: it was inlined everywhere, or "
				    "its module is not loaded");
	else if (err == -EINVAL)
		skep_diag_why(diag, "the kernel lets nobody probe it: it was inlined, it is marked "
				    "notrace, or it is in /sys/kernel/debug/kprobes/blacklist");
	else if (err == -EADDRNOTAVAIL)
		skep_diag_why(diag, "several functions have this name: put one's address there, "
				    "from /proc/kallsyms");
	else if (err == -EILSEQ)
		skep_diag_why(diag, "no instruction starts at this offset");
	return err;
}

int load_attach_kprobe(struct skep_session *session, const struct skep_attach *at,
		       struct skep_diag *diag)
{
	int fd = open_event(at);
	int err = fd < 0 ? fd : load_perf_link(session, at, fd);

	return err ? report(at, err, diag) : 0;
}
