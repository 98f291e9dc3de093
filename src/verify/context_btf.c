/*
 * The context of programs that run at a function of the kernel's (or of another program's): its
 * arguments, eight bytes each, and behind them, for some, what it returned.
 *
 *	off ─► which argument ─► its type ─► a number, or a pointer to what BTF describes
 *
 * What the prototype is depends on how the program attaches: a function has one, a raw tracepoint's
 * is the target of its typedef (whose first argument, void *__data, programs do not see), a
 * struct_ops program's is the member's that it fills. A type does not tell everything of a pointer:
 *
 *	trusted    raw tracepoints, iterators, LSM and struct_ops are given what is valid, functions
 *	           that are traced are given anything
 *	may be 0   by the table of tracepoints that break the rule (raw_tp_nulls.def), by that
 *	           of iterators (iterators.def), by "__nullable" at an argument's name
 *	a buffer   iterators over maps show keys and values
 *
 * Source  behaviour of Linux 6.18, btf_ctx_access(), bpf_check_attach_target()
 */
#include "verify/program.h"

#include <stdio.h>
#include <string.h>

#include <skep/btf.h>

#define MOST_ARGS  12
#define MOST_BYTES (8 * MOST_ARGS)
#define TRACE_TYPE "btf_trace_"

/* --- What the program attaches to ------------------------------------------------------------- */

static bool is_raw_tp(const struct verifier *v)
{
	return v->image->type == PROGRAM_TRACING && v->program->attach_type == AT_TRACE_RAW_TP;
}

static uint32_t target_of(const struct skep_btf *btf, uint32_t id)
{
	return skep_btf_strip(btf, skep_btf_target(btf, id));
}

static uint32_t find_func(const struct skep_btf *btf, const char *name)
{
	/* looking up fills an index, no more: see btf.h */
	struct skep_btf *index = (struct skep_btf *)(uintptr_t)btf;

	return skep_btf_find(index, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_FUNC));
}

/* A struct_ops program fills member number attach_type of a structure; the kernel's own stand-in
 * for it tells by its arguments' names what types can not. */
static void resolve_member(struct verifier *v, const struct skep_btf *btf)
{
	uint32_t id = v->program->attach_btf_id, stub;
	struct skep_btf_member member;
	char name[256];

	if (skep_btf_member(btf, id, v->program->attach_type, &member))
		return;
	v->attach.name = member.name;
	v->attach.proto = target_of(btf, skep_btf_strip(btf, member.type));
	snprintf(name, sizeof(name), "%s__%s", skep_btf_name(btf, id), member.name);
	stub = find_func(btf, name);
	v->attach.stub = stub ? skep_btf_target(btf, stub) : 0;
}

static void resolve(struct verifier *v)
{
	const struct skep_btf *btf = v->program->attach_btf;
	uint32_t id = v->program->attach_btf_id;

	v->attach.known = true;
	v->attach.name = "";
	if (!btf || !id)
		return;
	v->attach.name = skep_btf_name(btf, id);
	if (v->image->type == PROGRAM_STRUCT_OPS) {
		resolve_member(v, btf);
	} else if (skep_btf_kind(btf, id) == SKEP_BTF_TYPEDEF) {
		if (!strncmp(v->attach.name, TRACE_TYPE, strlen(TRACE_TYPE)))
			v->attach.name += strlen(TRACE_TYPE);
		v->attach.proto = target_of(btf, skep_btf_strip(btf, id));
	} else {
		v->attach.proto = skep_btf_target(btf, id);
	}
	if (skep_btf_kind(btf, v->attach.proto) != SKEP_BTF_FUNC_PROTO)
		v->attach.proto = 0;
}

uint32_t verify_attach_proto(struct verifier *v)
{
	if (!v->attach.known)
		resolve(v);
	return v->attach.proto;
}

bool verify_attach_returns_void(struct verifier *v)
{
	uint32_t proto = verify_attach_proto(v);

	return proto && !skep_btf_target(v->program->attach_btf, proto);
}

/* --- Which argument --------------------------------------------------------------------------- */

static uint32_t slot_bytes(const struct skep_btf *btf, uint32_t type)
{
	int64_t bytes = skep_btf_size(btf, skep_btf_strip(btf, type));

	return bytes > 0 && bytes < MOST_BYTES ? (uint32_t)(bytes + 7) / 8 * 8 : 8;
}

/* Structures take as many slots as they need. What the function returned is the argument after the
 * last one. */
static uint32_t argument_at(const struct skep_btf *btf, uint32_t proto, uint32_t off)
{
	uint32_t n = skep_btf_n_members(btf, proto), end = 0;
	struct skep_btf_member param;

	if (!proto)
		return off / 8;
	for (uint32_t i = 0; i < n; i++) {
		skep_btf_member(btf, proto, i, &param);
		end += slot_bytes(btf, param.type);
		if (off < end)
			return i;
	}
	end += skep_btf_target(btf, proto) ? slot_bytes(btf, skep_btf_target(btf, proto)) : 0;
	return off < end ? n : n + 1;
}

/* --- Numbers ---------------------------------------------------------------------------------- */

static bool is_small_int(const struct skep_btf *btf, uint32_t type)
{
	return skep_btf_kind(btf, type) == SKEP_BTF_INT && skep_btf_size(btf, type) <= 8;
}

static bool is_number(const struct skep_btf *btf, uint32_t type)
{
	switch (skep_btf_kind(btf, type)) {
	case SKEP_BTF_ENUM:
	case SKEP_BTF_ENUM64:
	case SKEP_BTF_STRUCT:
	case SKEP_BTF_UNION: return true;
	default: return is_small_int(btf, type);
	}
}

/* LSM's result so far is in a known range; others' may be any number. */
static bool note_result(struct verifier *v, struct ctx_field *ret)
{
	if (v->image->type == PROGRAM_LSM && v->program->attach_type == AT_LSM_MAC)
		ret->has_range = verify_return_range(v, &ret->ret_range);
	return true;
}

/* May the program look at what the function returned? @ret_type what it is then. */
static bool may_see_result(struct verifier *v, uint32_t arg, struct ctx_field *ret,
			   uint32_t *ret_type)
{
	const struct skep_btf *btf = v->program->attach_btf;
	uint32_t type = skep_btf_strip(btf, skep_btf_target(btf, v->attach.proto));

	*ret_type = type;
	switch (v->program->attach_type) {
	case AT_LSM_MAC:
	case AT_LSM_CGROUP:
	case AT_TRACE_FEXIT: return v->image->type != PROGRAM_STRUCT_OPS && note_result(v, ret);
	case AT_MODIFY_RETURN:
		if (v->image->type == PROGRAM_STRUCT_OPS)
			break;
		if (is_small_int(btf, type))
			return true;
		verify_log(v, "ret type %s not allowed for fmod_ret\n",
			   skep_btf_kind_word(skep_btf_kind(btf, type)));
		return false;
	default: break;
	}
	verify_log(v, "func '%s' doesn't have %u-th argument\n", v->attach.name, arg + 1);
	return false;
}

/* --- Pointers --------------------------------------------------------------------------------- */

static const struct iterator {
	const char *func;
	uint8_t off;
	uint8_t kind;
	uint16_t flags;
} iterators[] = {
#define ITERATOR_ARG(name, off, KIND, flags) {"bpf_iter_" #name, off, REG_##KIND, flags},
#include "verify/iterators.def"
#undef ITERATOR_ARG
};

static const struct iterator *iterator_argument(const struct verifier *v, int32_t off)
{
	if (v->image->type != PROGRAM_TRACING || v->program->attach_type != AT_TRACE_ITER)
		return NULL;
	for (size_t i = 0; i < sizeof(iterators) / sizeof(*iterators); i++)
		if (iterators[i].off == off && !strcmp(iterators[i].func, v->attach.name))
			return &iterators[i];
	return NULL;
}

static const struct {
	const char *name;
	uint64_t mask;
} may_be[] = {
#define MAY_BE(name, mask) {#name, mask},
#include "verify/raw_tp_nulls.def"
#undef MAY_BE
};

static unsigned raw_tp_may_be(const struct verifier *v, uint32_t arg)
{
	if (is_raw_tp(v))
		for (size_t i = 0; i < sizeof(may_be) / sizeof(*may_be); i++)
			if (!strcmp(may_be[i].name, v->attach.name))
				return may_be[i].mask >> (arg * 4) & 0xf;
	return 0;
}

/* Hooks that run while their object is half made or half gone. */
static bool lsm_is_trusted(const struct verifier *v)
{
	static const char *const untrusted[] = {
		"bpf_lsm_bpf_map_free",        "bpf_lsm_bpf_prog_free",
		"bpf_lsm_file_alloc_security", "bpf_lsm_file_free_security",
		"bpf_lsm_sk_alloc_security",   "bpf_lsm_sk_free_security",
		"bpf_lsm_task_free",
	};

	for (size_t i = 0; i < sizeof(untrusted) / sizeof(*untrusted); i++)
		if (!strcmp(untrusted[i], v->attach.name))
			return false;
	return true;
}

static bool is_trusted(const struct verifier *v)
{
	switch (v->image->type) {
	case PROGRAM_TRACING:
		return v->program->attach_type == AT_TRACE_RAW_TP ||
		       v->program->attach_type == AT_TRACE_ITER;
	case PROGRAM_LSM: return lsm_is_trusted(v);
	case PROGRAM_STRUCT_OPS: return true;
	default: return false;
	}
}

static bool ends_in(const char *text, const char *suffix)
{
	size_t len = strlen(text), n = strlen(suffix);

	return len >= n && !strcmp(text + len - n, suffix);
}

/* What the kernel's stand-in calls the argument. */
static bool stub_name_ends_in(const struct verifier *v, uint32_t param, const char *suffix)
{
	struct skep_btf_member of_stub;

	return v->attach.stub &&
	       !skep_btf_member(v->program->attach_btf, v->attach.stub, param, &of_stub) &&
	       ends_in(of_stub.name, suffix);
}

/* What an argument's name says, the kernel's own or that of its stand-in. */
static uint16_t flags_of_name(const struct verifier *v, uint32_t param, const char *name)
{
	bool nullable = ends_in(name, "__nullable") || stub_name_ends_in(v, param, "__nullable");

	return nullable ? PTR_MAYBE_NULL : 0;
}

/* Which arguments of a struct_ops program are its own to give back, or to return. */
static bool is_handed_over(const struct verifier *v, uint32_t param)
{
	return v->image->type == PROGRAM_STRUCT_OPS && stub_name_ends_in(v, param, "__ref");
}

bool verify_is_handed_something(struct verifier *v)
{
	verify_attach_proto(v);
	for (uint32_t i = 0; i < MOST_ARGS; i++)
		if (is_handed_over(v, i))
			return true;
	return false;
}

void verify_take_arguments(struct verifier *v)
{
	verify_attach_proto(v);
	for (uint32_t i = 0; i < MOST_ARGS; i++)
		v->attach.ref_ids[i] = is_handed_over(v, i) ? verify_ref_acquire(v, REF_PTR) : 0;
}

static uint16_t flags_of_tag(const struct skep_btf *btf, uint32_t type)
{
	if (skep_btf_kind(btf, type) != SKEP_BTF_TYPE_TAG)
		return 0;
	if (!strcmp(skep_btf_name(btf, type), "user"))
		return MEM_USER;
	return strcmp(skep_btf_name(btf, type), "percpu") ? 0 : MEM_PERCPU;
}

/* Sockets that a congestion control is called with are TCP's. */
static void promote_socket(const struct verifier *v, struct ctx_field *ret)
{
	const struct skep_btf *btf = v->program->attach_btf;
	struct skep_btf *index = (struct skep_btf *)(uintptr_t)btf;

	if (v->image->type == PROGRAM_STRUCT_OPS &&
	    !strcmp(skep_btf_name(btf, v->program->attach_btf_id), "tcp_congestion_ops") &&
	    !strcmp(skep_btf_name(btf, ret->btf_id), "sock"))
		ret->btf_id = skep_btf_find(index, "tcp_sock", 8, SKEP_BTF_MASK(SKEP_BTF_STRUCT));
}

/* The context of another program, as the kernel has it behind what that program sees. */
static int target_context(struct verifier *v, struct ctx_field *ret)
{
	static const struct {
		uint8_t type;
		const char *name;
	} behind[] = {
#define BEHIND(NAME, name) {PROGRAM_##NAME, name},
#include "verify/behind.def"
#undef BEHIND
	};
	struct skep_btf *btf = (struct skep_btf *)(uintptr_t)v->program->kernel_btf;

	ret->btf = btf;
	ret->btf_id = 0;
	for (size_t i = 0; btf && i < sizeof(behind) / sizeof(*behind); i++)
		if (behind[i].type == v->program->target_type)
			ret->btf_id = skep_btf_find(btf, behind[i].name, strlen(behind[i].name),
						    SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	return ret->btf_id ? 0 : -EACCES;
}

/* An argument that points to a structure. @type what it points to, as it was written. */
static int structure(struct verifier *v, uint32_t arg, const char *name, uint32_t type,
		     struct ctx_field *ret)
{
	const struct skep_btf *btf = v->program->attach_btf;
	unsigned special = raw_tp_may_be(v, arg);
	enum skep_btf_kind kind;

	ret->kind = REG_BTF_PTR;
	ret->flags = is_trusted(v) ? PTR_TRUSTED : 0;
	ret->flags |= flags_of_name(v, arg + is_raw_tp(v), name);
	ret->flags |= special & 1 ? PTR_MAYBE_NULL : 0;
	ret->ref_id = is_handed_over(v, arg) ? v->attach.ref_ids[arg] : 0;
	if (v->program->target_type)
		return target_context(v, ret);
	ret->flags |= flags_of_tag(btf, type);
	ret->btf = btf;
	ret->btf_id = skep_btf_strip(btf, type);
	kind = skep_btf_kind(btf, ret->btf_id);
	if (kind != SKEP_BTF_STRUCT && kind != SKEP_BTF_UNION) {
		verify_log(v, "func '%s' arg%u type %s is not a struct\n", v->attach.name, arg,
			   skep_btf_kind_word(kind));
		return -EACCES;
	}
	verify_log(v, "func '%s' arg%u has btf_id %u type %s '%s'\n", v->attach.name, arg,
		   ret->btf_id, skep_btf_kind_word(kind), skep_btf_name(btf, ret->btf_id));
	if (special & 2) {
		verify_log(v, "marking pointer arg%u as scalar as it may encode error", arg);
		ret->kind = REG_SCALAR;
		ret->flags = 0;
	}
	promote_socket(v, ret);
	return 0;
}

static int pointer(struct verifier *v, int32_t off, uint32_t arg,
		   const struct skep_btf_member *param, struct ctx_field *ret)
{
	const struct skep_btf *btf = v->program->attach_btf;
	uint32_t to = skep_btf_target(btf, skep_btf_strip(btf, param->type));
	uint32_t kind = skep_btf_kind(btf, skep_btf_strip(btf, to));
	const struct iterator *iterator = iterator_argument(v, off);

	if (iterator && iterator->kind == REG_BUF) {
		ret->kind = REG_BUF;
		ret->flags = iterator->flags;
		return 0;
	}
	if (kind == SKEP_BTF_VOID || kind == SKEP_BTF_INT)
		return 0; /* as good as a number */
	if (iterator) {
		ret->kind = REG_BTF_PTR;
		ret->flags = iterator->flags;
		ret->btf = btf;
		ret->btf_id = skep_btf_strip(btf, to);
		return 0;
	}
	return structure(v, arg, param->name, to, ret);
}

/* --- An access -------------------------------------------------------------------------------- */

static int argument(struct verifier *v, int32_t off, uint32_t bytes, struct ctx_field *ret)
{
	const struct skep_btf *btf = v->program->attach_btf;
	uint32_t proto = verify_attach_proto(v);
	uint32_t arg = argument_at(btf, proto, (uint32_t)off);
	uint32_t n = proto ? skep_btf_n_members(btf, proto) - is_raw_tp(v) : 5;
	struct skep_btf_member param = {.name = ""};
	uint32_t type;

	if (arg > n) {
		verify_log(v, "func '%s' doesn't have %u-th argument\n", v->attach.name, arg + 1);
		return -EACCES;
	}
	if (!proto)
		return arg < n || v->program->attach_type == AT_TRACE_FEXIT ? 0 : -EACCES;
	if (arg < n)
		skep_btf_member(btf, proto, arg + is_raw_tp(v), &param);
	else if (!may_see_result(v, arg, ret, &param.type))
		return -EACCES;
	type = skep_btf_strip(btf, param.type);
	if (is_number(btf, type))
		return 0;
	if (skep_btf_kind(btf, type) != SKEP_BTF_PTR) {
		verify_log(v, "func '%s' arg%u '%s' has type %s. Only pointer access is allowed\n",
			   v->attach.name, arg, skep_btf_name(btf, type),
			   skep_btf_kind_word(skep_btf_kind(btf, type)));
		return -EACCES;
	}
	if (bytes != 8) {
		verify_log(v, "func '%s' size %u must be 8\n", v->attach.name, bytes);
		return -EACCES;
	}
	return pointer(v, off, arg, &param, ret);
}

int verify_btf_ctx_access(struct verifier *v, int32_t off, uint32_t bytes, enum access kind,
			  struct ctx_field *ret)
{
	bool is_lsm = v->image->type == PROGRAM_LSM;

	if (!is_lsm && (off < 0 || off >= MOST_BYTES || kind != ACCESS_READ || off % (int)bytes))
		return -EACCES;
	*ret = (struct ctx_field){.kind = REG_SCALAR, .sign_extends = ret->sign_extends};
	verify_attach_proto(v);
	if (off % 8) {
		verify_log(v, "func '%s' offset %d is not multiple of 8\n", v->attach.name, off);
		return -EACCES;
	}
	return argument(v, off, bytes, ret);
}
