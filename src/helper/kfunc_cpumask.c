/* Sets of CPUs: 1024 bits in an object with references; bits beyond the host's CPUs stay 0. */
#include "helper/kfuncs.h"
#include "helper/object.h"
#include <skep/helper_words.h>

enum { WORDS = 16 };

struct mask {
	uint64_t words[WORDS];
};
_Static_assert(sizeof(struct mask) == CPUMASK_BYTES, "as the prototypes have it");

static uint32_t n_cpus(void)
{
	uint32_t n = skep_map_n_cpus();

	return n < WORDS * 64 ? n : WORDS * 64;
}

/* Bits of word @i that stand for CPUs. */
static uint64_t valid(uint32_t i)
{
	uint32_t n = n_cpus();

	if (n >= i * 64 + 64)
		return UINT64_MAX;
	return n > i * 64 ? (1ull << (n - i * 64)) - 1 : 0;
}

static uint64_t word(const struct mask *mask, uint32_t i)
{
	return __atomic_load_n(&mask->words[i], __ATOMIC_RELAXED) & valid(i);
}

static struct mask *mask_of(uint64_t r)
{
	return ptr_of(r);
}

DEFINE_KFUNC(cpumask_create)
{
	void *mask = object_new(sizeof(struct mask), 1);

	grant(run, mask, sizeof(struct mask), SKEP_MAY_READ);
	return (uintptr_t)mask;
}

DEFINE_KFUNC(cpumask_acquire)
{
	object_ref(ptr_of(r1));
	return r1;
}

DEFINE_KFUNC(cpumask_release)
{
	object_unref(run, ptr_of(r1));
	return 0;
}

/* First bit of what @words of a (and b) give; the number of CPUs if there is none. */
static uint64_t first_bit(const struct mask *a, const struct mask *b, bool zeros)
{
	for (uint32_t i = 0; i < WORDS; i++) {
		uint64_t bits = word(a, i) & (b ? word(b, i) : UINT64_MAX);
		if (zeros)
			bits = ~bits & valid(i);
		if (bits)
			return i * 64 + (uint32_t)__builtin_ctzll(bits);
	}
	return n_cpus();
}

DEFINE_KFUNC(cpumask_first)
{
	return first_bit(mask_of(r1), NULL, false);
}

DEFINE_KFUNC(cpumask_first_zero)
{
	return first_bit(mask_of(r1), NULL, true);
}

DEFINE_KFUNC(cpumask_first_and)
{
	return first_bit(mask_of(r1), mask_of(r2), false);
}

/* The kernel spreads; any bit will do. */
DEFINE_KFUNC(cpumask_any_distribute)
{
	return first_bit(mask_of(r1), NULL, false);
}

DEFINE_KFUNC(cpumask_any_and_distribute)
{
	return first_bit(mask_of(r1), mask_of(r2), false);
}

DEFINE_KFUNC(cpumask_set_cpu)
{
	uint32_t cpu = (uint32_t)r1;

	if (cpu < n_cpus())
		__atomic_fetch_or(&mask_of(r2)->words[cpu / 64], 1ull << cpu % 64,
				  __ATOMIC_RELAXED);
	return 0;
}

DEFINE_KFUNC(cpumask_clear_cpu)
{
	uint32_t cpu = (uint32_t)r1;

	if (cpu < n_cpus())
		__atomic_fetch_and(&mask_of(r2)->words[cpu / 64], ~(1ull << cpu % 64),
				   __ATOMIC_RELAXED);
	return 0;
}

DEFINE_KFUNC(cpumask_test_cpu)
{
	uint32_t cpu = (uint32_t)r1;

	return cpu < n_cpus() && word(mask_of(r2), cpu / 64) >> cpu % 64 & 1;
}

DEFINE_KFUNC(cpumask_test_and_set_cpu)
{
	uint32_t cpu = (uint32_t)r1;

	if (cpu >= n_cpus())
		return 0;
	return __atomic_fetch_or(&mask_of(r2)->words[cpu / 64], 1ull << cpu % 64,
				 __ATOMIC_ACQ_REL) >>
		       cpu % 64 &
	       1;
}

DEFINE_KFUNC(cpumask_test_and_clear_cpu)
{
	uint32_t cpu = (uint32_t)r1;

	if (cpu >= n_cpus())
		return 0;
	return __atomic_fetch_and(&mask_of(r2)->words[cpu / 64], ~(1ull << cpu % 64),
				  __ATOMIC_ACQ_REL) >>
		       cpu % 64 &
	       1;
}

DEFINE_KFUNC(cpumask_setall)
{
	for (uint32_t i = 0; i < WORDS; i++)
		mask_of(r1)->words[i] = valid(i);
	return 0;
}

DEFINE_KFUNC(cpumask_clear)
{
	*mask_of(r1) = (struct mask){0};
	return 0;
}

DEFINE_KFUNC(cpumask_copy)
{
	for (uint32_t i = 0; i < WORDS; i++)
		mask_of(r1)->words[i] = word(mask_of(r2), i);
	return 0;
}

DEFINE_KFUNC(cpumask_and)
{
	uint64_t any = 0;

	for (uint32_t i = 0; i < WORDS; i++)
		any |= mask_of(r1)->words[i] = word(mask_of(r2), i) & word(mask_of(r3), i);
	return any != 0;
}

DEFINE_KFUNC(cpumask_or)
{
	for (uint32_t i = 0; i < WORDS; i++)
		mask_of(r1)->words[i] = word(mask_of(r2), i) | word(mask_of(r3), i);
	return 0;
}

DEFINE_KFUNC(cpumask_xor)
{
	for (uint32_t i = 0; i < WORDS; i++)
		mask_of(r1)->words[i] = word(mask_of(r2), i) ^ word(mask_of(r3), i);
	return 0;
}

DEFINE_KFUNC(cpumask_equal)
{
	for (uint32_t i = 0; i < WORDS; i++) {
		if (word(mask_of(r1), i) != word(mask_of(r2), i))
			return 0;
	}
	return 1;
}

DEFINE_KFUNC(cpumask_intersects)
{
	return first_bit(mask_of(r1), mask_of(r2), false) < n_cpus();
}

DEFINE_KFUNC(cpumask_subset)
{
	for (uint32_t i = 0; i < WORDS; i++) {
		if (word(mask_of(r1), i) & ~word(mask_of(r2), i))
			return 0;
	}
	return 1;
}

DEFINE_KFUNC(cpumask_empty)
{
	return first_bit(mask_of(r1), NULL, false) == n_cpus();
}

DEFINE_KFUNC(cpumask_full)
{
	return first_bit(mask_of(r1), NULL, true) == n_cpus();
}

DEFINE_KFUNC(cpumask_weight)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < WORDS; i++)
		n += (uint32_t)__builtin_popcountll(word(mask_of(r1), i));
	return n;
}

/* Enough bytes for all CPUs, in whole longs. */
DEFINE_KFUNC(cpumask_populate)
{
	const uint64_t *from = ptr_of(r2);
	uint32_t bytes = (uint32_t)r3, needed = (n_cpus() + 63) / 64 * 8;

	if (bytes < (n_cpus() + 7) / 8)
		return as_r0(-EACCES);
	if (bytes < needed || r2 % 8)
		return as_r0(-EINVAL);
	for (uint32_t i = 0; i < needed / 8; i++)
		mask_of(r1)->words[i] = from[i] & valid(i);
	return 0;
}
