/*
 * Arithmetic on tristate numbers: see tnum.h.
 *
 * Addition shows how all of it thinks. The smallest numbers that a and b can be have all their
 * unknown bits 0, the largest have them 1. A bit in which the sum of the smallest and the sum of
 * the largest differ got a carry in one and not in the other, or is unknown itself: these, and no
 * others, are unknown in the result.
 */
#include "verify/tnum.h"

/* The bits that stand in @unknown are not known, the others are as in @x. */
static struct skep_tnum known_of(uint64_t x, uint64_t unknown)
{
	return (struct skep_tnum){x & ~unknown, unknown};
}

/*
 * Counting upwards from x + 1 to a number of t: the highest of the known bits that is wrong
 * decides. If it must become 1, what is below it may be 0. If it must become 0, the unknown bits
 * above it count up by one, and what is below may be 0 too.
 */
uint64_t skep_tnum_next(struct skep_tnum t, uint64_t x)
{
	uint64_t from = x + 1, wrong = (from ^ t.value) & ~t.mask, below;

	if (!wrong)
		return from;
	below = UINT64_MAX >> __builtin_clzll(wrong);
	if (from & wrong & ~(below >> 1))
		from = (from | ~t.mask | below) + 1;
	return (from & t.mask & ~below) | t.value;
}

struct skep_tnum skep_tnum_range(uint64_t min, uint64_t max)
{
	uint64_t differ = min ^ max, unknown = 0;

	/* From the highest bit in which they differ on down, anything may be. */
	if (differ)
		unknown = UINT64_MAX >> __builtin_clzll(differ);
	return known_of(min, unknown);
}

struct skep_tnum skep_tnum_intersect(struct skep_tnum a, struct skep_tnum b)
{
	return known_of(a.value | b.value, a.mask & b.mask);
}

struct skep_tnum skep_tnum_union(struct skep_tnum a, struct skep_tnum b)
{
	return known_of(a.value, a.mask | b.mask | (a.value ^ b.value));
}

struct skep_tnum skep_tnum_add(struct skep_tnum a, struct skep_tnum b)
{
	uint64_t least = a.value + b.value;
	uint64_t most = (a.value | a.mask) + (b.value | b.mask);

	return known_of(least, (least ^ most) | a.mask | b.mask);
}

struct skep_tnum skep_tnum_sub(struct skep_tnum a, struct skep_tnum b)
{
	uint64_t most = (a.value | a.mask) - b.value;
	uint64_t least = a.value - (b.value | b.mask);

	return known_of(a.value - b.value, (least ^ most) | a.mask | b.mask);
}

/* By hand: for each bit of a, b shifted is added, or not, or perhaps. */
struct skep_tnum skep_tnum_mul(struct skep_tnum a, struct skep_tnum b)
{
	struct skep_tnum sum = {0, 0};

	for (; a.value | a.mask; a = skep_tnum_rsh(a, 1), b = skep_tnum_lsh(b, 1)) {
		if (a.value & 1)
			sum = skep_tnum_add(sum, b);
		else if (a.mask & 1)
			sum = skep_tnum_union(sum, skep_tnum_add(sum, b));
	}
	return sum;
}

struct skep_tnum skep_tnum_and(struct skep_tnum a, struct skep_tnum b)
{
	uint64_t ones = a.value & b.value;

	return known_of(ones, (a.value | a.mask) & (b.value | b.mask) & ~ones);
}

struct skep_tnum skep_tnum_or(struct skep_tnum a, struct skep_tnum b)
{
	uint64_t ones = a.value | b.value;

	return known_of(ones, (a.mask | b.mask) & ~ones);
}

struct skep_tnum skep_tnum_xor(struct skep_tnum a, struct skep_tnum b)
{
	return known_of(a.value ^ b.value, a.mask | b.mask);
}

struct skep_tnum skep_tnum_lsh(struct skep_tnum t, unsigned bits)
{
	return (struct skep_tnum){t.value << bits, t.mask << bits};
}

struct skep_tnum skep_tnum_rsh(struct skep_tnum t, unsigned bits)
{
	return (struct skep_tnum){t.value >> bits, t.mask >> bits};
}

/* The sign is copied, or that it is unknown. */
struct skep_tnum skep_tnum_arsh(struct skep_tnum t, unsigned bits, unsigned width)
{
	if (width == 32)
		return (struct skep_tnum){(uint32_t)((int32_t)t.value >> bits),
					  (uint32_t)((int32_t)t.mask >> bits)};
	return (struct skep_tnum){(uint64_t)((int64_t)t.value >> bits),
				  (uint64_t)((int64_t)t.mask >> bits)};
}
