/*
 * The same number seen in 32 and in 64 bits: what the files of scalar.h share.
 */
#ifndef SKEP_VERIFY_WIDTH_H
#define SKEP_VERIFY_WIDTH_H

#include "verify/scalar.h"

static inline uint64_t u_max(unsigned width)
{
	return width == 32 ? UINT32_MAX : UINT64_MAX;
}

static inline int64_t s_min(unsigned width)
{
	return width == 32 ? INT32_MIN : INT64_MIN;
}

static inline int64_t s_max(unsigned width)
{
	return width == 32 ? INT32_MAX : INT64_MAX;
}

/* The lower @width bits as an unsigned number, and as a signed one. */
static inline uint64_t as_u(uint64_t x, unsigned width)
{
	return width == 32 ? (uint32_t)x : x;
}

static inline int64_t as_s(uint64_t x, unsigned width)
{
	return width == 32 ? (int64_t)(int32_t)x : (int64_t)x;
}

static inline struct skep_tnum tnum_of(const struct skep_scalar *s, unsigned width)
{
	return width == 32 ? skep_tnum_low(s->bits) : s->bits;
}

static inline struct skep_bounds *bounds_of(struct skep_scalar *s, unsigned width)
{
	return width == 32 ? &s->low : &s->full;
}

static inline struct skep_bounds any_bounds(unsigned width)
{
	return (struct skep_bounds){0, u_max(width), s_min(width), s_max(width)};
}

static inline void learn_u(struct skep_bounds *b, uint64_t min, uint64_t max)
{
	b->umin = min > b->umin ? min : b->umin;
	b->umax = max < b->umax ? max : b->umax;
}

static inline void learn_s(struct skep_bounds *b, int64_t min, int64_t max)
{
	b->smin = min > b->smin ? min : b->smin;
	b->smax = max < b->smax ? max : b->smax;
}

/** From the known bits alone. */
void skep_scalar_learn_bits(struct skep_bounds *b, struct skep_tnum bits, unsigned width);

#endif
