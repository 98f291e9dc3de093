/*
 * What the processes of a control group do, through the whole life of each
 * hook: the test is alone in a group of its own and does it.
 */
#include "cgroup.h"
#include "netns.h"

#include <stddef.h>
#include <sys/un.h>

/* --- what is done in the group ------------------------------------------------------------- */

/* A hook, and how to make it run. */
struct hook {
	const char *name;
	uint32_t prog_type, attach_type;
	void (*fire)(int family);
	int family;
	uint64_t fires; /* 0: at least once */
};

/* Where a datagram socket is: of the loopback device, or a name. */
struct place {
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

static struct place place_of(int family)
{
	struct place place = {.any.sa_family = (sa_family_t)family};

	if (family == AF_INET) {
		place.in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		place.len = sizeof(place.in4);
	} else if (family == AF_INET6) {
		place.in6.sin6_addr = in6addr_loopback;
		place.len = sizeof(place.in6);
	} else {
		/* In the namespace of names without files: the kernel chooses one. */
		place.len = offsetof(struct sockaddr_un, sun_path);
	}
	return place;
}

static int bound(int family, int type)
{
	const struct place place = place_of(family);
	int fd = netns_socket(family, type, 0);

	assert_int_equal(bind(fd, &place.any, place.len), 0);
	return fd;
}

static struct place name_of(int fd)
{
	struct place place = {.len = sizeof(place.un)};

	assert_int_equal(getsockname(fd, &place.any, &place.len), 0);
	return place;
}

static int connected(int family, int to)
{
	const struct place place = name_of(to);
	int fd = netns_socket(family, SOCK_DGRAM, 0);

	assert_int_equal(connect(fd, &place.any, place.len), 0);
	return fd;
}

/* The sender has a name, so that who receives is told one. */
static void talk(int family)
{
	_cleanup_close_ int to = bound(family, SOCK_DGRAM);
	_cleanup_close_ int from = bound(family, SOCK_DGRAM);
	const struct place place = name_of(to);
	struct place sender;
	char text[8];

	for (int i = 0; i < N_PACKETS; i++) {
		sender.len = sizeof(sender.un);
		assert_int_equal(sendto(from, "packet", 6, 0, &place.any, place.len), 6);
		assert_int_equal(recvfrom(to, text, sizeof(text), 0, &sender.any, &sender.len), 6);
	}
}

static void make_sockets(int family)
{
	for (int i = 0; i < N_PACKETS; i++)
		close(netns_socket(family, SOCK_DGRAM, 0));
}

static void bind_sockets(int family)
{
	for (int i = 0; i < N_PACKETS; i++)
		close(bound(family, SOCK_DGRAM));
}

static void connect_sockets(int family)
{
	_cleanup_close_ int to = bound(family, SOCK_DGRAM);

	for (int i = 0; i < N_PACKETS; i++)
		close(connected(family, to));
}

static void ask_own_name(int family)
{
	_cleanup_close_ int fd = bound(family, SOCK_DGRAM);

	for (int i = 0; i < N_PACKETS; i++)
		name_of(fd);
}

static void ask_peer_name(int family)
{
	_cleanup_close_ int to = bound(family, SOCK_DGRAM);
	_cleanup_close_ int fd = connected(family, to);

	for (int i = 0; i < N_PACKETS; i++) {
		struct place place = {.len = sizeof(place.un)};
		assert_int_equal(getpeername(fd, &place.any, &place.len), 0);
	}
}

static void get_options(int family)
{
	_cleanup_close_ int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int type;
	socklen_t len = sizeof(type);

	for (int i = 0; i < N_PACKETS; i++)
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
}

static void set_options(int family)
{
	_cleanup_close_ int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	for (int i = 0; i < N_PACKETS; i++)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
}

static void read_sysctls(int family)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/ostype", O_RDONLY | O_CLOEXEC);
	char text[64];

	for (int i = 0; i < N_PACKETS; i++)
		assert_true(pread(fd, text, sizeof(text), 0) > 0);
}

static void open_devices(int family)
{
	for (int i = 0; i < N_PACKETS; i++) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		close(fd);
	}
}

static void connect_streams(int family)
{
	_cleanup_close_ int server = bound(family, SOCK_STREAM);
	_cleanup_close_ int client = netns_socket(family, SOCK_STREAM, 0);
	const struct place place = name_of(server);

	assert_int_equal(listen(server, 1), 0);
	assert_int_equal(connect(client, &place.any, place.len), 0);
}

#define HOOK(name, type, attach, fire, family)                                                     \
	{                                                                                          \
		"cgroup." name, BPF_PROG_TYPE_##type, attach, fire, family, N_PACKETS              \
	}
#define ADDR(name, attach, fire, family) HOOK(name, CGROUP_SOCK_ADDR, attach, fire, family)
static const struct hook hooks[] = {
	/* clang-format off */
	HOOK("skb.ingress", CGROUP_SKB, BPF_CGROUP_INET_INGRESS, talk, AF_INET),
	HOOK("skb.egress", CGROUP_SKB, BPF_CGROUP_INET_EGRESS, talk, AF_INET),
	HOOK("sock_create", CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, make_sockets, AF_INET),
	HOOK("sock_release", CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE, make_sockets, AF_INET),
	HOOK("post_bind4", CGROUP_SOCK, BPF_CGROUP_INET4_POST_BIND, bind_sockets, AF_INET),
	HOOK("post_bind6", CGROUP_SOCK, BPF_CGROUP_INET6_POST_BIND, bind_sockets, AF_INET6),
	ADDR("bind4", BPF_CGROUP_INET4_BIND, bind_sockets, AF_INET),
	ADDR("bind6", BPF_CGROUP_INET6_BIND, bind_sockets, AF_INET6),
	ADDR("connect4", BPF_CGROUP_INET4_CONNECT, connect_sockets, AF_INET),
	ADDR("connect6", BPF_CGROUP_INET6_CONNECT, connect_sockets, AF_INET6),
	ADDR("connect_unix", ATTACH_CGROUP_UNIX_CONNECT, connect_sockets, AF_UNIX),
	ADDR("sendmsg4", BPF_CGROUP_UDP4_SENDMSG, talk, AF_INET),
	ADDR("sendmsg6", BPF_CGROUP_UDP6_SENDMSG, talk, AF_INET6),
	ADDR("sendmsg_unix", ATTACH_CGROUP_UNIX_SENDMSG, talk, AF_UNIX),
	ADDR("recvmsg4", BPF_CGROUP_UDP4_RECVMSG, talk, AF_INET),
	ADDR("recvmsg6", BPF_CGROUP_UDP6_RECVMSG, talk, AF_INET6),
	ADDR("recvmsg_unix", ATTACH_CGROUP_UNIX_RECVMSG, talk, AF_UNIX),
	ADDR("getpeername4", BPF_CGROUP_INET4_GETPEERNAME, ask_peer_name, AF_INET),
	ADDR("getpeername6", BPF_CGROUP_INET6_GETPEERNAME, ask_peer_name, AF_INET6),
	ADDR("getpeername_unix", ATTACH_CGROUP_UNIX_GETPEERNAME, ask_peer_name, AF_UNIX),
	ADDR("getsockname4", BPF_CGROUP_INET4_GETSOCKNAME, ask_own_name, AF_INET),
	ADDR("getsockname6", BPF_CGROUP_INET6_GETSOCKNAME, ask_own_name, AF_INET6),
	ADDR("getsockname_unix", ATTACH_CGROUP_UNIX_GETSOCKNAME, ask_own_name, AF_UNIX),
	HOOK("getsockopt", CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT, get_options, AF_INET),
	HOOK("setsockopt", CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT, set_options, AF_INET),
	HOOK("sysctl", CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, read_sysctls, 0),
	HOOK("device", CGROUP_DEVICE, BPF_CGROUP_DEVICE, open_devices, 0),
	{"cgroup.sock_ops", BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, connect_streams, AF_INET, 0},
	/* clang-format on */
};
enum { N_HOOKS = sizeof(hooks) / sizeof(*hooks) };

static void fire_hook(struct trial *trial)
{
	const struct hook *hook = trial->data;

	hook->fire(hook->family);
}

static void live_hook(void **state)
{
	struct hook hook = *(const struct hook *)*state;
	struct trial trial = {
		.name = hook.name,
		.prog_type = hook.prog_type,
		.expected_attach_type = hook.attach_type,
		.returns = 1,
		.at = {.type = SKEP_ATTACH_CGROUP, .cgroup.cgroup_fd = cgroup_own.fd},
		.fire = fire_hook,
		.data = &hook,
		.fires = hook.fires,
		.link_type = BPF_LINK_TYPE_CGROUP,
		.is_replaced = true,
	};

	if (hook.family == AF_INET6 && !netns_has_ipv6())
		trial_not_here(hook.name, "this kernel has no IPv6");
	trial_run(&trial);
}

int main(void)
{
	struct CMUnitTest tests[N_HOOKS];

	for (int i = 0; i < N_HOOKS; i++)
		tests[i] = (struct CMUnitTest){
			.name = hooks[i].name + strlen("cgroup."),
			.test_func = live_hook,
			.initial_state = (void *)&hooks[i],
		};
	return cmocka_run_group_tests(tests, cgroup_enter, cgroup_leave);
}
