/*
 * Spilling: registers that found no place live in memory.
 *
 * Each gets a home, a slot of eight bytes, shared with others that are never
 * live at the same time. Its value is loaded into a fresh register before it
 * is read and stored after it is written; what can simply be made again (a
 * constant, the address of a map or a slot) is made again instead.
 *
 * In the first round a loaded value is read for a few instructions on before
 * it is loaded again. Should that have been too greedy, the next rounds spill
 * those registers too, and then every one lives for a single instruction.
 */
#include "ir/ir.h"

/* A loaded value is good for so many instructions. */
#define WINDOW_INSTS 12

struct cached {
	uint32_t reg; /* that holds the value, */
	uint32_t era; /* if this is the current one, */
	uint32_t at;  /* since this instruction */
};

struct spill {
	struct spills *s;
	struct skep_ir_func *f;
	uint32_t n_regs;       /* before temporaries are made */
	struct inst **remake;  /* per register: the definition to repeat, or NULL */
	struct cached *cached; /* per register */
	uint32_t era;          /* changes with the block and at calls */
	uint32_t at, window;
	struct block *block;
};

/* --- Homes --------------------------------------------------------------------------- */

struct home {
	uint32_t slot;
	uint8_t kind;
	uint64_t *busy;
};

static uint32_t find_home(struct spill *p, uint32_t reg, struct home *homes, uint32_t *n_homes)
{
	struct slot slot = {.bytes = 8, .align = 8, .below = IR_NONE, .is_spill = true};
	const struct live *live = &p->s->live[reg];
	uint32_t i;

	slot.kind = p->f->kinds[reg];
	slot.needs_stack = slot.kind == KIND_POINTER;
	for (i = 0; i < *n_homes; i++)
		if (homes[i].kind == slot.kind && !skep_ir_ranges_busy(homes[i].busy, live->ranges))
			break;
	if (i == *n_homes) {
		homes[i].slot = skep_ir_slot_add(p->f, &slot);
		homes[i].kind = slot.kind;
		homes[i].busy = skep_arena_array(p->f->work, uint64_t, p->s->n_pos / 64 + 1);
		(*n_homes)++;
	}
	skep_ir_ranges_set(homes[i].busy, live->ranges);
	return homes[i].slot;
}

static void find_homes(struct spill *p)
{
	struct home *homes = skep_arena_array(p->f->work, struct home, p->n_regs);
	uint32_t n_homes = 0;

	for (uint32_t reg = 0; reg < p->n_regs; reg++)
		if (p->s->spilled[reg] && !p->remake[reg] && p->s->home.data[reg] == IR_NONE)
			p->s->home.data[reg] = find_home(p, reg, homes, &n_homes);
}

/* --- What can be made again ---------------------------------------------------------- */

static bool can_remake(const struct inst *inst)
{
	return inst->op == OP_MAP || inst->op == OP_MAP_VALUE || inst->op == OP_FUNC_ADDR ||
	       (inst->op == OP_MOV && !is_reg(inst->a));
}

static void find_remakes(struct spill *p)
{
	bool *defined = skep_arena_array(p->f->work, bool, p->n_regs);

	for (uint32_t i = 0; i < p->f->n_order; i++) {
		for (struct inst *inst = p->f->blocks[p->f->order[i]]->first; inst;
		     inst = inst->next) {
			if (inst->dst == IR_NONE || !p->s->spilled[inst->dst])
				continue;
			p->remake[inst->dst] =
				!defined[inst->dst] && can_remake(inst) ? inst : NULL;
			defined[inst->dst] = true;
		}
	}
}

/* --- Rewriting ----------------------------------------------------------------------- */

static bool is_spilled(const struct spill *p, uint32_t reg)
{
	return reg < p->n_regs && p->s->spilled[reg];
}

static uint32_t temp_new(struct spill *p, uint32_t reg)
{
	uint32_t temp = skep_ir_reg_new(p->f);

	skep_vec_push(&p->s->home, p->s->home.data[reg]);
	skep_vec_push(&p->s->is_fixed, p->window == 0);
	p->cached[reg] = (struct cached){temp, p->era, p->at};
	return temp;
}

static uint32_t reload(struct spill *p, struct inst *before, uint32_t reg)
{
	const struct cached *cached = &p->cached[reg];
	const struct inst *remake = p->remake[reg];
	struct inst *load;

	if (cached->era == p->era && p->at - cached->at <= p->window)
		return cached->reg;
	load = skep_ir_inst_new(p->f, remake ? remake->op : OP_LOAD, before->span);
	if (remake) {
		load->a = remake->a;
		load->off = remake->off;
		load->callee = remake->callee;
	} else {
		load->a = S(p->s->home.data[reg], 0);
		load->bytes = 8;
	}
	load->dst = temp_new(p, reg);
	skep_ir_insert_before(p->block, before, load);
	return load->dst;
}

static void rewrite_uses(struct spill *p, struct inst *inst)
{
	struct skep_opnd *uses[IR_MAX_USES];

	for (unsigned n = skep_ir_uses(inst, uses); n; n--) {
		struct skep_opnd *o = uses[n - 1];

		if (is_reg(*o) && is_spilled(p, o->id))
			o->id = reload(p, inst, o->id);
	}
}

static bool is_reload_of(const struct inst *inst, uint32_t home)
{
	return inst->op == OP_LOAD && is_slot(inst->a) && inst->a.id == home;
}

/* A definition that is made again at each use, or that was itself a load from home, goes. */
static void rewrite_def(struct spill *p, struct inst *inst)
{
	uint32_t reg = inst->dst, home = p->s->home.data[reg];
	struct inst *store;

	if (p->remake[reg] || is_reload_of(inst, home)) {
		skep_ir_remove(p->block, inst);
		return;
	}
	inst->dst = temp_new(p, reg);
	store = skep_ir_inst_new(p->f, OP_STORE, inst->span);
	store->bytes = 8;
	store->a = S(home, 0);
	store->b = R(inst->dst);
	skep_ir_insert_before(p->block, inst->next, store);
}

static void rewrite_block(struct spill *p)
{
	p->era++;
	for (struct inst *inst = p->block->first, *next; inst; inst = next) {
		next = inst->next;
		p->at++;
		rewrite_uses(p, inst);
		if (inst->op == OP_CALL)
			p->era++;
		if (inst->dst != IR_NONE && is_spilled(p, inst->dst))
			rewrite_def(p, inst);
	}
}

void skep_ir_spill(struct spills *s)
{
	struct skep_ir_func *f = s->f;
	struct spill p = {
		.s = s,
		.f = f,
		.n_regs = f->n_regs,
		.remake = skep_arena_array(f->work, struct inst *, f->n_regs),
		.cached = skep_arena_array(f->work, struct cached, f->n_regs),
		.window = s->round ? 0 : WINDOW_INSTS,
	};

	find_remakes(&p);
	find_homes(&p);
	for (uint32_t i = 0; i < f->n_order; i++) {
		p.block = f->blocks[f->order[i]];
		rewrite_block(&p);
	}
}
