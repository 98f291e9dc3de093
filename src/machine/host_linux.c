/*
 * What Linux calls the objects behind descriptors, and which of them the kernel would take into a
 * map; see host.c.
 *
 * Source  behaviour of Linux 6.18, net/core/sock_map.c, reuseport_array.c, xskmap.c, arraymap.c,
 *         bpf_task_storage.c, bpf_inode_storage.c, bpf_cgrp_storage.c
 */
#include "machine/host.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CGROUP2_MAGIC 0x63677270
#define STATE_LISTEN  10
#define STATE_OPEN    1

/* --- Sockets ---------------------------------------------------------------------------------- */

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) ? -errno : value;
}

static bool is_tcp_or_udp(int fd)
{
	int family = option(fd, SOL_SOCKET, SO_DOMAIN), type = option(fd, SOL_SOCKET, SO_TYPE);
	int protocol = option(fd, SOL_SOCKET, SO_PROTOCOL);

	return (family == AF_INET || family == AF_INET6) && type != SOCK_RAW &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

static int tcp_state(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) ? 0 : info.tcpi_state;
}

static bool is_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return !getpeername(fd, (struct sockaddr *)&peer, &len);
}

static bool has_address(int fd)
{
	struct sockaddr_in6 own = {0}; /* the port is where an IPv4 address has it as well */
	socklen_t len = sizeof(own);

	return !getsockname(fd, (struct sockaddr *)&own, &len) && own.sin6_port;
}

/* Protocols whose sockets can be handed messages, in a state where they can. */
static int check_for_sockmap(int fd)
{
	int protocol = option(fd, SOL_SOCKET, SO_PROTOCOL), state;

	if (option(fd, SOL_SOCKET, SO_DOMAIN) == AF_UNIX)
		return option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM || is_connected(fd)
			       ? 0
			       : -EOPNOTSUPP;
	if (!is_tcp_or_udp(fd))
		return -EOPNOTSUPP;
	if (protocol == IPPROTO_UDP)
		return has_address(fd) ? 0 : -EOPNOTSUPP;
	state = tcp_state(fd);
	return state == STATE_OPEN || state == STATE_LISTEN ? 0 : -EOPNOTSUPP;
}

static int check_for_reuseport(int fd)
{
	int protocol = option(fd, SOL_SOCKET, SO_PROTOCOL);
	bool ready;

	if (!is_tcp_or_udp(fd))
		return -SKEP_ENOTSUPP;
	ready = protocol == IPPROTO_TCP ? tcp_state(fd) == STATE_LISTEN : has_address(fd);
	return ready && option(fd, SOL_SOCKET, SO_REUSEPORT) > 0 ? 0 : -EINVAL;
}

static int check_socket(uint32_t type, int fd)
{
	switch (type) {
	case SKEP_MAP_SOCKMAP:
	case SKEP_MAP_SOCKHASH: return check_for_sockmap(fd);
	case SKEP_MAP_REUSEPORT_SOCKARRAY: return check_for_reuseport(fd);
	case SKEP_MAP_XSKMAP: return option(fd, SOL_SOCKET, SO_DOMAIN) == AF_XDP ? 0 : -EOPNOTSUPP;
	default: return 0;
	}
}

static int name_socket(uint32_t type, int fd, struct host_name *ret)
{
	socklen_t len = sizeof(ret->a);
	int err;

	if (option(fd, SOL_SOCKET, SO_TYPE) < 0)
		return -ENOTSOCK;
	err = check_socket(type, fd);
	if (err)
		return err;
	ret->kind = HOST_SOCKET;
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &ret->a, &len) ? -errno : 0;
}

/* --- The others ------------------------------------------------------------------------------- */

static int name_cgroup(int fd, struct host_name *ret)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) || fs.f_type != CGROUP2_MAGIC || fstat(fd, &st) ||
	    !S_ISDIR(st.st_mode))
		return -EBADF;
	*ret = (struct host_name){HOST_CGROUP, st.st_ino, 0};
	return 0;
}

static int name_perf_event(int fd, struct host_name *ret)
{
	char path[32], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -EBADF;
	target[n] = 0;
	*ret = (struct host_name){HOST_PERF_EVENT, 0, 0};
	return strcmp(target, "anon_inode:[perf_event]") ? -EBADF : 0;
}

/* A pidfd's information has a line with the process's number. */
static int name_task(int fd, struct host_name *ret)
{
	char path[40], line[128];
	long pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -EBADF;
	while (!pid && fgets(line, sizeof(line), file))
		if (sscanf(line, "Pid:\t%ld", &pid) != 1)
			pid = 0;
	fclose(file);
	*ret = (struct host_name){HOST_TASK, (uint64_t)pid, 0};
	return pid ? 0 : -EBADF;
}

static int name_file(int fd, struct host_name *ret)
{
	struct stat st;

	if (fstat(fd, &st))
		return -EBADF;
	*ret = (struct host_name){HOST_FILE, st.st_dev, st.st_ino};
	return 0;
}

int machine_host_name(uint32_t type, int fd, struct host_name *ret)
{
	int flags = fcntl(fd, F_GETFL);

	/* O_PATH is good for a file's inode alone. */
	if (flags < 0 || (flags & O_PATH && type != SKEP_MAP_INODE_STORAGE))
		return -EBADF;
	if (HOST_SOCKETS >> type & 1)
		return name_socket(type, fd, ret);
	if (HOST_CGROUPS >> type & 1)
		return name_cgroup(fd, ret);
	switch (type) {
	case SKEP_MAP_PERF_EVENT_ARRAY: return name_perf_event(fd, ret);
	case SKEP_MAP_TASK_STORAGE: return name_task(fd, ret);
	default: return name_file(fd, ret);
	}
}
