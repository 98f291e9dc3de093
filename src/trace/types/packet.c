/*
 * Packets and sockets: pkt.ip.src, sock.dst, and what cannot be known where a
 * packet is seen.
 *
 * Such a chain of members is one name, looked up in the tables of packet.h; the
 * outermost node keeps the row, and what is below it is not looked at.
 */
#include "trace/types/typer.h"

#include <string.h>

#include "base/arena.h"

#define MAX_PATH_BYTES 64
#define MAX_CANDIDATES 128

/* --- Chains ------------------------------------------------------------------------------- */

static bool is_root(const struct skep_expr *expr)
{
	enum skep_builtin_id id =
		expr->kind == SKEP_E_IDENT ? skep_builtin_find(expr->text) : SKEP_BI_NONE;

	return id >= SKEP_BI_pkt && id <= SKEP_BI_sockopt;
}

/* "pkt.ip.src"; NULL: not such a chain. */
static const char *chain_of(const struct skep_typer *t, const struct skep_expr *expr)
{
	if (is_root(expr))
		return expr->text;
	if (expr->kind != SKEP_E_FIELD)
		return NULL;
	const char *left = chain_of(t, expr->left);
	return left ? skep_arena_printf(t->arena, "%s.%s", left, expr->text) : NULL;
}

/* --- Packets ------------------------------------------------------------------------------ */

static const struct skep_type *type_of_field(const struct skep_packet_field *field)
{
	switch (field->kind) {
	case SKEP_PACKET_PRESENT: return &skep_type_bool;
	case SKEP_PACKET_MAC: return &skep_type_mac;
	case SKEP_PACKET_IP4:
	case SKEP_PACKET_IP6: return &skep_type_inet;
	default: return skep_type_int(field->bytes, false);
	}
}

static const struct skep_type *not_here(struct skep_typer *t, const struct skep_expr *expr,
					const char *path, const char *hint)
{
	TYPE_ERROR(t, expr->span, BUILTIN_PROBE, path, t->probe->provider->name);
	if (t->diag)
		skep_diag_try(t->diag, "%s", hint);
	return NULL;
}

static const struct skep_type *no_field(struct skep_typer *t, const struct skep_expr *expr,
					const char *path)
{
	const char *names[MAX_CANDIDATES];
	const struct skep_packet_field *fields;
	size_t n = skep_packet_fields(&fields);

	TYPE_ERROR(t, expr->span, MEMBER_UNKNOWN, "pkt", path);
	if (!t->diag)
		return NULL;
	n = n < MAX_CANDIDATES ? n : MAX_CANDIDATES;
	for (size_t i = 0; i < n; i++)
		names[i] = fields[i].path;
	skep_diag_did_you_mean(t->diag, path, names, n);
	return NULL;
}

/* The packets of control groups begin with IP: what is below it is gone, or not there yet. */
static bool is_below_ip(enum skep_layer layer)
{
	return layer == SKEP_LAYER_ETH || layer == SKEP_LAYER_VLAN || layer == SKEP_LAYER_ARP;
}

static const struct skep_type *packet_field(struct skep_typer *t, struct skep_expr *expr,
					    const char *chain)
{
	const char *path = chain + strlen("pkt.");
	const struct skep_packet_field *field = skep_packet_find(path);

	if (!field)
		return no_field(t, expr, path);
	if (!t->probe->hook || t->probe->hook->link == SKEP_LINK_NONE)
		return not_here(t, expr, chain,
				"xdp and tc probes have packets, and cgroup probes at ingress and "
				"egress");
	if (t->probe->hook->link == SKEP_LINK_NET && is_below_ip(field->layer))
		return not_here(t, expr, chain, "there the packet begins with its IP header");
	expr->packet = field;
	return type_of_field(field);
}

/* --- Sockets and their kin ---------------------------------------------------------------- */

static const struct skep_type *type_of_member(struct skep_typer *t,
					      const struct skep_hook_member *member)
{
	switch (member->kind) {
	case SKEP_MEMBER_IP4:
	case SKEP_MEMBER_IP6: return &skep_type_inet;
	case SKEP_MEMBER_NAME: return skep_type_string(t->types, SKEP_SYSCTL_NAME_BYTES);
	case SKEP_MEMBER_S32: return &skep_type_s32;
	case SKEP_MEMBER_U32: return &skep_type_u32;
	default: return &skep_type_u16;
	}
}

/* The hooks that know @chain, or all that know something of its root. */
static const struct skep_type *no_member(struct skep_typer *t, const struct skep_expr *expr,
					 const char *chain)
{
	const char *names[MAX_CANDIDATES];
	const struct skep_hook_member *members;
	size_t n = skep_hook_members(&members), n_names = 0;

	for (size_t i = 0; i < n; i++) {
		if (t->probe->hook && (members[i].hooks & 1u << t->probe->hook->id))
			names[n_names++] = members[i].path;
	}
	TYPE_ERROR(t, expr->span, BUILTIN_PROBE, chain,
		   t->probe->hook && t->probe->hook->name[0] ? t->probe->hook->name
							     : t->probe->provider->name);
	if (t->diag && n_names)
		skep_diag_did_you_mean(t->diag, chain, names, n_names);
	return NULL;
}

static const struct skep_type *hook_member(struct skep_typer *t, struct skep_expr *expr,
					   const char *chain)
{
	expr->member = skep_hook_member_find(t->probe->hook, chain);
	return expr->member ? type_of_member(t, expr->member) : no_member(t, expr, chain);
}

bool skep_type_chain(struct skep_typer *t, struct skep_expr *expr, const struct skep_type **ret)
{
	const char *chain = chain_of(t, expr);

	expr->packet = NULL;
	expr->member = NULL;
	if (!chain)
		return false;
	*ret = strncmp(chain, "pkt.", 4) ? hook_member(t, expr, chain)
					 : packet_field(t, expr, chain);
	return true;
}

/* As a whole it is nothing. */
const struct skep_type *skep_type_chain_root(struct skep_typer *t, struct skep_expr *expr)
{
	TYPE_ERROR(t, expr->span, NO_VALUE, expr->text);
	if (t->diag)
		skep_diag_try(t->diag, "name a member, such as %s",
			      expr->builtin == SKEP_BI_pkt    ? "pkt.ip.src"
			      : expr->builtin == SKEP_BI_sock ? "sock.dst"
							      : "device.major or sysctl.name");
	return NULL;
}

/* --- What else is known ------------------------------------------------------------------- */

const struct skep_type *skep_type_ifindex(struct skep_typer *t, struct skep_expr *expr)
{
	return t->probe->ifname ? &skep_type_u32
				: not_here(t, expr, expr->text, "xdp and tc probes have it");
}

const struct skep_type *skep_type_ifname(struct skep_typer *t, struct skep_expr *expr)
{
	if (!t->probe->ifname)
		return not_here(t, expr, expr->text, "xdp and tc probes have it");
	t->def->uses_args = true;
	return skep_type_string(t->types, (uint32_t)strlen(t->probe->ifname) + 1);
}

/* Those that ask for the process on the CPU; a packet's is whichever was interrupted. */
static bool wants_task(enum skep_builtin_id id)
{
	static const enum skep_builtin_id ids[] = {
		SKEP_BI_pid,        SKEP_BI_tid,         SKEP_BI_ppid,   SKEP_BI_uid,
		SKEP_BI_gid,        SKEP_BI_username,    SKEP_BI_comm,   SKEP_BI_pcomm,
		SKEP_BI_leader_tid, SKEP_BI_leader_comm, SKEP_BI_cgroup, SKEP_BI_curtask,
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

bool skep_hook_has_builtin(struct skep_typer *t, const struct skep_expr *expr)
{
	const struct skep_trace_hook *hook = t->probe->hook;

	if (!hook)
		return true;
	if (expr->builtin == SKEP_BI_kstack || expr->builtin == SKEP_BI_ustack)
		not_here(t, expr, expr->text, "kprobe and fentry probes see the way to a packet");
	else if (wants_task(expr->builtin) && !hook->has_task)
		not_here(t, expr, expr->text,
			 "packets are handled in interrupts, whatever process is there: "
			 "cgroup probes such as connect4 know who it is");
	else
		return true;
	return false;
}

bool skep_hook_has_function(const struct skep_typer *t, enum skep_function_id function)
{
	static const enum skep_function_id refused[] = {
		SKEP_FN_kstack, SKEP_FN_ustack,     SKEP_FN_usym,          SKEP_FN_signal,
		SKEP_FN_path,   SKEP_FN_write_user, SKEP_FN_signal_thread,
	};

	for (size_t i = 0; t->probe->hook && i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (refused[i] == function)
			return false;
	}
	bool needs_task = function == SKEP_FN_pid || function == SKEP_FN_tid;
	return !t->probe->hook || !needs_task || t->probe->hook->has_task;
}

const struct skep_type *skep_check_fn_drop(struct skep_typer *t, struct skep_expr *call)
{
	const struct skep_trace_hook *hook = t->probe->hook;

	return hook && hook->pass != hook->drop ? &skep_type_none : skep_bad_probe(t, call);
}

const struct skep_type *skep_check_fn_pass(struct skep_typer *t, struct skep_expr *call)
{
	return skep_check_fn_drop(t, call);
}
