/*
 * What programs missed. The kernel leaves a program out where it is already at work
 * on the same CPU, which it counts with the program, and a probe where another one
 * is, which it counts with the link (Linux 6.7).
 */
#include "load/session.h"

#include <string.h>

#include "linux/bpf.h"
#include "linux/newer.h"

uint64_t load_link_missed(int link_fd)
{
	struct link_missed_info info;

	memset(&info, 0, sizeof(info));
	if (skep_bpf_info(link_fd, &info, sizeof(info)))
		return 0;
	if (info.type == BPF_LINK_TYPE_KPROBE_MULTI)
		return info.kprobe_multi.missed;
	if (info.type == BPF_LINK_TYPE_PERF_EVENT &&
	    (info.kprobe.type == PERF_LINK_KPROBE || info.kprobe.type == PERF_LINK_KRETPROBE))
		return info.kprobe.missed;
	return 0;
}

uint64_t skep_session_missed(const struct skep_session *session)
{
	uint64_t missed = session->missed;

	for (size_t i = 0; i < session->links.len; i++)
		missed += load_link_missed(session->links.data[i]);
	for (size_t i = 0; i < session->object->n_progs; i++) {
		struct bpf_prog_info info;

		memset(&info, 0, sizeof(info));
		if (skep_bpf_info(session->prog_fds[i], &info, sizeof(info)) == 0)
			missed += info.recursion_misses;
	}
	return missed;
}
