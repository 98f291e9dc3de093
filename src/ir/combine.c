/*
 * Pairs of instructions that one can do: a value computed only to be copied,
 * and (instruction set v4) a load only to be sign-extended.
 *
 * Both pairs must be neighbours, so nothing moves past anything.
 */
#include "ir/ir.h"

static bool reads(struct skep_opnd o, uint32_t reg)
{
	return is_reg(o) && o.id == reg;
}

/* v = x - v and v = x < v begin to write v before they are done with reading it. */
static bool in_the_way(const struct inst *inst, uint32_t dst)
{
	return (skep_ir_is(inst, LATE_A) && reads(inst->a, dst)) ||
	       (skep_ir_late_b(inst) && reads(inst->b, dst));
}

bool skep_ir_merges(const struct inst *mov)
{
	const struct inst *prev = mov->prev;

	return prev && is_reg(mov->a) && prev->dst == mov->a.id && prev->op != OP_PARAM &&
	       !in_the_way(prev, mov->dst);
}

static void count_reads(struct skep_ir_func *f, uint32_t *n_reads, uint32_t *n_defs)
{
	struct skep_opnd *uses[IR_MAX_USES];

	for (uint32_t i = 0; i < f->n_order; i++) {
		for (struct inst *p = f->blocks[f->order[i]]->first; p; p = p->next) {
			for (unsigned n = skep_ir_uses(p, uses); n; n--)
				if (is_reg(*uses[n - 1]))
					n_reads[uses[n - 1]->id]++;
			if (p->dst != IR_NONE)
				n_defs[p->dst]++;
		}
	}
}

/* Is @inst the only reader of what its predecessor makes? */
static bool only_reader(const struct inst *inst, const uint32_t *n_reads, const uint32_t *n_defs)
{
	return skep_ir_merges(inst) && n_reads[inst->a.id] == 1 && n_defs[inst->a.id] == 1;
}

static bool is_sign_extension(const struct skep_ir_func *f, const struct inst *inst)
{
	return f->ir->target.isa_v4 && inst->op == OP_EXT && inst->is_signed &&
	       inst->prev->op == OP_LOAD && inst->prev->bytes == inst->bytes;
}

void skep_ir_combine(struct skep_ir_func *f)
{
	uint32_t *n_reads = skep_arena_array(f->work, uint32_t, f->n_regs);
	uint32_t *n_defs = skep_arena_array(f->work, uint32_t, f->n_regs);

	count_reads(f, n_reads, n_defs);
	for (uint32_t i = 0; i < f->n_order; i++) {
		struct block *block = f->blocks[f->order[i]];

		for (struct inst *inst = block->first, *next; inst; inst = next) {
			next = inst->next;
			if ((inst->op != OP_MOV && inst->op != OP_EXT) ||
			    !only_reader(inst, n_reads, n_defs))
				continue;
			if (inst->op == OP_EXT) {
				if (!is_sign_extension(f, inst))
					continue;
				inst->prev->is_signed = true;
			}
			inst->prev->dst = inst->dst;
			skep_ir_remove(block, inst);
		}
	}
}
