/*
 * A tristate number: of each of 64 bits it is known that it is 0, that it is 1, or nothing.
 *
 *	value	the bits known to be 1
 *	mask	the bits of which nothing is known; value & mask == 0
 *
 * It stands for all x with (x & ~mask) == value. What the operations give is what the kernel's
 * give, to the bit: two verifiers that know different things of a number disagree on programs.
 *
 * Source: Vishwanathan et al., "Sound, Precise, and Fast Abstract Interpretation with Tristate
 * Numbers" (CGO 2022); the product as Linux 6.18 has it. Read next: scalar.h.
 */
#ifndef SKEP_VERIFY_TNUM_H
#define SKEP_VERIFY_TNUM_H

#include <stdbool.h>
#include <stdint.h>

struct skep_tnum {
	uint64_t value, mask;
};

#define SKEP_TNUM_ANY ((struct skep_tnum){0, UINT64_MAX})

static inline struct skep_tnum skep_tnum_const(uint64_t value)
{
	return (struct skep_tnum){value, 0};
}

static inline bool skep_tnum_is_const(struct skep_tnum t)
{
	return t.mask == 0;
}

static inline bool skep_tnum_has(struct skep_tnum t, uint64_t x)
{
	return (x & ~t.mask) == t.value;
}

/** Is there a number that is in both? */
static inline bool skep_tnum_overlap(struct skep_tnum a, struct skep_tnum b)
{
	return !((a.value ^ b.value) & ~(a.mask | b.mask));
}

/** The lower 32 bits, the others 0. */
static inline struct skep_tnum skep_tnum_low(struct skep_tnum t)
{
	return (struct skep_tnum){(uint32_t)t.value, (uint32_t)t.mask};
}

/** @t with the lower 32 bits of @low. */
static inline struct skep_tnum skep_tnum_with_low(struct skep_tnum t, struct skep_tnum low)
{
	return (struct skep_tnum){(t.value >> 32 << 32) | (uint32_t)low.value,
				  (t.mask >> 32 << 32) | (uint32_t)low.mask};
}

/** The least number of @t above @x, which is below its greatest. */
uint64_t skep_tnum_next(struct skep_tnum t, uint64_t x);
/** The least that has all of @min to @max. */
struct skep_tnum skep_tnum_range(uint64_t min, uint64_t max);
/** What is known when both are true; they overlap. */
struct skep_tnum skep_tnum_intersect(struct skep_tnum a, struct skep_tnum b);
/** What is known when one of them is true, and not which. */
struct skep_tnum skep_tnum_union(struct skep_tnum a, struct skep_tnum b);

struct skep_tnum skep_tnum_add(struct skep_tnum a, struct skep_tnum b);
struct skep_tnum skep_tnum_sub(struct skep_tnum a, struct skep_tnum b);
struct skep_tnum skep_tnum_mul(struct skep_tnum a, struct skep_tnum b);
struct skep_tnum skep_tnum_and(struct skep_tnum a, struct skep_tnum b);
struct skep_tnum skep_tnum_or(struct skep_tnum a, struct skep_tnum b);
struct skep_tnum skep_tnum_xor(struct skep_tnum a, struct skep_tnum b);
struct skep_tnum skep_tnum_lsh(struct skep_tnum t, unsigned bits);
struct skep_tnum skep_tnum_rsh(struct skep_tnum t, unsigned bits);
/** Of the lower @width bits (32 or 64), the highest of which is the sign. */
struct skep_tnum skep_tnum_arsh(struct skep_tnum t, unsigned bits, unsigned width);

#endif
