/*
 * What a program may do by its type and by where it attaches: call which helpers, return what,
 * touch packets' bytes or not.
 *
 * A type has a set of helpers (program_types.def); a set has what it adds, and a parent. So a
 * helper is allowed if a row of the set, or of one above it, names it; a row may ask for more than
 * the type (WHEN_…). The same number may be another function for another type, with other
 * arguments: then a variant's prototype counts, that of the nearest set first.
 *
 * What is allowed does not change while a program is verified: each helper is looked up once.
 *
 * Source  behaviour of Linux 6.18, *_func_proto(), check_return_code(),
 * may_access_direct_pkt_data()
 */
#include "verify/program.h"

#include <string.h>

#include <skep/btf.h>

#include <skep/helper_words.h>
#include "verify/call.h"

#define ARG_SK_0     SKEP_ARG_BTF_ID | SKEP_ARG_MAYBE_NULL, 0, "sock_common"
#define ARG_SOCKET_0 SKEP_ARG_SOCKET | SKEP_ARG_MAYBE_NULL, 0, NULL

enum helper_id {
#define HELPER(id, name, ...) ID_##name = (id),
#include <skep/helpers.def>
#undef HELPER
	N_HELPERS
};

/* --- Where it attaches ------------------------------------------------------------------------ */

static bool of_tracing(const struct verifier *v, uint32_t attach)
{
	return v->image->type == PROGRAM_TRACING && v->program->attach_type == attach;
}

static bool CONNECTS(struct verifier *v)
{
	uint32_t attach = v->program->attach_type;

	return attach == AT_CGROUP_INET4_CONNECT || attach == AT_CGROUP_INET6_CONNECT;
}

/* Has another program of the cgroup returned something that this one may look at? */
static bool HAS_RETVAL(struct verifier *v)
{
	switch (v->program->attach_type) {
	case AT_CGROUP_UDP4_RECVMSG:
	case AT_CGROUP_UDP6_RECVMSG:
	case AT_CGROUP_UNIX_RECVMSG:
	case AT_CGROUP_INET4_GETPEERNAME:
	case AT_CGROUP_INET6_GETPEERNAME:
	case AT_CGROUP_UNIX_GETPEERNAME:
	case AT_CGROUP_INET4_GETSOCKNAME:
	case AT_CGROUP_INET6_GETSOCKNAME:
	case AT_CGROUP_UNIX_GETSOCKNAME: return false;
	default: return true;
	}
}

static bool SETS_OPTION(struct verifier *v)
{
	return v->program->attach_type == AT_CGROUP_SETSOCKOPT;
}

static bool ITERATES(struct verifier *v)
{
	return of_tracing(v, AT_TRACE_ITER);
}

static bool attaches_to(struct verifier *v, const char *name)
{
	verify_attach_proto(v);
	return !strcmp(v->attach.name, name);
}

static bool ITERATES_SOCKETS(struct verifier *v)
{
	return ITERATES(v) && (attaches_to(v, "bpf_iter_tcp") || attaches_to(v, "bpf_iter_unix"));
}

static bool HAS_TRAMPOLINE(struct verifier *v)
{
	return of_tracing(v, AT_TRACE_FENTRY) || of_tracing(v, AT_TRACE_FEXIT) ||
	       of_tracing(v, AT_MODIFY_RETURN) || v->image->type == PROGRAM_LSM;
}

static bool HAS_COOKIE(struct verifier *v)
{
	enum program_type type = program_type_of(v);

	return (type != PROGRAM_TRACING && type != PROGRAM_SYSCALL) || HAS_TRAMPOLINE(v) ||
	       of_tracing(v, AT_TRACE_RAW_TP);
}

static bool OF_CGROUP(struct verifier *v)
{
	return v->program->attach_type == AT_LSM_CGROUP;
}

static bool SOCKET_OF_HOOK(struct verifier *v)
{
	static const char *const hooks[] = {
		"bpf_lsm_sock_graft",
		"bpf_lsm_inet_csk_clone",
		"bpf_lsm_inet_conn_established",
		"bpf_lsm_socket_post_create",
		"bpf_lsm_socket_socketpair",
	};

	for (size_t i = 0; OF_CGROUP(v) && i < sizeof(hooks) / sizeof(*hooks); i++)
		if (attaches_to(v, hooks[i]))
			return true;
	return false;
}

static bool of_struct(const struct verifier *v, const char *name)
{
	return v->program->attach_btf &&
	       !strcmp(skep_btf_name(v->program->attach_btf, v->program->attach_btf_id), name);
}

static bool OF_TCP(struct verifier *v)
{
	return of_struct(v, "tcp_congestion_ops");
}

static bool SETS_OF_TCP(struct verifier *v)
{
	return OF_TCP(v) && !attaches_to(v, "release");
}

static bool ALWAYS(struct verifier *v)
{
	return true;
}

/* --- Sets of helpers -------------------------------------------------------------------------- */

enum set {
#define SET(set, parent) SET_##set,
#include "verify/helper_sets.def"
};

static const uint8_t parents[] = {
#define SET(set, parent) [SET_##set] = SET_##parent,
#include "verify/helper_sets.def"
};

static const struct {
	uint16_t helper;
	uint8_t set;
	bool (*when)(struct verifier *v);
} allowed[] = {
#define ALLOW_IF(set, helper, when) {ID_##helper, SET_##set, when},
#include "verify/helper_sets.def"
};

static const struct {
	uint16_t helper;
	uint8_t set;
	struct skep_proto proto;
} variants[] = {
#define VARIANT(set, id, name, ret, a1, a2, a3, a4, a5, flags)                                     \
	{id, SET_##set, PROTO(ret, a1, a2, a3, a4, a5, flags)},
#include "verify/helper_sets.def"
};

static const bool privileged[N_HELPERS] = {
#define PRIVILEGED(helper) [ID_##helper] = true,
#include "verify/helper_sets.def"
};

static enum set set_of(enum program_type type)
{
	static const uint8_t sets[] = {
#define PROGRAM(number, NAME, context, helpers, packet) SET_##helpers,
#include "verify/program_types.def"
#undef PROGRAM
	};

	return (enum set)sets[type];
}

/* From the set to the one at the top, once each. Return: was it the last? */
static bool climb(enum set *set)
{
	if (parents[*set] == *set)
		return false;
	*set = (enum set)parents[*set];
	return true;
}

static bool is_allowed_in(struct verifier *v, enum set set, int32_t id)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		if (allowed[i].helper == id && allowed[i].set == set && allowed[i].when(v))
			return true;
	return false;
}

static const struct skep_proto *variant(enum set set, int32_t id)
{
	do {
		for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++)
			if (variants[i].helper == id && variants[i].set == set)
				return &variants[i].proto;
	} while (climb(&set));
	return NULL;
}

static const struct skep_proto *look_up(struct verifier *v, int32_t id)
{
	enum set first = set_of(program_type_of(v)), set = first;
	const struct skep_proto *proto;

	if ((!v->privileged && privileged[id]) || of_struct(v, "bpf_dummy_ops"))
		return NULL;
	while (!is_allowed_in(v, set, id))
		if (!climb(&set))
			return NULL;
	proto = variant(first, id);
	return proto ? proto : skep_helper(id)->proto;
}

const struct skep_proto *verify_helper_allowed(struct verifier *v, int32_t id)
{
	if (id <= 0 || id >= N_HELPERS)
		return NULL;
	if (!v->helpers)
		v->helpers = skep_arena_array(&v->arena, struct helper_known, N_HELPERS);
	if (!v->helpers[id].known) {
		v->helpers[id].proto = look_up(v, id);
		v->helpers[id].known = true;
	}
	return v->helpers[id].proto;
}

/* --- Packets ---------------------------------------------------------------------------------- */

enum packet_access { NOTHING, READS, WRITES, OPTION };

bool verify_packet_access_allowed(struct verifier *v, const struct call *call, enum access kind)
{
	static const uint8_t may[] = {
#define PROGRAM(number, NAME, context, helpers, packet) packet,
#include "verify/program_types.def"
#undef PROGRAM
	};

	switch ((enum packet_access)may[program_type_of(v)]) {
	case NOTHING: return false;
	case OPTION: return true;
	case READS:
		if (kind == ACCESS_WRITE)
			return false;
		break;
	case WRITES: break;
	}
	/* kernel functions have no prototype of this kind, and are not given packets' bytes */
	return !call || (call->proto && call->proto->pkt_access);
}

/* --- Results ---------------------------------------------------------------------------------- */

static bool range(struct range32 *ret, int32_t min, int32_t max)
{
	*ret = (struct range32){min, max};
	return true;
}

static bool range_of_address(uint32_t attach, struct range32 *ret)
{
	switch (attach) {
	case AT_CGROUP_UDP4_RECVMSG:
	case AT_CGROUP_UDP6_RECVMSG:
	case AT_CGROUP_UNIX_RECVMSG:
	case AT_CGROUP_INET4_GETPEERNAME:
	case AT_CGROUP_INET6_GETPEERNAME:
	case AT_CGROUP_UNIX_GETPEERNAME:
	case AT_CGROUP_INET4_GETSOCKNAME:
	case AT_CGROUP_INET6_GETSOCKNAME:
	case AT_CGROUP_UNIX_GETSOCKNAME: return range(ret, 1, 1);
	case AT_CGROUP_INET4_BIND:
	case AT_CGROUP_INET6_BIND: return range(ret, 0, 3);
	default: return range(ret, 0, 1);
	}
}

static bool range_of_tracing(uint32_t attach, struct range32 *ret)
{
	switch (attach) {
	case AT_TRACE_FENTRY:
	case AT_TRACE_FEXIT: return range(ret, 0, 0);
	case AT_TRACE_ITER: return range(ret, 0, 1);
	default: return false;
	}
}

/* Hooks say 0, or an error; a few say yes or no. */
static bool range_of_lsm(struct verifier *v, struct range32 *ret)
{
	bool returns_void = verify_attach_returns_void(v);

	if (v->program->attach_type == AT_LSM_CGROUP)
		return range(ret, returns_void, 1);
	if (returns_void)
		return false;
	if (attaches_to(v, "bpf_lsm_xfrm_state_pol_flow_match") ||
	    attaches_to(v, "bpf_lsm_audit_rule_known") ||
	    attaches_to(v, "bpf_lsm_inode_xattr_skipcap"))
		return range(ret, 0, 1);
	return range(ret, -4095, 0);
}

bool verify_return_range(struct verifier *v, struct range32 *ret)
{
	uint32_t attach = v->program->attach_type;

	switch (program_type_of(v)) {
	case PROGRAM_CGROUP_SOCK_ADDR: return range_of_address(attach, ret);
	case PROGRAM_CGROUP_SKB: return range(ret, 0, attach == AT_CGROUP_INET_EGRESS ? 3 : 1);
	case PROGRAM_CGROUP_SOCK:
	case PROGRAM_SOCK_OPS:
	case PROGRAM_CGROUP_DEVICE:
	case PROGRAM_CGROUP_SYSCTL:
	case PROGRAM_CGROUP_SOCKOPT:
	case PROGRAM_SK_LOOKUP:
	case PROGRAM_NETFILTER: return range(ret, 0, 1);
	case PROGRAM_RAW_TRACEPOINT: return v->program->attach_btf_id && range(ret, 0, 0);
	case PROGRAM_TRACING: return range_of_tracing(attach, ret);
	case PROGRAM_KPROBE:
		return (attach == AT_TRACE_KPROBE_SESSION || attach == AT_TRACE_UPROBE_SESSION) &&
		       range(ret, 0, 1);
	case PROGRAM_LSM: return range_of_lsm(v, ret);
	default: return false;
	}
}
