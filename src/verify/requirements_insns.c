/*
 * What instructions ask of a kernel: operations, helpers, kernel functions, and the forms of
 * control flow that older verifiers refuse.
 *
 * A loop is a jump that leads back to where the same path has come from. Linux before 5.3 refuses
 * these by their look, before it walks the program; so they are found the same way here: depth
 * first, and a place that is still open when it is reached again closes a loop.
 */
#include "verify/requirements.h"

#include <stdlib.h>

#include <skep/arena.h>
#include <skep/btf.h>

#include "verify/flow.h"

/* --- Loops ------------------------------------------------------------------------------------ */

enum colour { COLOUR_NEW, COLOUR_OPEN, COLOUR_CLOSED };

struct search {
	const struct skep_insn *insns;
	uint8_t *colours; /* of each slot */
	uint8_t *tried;   /* of each slot: how many ways from here were taken */
	uint32_t *path;   /* the open slots, from the function's first on */
	uint32_t n;
};

/* The @i-th way on from @at; false: there are no more. */
static bool way_on(const struct skep_insn *insns, uint32_t at, unsigned i, uint32_t *ret)
{
	const struct skep_insn *insn = &insns[at];
	uint8_t op = insn->code & 0xf0;
	bool jumps = is_of_jumps(insn) && op != SKEP_CALL;
	bool falls = !jumps || (op != SKEP_EXIT && op != SKEP_JA);

	if (falls && i == 0) {
		*ret = at + (is_load_imm64(insn) ? 2 : 1);
		return true;
	}
	if (!jumps || op == SKEP_EXIT || i != falls)
		return false;
	*ret = jump_target(insn, at);
	return true;
}

static void open_slot(struct search *search, uint32_t at)
{
	search->colours[at] = COLOUR_OPEN;
	search->path[search->n++] = at;
}

/* One step of the search. Return the slot of a jump that closes a loop; UINT32_MAX: not yet. */
static uint32_t search_on(struct search *search)
{
	uint32_t at = search->path[search->n - 1], next;

	if (!way_on(search->insns, at, search->tried[at]++, &next)) {
		search->colours[at] = COLOUR_CLOSED;
		search->n--;
		return UINT32_MAX;
	}
	if (search->colours[next] == COLOUR_OPEN)
		return at;
	if (search->colours[next] == COLOUR_NEW)
		open_slot(search, next);
	return UINT32_MAX;
}

/* The first jump that closes a loop, in the order of the search; UINT32_MAX: there is no loop. */
static uint32_t find_loop(const struct asking *asking)
{
	const struct skep_image *image = asking->program->image;
	uint32_t n = image->n_insns, loop = UINT32_MAX;
	struct search search = {
		.insns = asking->program->insns,
		.colours = skep_xcalloc(n, 1),
		.tried = skep_xcalloc(n, 1),
		.path = skep_xcalloc(n, sizeof(*search.path)),
	};

	for (uint32_t f = 0; f < image->n_funcs && loop == UINT32_MAX; f++) {
		open_slot(&search, image->funcs[f].start);
		while (search.n && loop == UINT32_MAX)
			loop = search_on(&search);
	}
	free(search.colours);
	free(search.tried);
	free(search.path);
	return loop;
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
