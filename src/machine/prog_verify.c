/*
 * PROG_LOAD's step between linking and compiling: the verifier is told of the program what the
 * machine knows of it.
 */
#include "machine/machine.h"

#include <skep/verify.h>

#include "machine/wire.h"

/* Records of the wire and of the verifier are alike, field by field. */
_Static_assert(sizeof(struct wire_func_info) == sizeof(struct skep_verify_func), "func_info");
_Static_assert(sizeof(struct wire_line_info) == sizeof(struct skep_verify_line), "line_info");

/* Another program's types, where it attaches to one, else those of the kernel. */
static const struct skep_btf *attach_btf(const struct prog_object *prog)
{
	const struct btf_object *btf =
		prog->attach_prog ? prog->attach_prog->btf : prog->attach_btf;

	return btf ? btf->btf : NULL;
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

int machine_prog_verify(struct skep_machine *machine, const struct prog_object *prog,
			struct log *log)
{
	struct skep_verify_program program = describe(machine, prog);
	const struct skep_machine_opts *how = &machine->opts;
	struct skep_verify_opts opts = {0};
	struct skep_verify_report report;
	size_t before = log->text.len;
	int err = prog->attach_prog ? add_target(machine, prog->attach_prog, &program) : 0;

	if (err)
		return err;
	if (how->verify_opts)
		opts = *how->verify_opts;
	opts.log_level = log->level;
	opts.strict_alignment = prog->flags & (1u << 0);
	opts.test_state_freq = prog->flags & (1u << 3);
	err = skep_verify(&program, &opts, &log->text, &report);
	log->most = before + report.log_bytes;
	if (how->verified)
		how->verified(how->verified_ctx, &program, &opts, err, &report);
	return err;
}
