/*
 * Where memory objects live: the stack or the scratch.
 *
 * A frame grows down from r10: first the homes of spilled registers, then the
 * slots. Slots are stacked in the order of their making, each upon the one
 * that was live then (`below`), so released ones share memory with later ones.
 *
 *	r10	-8	-16	-24			-stack_bytes
 *	 | spill | spill | slot $0 | slot $1          |
 *	                           | slot $2 (after $1's release) |
 *
 * If all of it does not fit, the largest slots go to the scratch (scratch.c),
 * everything above a threshold of size that is lowered until the rest fits;
 * then spilled numbers go there too. Pointers cannot: see kinds.c.
 *
 * All that can go there goes there if the function has a loop with many ways
 * through it. The kernel walks a loop until the state at its head repeats, and
 * what lies on the stack is part of the state: bytes left by a string that one
 * way copied and another did not, a number that is known to be zero on one.
 * What is dead counts too, as far as a helper may have written it. So n ways
 * are up to 2^n states, each walked from there on; a few dozen `if` in a loop
 * exceed the million steps a program is given. Of the scratch the kernel knows
 * nothing, so nothing there makes a difference.
 */
#include <errno.h>

#include "ir/ir.h"

/* What a per-CPU map's value may have: PCPU_MIN_UNIT_SIZE. */
#define SCRATCH_MAX_BYTES 32768
/* The busy word, before the frame's first byte. */
#define SCRATCH_HEAD_BYTES 8
/* Branches within loops from which on they are many. Below, a claim of the scratch costs more time
 * at every event than it saves once. */
#define MANY_BRANCHES 16
/* The kernel takes this much of the stack for the state of may_goto. */
#define MAY_GOTO_BYTES 16

struct layout {
	struct skep_ir_func *f;
	uint32_t *stack_top, *scratch_top; /* per slot: the end of it and all below */
	uint32_t threshold;                /* larger slots go to the scratch */
	uint32_t n_stack_spills, n_scratch_spills;
	uint32_t stack_bytes, scratch_bytes;
};

static uint32_t align_up(uint32_t value, uint32_t align)
{
	return (value + align - 1) & ~(align - 1);
}

/* Whole words: the last bytes of a slot may be stored as one, see skep_ir_store(). */
static uint32_t room(const struct slot *slot)
{
	return align_up(slot->bytes, 8);
}

static void mark_used(struct skep_ir_func *f)
{
	struct skep_opnd *uses[IR_MAX_USES];

	for (uint32_t i = 0; i < f->n_slots; i++)
		f->slots[i].place = SLOT_UNUSED;
	for (uint32_t i = 0; i < f->n_order; i++)
		for (struct inst *p = f->blocks[f->order[i]]->first; p; p = p->next)
			for (unsigned n = skep_ir_uses(p, uses); n; n--)
				if (is_slot(*uses[n - 1]))
					f->slots[uses[n - 1]->id].place = SLOT_STACK;
}

static void place_slot(struct layout *l, uint32_t id)
{
	struct slot *slot = &l->f->slots[id];
	uint32_t stack = 8 * l->n_stack_spills;
	uint32_t scratch = SCRATCH_HEAD_BYTES + 8 * l->n_scratch_spills;

	if (slot->below != IR_NONE) {
		stack = l->stack_top[slot->below];
		scratch = l->scratch_top[slot->below];
	}
	if (slot->place != SLOT_UNUSED && (slot->needs_stack || slot->bytes <= l->threshold)) {
		stack = align_up(stack + room(slot), 8);
		slot->place = SLOT_STACK;
		slot->off = -(int32_t)stack;
	} else if (slot->place != SLOT_UNUSED) {
		slot->place = SLOT_SCRATCH;
		slot->off = (int32_t)align_up(scratch, 8);
		scratch = (uint32_t)slot->off + room(slot);
	}
	l->stack_top[id] = stack;
	l->scratch_top[id] = scratch;
	if (l->stack_bytes < stack)
		l->stack_bytes = stack;
	if (l->scratch_bytes < scratch)
		l->scratch_bytes = scratch;
}

static void place_slots(struct layout *l)
{
	l->stack_bytes = 8 * l->n_stack_spills;
	l->scratch_bytes = SCRATCH_HEAD_BYTES + 8 * l->n_scratch_spills;
	for (uint32_t i = 0; i < l->f->n_slots; i++)
		if (!l->f->slots[i].is_spill)
			place_slot(l, i);
}

/* Of registers of at least this kind. */
static uint32_t count_spills(const struct skep_ir_func *f, enum reg_kind least)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_slots; i++) {
		const struct slot *slot = &f->slots[i];

		n += slot->is_spill && slot->place != SLOT_UNUSED && slot->kind >= least;
	}
	return n;
}

static uint32_t budget(const struct skep_ir_func *f)
{
	return f->stack_budget - (f->has_guard ? MAY_GOTO_BYTES : 0);
}

/* A subprogram is a loop's body: what helpers call back. */
static bool has_many_ways(const struct skep_ir_func *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_order; i++) {
		const struct block *block = f->blocks[f->order[i]];

		n += (block->depth || f->prog != f) && block->last->op == OP_BRANCH;
	}
	return n >= MANY_BRANCHES;
}

/* Whatever can be in the scratch goes there. Return whether the rest fits. */
static bool fit_least(struct layout *l)
{
	uint32_t n_spills = count_spills(l->f, KIND_SCALAR);

	l->threshold = 0;
	l->n_stack_spills = count_spills(l->f, KIND_TRACKED);
	l->n_scratch_spills = n_spills - l->n_stack_spills;
	place_slots(l);
	return l->stack_bytes <= budget(l->f);
}

/* Find the least that must go to the scratch. Return 0 | -ENOSPC */
static int fit(struct layout *l, struct skep_diag *diag)
{
	static const uint32_t thresholds[] = {UINT32_MAX, 256, 128, 64, 32, 16, 8, 0};
	uint32_t n_spills = count_spills(l->f, KIND_SCALAR), fixed_bytes;

	if (has_many_ways(l->f) && fit_least(l))
		return 0;
	l->n_stack_spills = n_spills;
	l->n_scratch_spills = 0;
	for (size_t i = 0; i < sizeof(thresholds) / sizeof(*thresholds); i++) {
		l->threshold = thresholds[i];
		place_slots(l);
		if (l->stack_bytes <= budget(l->f))
			return 0;
	}
	fixed_bytes = align_up(l->stack_bytes - 8 * n_spills, 8);
	if (fixed_bytes + 8 * count_spills(l->f, KIND_POINTER) > budget(l->f))
		return skep_diag_fail(diag, -ENOSPC, SKEP_DIAG_IR_STACK, l->f->span, l->f->name,
				      budget(l->f));
	l->n_stack_spills = (budget(l->f) - fixed_bytes) / 8;
	l->n_scratch_spills = n_spills - l->n_stack_spills;
	place_slots(l);
	return 0;
}

/* One round for each kind: what must be on the stack takes the places first. */
static void place_spills(const struct layout *l)
{
	uint32_t n_stack = 0, n_scratch = 0;

	for (int kind = KIND_POINTER; kind >= KIND_SCALAR; kind--) {
		for (uint32_t i = 0; i < l->f->n_slots; i++) {
			struct slot *slot = &l->f->slots[i];

			if (!slot->is_spill || slot->place == SLOT_UNUSED || slot->kind != kind)
				continue;
			if (n_stack < l->n_stack_spills) {
				slot->place = SLOT_STACK;
				slot->off = -8 * (int32_t)++n_stack;
			} else {
				slot->place = SLOT_SCRATCH;
				slot->off = SCRATCH_HEAD_BYTES + 8 * (int32_t)n_scratch++;
			}
		}
	}
}

static int place(struct skep_ir_func *f, struct layout *l, struct skep_diag *diag)
{
	int err;

	*l = (struct layout){
		.f = f,
		.stack_top = skep_arena_array(f->work, uint32_t, f->n_slots),
		.scratch_top = skep_arena_array(f->work, uint32_t, f->n_slots),
	};
	f->kinds = skep_ir_kinds(f);
	mark_used(f);
	err = fit(l, diag);
	if (err)
		return err;
	place_spills(l);
	if (l->scratch_bytes > SCRATCH_MAX_BYTES)
		return skep_diag_fail(diag, -ENOSPC, SKEP_DIAG_IR_SCRATCH, f->span, f->name,
				      l->scratch_bytes, SCRATCH_MAX_BYTES);
	return 0;
}

int skep_ir_frame(struct skep_ir_func *f, struct skep_diag *diag)
{
	struct layout l;
	int err = place(f, &l, diag);

	if (!err && l.scratch_bytes > SCRATCH_HEAD_BYTES && f->frame_reg == IR_NONE) {
		skep_ir_scratch_claim(f);
		skep_ir_order(f);
		skep_ir_lower(f);
		err = place(f, &l, diag);
	}
	if (err)
		return err;
	f->stack_bytes = l.stack_bytes;
	if (f->frame_reg != IR_NONE && f->ir->scratch_bytes < align_up(l.scratch_bytes, 8))
		f->ir->scratch_bytes = align_up(l.scratch_bytes, 8);
	return 0;
}
