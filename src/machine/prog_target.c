/*
 * What a program attaches to, as far as loading looks at it: a function of the kernel's or of
 * another program's, a raw tracepoint, a member of a structure of functions. The words are the
 * kernel's.
 *
 * A machine has no kernel functions, so BTF alone decides here whether there is one. What may be
 * done at it is for the verifier to say: verify/attach.c.
 *
 * Source  behaviour of Linux 6.18, check_attach_btf_id(), bpf_check_attach_target(),
 *         check_struct_ops_btf_id()
 */
#include "machine/prog.h"

#include <stdio.h>
#include <string.h>

#include <skep/btf.h>

struct target {
	const struct prog_object *prog;
	const struct skep_btf *btf; /* NULL: none */
	uint32_t id;
	const char *name;
	enum skep_btf_kind kind;
	struct log *log;
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct target *target,
							const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	machine_log_printf(target->log, "%s", text);
	return -EINVAL;
}

/* --- Sleeping --------------------------------------------------------------------------------- */

static bool may_sleep(const struct prog_object *prog)
{
	uint32_t at = prog->expected_attach_type;

	switch (prog->type) {
	case PROG_TRACING:
		return (at >= ATTACH_TRACE_FENTRY && at <= ATTACH_MODIFY_RETURN) ||
		       at == ATTACH_TRACE_ITER;
	case PROG_LSM: return at != ATTACH_LSM_CGROUP;
	case PROG_KPROBE:
	case PROG_STRUCT_OPS: return true;
	default: return false;
	}
}

static int check_sleeping(const struct target *target)
{
	bool sleeps = target->prog->flags & PROG_F_SLEEPABLE;

	if (target->prog->type == PROG_SYSCALL)
		return sleeps ? 0 : refuse(target, "Syscall programs can only be sleepable\n");
	if (sleeps && !may_sleep(target->prog))
		return refuse(target, "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and "
				      "struct_ops programs can be sleepable\n");
	return 0;
}

/* --- Structures of functions ------------------------------------------------------------------ */

#define STRUCT_OPS_VALUE "bpf_struct_ops_"

static bool is_struct_ops(struct skep_machine *machine, const struct target *target)
{
	char value[256];

	snprintf(value, sizeof(value), STRUCT_OPS_VALUE "%s", target->name);
	return target->kind == SKEP_BTF_STRUCT &&
	       skep_btf_find(machine->kernel_btf, value, strlen(value),
			     SKEP_BTF_MASK(SKEP_BTF_STRUCT));
}

static int check_struct_ops(struct skep_machine *machine, const struct target *target)
{
	uint32_t index = target->prog->expected_attach_type, proto;
	struct skep_btf_member member;

	if (!target->prog->gpl)
		return refuse(target, "struct ops programs must have a GPL compatible license\n");
	if (!target->id || !target->btf)
		return -SKEP_ENOTSUPP;
	if (!is_struct_ops(machine, target)) {
		refuse(target, "attach_btf_id %u is not a supported struct\n", target->id);
		return -SKEP_ENOTSUPP;
	}
	if (skep_btf_member(target->btf, target->id, index, &member))
		return refuse(target, "attach to invalid member idx %u of struct %s\n", index,
			      target->name);
	proto = skep_btf_strip(
		target->btf,
		skep_btf_target(target->btf, skep_btf_strip(target->btf, member.type)));
	if (skep_btf_kind(target->btf, proto) != SKEP_BTF_FUNC_PROTO)
		return refuse(target, "attach to invalid member %s(@idx %u) of struct %s\n",
			      member.name, index, target->name);
	return 0;
}

/* --- Another program -------------------------------------------------------------------------- */

static bool has_function(const struct prog_object *prog, uint32_t type_id)
{
	for (uint32_t i = 0; i < prog->n_funcs; i++)
		if (prog->funcs[i].type_id == type_id)
			return true;
	return false;
}

static int check_extension(const struct target *target, const struct prog_object *other)
{
	uint32_t at = other->expected_attach_type;

	if (!skep_btf_is_global(target->btf, target->id))
		return refuse(target, "Cannot replace static functions\n");
	if (other->type == PROG_EXT)
		return refuse(target, "Cannot recursively attach\n");
	if (other->type == PROG_TRACING && (at == ATTACH_TRACE_FENTRY || at == ATTACH_TRACE_FEXIT))
		return refuse(target, "Cannot extend fentry/fexit\n");
	return 0;
}

static int check_other_program(const struct target *target)
{
	const struct prog_object *other = target->prog->attach_prog;
	bool extends = target->prog->type == PROG_EXT;

	if (!other)
		return extends ? refuse(target, "Cannot replace kernel functions\n") : 0;
	if (!has_function(other, target->id))
		return refuse(target, "Subprog %s doesn't exist\n", target->name);
	if (extends)
		return check_extension(target, other);
	if (other->type == PROG_TRACING && other->attach_prog)
		return refuse(target, "Cannot nest tracing program attach more than once\n");
	return 0;
}

/* --- Functions and tracepoints ---------------------------------------------------------------- */

#define TRACE_TYPE "btf_trace_"

static int check_raw_tp(const struct target *target)
{
	if (target->prog->attach_prog)
		return refuse(target, "Only FENTRY/FEXIT progs are attachable to another BPF "
				      "prog\n");
	if (target->kind != SKEP_BTF_TYPEDEF)
		return refuse(target, "attach_btf_id %u is not a typedef\n", target->id);
	if (strncmp(target->name, TRACE_TYPE, strlen(TRACE_TYPE)))
		return refuse(target, "attach_btf_id %u points to wrong type name %s\n", target->id,
			      target->name);
	return 0;
}

static int check_function(const struct target *target)
{
	const struct prog_object *prog = target->prog;

	if (target->kind != SKEP_BTF_FUNC)
		return refuse(target, "attach_btf_id %u is not a function\n", target->id);
	if (prog->attach_prog && prog->expected_attach_type == ATTACH_MODIFY_RETURN)
		return refuse(target, "can't modify return codes of BPF programs\n");
	return 0;
}

static int check_traced(const struct target *target)
{
	const struct prog_object *prog = target->prog;
	int err;

	if (!target->id)
		return refuse(target, "Tracing programs must provide btf_id\n");
	if (!target->btf)
		return refuse(target, "FENTRY/FEXIT program can only be attached to another "
				      "program annotated with BTF\n");
	if (target->id > skep_btf_n_types(target->btf))
		return refuse(target, "attach_btf_id %u is invalid\n", target->id);
	err = check_other_program(target);
	if (err)
		return err;
	if (prog->type == PROG_TRACING && prog->expected_attach_type == ATTACH_TRACE_RAW_TP)
		return check_raw_tp(target);
	return check_function(target);
}

int machine_prog_check_target(struct skep_machine *machine, const struct prog_object *prog,
			      struct log *log)
{
	const struct btf_object *btf =
		prog->attach_prog ? prog->attach_prog->btf : prog->attach_btf;
	struct target target = {
		.prog = prog, .btf = btf ? btf->btf : NULL, .id = prog->attach_btf_id, .log = log};
	int err = check_sleeping(&target);

	if (err)
		return err;
	if (target.btf && target.id) {
		target.name = skep_btf_name(target.btf, target.id);
		target.kind = skep_btf_kind(target.btf, target.id);
	}
	switch (prog->type) {
	case PROG_STRUCT_OPS: return check_struct_ops(machine, &target);
	case PROG_TRACING:
	case PROG_LSM:
	case PROG_EXT: return check_traced(&target);
	default: return 0;
	}
}
