/*
 * The graph of blocks: reachability, predecessors, and the simplifications
 * that need nothing else.
 *
 * skep_ir_cfg() may run at any time and leaves `order` in reverse post-order,
 * so that a definition comes before the uses it dominates, and `preds` filled.
 * An empty block that only jumps is bypassed, a block with one predecessor
 * that only jumps to it is appended to that.
 */
#include "ir/ir.h"

/* So many jumps to jumps are followed; a longer chain (or a cycle of empty blocks) stays. */
#define MAX_HOPS 16

static uint32_t bypass(const struct skep_ir_func *f, uint32_t id)
{
	for (unsigned hops = 0; hops < MAX_HOPS; hops++) {
		const struct inst *first = f->blocks[id]->first;

		if (!first || first->op != OP_JUMP)
			break;
		id = first->then_block;
	}
	return id;
}

static void bypass_targets(struct skep_ir_func *f, struct block *block)
{
	struct inst *end = block->last;

	assert(end && skep_ir_is(end, TERM)); /* a reachable block must be ended */
	if (end->op == OP_EXIT)
		return;
	end->then_block = bypass(f, end->then_block);
	if (end->op == OP_JUMP)
		return;
	end->else_block = bypass(f, end->else_block);
	if (end->op == OP_BRANCH && end->then_block == end->else_block)
		skep_ir_become_jump(end, end->then_block);
}

/* A place in the depth-first walk: which successor comes next. */
struct visit {
	uint32_t block;
	unsigned next;
};

/* Should the second successor rather than the first follow directly in the order? */
static bool prefers_second(const struct skep_ir_func *f, const struct inst *end)
{
	uint32_t first = f->blocks[end->then_block]->depth;
	uint32_t second = f->blocks[end->else_block]->depth;

	if (first != second)
		return second > first; /* loops stay together; order.c counts them */
	/* The machine has no opposite of this condition, to fall through where it holds. */
	return end->op == OP_BRANCH && end->sub == SKEP_IR_TEST;
}

/* The successor visited last is the one that follows directly. */
static uint32_t visit_next(const struct skep_ir_func *f, struct visit *visit)
{
	const struct block *block = f->blocks[visit->block];
	uint32_t succs[2];
	unsigned n = skep_ir_succs(block, succs);

	visit->next--;
	if (n == 2 && prefers_second(f, block->last))
		return succs[!visit->next];
	return succs[visit->next];
}

static void visit(struct skep_ir_func *f, struct visit *at, uint32_t id)
{
	uint32_t succs[2];

	f->blocks[id]->reachable = true;
	bypass_targets(f, f->blocks[id]);
	*at = (struct visit){id, skep_ir_succs(f->blocks[id], succs)};
}

static void reverse_post_order(struct skep_ir_func *f)
{
	struct visit *stack = skep_arena_array(f->work, struct visit, f->n_blocks);
	uint32_t depth = 0, at = f->n_blocks;

	for (uint32_t i = 0; i < f->n_blocks; i++)
		f->blocks[i]->reachable = false;
	f->order = skep_arena_array(f->ir->arena, uint32_t, f->n_blocks);
	visit(f, &stack[depth++], 0);
	while (depth) {
		struct visit *top = &stack[depth - 1];
		uint32_t to;

		if (!top->next) {
			f->order[--at] = top->block;
			depth--;
			continue;
		}
		to = visit_next(f, top);
		if (!f->blocks[to]->reachable)
			visit(f, &stack[depth++], to);
	}
	f->n_order = f->n_blocks - at;
	f->order += at;
}

static void count_preds(struct skep_ir_func *f)
{
	uint32_t succs[2];

	for (uint32_t i = 0; i < f->n_order; i++)
		f->blocks[f->order[i]]->n_preds = 0;
	for (uint32_t i = 0; i < f->n_order; i++)
		for (unsigned n = skep_ir_succs(f->blocks[f->order[i]], succs); n; n--)
			f->blocks[succs[n - 1]]->n_preds++;
}

static void fill_preds(struct skep_ir_func *f)
{
	uint32_t succs[2], *pool, n_edges = 0;

	count_preds(f);
	for (uint32_t i = 0; i < f->n_order; i++)
		n_edges += f->blocks[f->order[i]]->n_preds;
	pool = skep_arena_array(f->work, uint32_t, n_edges + 1);
	for (uint32_t i = 0; i < f->n_order; i++) {
		struct block *block = f->blocks[f->order[i]];

		block->preds = pool;
		pool += block->n_preds;
		block->n_preds = 0;
	}
	for (uint32_t i = 0; i < f->n_order; i++) {
		for (unsigned n = skep_ir_succs(f->blocks[f->order[i]], succs); n; n--) {
			struct block *to = f->blocks[succs[n - 1]];

			to->preds[to->n_preds++] = f->order[i];
		}
	}
}

static void append_block(struct block *block, struct block *next)
{
	skep_ir_remove(block, block->last);
	if (!block->last)
		block->first = next->first;
	else
		block->last->next = next->first;
	next->first->prev = block->last;
	block->last = next->last;
	block->n_insts += next->n_insts;
	next->first = next->last = NULL;
	next->reachable = false;
}

/* Also drops the merged blocks from the order; it stays a reverse post-order. */
static void merge(struct skep_ir_func *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_order; i++) {
		struct block *block = f->blocks[f->order[i]];

		if (!block->reachable)
			continue;
		f->order[n++] = block->id;
		while (block->last->op == OP_JUMP) {
			struct block *next = f->blocks[block->last->then_block];

			if (next->n_preds != 1 || next == block || next->id == 0)
				break;
			append_block(block, next);
		}
	}
	f->n_order = n;
}

void skep_ir_cfg(struct skep_ir_func *f)
{
	reverse_post_order(f);
	count_preds(f);
	merge(f);
	fill_preds(f);
}
