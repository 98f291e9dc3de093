/*
 * What programs missed. The kernel leaves a program out where it is already at work
 * on the same CPU, which it counts with the program, and a probe where another one
 * is, which it counts with the link (Linux 6.7).
 */
#include "load/session.h"

#include <string.h>

#include "linux/bpf.h"
#include "linux/link_info.h"

uint64_t skep_session_missed(const struct skep_session *session)
{
	uint64_t missed = session->missed;

	for (size_t i = 0; i < session->links.len; i++)
		missed += skep_link_missed(session->links.data[i]);
	for (size_t i = 0; i < session->object->n_progs; i++) {
		struct bpf_prog_info info;

		memset(&info, 0, sizeof(info));
		if (skep_bpf_info(session->prog_fds[i], &info, sizeof(info)) == 0)
			missed += info.recursion_misses;
	}
	return missed;
}
