/*
 * What a program attaches to, as far as it is a matter of rules and not of whether it is there: may
 * a function be traced with such arguments, may the program sleep in it, may it fill that member of
 * a structure of functions? Asked once the graph is known and before any path is followed.
 *
 * Which functions of the kernel return errors that programs may inject, and so let programs sleep,
 * its BTF does not tell: there BTF is believed. Hooks of security modules are known by name.
 *
 * Source  behaviour of Linux 6.18, check_attach_btf_id(), check_struct_ops_btf_id(),
 *         btf_distill_func_proto(), bpf_lsm_verify_prog(), bpf_d_path_allowed(),
 *         bpf_sk_storage_tracing_allowed()
 *
 * Next    extension.c: programs that replace a function of another program
 */
#include "verify/attach.h"

#include <string.h>

#include <skep/btf.h>

#include "verify/call.h"
#include "verify/program.h"

#define HOOK_PREFIX "bpf_lsm_"

static bool is_in(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static bool sleeps(const struct verifier *v)
{
	return v->program->flags & PROGRAM_SLEEPS;
}

/* The function, hook or structure; "" where there is none. */
static const char *target_name(const struct verifier *v)
{
	const struct skep_btf *btf = v->program->attach_btf;

	return btf ? skep_btf_name(btf, v->program->attach_btf_id) : "";
}

/* --- Hooks of security modules --------------------------------------------------------------- */

static bool is_sleepable_hook(const struct verifier *v)
{
	static const char *const hooks[] = {
#define HOOK_SLEEPS(hook) HOOK_PREFIX #hook,
#include "verify/sleepable_hooks.def"
#undef HOOK_SLEEPS
	};

	return is_in(target_name(v), hooks, sizeof(hooks) / sizeof(*hooks));
}

/* Hooks whose results the kernel does not take from programs. */
static bool is_disabled_hook(const char *name)
{
	static const char *const hooks[] = {
		HOOK_PREFIX "vm_enough_memory",    HOOK_PREFIX "inode_need_killpriv",
		HOOK_PREFIX "inode_getsecurity",   HOOK_PREFIX "inode_listsecurity",
		HOOK_PREFIX "inode_copy_up_xattr", HOOK_PREFIX "getselfattr",
		HOOK_PREFIX "getprocattr",         HOOK_PREFIX "setprocattr",
		HOOK_PREFIX "key_getsecurity",     HOOK_PREFIX "audit_rule_match",
		HOOK_PREFIX "xfrm_decode_session", HOOK_PREFIX "ismaclabel",
	};

	return is_in(name, hooks, sizeof(hooks) / sizeof(*hooks));
}

/* Functions are named like hooks that are the kernel's own part of it. */
static bool is_hook(const char *name)
{
	static const char *const others[] = {
		HOOK_PREFIX "find_cgroup_shim",  HOOK_PREFIX "func_proto",
		HOOK_PREFIX "get_retval_range",  HOOK_PREFIX "init",
		HOOK_PREFIX "is_sleepable_hook", HOOK_PREFIX "is_trusted",
		HOOK_PREFIX "verify_prog",
	};

	return !strncmp(name, HOOK_PREFIX, strlen(HOOK_PREFIX)) &&
	       !is_in(name, others, sizeof(others) / sizeof(*others));
}

static int check_hook(struct verifier *v)
{
	const char *name = v->attach.name;

	if (sleeps(v) && !is_sleepable_hook(v))
		return verify_refuse(v, TARGET_NOT_SLEEPABLE, name);
	if (!v->program->gpl)
		return verify_refuse(v, HOOK_GPL);
	if (is_disabled_hook(name))
		return verify_refuse(v, HOOK_DISABLED, v->program->attach_btf_id, name);
	return is_hook(name) ? 0 : verify_refuse(v, HOOK_NONE, v->program->attach_btf_id, name);
}

/* --- Helpers that are for some functions only ------------------------------------------------ */

static bool path_is_safe(const struct verifier *v)
{
	static const char *const functions[] = {
		"security_file_permission",
		"security_inode_getattr",
		"security_file_open",
		"security_path_truncate",
		"vfs_truncate",
		"vfs_fallocate",
		"dentry_open",
		"vfs_getattr",
		"filp_close",
	};

	if (v->image->type == PROGRAM_TRACING && v->program->attach_type == AT_TRACE_ITER)
		return true;
	if (v->image->type == PROGRAM_LSM)
		return is_sleepable_hook(v);
	return is_in(target_name(v), functions, sizeof(functions) / sizeof(*functions));
}

/* A program that traces the storage of sockets would come back to itself. */
static bool storage_is_safe(const struct verifier *v)
{
	static const char own[] = "bpf_sk_storage";

	if (v->image->type != PROGRAM_TRACING)
		return true;
	if (v->program->target_type)
		return false;
	switch (v->program->attach_type) {
	case AT_TRACE_ITER:
	case AT_TRACE_RAW_TP: return true;
	case AT_TRACE_FENTRY:
	case AT_TRACE_FEXIT: return strncmp(target_name(v), own, strlen(own)) != 0;
	default: return false;
	}
}

bool verify_helper_fits_target(const struct verifier *v, int32_t id)
{
	switch (id) {
	case HELPER_ID_d_path: return path_is_safe(v);
	case HELPER_ID_sk_storage_get:
	case HELPER_ID_sk_storage_delete: return storage_is_safe(v);
	case HELPER_ID_ima_inode_hash:
	case HELPER_ID_ima_file_hash: return is_sleepable_hook(v);
	default: return true;
	}
}

/* --- Structures of functions ----------------------------------------------------------------- */

static const struct member_rule {
	const char *of, *member;
	bool sleeps;
} member_rules[] = {
#define MEMBER_UNFILLED(of, member) {#of, #member, false},
#define MEMBER_SLEEPS(of, member)   {#of, #member, true},
#include "verify/struct_members.def"
#undef MEMBER_UNFILLED
#undef MEMBER_SLEEPS
};

/* A member of a structure that tells which of its members may sleep, and is none of these. */
static bool is_awake_member(const char *of, const char *member)
{
	bool tells = false;

	for (size_t i = 0; i < sizeof(member_rules) / sizeof(*member_rules); i++) {
		const struct member_rule *rule = &member_rules[i];

		if (!rule->sleeps || strcmp(rule->of, of))
			continue;
		if (!strcmp(rule->member, member))
			return false;
		tells = true;
	}
	return tells;
}

static bool is_unfilled(const char *of, const char *member)
{
	for (size_t i = 0; i < sizeof(member_rules) / sizeof(*member_rules); i++) {
		const struct member_rule *rule = &member_rules[i];

		if (!rule->sleeps && !strcmp(rule->of, of) && !strcmp(rule->member, member))
			return true;
	}
	return false;
}

/* Whom it goes on with by a tail call would not be handed what it was. */
static int check_tail_calls(struct verifier *v)
{
	for (uint32_t f = 0; f < v->n_funcs; f++)
		if (v->funcs[f].has_tail_call && verify_is_handed_something(v))
			return verify_refuse(v, REFERENCED_TAIL_CALL);
	return 0;
}

static int check_member(struct verifier *v)
{
	const char *of = target_name(v), *member;

	verify_attach_proto(v);
	member = v->attach.name;
	if (is_unfilled(of, member))
		return verify_refuse(v, MEMBER_NOT_FILLED, member, of);
	if (sleeps(v) && is_awake_member(of, member))
		return verify_refuse(v, MEMBER_NOT_SLEEPABLE, member, of);
	return check_tail_calls(v);
}

/* --- Functions of the kernel ----------------------------------------------------------------- */

#define MOST_TARGET_ARGS      12
#define MOST_TARGET_ARG_BYTES 16
#define MOST_TARGET_RET_BYTES 8

/* Bytes of an argument or a result; -1: none that a program could be given. */
static int64_t bytes_of(const struct skep_btf *btf, uint32_t type, enum skep_btf_kind *ret_kind)
{
	uint32_t id = skep_btf_strip(btf, type);

	*ret_kind = skep_btf_kind(btf, id);
	switch (*ret_kind) {
	case SKEP_BTF_VOID: return 0;
	case SKEP_BTF_PTR: return 8;
	case SKEP_BTF_INT:
	case SKEP_BTF_ENUM:
	case SKEP_BTF_ENUM64:
	case SKEP_BTF_STRUCT:
	case SKEP_BTF_UNION: return skep_btf_size(btf, id);
	default: return -1;
	}
}

static int check_argument(struct verifier *v, uint32_t i, uint32_t type)
{
	enum skep_btf_kind kind;
	int64_t bytes = bytes_of(v->program->attach_btf, type, &kind);

	if (bytes < 0 || bytes > MOST_TARGET_ARG_BYTES)
		return verify_refuse(v, TARGET_ARGUMENT, v->attach.name, i,
				     skep_btf_kind_word(kind));
	return bytes ? 0 : verify_refuse(v, TARGET_VOID, v->attach.name);
}

static int check_arguments(struct verifier *v, uint32_t proto)
{
	const struct skep_btf *btf = v->program->attach_btf;
	uint32_t n = skep_btf_n_members(btf, proto);

	if (n > MOST_TARGET_ARGS)
		return verify_refuse(v, TARGET_ARGUMENTS, v->attach.name, n);
	for (uint32_t i = 0; i < n; i++) {
		struct skep_btf_member param;
		int err;

		skep_btf_member(btf, proto, i, &param);
		if (i + 1 == n && !param.type)
			return verify_refuse(v, TARGET_VARIADIC, v->attach.name);
		err = check_argument(v, i, param.type);
		if (err)
			return err;
	}
	return 0;
}

static bool uses_result(uint32_t attach)
{
	return attach == AT_TRACE_FEXIT || attach == AT_MODIFY_RETURN || attach == AT_LSM_MAC ||
	       attach == AT_LSM_CGROUP;
}

static int check_prototype(struct verifier *v, uint32_t proto)
{
	const struct skep_btf *btf = v->program->attach_btf;
	enum skep_btf_kind kind;
	int64_t bytes = bytes_of(btf, skep_btf_target(btf, proto), &kind);
	int err;

	if (skep_btf_n_members(btf, proto) <= MOST_TARGET_ARGS &&
	    (bytes < 0 || kind == SKEP_BTF_STRUCT))
		return verify_refuse(v, TARGET_RESULT, v->attach.name, skep_btf_kind_word(kind));
	err = check_arguments(v, proto);
	if (!err && bytes > MOST_TARGET_RET_BYTES && uses_result(v->program->attach_type))
		err = verify_refuse(v, TARGET_RESULT_SIZE, v->attach.name);
	return err;
}

/* What the kernel goes through around every program that traces a function. */
static bool is_denied(const char *name)
{
	static const char *const names[] = {
		"migrate_disable",   "migrate_enable",    "rcu_read_unlock_strict",
		"preempt_count_add", "preempt_count_sub", "__rcu_read_lock",
		"__rcu_read_unlock",
	};

	return is_in(name, names, sizeof(names) / sizeof(*names));
}

static bool never_returns(const char *name)
{
	static const char *const names[] = {
		"__ia32_sys_exit",
		"__ia32_sys_exit_group",
		"__kunit_abort",
		"kunit_try_catch_throw",
		"__module_put_and_kthread_exit",
		"__x64_sys_exit",
		"__x64_sys_exit_group",
		"do_exit",
		"do_group_exit",
		"kthread_complete_and_exit",
		"kthread_exit",
		"make_task_dead",
	};

	return is_in(name, names, sizeof(names) / sizeof(*names));
}

static int check_traced(struct verifier *v)
{
	const char *name = v->attach.name;
	uint32_t attach = v->program->attach_type;
	bool after = attach == AT_TRACE_FEXIT || attach == AT_MODIFY_RETURN;

	if (is_denied(name))
		return verify_refuse(v, TARGET_DENIED, name);
	return after && never_returns(name) ? verify_refuse(v, TARGET_NO_RETURN, name) : 0;
}

/* Raw tracepoints are their own; of another program's functions the caller knows the types. */
static int check_function(struct verifier *v)
{
	bool raw = v->image->type == PROGRAM_TRACING && v->program->attach_type == AT_TRACE_RAW_TP;
	uint32_t proto = verify_attach_proto(v);
	int err;

	if (raw || !proto)
		return 0;
	if (v->program->target_type)
		return 0;
	err = check_prototype(v, proto);
	if (err)
		return err;
	return v->image->type == PROGRAM_LSM ? check_hook(v) : check_traced(v);
}

int verify_attach(struct verifier *v)
{
	switch (v->image->type) {
	case PROGRAM_STRUCT_OPS: return check_member(v);
	case PROGRAM_TRACING:
	case PROGRAM_LSM: return check_function(v);
	case PROGRAM_EXT: return verify_extension(v);
	default: return 0;
	}
}
