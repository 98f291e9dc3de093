/* Raw tracepoints: by name, without perf events and without tracefs. */
#include "load/attach.h"

#include <errno.h>

/* Cookies for raw tracepoints came in 6.10 with a newer bpf(2) field that is set here by hand: it
 * lies behind the name and the program, 4 bytes of padding between. */
struct raw_tracepoint_attr {
	uint64_t name;
	uint32_t prog_fd, pad;
	uint64_t cookie;
};

static int open_link(const struct skep_attach *at, int prog_fd)
{
	struct raw_tracepoint_attr attr = {
		.name = (uint64_t)(uintptr_t)at->raw_tracepoint.name,
		.prog_fd = (uint32_t)prog_fd,
		.cookie = at->cookie,
	};

	if (!at->cookie)
		return skep_bpf_raw_tracepoint_open(at->raw_tracepoint.name, prog_fd);
	return skep_bpf(BPF_RAW_TRACEPOINT_OPEN, (union bpf_attr *)&attr, sizeof(attr));
}

int load_attach_raw_tracepoint(struct skep_session *session, const struct skep_attach *at,
			       struct skep_diag *diag)
{
	int fd = open_link(at, session->prog_fds[at->prog]);

	if (fd >= 0) {
		load_link_add(session, fd);
		return 0;
	}
	if (fd == -ENOENT)
		return skep_diag_fail(diag, fd, SKEP_DIAG_ATTACH_ABSENT, at->span, at->target,
				      "such raw tracepoint");
	if (fd == -E2BIG && at->cookie) {
		skep_diag_add(diag, SKEP_DIAG_ATTACH_COOKIE, at->span, at->target);
		skep_diag_try(diag, "Linux 6.10 or later, which has them for raw tracepoints");
		return fd;
	}
	return load_attach_failed(at, fd, diag);
}
