/*
 * Emission: each program of the module goes through the passes and comes out
 * as a program of the object.
 *
 * A program's functions are compiled callees first, because the kernel limits
 * the stack of a whole chain of calls: what the callees left is the caller's.
 * The code is laid out with the program itself first, as the kernel expects.
 */
#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "ir/ir.h"

/* The whole chain of calls may use this much stack; a frame counts in steps of 32. */
#define STACK_BYTES 512
#define FRAME_STEP  32
/* What kernels load at most, for those with privileges. */
#define MAX_INSNS 1000000

/* The kernel's limit of calls within calls. */
#define MAX_LEVELS 8

/* What does not depend on the machine's registers. */
static void optimise(struct skep_ir_func *f)
{
	skep_ir_cfg(f);
	skep_ir_fold(f);
	skep_ir_thread(f);
	skep_ir_cfg(f);
	skep_ir_fold(f);
	skep_ir_cfg(f);
	skep_ir_dead(f);
	skep_ir_combine(f);
}

/* Everything else, up to code. */
static int generate(struct skep_ir_func *f, struct code *code, struct skep_diag *diag)
{
	int err;

	skep_ir_order(f);
	skep_ir_lower(f);
	err = skep_ir_alloc(f, diag);
	return err ? err : skep_ir_encode(f, code, diag);
}

/* --- The functions of a program ------------------------------------------------------ */

/* One program under way. */
struct emission {
	struct skep_ir *ir;
	struct skep_ir_func *prog;
	struct skep_arena work;
	SKEP_VEC(struct skep_ir_func *) funcs; /* the program first, callees behind their callers */
};

static void emission_done(struct emission *em)
{
	skep_vec_foreach (struct skep_ir_func *, f, &em->funcs)
		(*f)->work = NULL;
	skep_vec_done(&em->funcs);
	skep_arena_done(&em->work);
}

static uint32_t count_callees(const struct skep_ir_func *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_order; i++)
		for (const struct inst *p = f->blocks[f->order[i]]->first; p; p = p->next)
			n += p->callee != NULL;
	return n;
}

/* One for each call or address that is left; a callee may be there several times. */
static void list_callees(struct skep_ir_func *f)
{
	f->callees = skep_arena_array(f->work, struct skep_ir_func *, count_callees(f));
	f->n_callees = 0;
	for (uint32_t i = 0; i < f->n_order; i++)
		for (const struct inst *p = f->blocks[f->order[i]]->first; p; p = p->next)
			if (p->callee)
				f->callees[f->n_callees++] = p->callee;
}

/*
 * Optimise @f and what it calls, and put them into em->funcs, callees first.
 * A function that no live code refers to must not be emitted: the kernel
 * refuses unreachable code.
 */
static int collect(struct emission *em, struct skep_ir_func *f, unsigned depth,
		   struct skep_diag *diag)
{
	int err = 0;

	if (f->collecting || depth > MAX_LEVELS)
		return skep_diag_fail(diag, -ELOOP, SKEP_DIAG_IR_RECURSION, f->span, f->name,
				      MAX_LEVELS);
	if (f->collected)
		return 0;
	f->collecting = true;
	f->work = &em->work;
	optimise(f);
	list_callees(f);
	for (uint32_t i = 0; i < f->n_callees && !err; i++)
		err = collect(em, f->callees[i], depth + 1, diag);
	if (!err)
		skep_ir_enclose(f);
	f->collecting = false;
	f->collected = true;
	skep_vec_push(&em->funcs, f);
	return err;
}

/* From callees first to callers first. */
static void reverse(struct emission *em)
{
	struct skep_ir_func **funcs = em->funcs.data;

	for (size_t i = 0, j = em->funcs.len - 1; i < j; i++, j--) {
		struct skep_ir_func *f = funcs[i];

		funcs[i] = funcs[j];
		funcs[j] = f;
	}
}

/* --- Stack --------------------------------------------------------------------------- */

static void push_down(const struct skep_ir_func *f)
{
	for (uint32_t i = 0; i < f->n_callees; i++)
		if (f->callees[i]->level <= f->level)
			f->callees[i]->level = f->level + 1;
}

/* How many calls deep each function can be; returns the most. */
static uint32_t count_levels(struct emission *em)
{
	uint32_t deepest = 1;

	em->prog->level = 1;
	skep_vec_foreach (struct skep_ir_func *, f, &em->funcs) {
		if (deepest < (*f)->level)
			deepest = (*f)->level;
		push_down(*f);
	}
	return deepest;
}

static uint32_t deepest_callee(const struct skep_ir_func *f)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < f->n_callees; i++)
		if (bytes < f->callees[i]->chain_bytes)
			bytes = f->callees[i]->chain_bytes;
	return bytes;
}

/* What the callees left, less an equal share for each caller above. */
static void set_budget(struct skep_ir_func *f, uint32_t deepest)
{
	uint32_t share = STACK_BYTES / deepest / FRAME_STEP * FRAME_STEP;
	uint32_t taken = deepest_callee(f) + (f->level - 1) * share;

	f->stack_budget = taken < STACK_BYTES ? STACK_BYTES - taken : 0;
}

static void set_chain(struct skep_ir_func *f)
{
	uint32_t own = f->stack_bytes + (f->has_guard ? 16 : 0);

	f->chain_bytes = deepest_callee(f) + (own + FRAME_STEP - 1) / FRAME_STEP * FRAME_STEP;
}

/* --- Into the object ----------------------------------------------------------------- */

static void code_done(struct code *code)
{
	skep_vec_done(&code->insns);
	skep_vec_done(&code->lines);
	skep_vec_done(&code->refs);
}

static void append_code(struct code *to, struct code *from, struct skep_ir_func *f)
{
	uint32_t base = (uint32_t)to->insns.len;

	f->insn = base;
	skep_vec_foreach (struct skep_insn, insn, &from->insns)
		skep_vec_push(&to->insns, *insn);
	skep_vec_foreach (struct skep_object_line, line, &from->lines) {
		line->insn += base;
		skep_vec_push(&to->lines, *line);
	}
	skep_vec_foreach (struct func_ref, ref, &from->refs) {
		ref->insn += base;
		skep_vec_push(&to->refs, *ref);
	}
}

static void resolve_refs(struct code *code)
{
	skep_vec_foreach (struct func_ref, ref, &code->refs)
		code->insns.data[ref->insn].imm =
			(int32_t)ref->callee->insn - (int32_t)ref->insn - 1;
}

static void fill_funcs(struct emission *em, struct skep_object_prog *prog)
{
	bool needs_btf = em->funcs.len > 1;

	prog->n_funcs = em->funcs.len;
	prog->funcs = skep_xcalloc(prog->n_funcs, sizeof(*prog->funcs));
	for (size_t i = 0; i < prog->n_funcs; i++) {
		const struct skep_ir_func *f = em->funcs.data[i];

		prog->funcs[i].insn = f->insn;
		prog->funcs[i].name = f->name;
		prog->funcs[i].btf_func = needs_btf ? skep_ir_btf_func(em->ir, f) : 0;
	}
}

/* Takes the instructions and lines over from @code. */
static void fill_prog(struct emission *em, struct code *code, struct skep_object_prog *prog)
{
	const struct skep_ir_prog_desc *desc = &em->prog->desc;

	snprintf(prog->name, sizeof(prog->name), "%s", desc->name);
	prog->type = desc->type;
	prog->expected_attach_type = desc->expected_attach_type;
	prog->attach_btf_id = desc->attach_btf_id;
	prog->attach_fd = desc->attach_fd;
	prog->flags = desc->flags;
	prog->section = desc->section;
	prog->n_insns = code->insns.len;
	prog->insns = TAKE_PTR(code->insns.data);
	prog->n_lines = code->lines.len;
	prog->lines = TAKE_PTR(code->lines.data);
	prog->stack_bytes = em->funcs.len > 1 ? em->prog->chain_bytes : em->prog->stack_bytes;
	fill_funcs(em, prog);
}

/* --- Programs ------------------------------------------------------------------------ */

static int link_codes(struct emission *em, struct code *codes, struct skep_object_prog *prog,
		      struct skep_diag *diag)
{
	for (size_t i = 1; i < em->funcs.len; i++)
		append_code(&codes[0], &codes[i], em->funcs.data[i]);
	if (codes[0].insns.len > MAX_INSNS)
		return skep_diag_fail(diag, -E2BIG, SKEP_DIAG_IR_TOO_LONG, em->prog->desc.span,
				      em->prog->name, codes[0].insns.len, MAX_INSNS);
	resolve_refs(&codes[0]);
	fill_prog(em, &codes[0], prog);
	return 0;
}

/* Callees first for the stack's sake; each into code of its own, which are then put together. */
static int generate_all(struct emission *em, struct skep_object_prog *prog, struct skep_diag *diag)
{
	struct code *codes = skep_arena_array(&em->work, struct code, em->funcs.len);
	uint32_t deepest = count_levels(em);
	int err = 0;

	for (size_t i = em->funcs.len; i && !err; i--) {
		struct skep_ir_func *f = em->funcs.data[i - 1];

		set_budget(f, deepest);
		err = generate(f, &codes[i - 1], diag);
		f->emitted = true;
		set_chain(f);
	}
	if (!err)
		err = link_codes(em, codes, prog, diag);
	for (size_t i = 0; i < em->funcs.len; i++)
		code_done(&codes[i]);
	return err;
}

static int emit_prog(struct skep_ir_func *f, struct skep_object_prog *prog, struct skep_diag *diag)
{
	struct emission em __attribute__((cleanup(emission_done))) = {.ir = f->ir, .prog = f};
	int err;

	skep_arena_init(&em.work);
	err = collect(&em, f, 1, diag);
	if (err)
		return err;
	reverse(&em);
	return generate_all(&em, prog, diag);
}

static size_t count_progs(const struct skep_ir *ir)
{
	size_t n = 0;

	for (const struct skep_ir_func *f = ir->first; f; f = f->next)
		n += f->prog == f;
	return n;
}

static void prog_done(struct skep_object_prog *prog)
{
	free(prog->insns);
	free(prog->funcs);
	free(prog->lines);
}

static void add_progs(struct skep_object *object, const struct skep_object_prog *progs, size_t n)
{
	object->progs =
		skep_xrealloc(object->progs, (object->n_progs + n) * sizeof(*object->progs));
	memcpy(object->progs + object->n_progs, progs, n * sizeof(*progs));
	object->n_progs += n;
}

/* Its size is known once every function that uses it is compiled. */
static void finish_scratch(struct skep_ir *ir)
{
	struct skep_object_map *map;

	if (ir->scratch_map == IR_NONE)
		return;
	map = &ir->object->maps[ir->scratch_map];
	map->value_size = ir->scratch_bytes;
	map->max_entries = ir->scratch_levels;
}

int skep_ir_emit(struct skep_ir *ir, struct skep_diag *diag)
{
	size_t n = count_progs(ir), done = 0;
	_cleanup_free_ struct skep_object_prog *progs = skep_xcalloc(n + 1, sizeof(*progs));
	int err = 0;

	for (struct skep_ir_func *f = ir->first; f && !err; f = f->next) {
		if (f->prog != f)
			continue;
		err = emit_prog(f, &progs[done], diag);
		done += !err;
	}
	if (err) {
		while (done)
			prog_done(&progs[--done]);
		return err;
	}
	finish_scratch(ir);
	if (n)
		add_progs(ir->object, progs, n);
	return 0;
}
