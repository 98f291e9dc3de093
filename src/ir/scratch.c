/*
 * The scratch: memory beyond the 512 bytes of stack.
 *
 * One per-CPU array map for the whole module has a few levels; a level is
 *
 *	+0		busy word: 0 free, 1 taken
 *	+8		the frame: spills, then slots (frame.c)
 *
 * A function that needs scratch claims on entry the first level of its CPU
 * whose busy word it could exchange from 0 to 1, and writes 0 back on every
 * exit. That is right under nesting, where whoever interrupts ends first, and
 * also where a program is preempted by another one on the same CPU, as those
 * attached to uprobes may be: a level belongs to one activation, in whatever
 * order they end. Programs do not migrate while they run.
 *
 * When all levels are taken the activation is counted (see
 * skep_ir_set_scratch_loss()) and returns 0, or of a program what its description says.
 *
 * Subprograms and callbacks that need scratch claim a level of their own the
 * same way: a callback's parameters are the kernel's to choose, so there is
 * no way to hand the frame to all of them. There are four levels (task,
 * soft interrupt, hard interrupt, NMI), eight if some subprogram claims.
 *
 * The address of the claimed level is a register like any other to the
 * allocator, except that it is not spilled: every access needs it.
 */
#include <linux/bpf.h>

#include "ir/ir.h"

#define LEVELS         4
#define LEVELS_CALLEES 8

static uint32_t scratch_map(struct skep_ir *ir)
{
	struct skep_object_map map = {
		.name = "skep_scratch",
		.type = BPF_MAP_TYPE_PERCPU_ARRAY,
		.key_size = 4,
	};

	if (ir->scratch_map == IR_NONE)
		ir->scratch_map = skep_object_add_map(ir->object, &map);
	return ir->scratch_map;
}

static void release_on_exits(struct skep_ir_func *f)
{
	for (uint32_t i = 0; i < f->n_order; i++) {
		struct block *block = f->blocks[f->order[i]];
		struct inst *store;

		if (block->last->op != OP_EXIT)
			continue;
		store = skep_ir_inst_new(f, OP_STORE, block->last->span);
		store->bytes = 8;
		store->a = R(f->frame_reg);
		store->b = I(0);
		skep_ir_insert_before(block, block->last, store);
	}
}

/* Move all but the parameters into a new block and go on building at the entry's end. */
static uint32_t split_entry(struct skep_ir_func *f)
{
	uint32_t body = skep_ir_block(f);
	struct block *entry = f->blocks[0];

	for (struct inst *inst = entry->first, *next; inst; inst = next) {
		next = inst->next;
		if (inst->op == OP_PARAM)
			continue;
		skep_ir_remove(entry, inst);
		skep_ir_append(f->blocks[body], inst);
	}
	skep_ir_at(f, 0);
	return body;
}

struct claim {
	struct skep_ir_func *f;
	uint32_t map, key; /* key: the slot of the level's number */
	uint32_t body, lost;
};

/*
 * Mark the frame taken; go to @taken if it is already, else to @got. Where there
 * is no exchange, only whole programs come between load and store: those that
 * interrupt this one, which give back what they take.
 */
static void mark_taken(struct skep_ir_func *f, uint32_t frame, uint32_t taken, uint32_t got)
{
	bool plain = f->ir->target.no_fetch;
	uint32_t old =
		plain ? skep_ir_load(f, 8, R(frame), 0) : skep_ir_xchg(f, 8, R(frame), 0, I(1));

	skep_ir_branch(f, SKEP_IR_NE, R(old), I(0), taken, got);
	skep_ir_at(f, got);
	if (plain)
		skep_ir_store(f, 8, R(frame), 0, I(1));
}

/* Look the level up and try to take it; on success set the frame and go to the body. */
static void try_level(const struct claim *c, struct skep_opnd level, uint32_t taken)
{
	struct skep_ir_func *f = c->f;
	uint32_t got = skep_ir_block(f), frame;

	skep_ir_store(f, 4, S(c->key, 0), 0, level);
	frame = skep_ir_calln(f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(f, c->map)), S(c->key, 0));
	skep_ir_branch_cold(f, SKEP_IR_EQ, R(frame), I(0), c->lost);
	mark_taken(f, frame, taken, got);
	/* Which level it was is of no interest any more: else the kernel walks on with each. */
	if (!is_imm(level))
		skep_ir_store(f, 4, S(c->key, 0), 0, I(0));
	skep_ir_set(f, f->frame_reg, R(frame));
	skep_ir_jump(f, c->body);
}

static void count_loss(const struct claim *c)
{
	struct skep_ir_func *f = c->f;
	uint32_t counter;

	skep_ir_at(f, c->lost);
	if (f->ir->loss_map != IR_NONE) {
		counter = skep_ir_map_value(f, f->ir->loss_map, f->ir->loss_off);
		skep_ir_atomic_add(f, 8, R(counter), 0, I(1));
	}
	skep_ir_exit(f, I(f->prog == f ? f->desc.unrun : 0));
}

void skep_ir_scratch_claim(struct skep_ir_func *f)
{
	uint32_t levels = f->prog == f ? LEVELS : LEVELS_CALLEES;
	struct claim c = {.f = f, .map = scratch_map(f->ir)};
	struct slot key = {.bytes = 4, .align = 4, .below = IR_NONE, .needs_stack = true};
	uint32_t others, again, level;

	if (f->ir->scratch_levels < levels)
		f->ir->scratch_levels = levels;
	f->span = f->prog->desc.span;
	f->frame_reg = skep_ir_var(f);
	c.key = skep_ir_slot_add(f, &key);
	release_on_exits(f);
	c.body = split_entry(f);
	c.lost = skep_ir_block(f);
	others = skep_ir_block(f);
	again = skep_ir_block(f);
	f->blocks[c.lost]->cold = f->blocks[others]->cold = f->blocks[again]->cold = true;
	try_level(&c, I(0), others);

	level = skep_ir_var(f);
	skep_ir_at(f, others);
	skep_ir_set(f, level, I(0));
	skep_ir_jump(f, again);
	skep_ir_at(f, again);
	skep_ir_set(f, level, R(skep_ir_alu(f, SKEP_IR_ADD, R(level), I(1))));
	skep_ir_branch_cold(f, SKEP_IR_EQ, R(level), I(levels), c.lost);
	try_level(&c, R(level), again);
	count_loss(&c);
}
