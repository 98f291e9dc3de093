/*
 * Sockets, cgroups, perf events, tasks and files as elements of maps and owners of storages: the
 * same descriptors for the kernel's map and for the machine's, the same results.
 */
#include "both.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <skep/map.h>

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

/* --- Descriptors of all kinds ---------------------------------------------------------------- */

#define MOST_KINDS 40

static struct {
	int fd;
	const char *what;
} kinds[MOST_KINDS];
static unsigned n_kinds;

static void add(int fd, const char *what)
{
	assert_true(n_kinds < MOST_KINDS);
	kinds[n_kinds].fd = fd;
	kinds[n_kinds++].what = what;
}

enum { BOUND = 1, REUSES = 2, LISTENS = 4 };

static int inet_socket(int family, int type, unsigned how)
{
	union {
		struct sockaddr_in six_or_four;
		struct sockaddr_in6 six;
	} at = {.six.sin6_family = (sa_family_t)family};
	int fd = socket(family, type, 0), one = 1;

	if (fd < 0)
		return fd;
	if (family == AF_INET)
		at.six_or_four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (how & REUSES)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (how & BOUND)
		assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (how & LISTENS)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void add_connected(void)
{
	int listener = inet_socket(AF_INET, SOCK_STREAM, BOUND | LISTENS), client, server;
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	server = accept(listener, NULL, NULL);
	add(client, "TCP, connected");
	add(server, "TCP, accepted");
	add(listener, "TCP, listening");
}

static void add_sockets(void)
{
	int pair[2];

	add(inet_socket(AF_INET, SOCK_DGRAM, 0), "UDP");
	add(inet_socket(AF_INET, SOCK_DGRAM, BOUND), "UDP, bound");
	add(inet_socket(AF_INET, SOCK_DGRAM, BOUND | REUSES), "UDP, bound, shares its port");
	add(inet_socket(AF_INET, SOCK_DGRAM, REUSES), "UDP, would share its port");
	add(inet_socket(AF_INET, SOCK_STREAM, 0), "TCP");
	add(inet_socket(AF_INET, SOCK_STREAM, BOUND | REUSES), "TCP, bound, shares its port");
	add(inet_socket(AF_INET, SOCK_STREAM, BOUND | REUSES | LISTENS),
	    "TCP, listening, shares its port");
	add(inet_socket(AF_INET6, SOCK_DGRAM, BOUND | REUSES), "UDP 6, bound, shares its port");
	add_connected();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	add(pair[0], "Unix stream");
	close(pair[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	add(pair[0], "Unix datagram, connected");
	add(pair[1], "its other end");
	add(socket(AF_UNIX, SOCK_DGRAM, 0), "Unix datagram");
	add(socket(AF_UNIX, SOCK_STREAM, 0), "Unix stream, not connected");
	add(socket(AF_INET, SOCK_RAW, IPPROTO_UDP), "raw");
	add(socket(AF_PACKET, SOCK_RAW, 0), "packets");
	add(socket(AF_NETLINK, SOCK_RAW, 0), "netlink");
	add(socket(AF_XDP, SOCK_RAW, 0), "XDP");
}

static int perf_event(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_BPF_OUTPUT,
				       .sample_type = PERF_SAMPLE_RAW};

	return (int)syscall(__NR_perf_event_open, &attr, -1, 0, -1, 0);
}

/* Of a mount that nobody sees once it is open. */
static void add_cgroups(void)
{
	char dir[] = "/tmp/skep-cgroup-XXXXXX";

	assert_non_null(mkdtemp(dir));
	if (!mount("none", dir, "cgroup2", 0, NULL)) {
		add(open(dir, O_RDONLY | O_DIRECTORY), "root cgroup");
		add(openat(kinds[n_kinds - 1].fd, "cgroup.procs", O_RDONLY), "file of a cgroup");
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
}

static void add_others(void)
{
	add(987654, "no descriptor");
	add(-1, "-1");
	add(open("/dev/null", O_RDONLY), "/dev/null");
	add(open("/", O_RDONLY | O_PATH), "O_PATH");
	add(eventfd(0, 0), "eventfd");
	add((int)syscall(SYS_pidfd_open, getpid(), 0), "our pidfd");
	add((int)syscall(SYS_pidfd_open, getppid(), 0), "another's pidfd");
	add(perf_event(), "perf event");
}

static int setup(void **state)
{
	has_kernel = !geteuid();
	add_sockets();
	add_others();
	if (has_kernel)
		add_cgroups();
	return skep_machine_new(NULL, &machine);
}

static int teardown(void **state)
{
	struct skep_machine_counts counts;

	skep_machine_count(machine, &counts);
	skep_machine_free(machine);
	for (unsigned i = 0; i < n_kinds; i++)
		if (kinds[i].fd >= 0 && kinds[i].fd != 987654)
			close(kinds[i].fd);
	return counts.maps != 0;
}

/* --- The same on both ------------------------------------------------------------------------ */

static const uint8_t btf_blob[] = {0x9f,        0xeb, 1, 0, 24, 0,   0,   0,   0, 0, 0, 0,
				   16,          0,    0, 0, 16, 0,   0,   0,   5, 0, 0, 0,
				   /* int */ 1, 0,    0, 0, 0,  0,   0,   1,   4, 0, 0, 0,
				   32,          0,    0, 1, 0,  'i', 'n', 't', 0};

static int new_map(int side, uint32_t type, uint32_t value_size)
{
	bool storage = type == SKEP_MAP_SK_STORAGE || type == SKEP_MAP_TASK_STORAGE ||
		       type == SKEP_MAP_INODE_STORAGE || type == SKEP_MAP_CGRP_STORAGE;
	union attr btf = {.btf_load = {.btf = ptr(btf_blob), .size = sizeof(btf_blob)}};
	union attr attr = {.map_create = {type, 4, value_size, storage ? 0 : 4, storage}};
	int fd, btf_fd = -1;

	if (storage) {
		btf_fd = (int)call_side(side, CMD_BTF_LOAD, &btf, sizeof(btf));
		assert_true(btf_fd >= 0);
		attr.map_create.btf_fd = (uint32_t)btf_fd;
		attr.map_create.btf_key_type_id = attr.map_create.btf_value_type_id = 1;
	}
	fd = (int)call_side(side, CMD_MAP_CREATE, &attr, sizeof(attr));
	assert_true(fd >= 0);
	if (btf_fd >= 0)
		close(btf_fd);
	return fd;
}

/* A command on an element of both maps; what was read of the value is compared as well. */
static void element(struct both maps, int cmd, uint32_t key, uint64_t value, uint64_t flags,
		    const char *what)
{
	uint64_t values[2] = {value, value};
	union attr attr[2];
	struct both both;

	for (int side = 0; side < 2; side++)
		attr[side] = (union attr){
			.elem = {(uint32_t)maps.result[side], ptr(&key),
				 cmd == CMD_MAP_DELETE_ELEM ? 0 : ptr(&values[side]), flags}};
	both = call_both(cmd, attr, sizeof(*attr));
	check_same(both, false, what);
	check_number(values[0], values[1], what, "value");
}

static struct both new_maps(uint32_t type, uint32_t value_size)
{
	return (struct both){
		.result = {new_map(0, type, value_size), new_map(1, type, value_size)}};
}

static void compare_elements(uint32_t type, uint32_t value_size)
{
	char what[100];

	for (unsigned i = 0; i < n_kinds; i++) {
		struct both maps = new_maps(type, value_size);

		for (uint64_t flags = 0; flags < 4; flags++) {
			snprintf(what, sizeof(what), "map type %u, values of %u, %s, flags %llu",
				 type, value_size, kinds[i].what, (unsigned long long)flags);
			element(maps, CMD_MAP_UPDATE_ELEM, 1, (uint32_t)kinds[i].fd, flags, what);
			element(maps, CMD_MAP_LOOKUP_ELEM, 1, 0, 0, what);
		}
		element(maps, CMD_MAP_DELETE_ELEM, 1, 0, 0, what);
		element(maps, CMD_MAP_DELETE_ELEM, 1, 0, 0, what);
		close_both(maps);
	}
}

static void test_sockmap(void **state)
{
	NEED_KERNEL();
	compare_elements(SKEP_MAP_SOCKMAP, 4);
	compare_elements(SKEP_MAP_SOCKMAP, 8);
	compare_elements(SKEP_MAP_SOCKHASH, 8);
}

static void test_reuseport(void **state)
{
	NEED_KERNEL();
	compare_elements(SKEP_MAP_REUSEPORT_SOCKARRAY, 4);
	compare_elements(SKEP_MAP_REUSEPORT_SOCKARRAY, 8);
}

static void test_arrays(void **state)
{
	NEED_KERNEL();
	compare_elements(SKEP_MAP_XSKMAP, 4);
	compare_elements(SKEP_MAP_CGROUP_ARRAY, 4);
	compare_elements(SKEP_MAP_PERF_EVENT_ARRAY, 4);
}

/* Owners are the keys here. */
static void compare_storage(uint32_t type)
{
	struct both maps = new_maps(type, 4);
	char what[100];

	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < n_kinds; i++) {
			uint32_t key = (uint32_t)kinds[i].fd;

			snprintf(what, sizeof(what), "map type %u, %s", type, kinds[i].what);
			element(maps, CMD_MAP_LOOKUP_ELEM, key, 0, 0, what);
			element(maps, CMD_MAP_UPDATE_ELEM, key, i + 100, round, what);
			element(maps, CMD_MAP_LOOKUP_ELEM, key, 0, 0, what);
			if (i % 3 == 0)
				element(maps, CMD_MAP_DELETE_ELEM, key, 0, 0, what);
		}
	close_both(maps);
}

static void test_storages(void **state)
{
	NEED_KERNEL();
	compare_storage(SKEP_MAP_SK_STORAGE);
	compare_storage(SKEP_MAP_TASK_STORAGE);
	compare_storage(SKEP_MAP_CGRP_STORAGE);
	compare_storage(SKEP_MAP_INODE_STORAGE);
}

/* What a map says of a socket is its cookie. */
static void test_cookie(void **state)
{
	uint64_t cookie = 0, seen = 0, value;
	socklen_t len = sizeof(cookie);
	uint32_t key = 0;
	int map = new_map(1, SKEP_MAP_SOCKMAP, 8), fd = inet_socket(AF_INET, SOCK_DGRAM, BOUND);
	union attr attr = {.elem = {(uint32_t)map, ptr(&key), ptr(&value)}};

	value = (uint32_t)fd;
	assert_int_equal(call_side(1, CMD_MAP_UPDATE_ELEM, &attr, sizeof(attr)), 0);
	attr.elem.value = ptr(&seen);
	assert_int_equal(call_side(1, CMD_MAP_LOOKUP_ELEM, &attr, sizeof(attr)), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	assert_int_equal(seen, cookie);
	close(fd);
	close(map);
}

#define CASE(name) cmocka_unit_test_teardown(name, none_differs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_sockmap),  CASE(test_reuseport), CASE(test_arrays),
		CASE(test_storages), CASE(test_cookie),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
