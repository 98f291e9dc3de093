/*
 * Liveness: for each register, the stretches of the code in which its value
 * is still wanted.
 *
 * Every instruction has two positions: operands are read at `pos`, the result
 * is written at `pos + 1`. A register's range begins where it is written and
 * ends behind the last read; with holes, so code out of line costs nothing
 * elsewhere.
 *
 * There are no sets of registers per block: a long script has thousands of
 * both, and nearly all registers live in one or two blocks. Instead:
 *
 *  1. One walk backwards through each block gives the ranges within it, and a
 *     `touch` for each (register, block) that meet: is the value wanted at the
 *     block's beginning, and where is the last definition.
 *  2. For each register wanted at the beginning of some block, walk from there
 *     against the edges until definitions are met; every block passed is a
 *     range. The cost is the size of the result.
 */
#include "ir/ir.h"

struct touch {
	uint32_t reg, block;
	uint32_t next;     /* of the same register, IR_NONE: last */
	uint32_t open_end; /* walking backwards: read further down to here; 0: not wanted */
	uint32_t last_def; /* position + 1 of the block's last definition, 0: none */
	bool exposed;      /* wanted at the block's beginning */
};

struct liveness {
	struct skep_ir_func *f;
	struct live *live;
	SKEP_VEC(struct touch) touches;
	uint32_t *head;  /* of the list of touches, per register */
	uint32_t *stamp; /* per block: register + 1 whose touch `touch_at` is */
	uint32_t *touch_at;
	uint32_t *passed; /* per block: register + 1 that is known live at its end */
	uint32_t *stack;
};

static void add_range(struct liveness *l, uint32_t reg, uint32_t start, uint32_t end)
{
	struct range *range = skep_arena_new(l->f->work, struct range);
	struct live *live = &l->live[reg];

	*range = (struct range){live->ranges, start, end};
	if (!live->ranges || start < live->start)
		live->start = start;
	live->ranges = range;
	live->len += end - start;
}

static struct touch *touch(struct liveness *l, uint32_t reg, uint32_t block)
{
	uint32_t head = l->head[reg];
	struct touch *touch;

	if (head != IR_NONE && l->touches.data[head].block == block)
		return &l->touches.data[head];
	touch = skep_vec_add(&l->touches);
	touch->reg = reg;
	touch->block = block;
	touch->next = head;
	l->head[reg] = (uint32_t)l->touches.len - 1;
	return touch;
}

static void scan_def(struct liveness *l, const struct block *block, const struct inst *inst)
{
	struct touch *t = touch(l, inst->dst, block->id);
	uint32_t start = inst->pos + 1;

	if (!t->last_def)
		t->last_def = start;
	add_range(l, inst->dst, start, t->open_end ? t->open_end : start + 1);
	t->open_end = 0;
}

static void scan_use(struct liveness *l, uint32_t reg, const struct block *block, uint32_t end)
{
	struct touch *t = touch(l, reg, block->id);

	if (t->open_end < end)
		t->open_end = end;
}

static void scan_uses(struct liveness *l, const struct block *block, struct inst *inst,
		      float weight)
{
	struct skep_opnd *uses[IR_MAX_USES];

	for (unsigned n = skep_ir_uses(inst, uses); n; n--) {
		const struct skep_opnd *o = uses[n - 1];
		uint32_t reg = skep_ir_opnd_reg(l->f, o);
		bool late = o == &inst->a   ? skep_ir_is(inst, LATE_A)
			    : o == &inst->b ? skep_ir_late_b(inst)
					    : false;

		if (reg == IR_NONE)
			continue;
		scan_use(l, reg, block, inst->pos + (late ? 2 : 1));
		l->live[reg].n_uses++;
		l->live[reg].cost += weight;
	}
}

static float weight_of(const struct block *block)
{
	float weight = block->cold ? 0.25f : 1;

	for (uint32_t d = 0; d < block->depth && d < 4; d++)
		weight *= 8;
	return weight;
}

static void scan_block(struct liveness *l, const struct block *block)
{
	float weight = weight_of(block);
	size_t first = l->touches.len;

	for (struct inst *inst = block->last; inst; inst = inst->prev) {
		if (inst->dst != IR_NONE) {
			scan_def(l, block, inst);
			l->live[inst->dst].n_uses++;
			l->live[inst->dst].cost += weight;
		}
		scan_uses(l, block, inst, weight);
	}
	for (size_t i = first; i < l->touches.len; i++) {
		struct touch *t = &l->touches.data[i];

		t->exposed = t->open_end;
		if (t->exposed)
			add_range(l, t->reg, block->start, t->open_end);
	}
}

static uint32_t push_preds(struct liveness *l, uint32_t reg, uint32_t block, uint32_t depth)
{
	const struct block *b = l->f->blocks[block];

	for (uint32_t i = 0; i < b->n_preds; i++) {
		if (l->passed[b->preds[i]] == reg + 1)
			continue;
		l->passed[b->preds[i]] = reg + 1;
		l->stack[depth++] = b->preds[i];
	}
	return depth;
}

static void walk_back(struct liveness *l, uint32_t reg)
{
	uint32_t depth = 0;

	for (uint32_t i = l->head[reg]; i != IR_NONE; i = l->touches.data[i].next) {
		const struct touch *t = &l->touches.data[i];

		l->stamp[t->block] = reg + 1;
		l->touch_at[t->block] = i;
	}
	for (uint32_t i = l->head[reg]; i != IR_NONE; i = l->touches.data[i].next)
		if (l->touches.data[i].exposed)
			depth = push_preds(l, reg, l->touches.data[i].block, depth);
	while (depth) {
		uint32_t at = l->stack[--depth];
		const struct block *block = l->f->blocks[at];
		const struct touch *t =
			l->stamp[at] == reg + 1 ? &l->touches.data[l->touch_at[at]] : NULL;

		if (t && t->last_def) {
			add_range(l, reg, t->last_def, block->end);
			continue;
		}
		add_range(l, reg, block->start, block->end);
		if (!t)
			depth = push_preds(l, reg, at, depth);
	}
}

static uint32_t number(struct skep_ir_func *f)
{
	uint32_t pos = 0;

	for (uint32_t i = 0; i < f->n_order; i++) {
		struct block *block = f->blocks[f->order[i]];

		block->start = pos;
		for (struct inst *inst = block->first; inst; inst = inst->next, pos += 2)
			inst->pos = pos;
		block->end = pos;
	}
	return pos;
}

/* The positions at which a value is written that somebody will read. */
static uint64_t *wanted_writes(struct skep_ir_func *f, const struct live *live, uint32_t n_pos)
{
	uint64_t *wanted = skep_arena_array(f->work, uint64_t, n_pos / 64 + 1);

	for (uint32_t reg = 0; reg < f->n_regs; reg++)
		for (const struct range *r = live[reg].ranges; r; r = r->next)
			if (r->end > r->start + 1)
				wanted[r->start / 64] |= 1ull << r->start % 64;
	return wanted;
}

bool skep_ir_live_sweep(struct skep_ir_func *f, const struct live *live, uint32_t n_pos)
{
	uint64_t *wanted = wanted_writes(f, live, n_pos);
	bool swept = false;

	for (uint32_t i = 0; i < f->n_order; i++) {
		struct block *block = f->blocks[f->order[i]];

		for (struct inst *inst = block->first, *next; inst; inst = next) {
			uint32_t at = inst->pos + 1;

			next = inst->next;
			if (!skep_ir_is(inst, PURE) || wanted[at / 64] >> at % 64 & 1)
				continue;
			skep_ir_remove(block, inst);
			swept = true;
		}
	}
	return swept;
}

struct live *skep_ir_live(struct skep_ir_func *f, uint32_t *ret_n_pos)
{
	struct liveness l = {
		.f = f,
		.live = skep_arena_array(f->work, struct live, f->n_regs),
		.head = skep_arena_array(f->work, uint32_t, f->n_regs),
		.stamp = skep_arena_array(f->work, uint32_t, f->n_blocks),
		.touch_at = skep_arena_array(f->work, uint32_t, f->n_blocks),
		.passed = skep_arena_array(f->work, uint32_t, f->n_blocks),
		.stack = skep_arena_array(f->work, uint32_t, f->n_blocks),
	};

	*ret_n_pos = number(f);
	memset(l.head, 0xff, f->n_regs * sizeof(*l.head));
	for (uint32_t i = 0; i < f->n_order; i++)
		scan_block(&l, f->blocks[f->order[i]]);
	for (uint32_t reg = 0; reg < f->n_regs; reg++)
		if (l.head[reg] != IR_NONE)
			walk_back(&l, reg);
	skep_vec_done(&l.touches);
	return l.live;
}
