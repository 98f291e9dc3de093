/*
 * The kernel function that a call names: its rules (kfunc_rules.def) and what its BTF says of the
 * parameters.
 *
 *	call ─► imm: a FUNC of the kernel's BTF ─► name ─► rule: flags, who may call it
 *	                                        ─► prototype ─► parameters: type, and the ends of
 *	                                                        their names (mem__sz)
 *
 * All of it is found when a call is first come to, and kept with the instruction: walking it again
 * costs nothing. Whether the program may call the function is a part of it, as that does not change
 * in one verification.
 *
 * Source  behaviour of Linux 6.18, fetch_kfunc_meta(), btf_kfunc_id_set_contains(),
 *         get_kfunc_ptr_arg_type()
 */
#include "verify/kfunc.h"

#include <stdlib.h>
#include <string.h>

/* --- Rules by name --------------------------------------------------------------------------- */

struct rule {
	const char *name;
	uint32_t flags, sets;
};

static const struct rule rules[] = {
#define KFUNC_RULE(name, flags, sets) [KFUNC_ROW_##name] = {#name, flags, sets},
#include "verify/kfunc_rules.def"
#undef KFUNC_RULE
};

static enum kfunc_row find_row(const char *name)
{
	for (unsigned i = 0; i < KFUNC_ROW_CNT; i++)
		if (!strcmp(rules[i].name, name))
			return i;
	return KFUNC_ROW_CNT;
}

/* --- Who may call it ------------------------------------------------------------------------- */

/* Which sets are registered for a type of program. Source: bpf_prog_type_to_kfunc_hook() */
static const uint32_t sets_of_type[] = {
	[PROG_TYPE_SOCKET_FILTER] = SET_SKB,
	[PROG_TYPE_SCHED_CLS] = SET_TC | SET_SKB,
	[PROG_TYPE_SCHED_ACT] = SET_ACT | SET_SKB,
	[PROG_TYPE_TRACEPOINT] = SET_TRACING,
	[PROG_TYPE_XDP] = SET_XDP,
	[PROG_TYPE_PERF_EVENT] = SET_TRACING,
	[PROG_TYPE_CGROUP_SKB] = SET_CGROUP | SET_SKB,
	[PROG_TYPE_CGROUP_SOCK] = SET_CGROUP | SET_SKB,
	[PROG_TYPE_LWT_IN] = SET_SKB,
	[PROG_TYPE_LWT_OUT] = SET_SKB,
	[PROG_TYPE_LWT_XMIT] = SET_SKB,
	[PROG_TYPE_SOCK_OPS] = SET_CGROUP | SET_SKB,
	[PROG_TYPE_SK_SKB] = SET_SKB,
	[PROG_TYPE_CGROUP_DEVICE] = SET_CGROUP | SET_SKB,
	[PROG_TYPE_CGROUP_SOCK_ADDR] = SET_CGROUP | SET_SKB,
	[PROG_TYPE_LWT_SEG6LOCAL] = SET_SKB,
	[PROG_TYPE_CGROUP_SYSCTL] = SET_CGROUP | SET_SKB,
	[PROG_TYPE_CGROUP_SOCKOPT] = SET_CGROUP | SET_SKB,
	[PROG_TYPE_TRACING] = SET_TRACING,
	[PROG_TYPE_STRUCT_OPS] = SET_STRUCT_OPS,
	[PROG_TYPE_LSM] = SET_TRACING | SET_LSM,
	[PROG_TYPE_SYSCALL] = SET_SYSCALL,
	[PROG_TYPE_NETFILTER] = SET_SKB,
};

static uint32_t sets_of(const struct verifier *v)
{
	enum { ITER = 28, KPROBE_SESSION = 56, UPROBE_SESSION = 57 };
	uint32_t type = verify_type(v), attach = v->program->attach_type, sets = SET_COMMON;

	if (type < sizeof(sets_of_type) / sizeof(*sets_of_type))
		sets |= sets_of_type[type];
	if (type == PROG_TYPE_TRACING && attach == ITER)
		sets |= SET_ITERATOR;
	if (type == PROG_TYPE_KPROBE && (attach == KPROBE_SESSION || attach == UPROBE_SESSION))
		sets |= SET_SESSION;
	return sets;
}

/* --- Parameters ------------------------------------------------------------------------------ */

bool verify_type_is(const struct skep_btf *btf, uint32_t id, const char *name)
{
	id = skep_btf_strip(btf, id);
	return skep_btf_kind(btf, id) == SKEP_BTF_STRUCT && !strcmp(skep_btf_name(btf, id), name);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

static uint32_t tags_of(const char *name)
{
	static const struct {
		const char *end;
		uint32_t tag;
	} ends[] = {
		{"__sz", PARAM_SIZE},
		{"__szk", PARAM_CONST_SIZE},
		{"__k", PARAM_CONST},
		{"__ign", PARAM_IGNORED},
		{"__prog", PARAM_IGNORED},
		{"__nullable", PARAM_NULLABLE},
		{"__opt", PARAM_OPTIONAL},
		{"__uninit", PARAM_UNINIT},
		{"rdonly_buf_size", PARAM_RDONLY_SIZE},
		{"rdwr_buf_size", PARAM_RDWR_SIZE},
	};
	uint32_t tags = 0;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (ends_with(name, ends[i].end))
			tags |= ends[i].tag;
	return tags;
}

static enum param_place place_by_name(const char *name)
{
	static const struct {
		const char *end;
		enum param_place place;
	} ends[] = {
		{"__alloc", PARAM_ALLOC}, {"__refcounted_kptr", PARAM_REFCOUNTED},
		{"__iter", PARAM_ITER},   {"__str", PARAM_STRING},
		{"__map", PARAM_MAP},     {"__irq_flag", PARAM_IRQ_FLAG},
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (ends_with(name, ends[i].end))
			return ends[i].place;
	return PARAM_BY_REGISTER;
}

static enum param_place place_by_type(const struct skep_btf *btf, uint32_t pointee)
{
	static const struct {
		const char *name;
		enum param_place place;
	} types[] = {
		{"bpf_dynptr", PARAM_DYNPTR},       {"bpf_list_head", PARAM_LIST_HEAD},
		{"bpf_list_node", PARAM_LIST_NODE}, {"bpf_rb_root", PARAM_RB_ROOT},
		{"bpf_rb_node", PARAM_RB_NODE},     {"bpf_wq", PARAM_WORKQUEUE},
		{"bpf_task_work", PARAM_TASK_WORK}, {"bpf_res_spin_lock", PARAM_RES_LOCK},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (verify_type_is(btf, pointee, types[i].name))
			return types[i].place;
	return PARAM_BY_REGISTER;
}

static enum param_place place_of_pointer(struct verifier *v, const struct kfunc *kfunc, uint32_t i,
					 uint32_t pointee, const char *name)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	enum param_place place = place_by_name(name);

	if (kfunc->row == KFUNC_ROW_bpf_cast_to_kern_ctx || verify_is_ctx_type(v, btf, pointee))
		return PARAM_CTX;
	if (place == PARAM_ALLOC || place == PARAM_REFCOUNTED)
		return place;
	if (!i && kfunc->flags & (KF_ITER_NEW | KF_ITER_NEXT | KF_ITER_DESTROY))
		return PARAM_ITER;
	return place == PARAM_BY_REGISTER ? place_by_type(btf, pointee) : place;
}

static bool is_number(const struct skep_btf *btf, uint32_t type)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, type);

	return kind == SKEP_BTF_INT || kind == SKEP_BTF_ENUM || kind == SKEP_BTF_ENUM64;
}

static void read_param(struct verifier *v, struct kfunc *kfunc, uint32_t i,
		       const struct skep_btf_member *member)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	struct kfunc_param *param = &kfunc->params[i];
	uint32_t pointee;

	param->tags = tags_of(member->name);
	param->type = skep_btf_strip(btf, member->type);
	param->place = is_number(btf, param->type) ? PARAM_SCALAR : PARAM_OTHER;
	if (skep_btf_kind(btf, param->type) != SKEP_BTF_PTR)
		return;
	pointee = skep_btf_target(btf, param->type);
	param->pointee = skep_btf_strip(btf, pointee);
	param->is_func = skep_btf_kind(btf, param->pointee) == SKEP_BTF_FUNC_PROTO;
	param->place = place_of_pointer(v, kfunc, i, pointee, member->name);
}

/* --- One function ---------------------------------------------------------------------------- */

static struct kfunc *read_kfunc(struct verifier *v, uint32_t id)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	struct kfunc *kfunc = skep_arena_array(&v->arena, struct kfunc, 1);
	uint32_t proto = skep_btf_target(btf, id);
	struct skep_btf_member member;

	*kfunc = (struct kfunc){.id = id,
				.name = skep_btf_name(btf, id),
				.row = find_row(skep_btf_name(btf, id)),
				.n_params = skep_btf_n_members(btf, proto),
				.result = skep_btf_strip(btf, skep_btf_target(btf, proto))};
	if (kfunc->row < KFUNC_ROW_CNT) {
		kfunc->flags = rules[kfunc->row].flags;
		kfunc->allowed = rules[kfunc->row].sets & sets_of(v);
		kfunc->is_of_device = rules[kfunc->row].sets & SET_DEVICE;
	}
	for (uint32_t i = 0; i < kfunc->n_params && i < 5; i++)
		if (!skep_btf_member(btf, proto, i, &member))
			read_param(v, kfunc, i, &member);
	kfunc->next = v->kfuncs;
	v->kfuncs = kfunc;
	return kfunc;
}

const struct kfunc *verify_kfunc(struct verifier *v, uint32_t at)
{
	const struct skep_insn *insn = &v->insns[at];
	const struct skep_btf *btf = v->program->kernel_btf;
	uint32_t id = (uint32_t)insn->imm;
	struct kfunc *kfunc;

	if (v->facts[at].kfunc)
		return v->facts[at].kfunc;
	if (insn->off || !btf || skep_btf_kind(btf, id) != SKEP_BTF_FUNC)
		return NULL;
	for (kfunc = v->kfuncs; kfunc && kfunc->id != id; kfunc = kfunc->next)
		;
	if (!kfunc)
		kfunc = read_kfunc(v, id);
	v->facts[at].kfunc = kfunc;
	return kfunc;
}
