/*
 * What instructions ask of a kernel: operations, helpers, kernel functions, and the forms of
 * control flow that older verifiers refuse.
 *
 * A loop is a jump that leads back to where the same path has come from. Linux before 5.3 refuses
 * these by their look, before it walks the program; so they are found the same way here.
 */
#include "verify/requirements.h"

#include <skep/arena.h>
#include <skep/btf.h>

#include "verify/flow.h"

/* --- Loops ------------------------------------------------------------------------------------ */

/* The jump of a loop; UINT32_MAX: there is no loop. */
static uint32_t find_loop(const struct asking *asking)
{
	const struct skep_image *image = asking->program->image;
	uint32_t from, to;

	for (uint32_t f = 0; f < image->n_funcs; f++)
		if (flow_back_edge(asking->program->insns, image->n_insns, image->funcs[f].start,
				   &from, &to))
			return from;
	return UINT32_MAX;
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* A kernel function that the table does not have: its name is told, its version is not known. */
static void add_unknown_kfunc(struct asking *asking, const char *name, uint32_t slot)
{
	const struct version_row row = {"kernel function", skep_arena_strdup(asking->arena, name),
					0};

	requirements_add(asking, &row, slot);
}

/* One that the kernel may lack (a weak symbol, for which the loader writes 0) asks for nothing. */
static void add_kfunc(struct asking *asking, const struct skep_insn *insn, uint32_t slot)
{
	const struct skep_btf *btf = insn->off ? NULL : asking->program->kernel_btf;
	const struct version_row *row;
	const char *name;

	if (!insn->imm)
		return;
	name = btf ? skep_btf_name(btf, (uint32_t)insn->imm) : "of a module";
	row = version_of_kfunc(name);
	if (row)
		requirements_add(asking, row, slot);
	else
		add_unknown_kfunc(asking, name, slot);
}

static void add_call(struct asking *asking, const struct skep_insn *insn, uint32_t slot)
{
	const struct skep_image *image = asking->program->image;

	if (is_kfunc_call(insn))
		add_kfunc(asking, insn, slot);
	if (!is_helper_call(insn))
		return;
	requirements_add(asking, version_of_helper((uint32_t)insn->imm, image->type), slot);
	if (insn->imm == skep_helper_id("tail_call", 9) && image->n_funcs > 1)
		requirements_add(asking, version_of_feature(FEATURE_TAIL_CALL_AND_FUNCTIONS), slot);
}

/* --- All of them ------------------------------------------------------------------------------ */

void requirements_of_insns(struct asking *asking)
{
	const struct skep_verify_program *program = asking->program;
	uint32_t n = program->image->n_insns, loop = find_loop(asking);

	for (uint32_t at = 0; at < n; at++) {
		const struct skep_insn *insn = &program->insns[at];
		enum skep_op op;
		unsigned slots;

		if (!skep_isa_decode(insn, n - at, &op, &slots, NULL))
			requirements_add(asking, version_of_insn(op), at);
		if (is_call(insn))
			add_call(asking, insn, at);
		at += is_load_imm64(insn);
	}
	if (loop != UINT32_MAX)
		requirements_add(asking, version_of_feature(FEATURE_LOOP), loop);
}
