/*
 * User stacks by call frame information: `config = { unwind = "cfi" }`. Each
 * program that takes one has the walk of src/unwind as a subprogram, once; all
 * share its maps, which the run time keeps filled (run/unwinding.h).
 */
#include <linux/bpf.h>
#include <string.h>

#include "base/overlay.h"
#include "trace/lower/lower.h"

/* Their memory is taken as they come. */
#define STACK_ENTRIES  65536
#define INTERP_ENTRIES 16384

/* Asked for by name: where its code cannot be had, the script does not go on without. */
bool skep_lower_unwinds(struct skep_lower *l)
{
	if (strcmp(l->program->config.unwind, "cfi") != 0)
		return false;
	int err = skep_overlay_load(); /* all of unwind is in there */
	if (err && !l->failed)
		skep_diag_add(l->diag, SKEP_DIAG_OVERLAY, SKEP_NOWHERE, "unwind = \"cfi\"",
			      strerror(-err));
	l->failed |= err != 0;
	return !err && skep_unwind_knows_machine() && skep_lower_best(l, SKEP_FOR_USER_STACKS);
}

static const struct skep_unwind_walk_maps *maps_of(struct skep_lower *l)
{
	struct skep_trace_program *program = l->program;
	struct skep_btf *btf = skep_types_btf(l->types);

	if (program->unwinds)
		return &program->unwind;
	struct skep_unwind_sizes sizes = skep_unwind_default_sizes;
	if (l->opts->is_frugal)
		skep_unwind_sizes_here(&sizes);
	skep_unwind_add_maps(l->object, &sizes, STACK_ENTRIES, btf, &program->unwind);
	uint32_t off = skep_interp_thread_pointer(btf);
	if (program->config.interpreters && off)
		skep_unwind_add_interpreters(l->object, INTERP_ENTRIES, off, &program->unwind);
	program->unwinds = true;
	return &program->unwind;
}

/* Its number; 0: there is none, or it was lost. */
static uint32_t walk(struct skep_lower *l, uint32_t depth)
{
	const struct skep_unwind_walk_maps *maps = maps_of(l);
	struct skep_unwind_counter lost = {skep_lower_globals(l),
					   skep_loss_off(l, SKEP_LOSS_STACK)};
	struct skep_opnd most =
		I(depth < SKEP_UNWIND_FRAMES_MOST ? depth : SKEP_UNWIND_FRAMES_MOST);

	if (!l->unwind)
		l->unwind = skep_unwind_program(l->f, maps, lost);
	return skep_ir_call_func(l->f, l->unwind, 1, &most);
}

struct skep_opnd skep_lower_unwind(struct skep_lower *l, uint32_t depth)
{
	struct skep_ir_func *f = l->f;
	uint32_t number = skep_ir_mov(f, R(walk(l, depth)));
	uint32_t none = skep_ir_block(f), done = skep_ir_block(f);

	skep_ir_branch_cold(f, SKEP_IR_EQ, R(number), I(0), none);
	skep_ir_jump(f, done);
	skep_ir_at(f, none);
	skep_ir_set(f, number, I(UINT32_MAX));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return R(number);
}

struct skep_opnd skep_lower_unwind_len(struct skep_lower *l, struct skep_opnd number)
{
	struct skep_ir_func *f = l->f;
	uint32_t key = skep_ir_slot(f, 4, 4), n = skep_ir_var(f), entry;
	uint32_t there = skep_ir_block(f), done = skep_ir_block(f);

	skep_ir_store(f, 4, S(key, 0), 0, number);
	skep_ir_set(f, n, I(0));
	entry = skep_ir_calln(f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(f, maps_of(l)->stacks)),
			      S(key, 0));
	skep_ir_branch(f, SKEP_IR_NE, R(entry), I(0), there, done);
	skep_ir_at(f, there);
	skep_ir_set(f, n, R(skep_ir_load(f, 2, R(entry), offsetof(struct skep_unwind_stack, n))));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return R(n);
}
