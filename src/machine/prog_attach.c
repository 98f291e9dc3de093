/*
 * expected_attach_type: what a program says when it is loaded that it will be attached to. Types
 * that run at several places have a row; the others take anything.
 */
#include "machine/prog.h"

struct allowed {
	uint32_t type;
	uint64_t attach_types; /* bits */
};

#define AT(type)             (1ull << ATTACH_##type)
#define FROM_TO(first, last) (((AT(last) << 1) - 1) & ~(AT(first) - 1))

static const struct allowed rows[] = {
	{PROG_CGROUP_SOCK, AT(CGROUP_INET_SOCK_CREATE) | AT(CGROUP_INET_SOCK_RELEASE) |
				   AT(CGROUP_INET4_POST_BIND) | AT(CGROUP_INET6_POST_BIND)},
	{PROG_CGROUP_SOCK_ADDR,
	 FROM_TO(CGROUP_INET4_BIND, CGROUP_INET6_CONNECT) | AT(CGROUP_UDP4_SENDMSG) |
		 AT(CGROUP_UDP6_SENDMSG) | AT(CGROUP_UDP4_RECVMSG) | AT(CGROUP_UDP6_RECVMSG) |
		 FROM_TO(CGROUP_INET4_GETPEERNAME, CGROUP_INET6_GETSOCKNAME) |
		 FROM_TO(CGROUP_UNIX_CONNECT, CGROUP_UNIX_GETSOCKNAME)},
	{PROG_CGROUP_SKB, AT(CGROUP_INET_INGRESS) | AT(CGROUP_INET_EGRESS)},
	{PROG_CGROUP_SOCKOPT, AT(CGROUP_SETSOCKOPT) | AT(CGROUP_GETSOCKOPT)},
	{PROG_SK_LOOKUP, AT(SK_LOOKUP)},
	{PROG_SK_REUSEPORT, AT(SK_REUSEPORT_SELECT) | AT(SK_REUSEPORT_SELECT_OR_MIGRATE)},
	{PROG_NETFILTER, AT(NETFILTER)},
	{PROG_SYSCALL, 1},
	{PROG_EXT, 1},
};

#define MOST_BTF_TYPE 0x000fffff

static bool has_target(uint32_t type)
{
	return type == PROG_TRACING || type == PROG_LSM || type == PROG_STRUCT_OPS ||
	       type == PROG_EXT;
}

static int check_target(const struct prog_object *prog)
{
	if (prog->attach_btf_id && (prog->attach_btf_id > MOST_BTF_TYPE || !has_target(prog->type)))
		return -EINVAL;
	if (prog->attach_btf && !prog->attach_btf_id)
		return -EINVAL;
	if (prog->attach_prog && prog->type != PROG_TRACING && prog->type != PROG_EXT)
		return -EINVAL;
	return 0;
}

int machine_prog_check_attach(const struct prog_object *prog)
{
	uint32_t at = prog->expected_attach_type;
	int err = check_target(prog);

	for (size_t i = 0; !err && i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].type == prog->type)
			return at < 64 && rows[i].attach_types >> at & 1 ? 0 : -EINVAL;
	return err;
}
