/*
 * What is known of a number, and how its descriptions learn from each other: see scalar.h.
 *
 * Four intervals and a tristate number describe the same set. Each rule below takes two of them and
 * cuts one by the other; which rules there are, and how often they are applied, decides what is
 * known in the end, so both are the kernel's:
 *
 *	bits ─► full, low
 *	three times:
 *		full ─► low	 where the upper halves of both ends agree
 *		low:  u ◄─► s	 where the interval does not cross the sign, or does and
 *		full: u ◄─► s	 the other meets but one of its pieces
 *		low ─► full	 the lower halves of both ends
 *	full, low ─► bits
 *	bits ─► full, low
 */
#include "verify/scalar.h"

#include "verify/width.h"

const struct skep_scalar skep_scalar_any = {
	.bits = {0, UINT64_MAX},
	.full = {0, UINT64_MAX, INT64_MIN, INT64_MAX},
	.low = {0, UINT32_MAX, INT32_MIN, INT32_MAX},
};

static struct skep_bounds one(uint64_t value, unsigned width)
{
	uint64_t u = as_u(value, width);
	int64_t s = as_s(value, width);

	return (struct skep_bounds){u, u, s, s};
}

struct skep_scalar skep_scalar_const(uint64_t value)
{
	return (struct skep_scalar){skep_tnum_const(value), one(value, 64), one(value, 32)};
}

static bool is_one(const struct skep_bounds *b)
{
	return b->umin == b->umax && b->smin == b->smax;
}

bool skep_scalar_is_const(const struct skep_scalar *s)
{
	return skep_tnum_is_const(s->bits) && is_one(&s->full);
}

bool skep_scalar_low_is_const(const struct skep_scalar *s)
{
	return skep_tnum_is_const(skep_tnum_low(s->bits)) && is_one(&s->low);
}

static bool within(const struct skep_bounds *b, uint64_t value, unsigned width)
{
	uint64_t u = as_u(value, width);
	int64_t s = as_s(value, width);

	return b->umin <= u && u <= b->umax && b->smin <= s && s <= b->smax;
}

static bool bounds_within(const struct skep_bounds *outer, const struct skep_bounds *inner)
{
	return outer->umin <= inner->umin && outer->umax >= inner->umax &&
	       outer->smin <= inner->smin && outer->smax >= inner->smax;
}

bool skep_scalar_within(const struct skep_scalar *outer, const struct skep_scalar *inner)
{
	return bounds_within(&outer->full, &inner->full) &&
	       bounds_within(&outer->low, &inner->low) && !(inner->bits.mask & ~outer->bits.mask) &&
	       outer->bits.value == (inner->bits.value & ~outer->bits.mask);
}

bool skep_scalar_has(const struct skep_scalar *s, uint64_t value)
{
	return skep_tnum_has(s->bits, value) && within(&s->full, value, 64) &&
	       within(&s->low, value, 32);
}

/* --- rules ---------------------------------------------------------------------------------- */

void skep_scalar_learn_bits(struct skep_bounds *b, struct skep_tnum bits, unsigned width)
{
	uint64_t sign = (uint64_t)1 << (width - 1);

	/* The least signed number has its sign set if it may be, and all else 0. */
	learn_s(b, as_s(bits.value | (bits.mask & sign), width),
		as_s(bits.value | (bits.mask & (sign - 1)), width));
	learn_u(b, bits.value, bits.value | bits.mask);
}

/* From one pair of 64-bit ends. Where they contradict each other (a register was compared with
 * itself), the unsigned ones make the half contradict itself too, and the signed ones nothing: it
 * shows in what the number is repaired to. */
static void low_from_ends(struct skep_bounds *low, uint64_t min, uint64_t max, bool is_signed)
{
	int32_t smin = (int32_t)min, smax = (int32_t)max;

	if (min >> 32 == max >> 32) {
		if (!is_signed || (uint32_t)min <= (uint32_t)max)
			learn_u(low, (uint32_t)min, (uint32_t)max);
		if (smin <= smax)
			learn_s(low, smin, smax);
	}
	/* From just below a multiple of 2^32 to just above: as signed numbers, one interval. */
	if ((uint32_t)((min >> 32) + 1) == (uint32_t)(max >> 32) && smin < 0 && smax >= 0)
		learn_s(low, smin, smax);
}

/* The signed interval goes from below 0 to above, so as unsigned numbers it is two pieces, at
 * either end. Where the unsigned interval meets one of them only, the number is there. */
static void pick_end(struct skep_bounds *b, unsigned width)
{
	uint64_t smin = as_u((uint64_t)b->smin, width), smax = (uint64_t)b->smax;

	if (b->umax < smin) {
		b->smin = 0;
		b->umax = b->umax < smax ? b->umax : smax;
	} else if (smax < b->umin) {
		b->smax = -1;
		b->umin = b->umin > smin ? b->umin : smin;
	}
}

static void signs(struct skep_bounds *b, unsigned width)
{
	if (as_s(b->umin, width) <= as_s(b->umax, width))
		learn_s(b, as_s(b->umin, width), as_s(b->umax, width));
	if (as_u((uint64_t)b->smin, width) <= as_u((uint64_t)b->smax, width))
		learn_u(b, as_u((uint64_t)b->smin, width), as_u((uint64_t)b->smax, width));
	else
		pick_end(b, width);
}

static uint64_t splice(uint64_t upper, uint64_t lower)
{
	return (upper >> 32 << 32) | (uint32_t)lower;
}

static void full_from_low(struct skep_scalar *s)
{
	struct skep_bounds *full = &s->full, *low = &s->low;

	learn_u(full, splice(full->umin, low->umin), splice(full->umax, low->umax));
	learn_s(full, (int64_t)splice((uint64_t)full->smin, low->umin),
		(int64_t)splice((uint64_t)full->smax, low->umax));
	/* A sign-extended half that is not negative: the rest is 0. */
	if (low->smin >= 0 && full->smin >= INT32_MIN && full->smax <= INT32_MAX) {
		*full = (struct skep_bounds){(uint64_t)low->smin, (uint64_t)low->smax, low->smin,
					     low->smax};
		s->bits = skep_tnum_intersect(s->bits, skep_tnum_range(full->umin, full->umax));
	}
}

static void learn_bounds(struct skep_scalar *s)
{
	low_from_ends(&s->low, s->full.umin, s->full.umax, false);
	low_from_ends(&s->low, (uint64_t)s->full.smin, (uint64_t)s->full.smax, true);
	signs(&s->low, 32);
	signs(&s->full, 64);
	full_from_low(s);
}

static void bits_from_bounds(struct skep_scalar *s)
{
	struct skep_tnum full =
		skep_tnum_intersect(s->bits, skep_tnum_range(s->full.umin, s->full.umax));
	struct skep_tnum low =
		skep_tnum_intersect(skep_tnum_low(full), skep_tnum_range(s->low.umin, s->low.umax));

	s->bits = skep_tnum_with_low(full, low);
}

/* Where only one number both has the known bits and lies within the bounds, it is that one. */
static void pick_single(struct skep_scalar *s)
{
	uint64_t min = s->full.umin, max = s->full.umax, greatest = s->bits.value | s->bits.mask;
	bool has_min = skep_tnum_has(s->bits, min);
	uint64_t next = min >= greatest       ? greatest
			: min < s->bits.value ? s->bits.value
					      : skep_tnum_next(s->bits, min);

	if (has_min && next > max)
		*s = skep_scalar_const(min);
	else if (!has_min && next == greatest)
		*s = skep_scalar_const(greatest);
	else if (!has_min && next <= max && skep_tnum_next(s->bits, next) > max)
		*s = skep_scalar_const(next);
}

static void bounds_from_bits(struct skep_scalar *s)
{
	skep_scalar_learn_bits(&s->low, skep_tnum_low(s->bits), 32);
	skep_scalar_learn_bits(&s->full, s->bits, 64);
	pick_single(s);
}

void skep_scalar_sync(struct skep_scalar *s)
{
	bounds_from_bits(s);
	learn_bounds(s);
	learn_bounds(s);
	learn_bounds(s);
	bits_from_bounds(s);
	bounds_from_bits(s);
}

static bool is_empty(const struct skep_bounds *b)
{
	return b->umin > b->umax || b->smin > b->smax;
}

/* A known number that the bounds do not say, or say otherwise. */
static bool disagree(const struct skep_bounds *b, struct skep_tnum bits, unsigned width)
{
	return skep_tnum_is_const(bits) &&
	       (!is_one(b) || b->umin != bits.value || b->smin != as_s(bits.value, width));
}

bool skep_scalar_repair(struct skep_scalar *s)
{
	if (!is_empty(&s->full) && !is_empty(&s->low) && !disagree(&s->full, s->bits, 64) &&
	    !disagree(&s->low, skep_tnum_low(s->bits), 32))
		return false;
	s->full = any_bounds(64);
	s->low = any_bounds(32);
	skep_scalar_sync(s);
	return true;
}

/* --- extension ------------------------------------------------------------------------------ */

void skep_scalar_zero_upper(struct skep_scalar *s)
{
	s->bits = skep_tnum_low(s->bits);
	s->full.umin = s->low.umin;
	s->full.umax = s->low.umax;
	s->full.smin = s->low.smin >= 0 ? s->low.smin : 0;
	s->full.smax = s->low.smin >= 0 ? s->low.smax : UINT32_MAX;
	skep_scalar_sync(s);
}

void skep_scalar_zero_extend(struct skep_scalar *s, unsigned bytes)
{
	uint64_t most = ((uint64_t)1 << (8 * bytes)) - 1;
	struct skep_bounds full = {0, most, 0, (int64_t)most};

	if ((s->full.umin & ~most) == (s->full.umax & ~most)) {
		full.umin = s->full.umin & most;
		full.umax = s->full.umax & most;
	}
	full.smin = (int64_t)full.umin;
	full.smax = (int64_t)full.umax;
	s->bits = skep_tnum_and(s->bits, skep_tnum_const(most));
	s->full = full;
	/* 4 bytes are the lower half, of which all is known already. */
	if (bytes < 4)
		s->low = any_bounds(32);
	skep_scalar_sync(s);
}

/* Of @width bits; nothing of them is known but the bounds. */
static void set_signed(struct skep_scalar *s, int64_t min, int64_t max, unsigned width)
{
	struct skep_bounds *b = bounds_of(s, width);

	*b = any_bounds(width);
	b->smin = min;
	b->smax = max;
	s->low = width == 64 ? any_bounds(32) : s->low;
	learn_s(&s->low, min < INT32_MIN ? INT32_MIN : min, max > INT32_MAX ? INT32_MAX : max);
	s->bits = (struct skep_tnum){0, u_max(width)};
}

/* On one side of the sign: all is known that there is to know. */
static void set_run(struct skep_scalar *s, int64_t min, int64_t max, unsigned width)
{
	set_signed(s, min, max, width);
	signs(bounds_of(s, width), width);
	signs(&s->low, 32);
	s->bits = skep_tnum_range((uint64_t)min, (uint64_t)max);
	if (width == 32)
		s->bits = skep_tnum_low(s->bits);
}

void skep_scalar_sign_extend(struct skep_scalar *s, unsigned bytes, unsigned width)
{
	unsigned shift = 64 - 8 * bytes;
	const struct skep_bounds *b = bounds_of(s, width);
	int64_t min = (int64_t)((uint64_t)b->smin << shift) >> shift;
	int64_t max = (int64_t)((uint64_t)b->smax << shift) >> shift;
	bool one_run = b->smin >> (64 - shift) == b->smax >> (64 - shift);

	if (skep_tnum_is_const(s->bits)) {
		min = (int64_t)(s->bits.value << shift) >> shift;
		*s = skep_scalar_const(as_u((uint64_t)min, width));
	} else if (one_run && (min < 0) == (max < 0)) {
		set_run(s, min, max, width);
	} else {
		set_signed(s, INT64_MIN >> shift, INT64_MAX >> shift, width);
	}
	if (width == 32)
		skep_scalar_zero_upper(s);
}
