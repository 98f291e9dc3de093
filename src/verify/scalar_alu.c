/*
 * Arithmetic on what is known of numbers: see scalar.h.
 *
 * Each operation is done three times: on the known bits, on the bounds of 64 bits and on those of
 * 32. A 32-bit operation has only the latter's result, and 0 above. Bounds that an operation says
 * nothing about become any; sync then learns them back from the others, as far as that goes.
 *
 * To judge a rule: for all x within the bounds of dst and y within those of src, x <op> y is within
 * the result's. tests/verify/test_scalar_sound.c tries them all at small widths.
 */
#include "verify/scalar.h"

#include <skep/isa.h>

#include "verify/width.h"

typedef void bounds_op(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
		       unsigned width);

static void set_any_u(struct skep_bounds *b, unsigned width)
{
	b->umin = 0;
	b->umax = u_max(width);
}

static void set_any_s(struct skep_bounds *b, unsigned width)
{
	b->smin = s_min(width);
	b->smax = s_max(width);
}

static void set_s(struct skep_bounds *b, __int128 min, __int128 max, unsigned width)
{
	set_any_s(b, width);
	if (min >= s_min(width) && max <= s_max(width)) {
		b->smin = (int64_t)min;
		b->smax = (int64_t)max;
	}
}

/* Both ends may have left the numbers of this width, if they did so together: by one round, as no
 * operation that comes here goes further. */
static void set_u(struct skep_bounds *b, __int128 min, __int128 max, unsigned width)
{
	set_any_u(b, width);
	if (min >> width == max >> width) {
		b->umin = as_u((uint64_t)min, width);
		b->umax = as_u((uint64_t)max, width);
	}
}

static void bounds_add(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
		       unsigned width)
{
	set_s(d, (__int128)d->smin + s->smin, (__int128)d->smax + s->smax, width);
	set_u(d, (__int128)d->umin + s->umin, (__int128)d->umax + s->umax, width);
}

static void bounds_sub(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
		       unsigned width)
{
	set_s(d, (__int128)d->smin - s->smax, (__int128)d->smax - s->smin, width);
	set_u(d, (__int128)d->umin - s->umax, (__int128)d->umax - s->umin, width);
}

/* The least and the largest product are among those of the ends. */
static void bounds_mul(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
		       unsigned width)
{
	__int128 ends[] = {(__int128)d->smin * s->smin, (__int128)d->smin * s->smax,
			   (__int128)d->smax * s->smin, (__int128)d->smax * s->smax};
	__int128 min = ends[0], max = ends[0];
	unsigned __int128 umax = (unsigned __int128)d->umax * s->umax;

	for (int i = 1; i < 4; i++) {
		min = ends[i] < min ? ends[i] : min;
		max = ends[i] > max ? ends[i] : max;
	}
	set_s(d, min, max, width);
	d->umin *= s->umin;
	d->umax *= s->umax;
	if (umax > u_max(width))
		set_any_u(d, width);
}

/* The unsigned bounds are the signed ones too, unless they cross the sign. */
static void s_from_u(struct skep_bounds *b, unsigned width)
{
	set_any_s(b, width);
	if (as_s(b->umin, width) <= as_s(b->umax, width)) {
		b->smin = as_s(b->umin, width);
		b->smax = as_s(b->umax, width);
	}
}

static void bounds_and(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
		       unsigned width)
{
	d->umin = bits.value;
	d->umax = d->umax < s->umax ? d->umax : s->umax;
	s_from_u(d, width);
}

static void bounds_or(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
		      unsigned width)
{
	d->umin = d->umin > s->umin ? d->umin : s->umin;
	d->umax = bits.value | bits.mask;
	s_from_u(d, width);
}

static void bounds_xor(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
		       unsigned width)
{
	d->umin = bits.value;
	d->umax = bits.value | bits.mask;
	s_from_u(d, width);
}

/* --- shifts: by a number that is known ------------------------------------------------------ */

static void bounds_lsh(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
		       unsigned width)
{
	unsigned by = (unsigned)s->umin;

	set_any_s(d, width);
	if (d->umax > (uint64_t)1 << (width - 1 - by)) {
		set_any_u(d, width);
	} else {
		d->umin <<= by;
		d->umax <<= by;
	}
}

static void bounds_rsh(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
		       unsigned width)
{
	set_any_s(d, width);
	d->umin >>= s->umin;
	d->umax >>= s->umin;
}

static void bounds_arsh(struct skep_bounds *d, const struct skep_bounds *s, struct skep_tnum bits,
			unsigned width)
{
	d->smin >>= s->umin;
	d->smax >>= s->umin;
	set_any_u(d, width);
}

/* --- the operations -------------------------------------------------------------------------- */

/* Compilers sign-extend the lower half by << 32 s>> 32: its signed bounds are what is shifted. */
static void sign_to_upper(struct skep_scalar *s, struct skep_bounds low)
{
	s->full.smin = (int64_t)((uint64_t)low.smin << 32);
	s->full.smax = (int64_t)((uint64_t)low.smax << 32);
}

static void shift(struct skep_scalar *d, const struct skep_scalar *s, bounds_op *op, unsigned width)
{
	struct skep_bounds low = d->low;

	op(bounds_of(d, width), width == 64 ? &s->full : &s->low, d->bits, width);
	if (width == 64)
		d->low = any_bounds(32);
	else
		d->full = any_bounds(64);
	if (op == bounds_lsh && width == 64 && s->full.umin == 32)
		sign_to_upper(d, low);
	else if (op == bounds_lsh && width == 64 && s->full.umin < 32)
		bounds_lsh(&low, &s->full, d->bits, 32), d->low = low;
}

static void shift_bits(struct skep_scalar *d, uint8_t op, unsigned by, unsigned width)
{
	struct skep_tnum bits = tnum_of(d, width);

	switch (op) {
	case SKEP_LSH: d->bits = skep_tnum_lsh(bits, by); break;
	case SKEP_RSH: d->bits = skep_tnum_rsh(bits, by); break;
	default: d->bits = skep_tnum_arsh(bits, by, width);
	}
}

static const struct {
	bounds_op *bounds;
	struct skep_tnum (*bits)(struct skep_tnum a, struct skep_tnum b);
} operations[16] = {
	[SKEP_ADD >> 4] = {bounds_add, skep_tnum_add},
	[SKEP_SUB >> 4] = {bounds_sub, skep_tnum_sub},
	[SKEP_MUL >> 4] = {bounds_mul, skep_tnum_mul},
	[SKEP_OR >> 4] = {bounds_or, skep_tnum_or},
	[SKEP_AND >> 4] = {bounds_and, skep_tnum_and},
	[SKEP_XOR >> 4] = {bounds_xor, skep_tnum_xor},
	[SKEP_LSH >> 4] = {bounds_lsh, NULL},
	[SKEP_RSH >> 4] = {bounds_rsh, NULL},
	[SKEP_ARSH >> 4] = {bounds_arsh, NULL},
};

/* All 64 bits must be small, also where the operation looks at 32. */
static bool is_known_shift(const struct skep_scalar *by, unsigned width)
{
	return (width == 64 ? skep_scalar_is_const(by) : skep_scalar_low_is_const(by)) &&
	       by->full.umax < width;
}

/* Return whether anything is known of the result. */
static bool operate(struct skep_scalar *d, const struct skep_scalar *s, uint8_t op, unsigned width)
{
	bounds_op *bounds = operations[op >> 4].bounds;

	if (!bounds || (!operations[op >> 4].bits && !is_known_shift(s, width)))
		return false;
	if (operations[op >> 4].bits) {
		d->bits = operations[op >> 4].bits(d->bits, s->bits);
		bounds(&d->full, &s->full, d->bits, 64);
		bounds(&d->low, &s->low, skep_tnum_low(d->bits), 32);
	} else {
		shift(d, s, bounds, width);
		shift_bits(d, op, (unsigned)bounds_of((struct skep_scalar *)s, width)->umin, width);
	}
	return true;
}

void skep_scalar_alu(struct skep_scalar *dst, const struct skep_scalar *src, uint8_t op,
		     unsigned width)
{
	struct skep_scalar from = *src, zero = skep_scalar_const(0);

	if (op == SKEP_MOV) {
		*dst = from;
		if (width == 32)
			skep_scalar_zero_upper(dst);
		return;
	}
	if (op == SKEP_NEG) {
		from = *dst;
		*dst = zero;
		op = SKEP_SUB;
	}
	if (!operate(dst, &from, op, width)) {
		*dst = skep_scalar_any;
		return;
	}
	if (width == 32)
		skep_scalar_zero_upper(dst);
	skep_scalar_sync(dst);
}

static bool is_sign(const struct skep_bounds *b)
{
	return b->smin == -1 && b->smax == 0;
}

static void set_low(struct skep_scalar *s, uint32_t value)
{
	struct skep_scalar known = skep_scalar_const(value);

	s->bits = skep_tnum_with_low(s->bits, known.bits);
	s->low = known.low;
}

bool skep_scalar_fork(struct skep_scalar *dst, const struct skep_scalar *src, uint8_t op,
		      struct skep_scalar *ret_zero)
{
	bool full = is_sign(&dst->full);

	if ((op != SKEP_AND && op != SKEP_OR) || !skep_tnum_is_const(src->bits) ||
	    (!full && !is_sign(&dst->low)))
		return false;
	*ret_zero = full ? skep_scalar_const(0) : *dst;
	*dst = full ? skep_scalar_const(UINT64_MAX) : *dst;
	set_low(ret_zero, 0);
	set_low(dst, UINT32_MAX);
	return true;
}
