/*
 * PROG_LOAD's step between linking and compiling: the verifier is told of the program what the
 * machine knows of it.
 */
#include "machine/prog.h"

#include <skep/verify.h>

#include "machine/wire.h"

/* Records of the wire and of the verifier are alike, field by field. */
_Static_assert(sizeof(struct wire_func_info) == sizeof(struct skep_verify_func), "func_info");
_Static_assert(sizeof(struct wire_line_info) == sizeof(struct skep_verify_line), "line_info");

/* What an unprivileged program may have, in instructions. */
#define MOST_INSNS_UNPRIVILEGED 4096

int machine_prog_check_rights(const struct skep_machine *machine, const struct attr_prog_load *attr)
{
	const struct skep_machine_opts *opts = &machine->opts;

	if (opts->unverified || !opts->verify_opts || !opts->verify_opts->unprivileged)
		return 0;
	if (attr->insn_cnt > MOST_INSNS_UNPRIVILEGED)
		return -E2BIG;
	return attr->type == PROG_SOCKET_FILTER || attr->type == PROG_CGROUP_SKB ? 0 : -EPERM;
}

/* Another program's types, where it attaches to one, else those of the kernel. */
static const struct skep_btf *attach_btf(const struct prog_object *prog)
{
	const struct btf_object *btf =
		prog->attach_prog ? prog->attach_prog->btf : prog->attach_btf;

	return btf ? btf->btf : NULL;
}

#define MOST_NS (UINT64_C(60) * 1000000000)

static struct skep_verify_opts opts_for(const struct skep_machine *machine,
					const struct prog_object *prog, const struct log *log)
{
	struct skep_verify_opts opts = {0};

	if (machine->opts.verify_opts)
		opts = *machine->opts.verify_opts;
	if (!opts.time_ns)
		opts.time_ns = MOST_NS;
	opts.log_level = log->level;
	opts.strict_alignment = prog->flags & (1u << 0);
	opts.test_state_freq = prog->flags & (1u << 3);
	return opts;
}

static struct skep_verify_program describe(const struct skep_machine *machine,
					   const struct prog_object *prog)
{
	return (struct skep_verify_program){
		.image = prog->image,
		.insns = prog->insns,
		.attach_type = prog->expected_attach_type,
		.flags = prog->flags,
		.gpl = prog->gpl,
		.btf = prog->btf ? prog->btf->btf : NULL,
		.funcs = (const struct skep_verify_func *)prog->funcs,
		.n_funcs = prog->n_funcs,
		.lines = (const struct skep_verify_line *)prog->lines,
		.n_lines = prog->n_lines,
		.kernel_btf = machine->kernel_btf,
		.attach_btf = attach_btf(prog),
		.attach_btf_id = prog->attach_btf_id,
	};
}

/* Of the program that it attaches to. */
static int add_target(const struct skep_machine *machine, const struct prog_object *target,
		      struct skep_verify_program *ret)
{
	const struct skep_verify_program program = describe(machine, target);
	struct skep_verify_effects effects;
	int err = skep_verify_function_effects(&program, ret->attach_btf_id, &effects);

	if (err)
		return err;
	ret->target_type = target->type;
	ret->target_attach_type = target->expected_attach_type;
	ret->target_changes_packet = effects.changes_packet;
	ret->target_might_sleep = effects.might_sleep;
	return 0;
}

int machine_prog_verify(struct skep_machine *machine, struct prog_object *prog, struct log *log)
{
	struct skep_verify_program program = describe(machine, prog);
	const struct skep_machine_opts *told = &machine->opts;
	const struct skep_verify_opts opts = opts_for(machine, prog, log);
	struct skep_verify_report report;
	size_t before = log->text.len;
	int err = prog->attach_prog ? add_target(machine, prog->attach_prog, &program) : 0;

	if (err)
		return err;
	err = skep_verify(&program, &opts, &log->text, &report);
	log->most = before + report.log_bytes;
	prog->unsure |= !err && report.kernel_pointers;
	prog->ctx_bytes = report.ctx_bytes;
	if (told->verified)
		told->verified(told->verified_ctx, &program, &opts, err, &report);
	return err;
}
