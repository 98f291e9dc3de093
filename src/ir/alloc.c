/*
 * Register allocation.
 *
 * Each machine register has a calendar: one bit for each position of the code
 * (two an instruction, see live.c), set where it is taken. A register of the
 * IR gets the first machine register whose calendar is free in all its ranges.
 * What the machine demands is entered first: a call takes r0 while it reads
 * its arguments and r1-r5 when it returns, so what lives across it ends up in
 * r6-r9 by itself; a parameter's register is taken until it is read.
 *
 * First everyone in order of appearance, which packs best. If that leaves
 * someone out, again from the start by worth (weighted uses a position), so
 * that those left out are the cheapest to spill; then spill.c rewrites the
 * code and all is done again. Registers made for single instructions come
 * first there, so the third round or so always ends it.
 *
 * Moves are not coalesced by merging registers but by hints: a register asks
 * for the place where its value is made or will be wanted.
 */
#include <errno.h>

#include <skep/isa.h>

#include "ir/ir.h"

#define N_ALLOC    10 /* r0-r9 */
#define MAX_ROUNDS 32
#define MAX_SWEEPS 3
#define MAX_HOPS   4
#define N_WORTHS   4096

/* Leave to results, to first arguments and to what crosses calls what they will ask for. */
static const uint8_t preference[N_ALLOC] = {5, 4, 3, 0, 2, 1, 6, 7, 8, 9};

struct hint {
	uint16_t want;     /* set of machine registers */
	uint32_t from, to; /* registers it is copied from and to; IR_NONE: none */
};

struct alloc {
	struct skep_ir_func *f;
	const struct live *live;
	uint32_t n_pos, n_words, n_regs;
	uint64_t *fixed[N_ALLOC]; /* calendars as the machine demands */
	uint64_t *busy[N_ALLOC];
	struct hint *hints;
	uint32_t *order; /* registers in order of appearance */
	uint32_t n_order;
	bool *spilled;
	const bool *is_fixed;
};

#define NOT_ASSIGNED 255

/* --- Calendars ----------------------------------------------------------------------- */

static uint64_t mask(uint32_t from, uint32_t to)
{
	return (~0ull << from) & (to == 64 ? ~0ull : (1ull << to) - 1);
}

bool skep_ir_bits_busy(const uint64_t *bits, uint32_t start, uint32_t end)
{
	for (uint32_t word = start / 64; start < end; word++, start = word * 64) {
		uint32_t to = end - word * 64 < 64 ? end - word * 64 : 64;

		if (bits[word] & mask(start % 64, to))
			return true;
	}
	return false;
}

void skep_ir_bits_set(uint64_t *bits, uint32_t start, uint32_t end)
{
	for (uint32_t word = start / 64; start < end; word++, start = word * 64) {
		uint32_t to = end - word * 64 < 64 ? end - word * 64 : 64;

		bits[word] |= mask(start % 64, to);
	}
}

bool skep_ir_ranges_busy(const uint64_t *bits, const struct range *ranges)
{
	for (const struct range *r = ranges; r; r = r->next)
		if (skep_ir_bits_busy(bits, r->start, r->end))
			return true;
	return false;
}

void skep_ir_ranges_set(uint64_t *bits, const struct range *ranges)
{
	for (const struct range *r = ranges; r; r = r->next)
		skep_ir_bits_set(bits, r->start, r->end);
}

/* --- What the machine demands, and what would be nice -------------------------------- */

static void hint_from(struct alloc *a, uint32_t dst, struct skep_opnd src)
{
	if (!is_reg(src) || dst == IR_NONE)
		return;
	a->hints[dst].from = src.id;
	a->hints[src.id].to = dst;
}

static void want(struct alloc *a, struct skep_opnd o, unsigned phys)
{
	if (is_reg(o))
		a->hints[o.id].want |= 1u << phys;
}

static void enter_call(struct alloc *a, const struct inst *inst)
{
	skep_ir_bits_set(a->fixed[SKEP_R0], inst->pos, inst->pos + 1);
	for (unsigned r = SKEP_R1; r <= SKEP_R5; r++)
		skep_ir_bits_set(a->fixed[r], inst->pos + 1, inst->pos + 2);
	for (unsigned i = 0; i < inst->n_args; i++)
		want(a, inst->args[i], SKEP_R1 + i);
	if (inst->dst != IR_NONE)
		a->hints[inst->dst].want |= 1u << SKEP_R0;
}

static void enter_inst(struct alloc *a, const struct inst *inst)
{
	switch (inst->op) {
	case OP_CALL: enter_call(a, inst); break;
	case OP_PARAM:
		skep_ir_bits_set(a->fixed[SKEP_R1 + inst->a.imm], 0, inst->pos + 1);
		a->hints[inst->dst].want |= 1u << (SKEP_R1 + inst->a.imm);
		break;
	case OP_EXIT: want(a, inst->a, SKEP_R0); break;
	case OP_MOV:
	case OP_ALU:
	case OP_NEG:
	case OP_EXT:
	case OP_BSWAP: hint_from(a, inst->dst, inst->a); break;
	case OP_XCHG: hint_from(a, inst->dst, inst->b); break;
	}
}

static void enter_code(struct alloc *a)
{
	for (uint32_t i = 0; i < a->f->n_order; i++)
		for (const struct inst *p = a->f->blocks[a->f->order[i]]->first; p; p = p->next)
			enter_inst(a, p);
}

/* --- Orders -------------------------------------------------------------------------- */

static void sort_by_start(struct alloc *a)
{
	uint32_t *at = skep_arena_array(a->f->work, uint32_t, a->n_pos + 2);

	for (uint32_t reg = 0; reg < a->n_regs; reg++)
		if (a->live[reg].ranges)
			at[a->live[reg].start + 1]++;
	for (uint32_t pos = 0; pos <= a->n_pos; pos++)
		at[pos + 1] += at[pos];
	a->n_order = at[a->n_pos + 1];
	for (uint32_t reg = 0; reg < a->n_regs; reg++)
		if (a->live[reg].ranges)
			a->order[at[a->live[reg].start]++] = reg;
}

/* Cheapest last. A float's upper bits order positive numbers by size. */
static uint32_t worth_of(const struct alloc *a, uint32_t reg)
{
	float worth = a->live[reg].cost / (float)(a->live[reg].len + 1);
	uint32_t bits;

	if (reg == a->f->frame_reg)
		return N_WORTHS - 1;
	if (a->is_fixed[reg])
		return N_WORTHS - 2;
	memcpy(&bits, &worth, sizeof(bits));
	bits >>= 20;
	return bits < N_WORTHS - 3 ? bits : N_WORTHS - 3;
}

static void sort_by_worth(struct alloc *a)
{
	uint32_t at[N_WORTHS + 1] = {0};
	uint32_t *sorted = skep_arena_array(a->f->work, uint32_t, a->n_order);

	for (uint32_t i = 0; i < a->n_order; i++)
		at[N_WORTHS - worth_of(a, a->order[i])]++;
	for (uint32_t i = 0; i < N_WORTHS; i++)
		at[i + 1] += at[i];
	for (uint32_t i = 0; i < a->n_order; i++)
		sorted[at[N_WORTHS - 1 - worth_of(a, a->order[i])]++] = a->order[i];
	a->order = sorted;
}

/* --- Assignment ---------------------------------------------------------------------- */

static bool try_phys(struct alloc *a, uint32_t reg, unsigned phys)
{
	const struct range *ranges = a->live[reg].ranges;

	if (phys >= N_ALLOC || skep_ir_ranges_busy(a->busy[phys], ranges))
		return false;
	skep_ir_ranges_set(a->busy[phys], ranges);
	a->f->phys[reg] = (uint8_t)phys;
	return true;
}

static bool try_like(struct alloc *a, uint32_t reg, uint32_t other)
{
	return other != IR_NONE && try_phys(a, reg, a->f->phys[other]);
}

/* What those wish for that its value goes into counts as much as its own wish. */
static uint16_t wishes(const struct alloc *a, uint32_t reg)
{
	uint16_t want = 0;

	for (unsigned hops = 0; reg != IR_NONE && hops < MAX_HOPS; hops++) {
		want |= a->hints[reg].want;
		reg = a->hints[reg].to;
	}
	return want;
}

static bool assign(struct alloc *a, uint32_t reg)
{
	const struct hint *hint = &a->hints[reg];

	for (unsigned want = wishes(a, reg); want; want &= want - 1)
		if (try_phys(a, reg, (unsigned)__builtin_ctz(want)))
			return true;
	if (try_like(a, reg, hint->from) || try_like(a, reg, hint->to))
		return true;
	for (unsigned i = 0; i < N_ALLOC; i++)
		if (try_phys(a, reg, preference[i]))
			return true;
	return false;
}

static void clear(struct alloc *a)
{
	for (unsigned r = 0; r < N_ALLOC; r++)
		memcpy(a->busy[r], a->fixed[r], a->n_words * sizeof(uint64_t));
	memset(a->f->phys, NOT_ASSIGNED, a->n_regs);
}

/* Return whether everyone found a place; else, if not @to_the_end, whoever came first did. */
static bool assign_all(struct alloc *a, bool to_the_end)
{
	bool all = true;

	clear(a);
	for (uint32_t i = 0; i < a->n_order && (all || to_the_end); i++) {
		if (assign(a, a->order[i]))
			continue;
		assert(!to_the_end || worth_of(a, a->order[i]) < N_WORTHS - 2);
		a->spilled[a->order[i]] = true;
		all = false;
	}
	return all;
}

static void prepare(struct alloc *a, struct spills *spills)
{
	struct skep_ir_func *f = a->f;

	a->live = skep_ir_live(f, &a->n_pos);
	for (int i = 0; i < MAX_SWEEPS && !spills->round; i++) {
		if (!skep_ir_live_sweep(f, a->live, a->n_pos))
			break;
		skep_ir_dead(f);
		skep_ir_order(f);
		a->live = skep_ir_live(f, &a->n_pos);
	}
	a->n_regs = f->n_regs;
	a->n_words = a->n_pos / 64 + 1;
	while (spills->home.len < f->n_regs) {
		skep_vec_push(&spills->home, IR_NONE);
		skep_vec_push(&spills->is_fixed, false);
	}
	a->is_fixed = spills->is_fixed.data;
	a->hints = skep_arena_array(f->work, struct hint, f->n_regs);
	for (uint32_t reg = 0; reg < f->n_regs; reg++)
		a->hints[reg].from = a->hints[reg].to = IR_NONE;
	a->order = skep_arena_array(f->work, uint32_t, f->n_regs);
	a->spilled = skep_arena_array(f->work, bool, f->n_regs);
	f->phys = skep_arena_array(f->work, uint8_t, f->n_regs);
	for (unsigned r = 0; r < N_ALLOC; r++) {
		a->fixed[r] = skep_arena_array(f->work, uint64_t, a->n_words);
		a->busy[r] = skep_arena_array(f->work, uint64_t, a->n_words);
	}
}

/* Return whether everyone found a place; else @spills says who did not. */
static bool round_of(struct skep_ir_func *f, struct spills *spills)
{
	struct alloc a = {.f = f};

	prepare(&a, spills);
	enter_code(&a);
	sort_by_start(&a);
	if (assign_all(&a, false))
		return true;
	memset(a.spilled, 0, a.n_regs * sizeof(bool));
	sort_by_worth(&a);
	if (assign_all(&a, true))
		return true;
	spills->live = a.live;
	spills->n_pos = a.n_pos;
	spills->spilled = a.spilled;
	return false;
}

static int rounds(struct skep_ir_func *f, struct spills *spills, struct skep_diag *diag)
{
	for (spills->round = 0; spills->round < MAX_ROUNDS; spills->round++) {
		int err = skep_ir_frame(f, diag);

		if (err)
			return err;
		if (round_of(f, spills))
			return 0;
		skep_ir_spill(spills);
	}
	return skep_diag_fail(diag, -ENOSPC, SKEP_DIAG_IR_STACK, f->span, f->name, f->stack_budget);
}

int skep_ir_alloc(struct skep_ir_func *f, struct skep_diag *diag)
{
	struct spills spills = {.f = f};
	int err = rounds(f, &spills, diag);

	skep_vec_done(&spills.home);
	skep_vec_done(&spills.is_fixed);
	return err;
}
