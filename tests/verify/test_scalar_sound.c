/*
 * Soundness by trying everything: whatever two registers can hold, the result of an operation, and
 * what a condition leaves possible, must be among what we say they can hold afterwards.
 *
 * Windows of eight neighbouring numbers are laid over the places where arithmetic changes its ways:
 * 0, the sign of 32 and of 64 bits, the end of 32 and of 64 bits, shift counts. In each, all sets
 * of numbers are described as well as a scalar can, and every pair of descriptions goes through
 * every operation and condition, with every pair of numbers that they stand for.
 *
 * Then all numbers of four bits, put at the lowest, at the highest of 32 and of 64 bits (where they
 * wrap around as numbers of four bits do), and across the middle. Exhaustive are
 *
 *	pairs of intervals, signed or not     every operation and condition of both widths
 *	an interval and known bits at once    every condition with every number, every extension and
 *	                                      shift
 *	tristate numbers of 6 bits            pairs: sum, difference, product, and, or, xor, union,
 *	                                      intersection; of 8 bits: every shift
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <skep/isa.h>

#include "verify/scalar.h"
#include "verify/width.h"

#define WINDOW 8
#define RING   16 /* numbers of four bits */
#define SETS   256

static const uint64_t windows[] = {
	0, 28, 56, 0x7ffffffc, 0xfffffffc, 0x7ffffffffffffffc, 0xfffffffffffffffc,
};
#define N_WINDOWS (sizeof(windows) / sizeof(windows[0]))

/* A description, and the numbers of the window that it stands for. */
struct described {
	struct skep_scalar scalar;
	uint64_t numbers[RING];
	unsigned n;
};

static struct {
	struct described all[SETS];
	unsigned n;
} described[N_WINDOWS];

static void widen(struct skep_bounds *b, uint64_t x, unsigned width, bool first)
{
	uint64_t u = as_u(x, width);
	int64_t s = as_s(x, width);

	b->umin = first || u < b->umin ? u : b->umin;
	b->umax = first || u > b->umax ? u : b->umax;
	b->smin = first || s < b->smin ? s : b->smin;
	b->smax = first || s > b->smax ? s : b->smax;
}

/* The best description of the numbers of the window that stand in @set. */
static struct skep_scalar describe(uint64_t window, unsigned set)
{
	struct skep_scalar s = {0};
	bool first = true;

	for (unsigned i = 0; i < WINDOW; i++) {
		if (!(set >> i & 1))
			continue;
		struct skep_tnum bits = skep_tnum_const(window + i);
		s.bits = first ? bits : skep_tnum_union(s.bits, bits);
		widen(&s.full, window + i, 64, first);
		widen(&s.low, window + i, 32, first);
		first = false;
	}
	return s;
}

static void describe_window(unsigned w)
{
	described[w].n = 0;
	for (unsigned set = 1; set < SETS; set++) {
		struct described *d = &described[w].all[described[w].n];
		bool known = false;

		memset(d, 0, sizeof(*d));
		d->scalar = describe(windows[w], set);
		for (unsigned i = 0; i < described[w].n; i++)
			known |=
				!memcmp(&described[w].all[i].scalar, &d->scalar, sizeof(d->scalar));
		for (unsigned i = 0; i < WINDOW; i++) {
			if (skep_scalar_has(&d->scalar, windows[w] + i))
				d->numbers[d->n++] = windows[w] + i;
		}
		described[w].n += !known;
	}
}

static int describe_all(void **state)
{
	for (unsigned w = 0; w < N_WINDOWS; w++)
		describe_window(w);
	return 0;
}

typedef void pair_check(const struct described *a, const struct described *b);

static void with_all_pairs(pair_check *check)
{
	for (unsigned v = 0; v < N_WINDOWS; v++) {
		for (unsigned w = 0; w < N_WINDOWS; w++) {
			for (unsigned i = 0; i < described[v].n; i++) {
				for (unsigned j = 0; j < described[w].n; j++)
					check(&described[v].all[i], &described[w].all[j]);
			}
		}
	}
}

/* --- operations ------------------------------------------------------------------------------ */

static uint64_t shifted(uint64_t x, uint64_t by, uint8_t op, unsigned width)
{
	by &= width - 1;
	return op == SKEP_LSH   ? x << by
	       : op == SKEP_RSH ? as_u(x, width) >> by
				: (uint64_t)(as_s(x, width) >> by);
}

static uint64_t result_of(uint64_t x, uint64_t y, uint8_t op, unsigned width)
{
	switch (op) {
	case SKEP_ADD: return as_u(x + y, width);
	case SKEP_SUB: return as_u(x - y, width);
	case SKEP_MUL: return as_u(x * y, width);
	case SKEP_AND: return as_u(x & y, width);
	case SKEP_OR: return as_u(x | y, width);
	case SKEP_XOR: return as_u(x ^ y, width);
	case SKEP_MOV: return as_u(y, width);
	case SKEP_NEG: return as_u(-x, width);
	case SKEP_DIV: return as_u(y, width) ? as_u(x, width) / as_u(y, width) : 0;
	default: return as_u(shifted(x, y, op, width), width);
	}
}

static void check_result(const struct described *a, const struct described *b, uint8_t op,
			 unsigned width)
{
	struct skep_scalar result = a->scalar;

	skep_scalar_alu(&result, &b->scalar, op, width);
	for (unsigned i = 0; i < a->n; i++) {
		for (unsigned j = 0; j < b->n; j++) {
			uint64_t x = a->numbers[i], y = b->numbers[j];
			if (!skep_scalar_has(&result, result_of(x, y, op, width)))
				fail_msg("operation %#x of %u bits: %#llx and %#llx give %#llx", op,
					 width, (unsigned long long)x, (unsigned long long)y,
					 (unsigned long long)result_of(x, y, op, width));
		}
	}
}

static void check_results(const struct described *a, const struct described *b)
{
	static const uint8_t ops[] = {SKEP_ADD, SKEP_SUB, SKEP_MUL, SKEP_DIV, SKEP_OR,  SKEP_AND,
				      SKEP_LSH, SKEP_RSH, SKEP_NEG, SKEP_XOR, SKEP_MOV, SKEP_ARSH};

	for (unsigned i = 0; i < sizeof(ops); i++) {
		check_result(a, b, ops[i], 32);
		check_result(a, b, ops[i], 64);
	}
}

static void test_operations(void **state)
{
	with_all_pairs(check_results);
}

/* --- conditions ------------------------------------------------------------------------------ */

static bool holds(uint64_t x, uint64_t y, uint8_t op, unsigned width)
{
	uint64_t a = as_u(x, width), b = as_u(y, width);
	int64_t s = as_s(x, width), t = as_s(y, width);

	switch (op) {
	case SKEP_JEQ: return a == b;
	case SKEP_JNE: return a != b;
	case SKEP_JSET: return a & b;
	case SKEP_JGT: return a > b;
	case SKEP_JGE: return a >= b;
	case SKEP_JLT: return a < b;
	case SKEP_JLE: return a <= b;
	case SKEP_JSGT: return s > t;
	case SKEP_JSGE: return s >= t;
	case SKEP_JSLT: return s < t;
	default: return s <= t;
	}
}

/* The two numbers on the side they take: is it one that we follow, and do we know of them there? */
static bool is_known(const struct skep_scalar side[2][2], const bool can_be[2],
		     enum skep_branch way, bool taken, uint64_t x, uint64_t y)
{
	if (way != SKEP_BRANCH_EITHER)
		return taken == (way == SKEP_BRANCH_ALWAYS);
	return can_be[taken] && skep_scalar_has(&side[taken][0], x) &&
	       skep_scalar_has(&side[taken][1], y);
}

static void check_condition(const struct described *a, const struct described *b, uint8_t op,
			    unsigned width)
{
	struct skep_scalar side[2][2] = {{a->scalar, b->scalar}, {a->scalar, b->scalar}};
	enum skep_branch way = skep_scalar_branch(&a->scalar, &b->scalar, op, width);
	bool can_be[2] = {false, false};

	for (int taken = 0; taken < 2 && way == SKEP_BRANCH_EITHER; taken++)
		can_be[taken] =
			skep_scalar_assume(&side[taken][0], &side[taken][1], op, width, taken);
	for (unsigned i = 0; i < a->n; i++) {
		for (unsigned j = 0; j < b->n; j++) {
			uint64_t x = a->numbers[i], y = b->numbers[j];
			if (!is_known(side, can_be, way, holds(x, y, op, width), x, y))
				fail_msg("condition %#x of %u bits: %#llx and %#llx are lost", op,
					 width, (unsigned long long)x, (unsigned long long)y);
		}
	}
}

static void check_conditions(const struct described *a, const struct described *b)
{
	static const uint8_t ops[] = {SKEP_JEQ, SKEP_JNE,  SKEP_JSET, SKEP_JGT,  SKEP_JGE, SKEP_JLT,
				      SKEP_JLE, SKEP_JSGT, SKEP_JSGE, SKEP_JSLT, SKEP_JSLE};

	for (unsigned i = 0; i < sizeof(ops); i++) {
		check_condition(a, b, ops[i], 32);
		check_condition(a, b, ops[i], 64);
	}
}

static void test_conditions(void **state)
{
	with_all_pairs(check_conditions);
}

/* --- what has one operand -------------------------------------------------------------------- */

static void check_extensions(const struct described *a)
{
	for (unsigned bytes = 1; bytes <= 4; bytes *= 2) {
		struct skep_scalar zero = a->scalar, sign64 = a->scalar, sign32 = a->scalar;
		unsigned shift = 64 - 8 * bytes;

		skep_scalar_zero_extend(&zero, bytes);
		skep_scalar_sign_extend(&sign64, bytes, 64);
		if (bytes < 4)
			skep_scalar_sign_extend(&sign32, bytes, 32);
		for (unsigned i = 0; i < a->n; i++) {
			uint64_t up = a->numbers[i] << shift,
				 sign = (uint64_t)((int64_t)up >> shift);
			assert_true(skep_scalar_has(&zero, up >> shift));
			assert_true(skep_scalar_has(&sign64, sign));
			assert_true(bytes == 4 || skep_scalar_has(&sign32, (uint32_t)sign));
		}
	}
}

static void test_extensions(void **state)
{
	for (unsigned w = 0; w < N_WINDOWS; w++) {
		for (unsigned i = 0; i < described[w].n; i++)
			check_extensions(&described[w].all[i]);
	}
}

/* -1 and 0 in either width, whatever the rest is. */
static void test_forks_lose_nothing(void **state)
{
	struct skep_scalar mask = skep_scalar_const(0x1234), any = skep_scalar_any, zero;

	skep_scalar_alu(&any,
			&(struct skep_scalar){
				.bits = {63, 0}, .full = {63, 63, 63, 63}, .low = {63, 63, 63, 63}},
			SKEP_ARSH, 64);
	assert_true(skep_scalar_fork(&any, &mask, SKEP_AND, &zero));
	assert_true(skep_scalar_has(&any, UINT64_MAX) && skep_scalar_has(&zero, 0));
	any = skep_scalar_any;
	any.low = (struct skep_bounds){0, UINT32_MAX, -1, 0};
	assert_false(skep_scalar_fork(&any, &mask, SKEP_XOR, &zero));
	assert_true(skep_scalar_fork(&any, &mask, SKEP_OR, &zero));
	for (uint64_t upper = 0; upper < 3; upper++) {
		assert_true(skep_scalar_has(&zero, upper << 32));
		assert_true(skep_scalar_has(&any, upper << 32 | UINT32_MAX));
	}
}

/* --- descriptions that are not the best ------------------------------------------------------ */

static uint64_t random_state = 1;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

/* Mostly near where things change. */
static uint64_t random_number(void)
{
	uint64_t x = random64();

	return x & 7 ? windows[(x >> 8) % N_WINDOWS] + (x >> 16) % 16
		     : random64() >> (x >> 16) % 64;
}

/* Bounds that have @x, from two more numbers of which one may be on either side. */
static struct skep_bounds bounds_with(uint64_t x, unsigned width)
{
	struct skep_bounds b;

	widen(&b, x, width, true);
	for (int i = 0; i < 2; i++) {
		uint64_t y = random_number();
		struct skep_bounds wide = b;
		widen(&wide, y, width, false);
		if (random64() & 1)
			b.umin = wide.umin, b.umax = wide.umax;
		if (random64() & 1)
			b.smin = wide.smin, b.smax = wide.smax;
	}
	return b;
}

static void test_descriptions_learn_nothing_wrong(void **state)
{
	for (unsigned i = 0; i < 2000000; i++) {
		uint64_t x = random_number(), unknown = random64() & random64();
		struct skep_scalar s = {
			{x & ~unknown, unknown}, bounds_with(x, 64), bounds_with(x, 32)};

		skep_scalar_sync(&s);
		if (!skep_scalar_has(&s, x))
			fail_msg("%#llx is lost", (unsigned long long)x);
		assert_false(skep_scalar_repair(&s));
	}
}

/* --- four bits, in several places ------------------------------------------------------------ */

static const unsigned places[] = {0, 28, 30, 60};
#define N_PLACES  (sizeof(places) / sizeof(places[0]))
#define INTERVALS (RING * (RING + 1) / 2)

/* What has the bits of @bits, and lies in the bounds; all of four bits, put @place bits up.
 * Return whether there is such a number. */
static bool describe_ring(struct described *d, unsigned place, struct skep_tnum bits,
			  struct skep_bounds bounds)
{
	struct skep_scalar s = skep_scalar_any;

	d->n = 0;
	s.bits = (struct skep_tnum){bits.value << place, bits.mask << place};
	s.full = bounds;
	for (uint64_t k = 0; k < RING; k++)
		if (skep_scalar_has(&s, k << place))
			d->numbers[d->n++] = k << place;
	skep_scalar_sync(&s);
	d->scalar = s;
	return d->n;
}

static const struct skep_tnum any_of_ring = {0, RING - 1};

/* All intervals from a number of the ring to another; signed ones where the sign is among its bits.
 */
static unsigned describe_intervals(struct described *ret, unsigned place)
{
	unsigned n = 0;

	for (uint64_t min = 0; min < RING; min++)
		for (uint64_t max = 0; max < RING; max++) {
			struct skep_bounds u = any_bounds(64), s = u;

			learn_u(&u, min << place, max << place);
			learn_s(&s, (int64_t)(min << place), (int64_t)(max << place));
			if (u.umin <= u.umax)
				n += describe_ring(&ret[n], place, any_of_ring, u);
			if (s.smin <= s.smax && place == 60)
				n += describe_ring(&ret[n], place, any_of_ring, s);
		}
	return n;
}

static void test_pairs_of_intervals(void **state)
{
	static struct described all[2 * INTERVALS + RING];

	for (unsigned p = 0; p < N_PLACES; p++) {
		unsigned n = describe_intervals(all, places[p]);

		assert_true(n >= INTERVALS);
		for (unsigned i = 0; i < n; i++)
			for (unsigned j = 0; j < n; j++) {
				check_results(&all[i], &all[j]);
				check_conditions(&all[i], &all[j]);
			}
	}
}

static void check_with_constants(const struct described *d, unsigned place)
{
	for (uint64_t k = 0; k < RING; k++) {
		struct described one = {skep_scalar_const(k << place), {k << place}, 1};
		struct described by = {skep_scalar_const(k * 4 + 3), {k * 4 + 3}, 1};

		check_conditions(d, &one);
		check_conditions(&one, d);
		check_result(d, &by, SKEP_LSH, 64);
		check_result(d, &by, SKEP_RSH, 64);
		check_result(d, &by, SKEP_ARSH, 64);
		if (k >= 8)
			continue;
		check_result(d, &by, SKEP_LSH, 32);
		check_result(d, &by, SKEP_RSH, 32);
		check_result(d, &by, SKEP_ARSH, 32);
	}
	check_extensions(d);
}

static void test_intervals_with_bits(void **state)
{
	for (unsigned p = 0; p < N_PLACES; p++)
		for (uint64_t value = 0; value < RING; value++)
			for (uint64_t mask = 0; mask < RING; mask++)
				for (uint64_t min = 0; min < RING && !(value & mask); min++)
					for (uint64_t max = min; max < RING; max++) {
						struct skep_bounds b = any_bounds(64);
						struct described d;

						learn_u(&b, min << places[p], max << places[p]);
						if (describe_ring(&d, places[p],
								  (struct skep_tnum){value, mask},
								  b))
							check_with_constants(&d, places[p]);
					}
}

/* --- tristate numbers ------------------------------------------------------------------------ */

static void check_next(struct skep_tnum t, uint64_t x)
{
	uint64_t next = x + 1;

	if (x >= (t.value | t.mask))
		return;
	while (!skep_tnum_has(t, next))
		next++;
	assert_int_equal(skep_tnum_next(t, x), next);
}

static void test_next(void **state)
{
	for (uint64_t mask = 0; mask < 64; mask++) {
		for (uint64_t value = 0; value < 64; value++) {
			for (uint64_t x = 0; x < 64 && !(value & mask); x++)
				check_next((struct skep_tnum){value, mask}, x);
		}
	}
	assert_int_equal(skep_tnum_next((struct skep_tnum){0, (uint64_t)1 << 63}, 0),
			 (uint64_t)1 << 63);
}

/* The numbers of a tristate number, all of them: @x runs from 0 through the parts of its mask. */
static bool next_part(struct skep_tnum t, uint64_t *x)
{
	*x = (*x - t.mask) & t.mask;
	return *x;
}

static void check_tnum(struct skep_tnum a, struct skep_tnum b)
{
	struct skep_tnum sum = skep_tnum_add(a, b), difference = skep_tnum_sub(a, b);
	struct skep_tnum product = skep_tnum_mul(a, b), both = skep_tnum_and(a, b);
	struct skep_tnum either = skep_tnum_or(a, b), odd = skep_tnum_xor(a, b);
	struct skep_tnum joined = skep_tnum_union(a, b), met = skep_tnum_intersect(a, b);
	uint64_t i = 0, k = 0;

	do {
		do {
			uint64_t x = a.value | i, y = b.value | k;

			if (!skep_tnum_has(sum, x + y) || !skep_tnum_has(difference, x - y) ||
			    !skep_tnum_has(product, x * y) || !skep_tnum_has(both, x & y) ||
			    !skep_tnum_has(either, x | y) || !skep_tnum_has(odd, x ^ y) ||
			    !skep_tnum_has(joined, x) || !skep_tnum_has(joined, y) ||
			    (x == y && !skep_tnum_has(met, x)))
				fail_msg("%#llx and %#llx are lost", (unsigned long long)x,
					 (unsigned long long)y);
		} while (next_part(b, &k));
	} while (next_part(a, &i));
}

/* At the lowest bits, and at the highest, where carries are lost. */
static void test_tnums(void **state)
{
	static struct skep_tnum all[729];
	unsigned n = 0;

	for (uint64_t mask = 0; mask < 64; mask++)
		for (uint64_t value = 0; value < 64; value++)
			if (!(value & mask))
				all[n++] = (struct skep_tnum){value, mask};
	assert_int_equal(n, 729);
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n; j++) {
			check_tnum(all[i], all[j]);
			check_tnum(skep_tnum_lsh(all[i], 58), skep_tnum_lsh(all[j], 58));
		}
}

static void check_shifts(struct skep_tnum t)
{
	for (unsigned by = 0; by < 64; by++) {
		uint64_t i = 0;

		do {
			uint64_t x = t.value | i;

			assert_true(skep_tnum_has(skep_tnum_lsh(t, by), x << by));
			assert_true(skep_tnum_has(skep_tnum_rsh(t, by), x >> by));
			assert_true(skep_tnum_has(skep_tnum_arsh(t, by, 64),
						  (uint64_t)((int64_t)x >> by)));
			if (by < 32)
				assert_true(skep_tnum_has(skep_tnum_arsh(skep_tnum_low(t), by, 32),
							  (uint32_t)((int32_t)(uint32_t)x >> by)));
		} while (next_part(t, &i));
	}
}

static void test_tnum_shifts(void **state)
{
	static const unsigned at[] = {0, 24, 28, 56};

	for (unsigned p = 0; p < sizeof(at) / sizeof(at[0]); p++)
		for (uint64_t mask = 0; mask < 256; mask++)
			for (uint64_t value = 0; value < 256; value++)
				if (!(value & mask))
					check_shifts(
						(struct skep_tnum){value << at[p], mask << at[p]});
}

static void test_ranges(void **state)
{
	for (uint64_t min = 0; min < 64; min++) {
		for (uint64_t max = min; max < 64; max++) {
			struct skep_tnum range = skep_tnum_range(min, max);
			for (uint64_t x = min; x <= max; x++)
				assert_true(skep_tnum_has(range, x));
			/* The two ends are described no worse than by themselves. */
			assert_true(range.mask < 2 * (min ^ max) || min == max);
		}
	}
	assert_int_equal(skep_tnum_range(0, UINT64_MAX).mask, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_tnums),
		cmocka_unit_test(test_tnum_shifts),
		cmocka_unit_test(test_pairs_of_intervals),
		cmocka_unit_test(test_intervals_with_bits),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_forks_lose_nothing),
		cmocka_unit_test(test_descriptions_learn_nothing_wrong),
	};

	return cmocka_run_group_tests_name("verify/scalar_sound", tests, describe_all, NULL);
}
