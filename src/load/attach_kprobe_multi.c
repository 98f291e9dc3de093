/*
 * Many kernel functions by one link (Linux 5.18, CONFIG_FPROBE): the kernel
 * hooks them all through ftrace at once, so that a thousand take milliseconds,
 * where as many perf events take seconds. The program is loaded for this
 * (BPF_TRACE_KPROBE_MULTI), and so is one that sees entry and return of each
 * call (BPF_TRACE_KPROBE_SESSION, Linux 6.10).
 *
 * All or nothing: one function that ftrace does not know, and none is attached.
 */
#include "load/attach.h"

#include <errno.h>

static uint64_t address_of(const void *array)
{
	return (uint64_t)(uintptr_t)array;
}

static int report(const struct skep_attach *at, int err, struct skep_diag *diag)
{
	if (err == -EINVAL || err == -EOPNOTSUPP)
		return skep_diag_fail(diag, err, SKEP_DIAG_ATTACH_ABSENT, at->span, at->target,
				      at->kprobe_multi.session
					      ? "kprobe.session (Linux 6.10, CONFIG_FPROBE)"
					      : "kprobe.multi (Linux 5.18, CONFIG_FPROBE)");
	load_attach_failed(at, err, diag);
	if (err == -ESRCH || err == -ENOENT)
		skep_diag_why(diag, "one of the functions is not there, or ftrace cannot hook it: "
				    "see available_filter_functions in /sys/kernel/tracing");
	return err;
}

int load_attach_kprobe_multi(struct skep_session *session, const struct skep_attach *at,
			     struct skep_diag *diag)
{
	struct link_create_attr attr = {
		.attach_type =
			at->kprobe_multi.session ? ATTACH_KPROBE_SESSION : BPF_TRACE_KPROBE_MULTI,
	};

	attr.kprobe_multi.flags = at->kprobe_multi.ret ? KPROBE_MULTI_RETURN : 0;
	attr.kprobe_multi.cnt = at->kprobe_multi.n;
	attr.kprobe_multi.syms = address_of(at->kprobe_multi.names);
	attr.kprobe_multi.addrs = address_of(at->kprobe_multi.addrs);
	attr.kprobe_multi.cookies = address_of(at->kprobe_multi.cookies);
	int err = load_link_create(session, at, &attr);

	return err ? report(at, err, diag) : 0;
}
