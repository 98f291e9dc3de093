/* Probes of programs at sockets: on a map that holds none, and on one that nobody talks to. */
#include "linux/feature_try.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

enum { VERDICT_PASS = 1 };

/* arg: the program's type; arg2: the hook. The program goes with the map. */
int probe_sockmap(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	_cleanup_close_ int map = try_map(BPF_MAP_TYPE_SOCKMAP, 0, -1, -1);
	_cleanup_close_ int prog = try_prog((uint32_t)feature->arg, 0, 0, VERDICT_PASS);
	union bpf_attr attr;

	if (map < 0 || prog < 0)
		return map < 0 ? map : prog;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)map;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = (uint32_t)feature->arg2;
	return skep_bpf(BPF_PROG_ATTACH, &attr, sizeof(attr));
}

int probe_sockmap_link(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	_cleanup_close_ int map = try_map(BPF_MAP_TYPE_SOCKMAP, 0, -1, -1);
	_cleanup_close_ int prog = try_prog(BPF_PROG_TYPE_SK_MSG, 0, 0, VERDICT_PASS);

	if (map < 0 || prog < 0)
		return map < 0 ? map : prog;
	return skep_bpf_link_create(prog, map, BPF_SK_MSG_VERDICT, 0);
}

int probe_reuseport(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	const int on = 1;
	_cleanup_close_ int prog = try_prog(BPF_PROG_TYPE_SK_REUSEPORT, 0, 0, VERDICT_PASS);
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (prog < 0)
		return prog;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &prog, sizeof(prog)) < 0)
		return -errno;
	return 0;
}
