/*
 * What a condition tells of the two numbers it compares: see scalar.h.
 *
 * A jump splits what is known in two. Where it is certain which way it goes, only that one is
 * followed; else each side is, and on each the condition, or its opposite, is known to hold.
 *
 * Conditions are first brought to few: a > b is b < a, and that a jump on a < b was not taken is
 * b <= a. What remains is ==, !=, <, <= (both unsigned and signed) and & with its opposite.
 */
#include "verify/scalar.h"

#include <skep/isa.h>

#include "verify/width.h"

/* A condition that holds. */
enum holds { EQUAL, DIFFER, SET, CLEAR, LESS, LESS_EQUAL, S_LESS, S_LESS_EQUAL };

static const struct condition {
	enum holds taken, not_taken;
	bool swap; /* of what is known when it is taken: the sides change */
} conditions[16] = {
	[SKEP_JEQ >> 4] = {EQUAL, DIFFER, false},
	[SKEP_JNE >> 4] = {DIFFER, EQUAL, false},
	[SKEP_JSET >> 4] = {SET, CLEAR, false},
	[SKEP_JGT >> 4] = {LESS, LESS_EQUAL, true},
	[SKEP_JGE >> 4] = {LESS_EQUAL, LESS, true},
	[SKEP_JLT >> 4] = {LESS, LESS_EQUAL, false},
	[SKEP_JLE >> 4] = {LESS_EQUAL, LESS, false},
	[SKEP_JSGT >> 4] = {S_LESS, S_LESS_EQUAL, true},
	[SKEP_JSGE >> 4] = {S_LESS_EQUAL, S_LESS, true},
	[SKEP_JSLT >> 4] = {S_LESS, S_LESS_EQUAL, false},
	[SKEP_JSLE >> 4] = {S_LESS_EQUAL, S_LESS, false},
};

static bool known(const struct skep_scalar *s, unsigned width)
{
	return skep_tnum_is_const(tnum_of(s, width));
}

/* --- which way ------------------------------------------------------------------------------- */

static enum skep_branch sure(bool always, bool never)
{
	return always ? SKEP_BRANCH_ALWAYS : never ? SKEP_BRANCH_NEVER : SKEP_BRANCH_EITHER;
}

static bool apart(const struct skep_bounds *a, const struct skep_bounds *b)
{
	return a->umin > b->umax || a->umax < b->umin || a->smin > b->smax || a->smax < b->smin;
}

static enum skep_branch equal(const struct skep_scalar *a, const struct skep_scalar *b,
			      unsigned width)
{
	struct skep_tnum x = tnum_of(a, width), y = tnum_of(b, width);

	/* Numbers whose lower halves differ do so too. */
	return sure(skep_tnum_is_const(x) && skep_tnum_is_const(y) && x.value == y.value,
		    !skep_tnum_overlap(x, y) || apart(&a->low, &b->low) ||
			    (width == 64 && apart(&a->full, &b->full)));
}

static enum skep_branch some_set(const struct skep_scalar *a, const struct skep_scalar *b,
				 unsigned width)
{
	struct skep_tnum x = tnum_of(a, width), y = tnum_of(b, width);

	if (!skep_tnum_is_const(y)) {
		struct skep_tnum swapped = x;
		x = y;
		y = swapped;
	}
	if (!skep_tnum_is_const(y))
		return SKEP_BRANCH_EITHER;
	return sure(x.value & y.value, !((x.value | x.mask) & y.value));
}

static enum skep_branch opposite(enum skep_branch branch)
{
	return sure(branch == SKEP_BRANCH_NEVER, branch == SKEP_BRANCH_ALWAYS);
}

static enum skep_branch judge(const struct skep_scalar *a, const struct skep_scalar *b,
			      enum holds what, unsigned width)
{
	const struct skep_bounds *x = width == 32 ? &a->low : &a->full;
	const struct skep_bounds *y = width == 32 ? &b->low : &b->full;

	switch (what) {
	case EQUAL: return equal(a, b, width);
	case DIFFER: return opposite(equal(a, b, width));
	case SET: return some_set(a, b, width);
	case CLEAR: return opposite(some_set(a, b, width));
	case LESS: return sure(x->umax < y->umin, x->umin >= y->umax);
	case LESS_EQUAL: return sure(x->umax <= y->umin, x->umin > y->umax);
	case S_LESS: return sure(x->smax < y->smin, x->smin >= y->smax);
	case S_LESS_EQUAL: return sure(x->smax <= y->smin, x->smin > y->smax);
	}
	return SKEP_BRANCH_EITHER;
}

enum skep_branch skep_scalar_branch(const struct skep_scalar *dst, const struct skep_scalar *src,
				    uint8_t op, unsigned width)
{
	const struct condition *condition = &conditions[op >> 4];

	return condition->swap ? judge(src, dst, condition->taken, width)
			       : judge(dst, src, condition->taken, width);
}

/* --- what is known then ---------------------------------------------------------------------- */

static void set_bits(struct skep_scalar *s, struct skep_tnum bits, unsigned width)
{
	s->bits = width == 32 ? skep_tnum_with_low(s->bits, bits) : bits;
}

static void assume_equal(struct skep_scalar *a, struct skep_scalar *b, unsigned width)
{
	struct skep_bounds *x = bounds_of(a, width), *y = bounds_of(b, width);
	struct skep_tnum bits = skep_tnum_intersect(tnum_of(a, width), tnum_of(b, width));

	learn_u(x, y->umin, y->umax);
	learn_s(x, y->smin, y->smax);
	*y = *x;
	set_bits(a, bits, width);
	set_bits(b, bits, width);
}

/* A number that is excluded is news only at an end. */
static void assume_differ(struct skep_scalar *a, uint64_t value, unsigned width)
{
	struct skep_bounds *x = bounds_of(a, width);

	x->umin += x->umin == as_u(value, width);
	x->umax -= x->umax == as_u(value, width);
	x->smin += x->smin == as_s(value, width);
	x->smax -= x->smax == as_s(value, width);
}

/* That one of several bits is set says of none that it is. */
static void assume_set(struct skep_scalar *a, uint64_t value, unsigned width)
{
	if (value && !(value & (value - 1)))
		set_bits(a, skep_tnum_or(tnum_of(a, width), skep_tnum_const(value)), width);
}

/* The bounds are forgotten first: on a path that is never taken they could contradict. */
static void assume_clear(struct skep_scalar *a, uint64_t value, unsigned width)
{
	a->full = any_bounds(64);
	a->low = any_bounds(32);
	set_bits(a, skep_tnum_and(tnum_of(a, width), skep_tnum_const(~value)), width);
}

/* These conditions say something only of a number compared with a known one. */
static void assume_const(struct skep_scalar *a, struct skep_scalar *b, enum holds what,
			 unsigned width)
{
	static void (*const rules[])(struct skep_scalar * a, uint64_t value, unsigned width) = {
		[DIFFER] = assume_differ, [SET] = assume_set, [CLEAR] = assume_clear};

	if (!known(b, width)) {
		struct skep_scalar *swapped = a;
		a = b;
		b = swapped;
	}
	if (known(b, width))
		rules[what](a, tnum_of(b, width).value, width);
}

static void assume_u(struct skep_bounds *less, struct skep_bounds *more, uint64_t gap)
{
	uint64_t least = less->umin + gap;

	learn_u(less, 0, more->umax - gap);
	learn_u(more, least, UINT64_MAX);
}

static void assume_s(struct skep_bounds *less, struct skep_bounds *more, int64_t gap)
{
	int64_t least = less->smin + gap;

	learn_s(less, INT64_MIN, more->smax - gap);
	learn_s(more, least, INT64_MAX);
}

static void assume(struct skep_scalar *a, struct skep_scalar *b, enum holds what, unsigned width)
{
	struct skep_bounds *x = bounds_of(a, width), *y = bounds_of(b, width);

	switch (what) {
	case EQUAL: assume_equal(a, b, width); break;
	case DIFFER:
	case SET:
	case CLEAR: assume_const(a, b, what, width); break;
	case LESS:
	case LESS_EQUAL: assume_u(x, y, what == LESS); break;
	case S_LESS:
	case S_LESS_EQUAL: assume_s(x, y, what == S_LESS); break;
	}
}

bool skep_scalar_assume(struct skep_scalar *dst, struct skep_scalar *src, uint8_t op,
			unsigned width, bool taken)
{
	const struct condition *condition = &conditions[op >> 4];
	bool ordered = condition->taken >= LESS;
	/* not a < b is b <= a: the sides change once more */
	bool swap = taken ? condition->swap : ordered && !condition->swap;

	assume(swap ? src : dst, swap ? dst : src, taken ? condition->taken : condition->not_taken,
	       width);
	skep_scalar_sync(dst);
	skep_scalar_sync(src);
	bool contradicts = skep_scalar_repair(dst);
	return !(skep_scalar_repair(src) || contradicts);
}
