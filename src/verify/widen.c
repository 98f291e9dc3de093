/*
 * How far a number is let go that grows from round to round.
 *
 *	i = 0, then i in [0, 1], then …        a million rounds until nothing is new
 *	i = 0, then i in [0, 1999999]          one, if the program compares i with 2000000
 *
 * A bound that moved is moved on to the next threshold: the numbers that the program compares
 * with, and those beside them; those that it masks with; where the types end. What lies behind the
 * comparison is what the program itself relies on, so the guess is mostly right; where it is not,
 * the bound moves on to the next, and in the end to no bound at all. So it is over soon.
 *
 * Bits: what is known of the lowest ones is kept (a multiple of 8 stays one), what is above the
 * first that changed is given up, and learned again from the bounds.
 *
 * Source  Cousot and Cousot, Abstract Interpretation (1977); Blanchet et al., A Static Analyzer for
 *         Large Safety-Critical Software (2003), for the thresholds
 */
#include <stdlib.h>

#include "verify/flow.h"
#include "verify/wide.h"

#define MOST_THRESHOLDS 512

/* --- The numbers ----------------------------------------------------------------------------- */

static bool has_number(const struct thresholds *t, uint64_t number)
{
	for (size_t i = 0; i < t->numbers.len; i++)
		if (t->numbers.data[i] == number)
			return true;
	return false;
}

static void add_number(struct thresholds *t, uint64_t number)
{
	if (t->numbers.len >= MOST_THRESHOLDS || has_number(t, number))
		return;
	skep_vec_push(&t->numbers, number);
}

void verify_threshold_add(struct verifier *v, uint64_t number)
{
	struct thresholds *t = &v->wide->numbers;

	if (has_number(t, number))
		return;
	add_number(t, number - 1);
	add_number(t, number);
	add_number(t, number + 1);
}

static void collect_from(struct verifier *v, const struct skep_insn *insn)
{
	uint64_t imm = (uint64_t)(int64_t)insn->imm;
	unsigned class = insn->code & 7;
	bool is_alu = class == SKEP_ALU || class == SKEP_ALU64;

	if (insn->code & SKEP_X)
		return;
	if (is_of_jumps(insn) && (insn->code & 0xf0) != SKEP_CALL &&
	    (insn->code & 0xf0) != SKEP_EXIT && (insn->code & 0xf0) != SKEP_JA)
		verify_threshold_add(v, class == SKEP_JMP32 ? (uint32_t)imm : imm);
	if (is_alu && (insn->code & 0xf0) == SKEP_AND && insn->imm > 0)
		add_number(&v->wide->numbers, imm);
}

void verify_thresholds_collect(struct verifier *v)
{
	static const uint64_t ends[] = {
		0,          UINT8_MAX, INT16_MAX,  UINT16_MAX,          INT32_MAX,
		UINT32_MAX, INT64_MAX, UINT64_MAX, (uint64_t)INT32_MIN, (uint64_t)INT64_MIN};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		verify_threshold_add(v, ends[i]);
	for (uint32_t at = 0; at < v->n_insns; at += is_load_imm64(&v->insns[at]) ? 2 : 1)
		collect_from(v, &v->insns[at]);
}

/* --- The next -------------------------------------------------------------------------------- */

static uint64_t next_above(const struct thresholds *t, uint64_t number, uint64_t most)
{
	uint64_t best = most;

	for (size_t i = 0; i < t->numbers.len; i++) {
		uint64_t n = t->numbers.data[i];

		if (n >= number && n < best)
			best = n;
	}
	return best;
}

static uint64_t next_below(const struct thresholds *t, uint64_t number)
{
	uint64_t best = 0;

	for (size_t i = 0; i < t->numbers.len; i++) {
		uint64_t n = t->numbers.data[i];

		if (n <= number && n > best)
			best = n;
	}
	return best;
}

/* The same of signed numbers; of 32 bits those count that 32 bits hold. */
static int64_t next_above_signed(const struct thresholds *t, int64_t number, int64_t most)
{
	int64_t best = most;

	for (size_t i = 0; i < t->numbers.len; i++) {
		int64_t n = (int64_t)t->numbers.data[i];

		if (n >= number && n < best)
			best = n;
	}
	return best;
}

static int64_t next_below_signed(const struct thresholds *t, int64_t number, int64_t least)
{
	int64_t best = least;

	for (size_t i = 0; i < t->numbers.len; i++) {
		int64_t n = (int64_t)t->numbers.data[i];

		if (n <= number && n > best)
			best = n;
	}
	return best;
}

/* --- Bounds, bits ---------------------------------------------------------------------------- */

static struct skep_bounds hull(const struct skep_bounds *a, const struct skep_bounds *b)
{
	return (struct skep_bounds){
		.umin = a->umin < b->umin ? a->umin : b->umin,
		.umax = a->umax > b->umax ? a->umax : b->umax,
		.smin = a->smin < b->smin ? a->smin : b->smin,
		.smax = a->smax > b->smax ? a->smax : b->smax,
	};
}

/* What of @old's bounds moved is moved on; @all holds what the width can hold. */
static struct skep_bounds widen_bounds(const struct thresholds *t, const struct skep_bounds *old,
				       const struct skep_bounds *now, const struct skep_bounds *all)
{
	struct skep_bounds ret = hull(old, now);

	if (ret.umin < old->umin)
		ret.umin = next_below(t, ret.umin);
	if (ret.umax > old->umax)
		ret.umax = next_above(t, ret.umax, all->umax);
	if (ret.smin < old->smin)
		ret.smin = next_below_signed(t, ret.smin, all->smin);
	if (ret.smax > old->smax)
		ret.smax = next_above_signed(t, ret.smax, all->smax);
	return ret;
}

/* Nothing of the bits from the lowest on that is not known in both. */
static struct skep_tnum widen_bits(struct skep_tnum old, struct skep_tnum now)
{
	struct skep_tnum both = skep_tnum_union(old, now);

	if (both.mask && both.mask != old.mask)
		both.mask |= ~(uint64_t)0 << __builtin_ctzll(both.mask);
	both.value &= ~both.mask;
	return both;
}

struct skep_scalar verify_number_join(struct verifier *v, const struct skep_scalar *old,
				      const struct skep_scalar *now, enum widening widening)
{
	const struct thresholds *t = &v->wide->numbers;
	struct skep_scalar ret;

	if (skep_scalar_within(old, now))
		return *old;
	if (widening == WIDEN_ALL)
		return skep_scalar_any;
	if (widening == WIDEN_HULL) {
		ret = (struct skep_scalar){skep_tnum_union(old->bits, now->bits),
					   hull(&old->full, &now->full),
					   hull(&old->low, &now->low)};
	} else {
		ret.bits = widen_bits(old->bits, now->bits);
		ret.full = widen_bounds(t, &old->full, &now->full, &skep_scalar_any.full);
		ret.low = widen_bounds(t, &old->low, &now->low, &skep_scalar_any.low);
	}
	skep_scalar_sync(&ret);
	return ret;
}
