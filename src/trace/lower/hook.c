/*
 * What probes on packets and sockets have besides packets: members of the
 * context (sock.dst), the interface, and what the program answers.
 *
 * Such a program decides. Unless drop() is called it lets everything pass, also
 * where it could not run or ended early.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>

#include "trace/lower/lower.h"

#define OPTION_MOST_BYTES 4096

/* --- Members of the context --------------------------------------------------------------- */

static uint32_t word(struct skep_lower *l, uint32_t off)
{
	return skep_ir_load(l->f, 4, l->ctx, (int32_t)off);
}

/* The context lets its addresses be loaded four bytes at a time. */
static struct skep_value address(struct skep_lower *l, const struct skep_expr *expr)
{
	bool is_v6 = expr->member->kind == SKEP_MEMBER_IP6;
	struct skep_value inet = skep_lower_temp(l, expr->type);

	skep_lower_zero(l, inet.opnd, 0, expr->type->size);
	skep_ir_store(l->f, 4, inet.opnd, 0, I(is_v6 ? AF_INET6 : AF_INET));
	for (uint32_t at = 0; at < (is_v6 ? 16 : 4); at += 4)
		skep_ir_store(l->f, 4, inet.opnd, 4 + (int32_t)at,
			      R(word(l, expr->member->off + at)));
	return inet;
}

static struct skep_value setting_name(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_value text = skep_lower_temp(l, expr->type);

	skep_lower_zero(l, text.opnd, 0, expr->type->size);
	skep_ir_calln(l->f, BPF_FUNC_sysctl_get_name, l->ctx, text.opnd, I(expr->type->size), I(0));
	return text;
}

static uint32_t port(struct skep_lower *l, uint32_t off)
{
	uint32_t value = word(l, off);

	return htons(1) == 1 ? value : skep_ir_bswap(l->f, R(value), 2);
}

struct skep_value skep_lower_member(struct skep_lower *l, const struct skep_expr *expr)
{
	const struct skep_hook_member *member = expr->member;
	uint32_t value;

	switch (member->kind) {
	case SKEP_MEMBER_IP4:
	case SKEP_MEMBER_IP6: return address(l, expr);
	case SKEP_MEMBER_NAME: return setting_name(l, expr);
	case SKEP_MEMBER_PORT: value = port(l, member->off); break;
	case SKEP_MEMBER_HIGH:
		value = skep_ir_alu(l->f, SKEP_IR_SHR, R(word(l, member->off)), I(16));
		break;
	default: value = word(l, member->off); break;
	}
	return skep_value_int(skep_lower_fit(l, R(value), expr->type), expr->type);
}

/* --- The interface ------------------------------------------------------------------------ */

struct skep_value skep_lower_ifindex(struct skep_lower *l, const struct skep_expr *expr)
{
	bool is_xdp = l->probe->hook->id == SKEP_AT_XDP;
	size_t off = is_xdp ? offsetof(struct xdp_md, ingress_ifindex)
			    : offsetof(struct __sk_buff, ifindex);

	return skep_value_int(R(word(l, (uint32_t)off)), expr->type);
}

struct skep_value skep_lower_ifname(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_value text = skep_lower_temp(l, expr->type);
	const char *name = l->probe->ifname;

	skep_lower_literal(l, name, (uint32_t)strlen(name), text.opnd, 0, expr->type->size);
	return text;
}

/* --- The answer --------------------------------------------------------------------------- */

void skep_lower_answer(struct skep_lower *l)
{
	const struct skep_trace_hook *hook = l->probe->hook;

	l->answer = I(hook ? hook->pass : 0);
	if (!skep_lower_mentions_call(l->probe->def, SKEP_FN_drop))
		return;
	l->answer = R(skep_ir_var(l->f));
	skep_ir_set(l->f, l->answer.id, I(hook->pass));
}

/*
 * Of a socket option the kernel shows a page at most. A longer one must be told to go on as it
 * came (length 0), or older kernels fail the call. The zero comes from memory: contexts take no
 * constants there.
 */
static void let_long_option_pass(struct skep_lower *l)
{
	struct skep_ir_func *f = l->f;
	int32_t at = (int32_t)offsetof(struct bpf_sockopt, optlen);
	uint32_t too_long = skep_ir_block(f), on = skep_ir_block(f);
	uint32_t len = skep_ir_extend(f, R(skep_ir_load(f, 4, l->ctx, at)), 4, true);

	skep_ir_branch(f, SKEP_IR_SGT, R(len), I(OPTION_MOST_BYTES), too_long, on);
	skep_ir_at(f, too_long);
	uint32_t zero = skep_ir_load(f, 4, R(skep_ir_map_value(f, skep_lower_zeroes(l, 8), 0)), 0);
	skep_ir_store(f, 4, l->ctx, at, R(zero));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

void skep_lower_exit(struct skep_lower *l)
{
	const struct skep_trace_hook *hook = l->probe->hook;

	if (hook && (hook->id == SKEP_AT_GETSOCKOPT || hook->id == SKEP_AT_SETSOCKOPT))
		let_long_option_pass(l);
	skep_ir_exit(l->f, l->answer);
}

static struct skep_value answer(struct skep_lower *l, const struct skep_expr *call, int32_t value)
{
	if (l->in_callback)
		skep_lower_cannot(l, call->span,
				  "a packet is answered for outside of a for over a map: note in a "
				  "variable what is to be, and look at it behind the loop");
	else if (l->answer.kind == SKEP_OPND_REG)
		skep_ir_set(l->f, l->answer.id, I(value));
	return (struct skep_value){.type = &skep_type_none};
}

struct skep_value skep_fn_drop(struct skep_lower *l, const struct skep_expr *call)
{
	return answer(l, call, l->probe->hook->drop);
}

struct skep_value skep_fn_pass(struct skep_lower *l, const struct skep_expr *call)
{
	return answer(l, call, l->probe->hook->pass);
}
