/*
 * Stretches of an array: whatever is taken and given back, in whatever order, no
 * entry is taken twice, and none is taken again before it has rested.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "unwind/layout.h"
#include "unwind/space.h"

#define SIZE  4096
#define STEPS 200000
#define HELD  256

struct model {
	struct skep_unwind_space space;
	uint64_t now_ns;
	uint64_t given_ns[SIZE]; /* when an entry was last given back; 0: never */
	bool is_taken[SIZE];
	struct skep_unwind_stretch held[HELD];
	uint32_t n_held, n_taken, n_took, n_full;
	uint64_t seed;
};

static uint32_t any(struct model *m, uint32_t below)
{
	m->seed = m->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(m->seed >> 33) % below;
}

static void take(struct model *m, uint32_t n)
{
	struct skep_unwind_stretch got;

	if (skep_unwind_space_take(&m->space, n, m->now_ns, &got)) {
		m->n_full++;
		return;
	}
	assert_int_equal(got.n, n);
	for (uint32_t i = got.first; i < got.first + n; i++) {
		assert_true(i < SIZE);
		assert_false(m->is_taken[i]);
		assert_true(!m->given_ns[i] || m->now_ns - m->given_ns[i] >= SKEP_UNWIND_GRACE_NS);
		m->is_taken[i] = true;
	}
	m->held[m->n_held++] = got;
	m->n_taken += n;
	m->n_took++;
}

static void give(struct model *m, uint32_t i)
{
	struct skep_unwind_stretch stretch = m->held[i];

	m->held[i] = m->held[--m->n_held];
	m->n_taken -= stretch.n;
	for (uint32_t at = stretch.first; at < stretch.first + stretch.n; at++) {
		m->is_taken[at] = false;
		m->given_ns[at] = m->now_ns;
	}
	skep_unwind_space_give(&m->space, stretch, m->now_ns);
}

static void anything(void **state)
{
	static struct model m = {.now_ns = 1, .seed = 7};

	skep_unwind_space_init(&m.space, SIZE);
	for (int i = 0; i < STEPS; i++) {
		m.now_ns += any(&m, 2000000);
		if (m.n_held < HELD && any(&m, 100) < 52)
			take(&m, 1 + any(&m, any(&m, 8) ? 30 : 700));
		else if (m.n_held)
			give(&m, any(&m, m.n_held));
		assert_int_equal(skep_unwind_space_taken(&m.space), m.n_taken);
	}
	assert_true(m.n_took > STEPS / 4);
	assert_true(m.n_full > 0);
	while (m.n_held)
		give(&m, 0);
	m.now_ns += SKEP_UNWIND_GRACE_NS;
	take(&m, SIZE); /* all that was given back is one again */
	assert_int_equal(m.n_taken, SIZE);
	skep_unwind_space_done(&m.space);
}

static void rests(void **state)
{
	struct skep_unwind_space space;
	struct skep_unwind_stretch got;

	skep_unwind_space_init(&space, 8);
	assert_int_equal(skep_unwind_space_take(&space, 8, 1, &got), 0);
	skep_unwind_space_give(&space, got, 10);
	assert_int_equal(space.n_resting, 8);
	assert_int_equal(skep_unwind_space_take(&space, 1, 9 + SKEP_UNWIND_GRACE_NS, &got),
			 -ENOSPC);
	assert_int_equal(skep_unwind_space_take(&space, 1, 10 + SKEP_UNWIND_GRACE_NS, &got), 0);
	assert_int_equal(space.n_resting, 0);
	skep_unwind_space_done(&space);
}

static void nothing(void **state)
{
	struct skep_unwind_space space;
	struct skep_unwind_stretch got;

	skep_unwind_space_init(&space, 0);
	assert_int_equal(skep_unwind_space_take(&space, 1, 1, &got), -ENOSPC);
	skep_unwind_space_give(&space, (struct skep_unwind_stretch){0, 0}, 1);
	assert_int_equal(skep_unwind_space_taken(&space), 0);
	skep_unwind_space_done(&space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything),
		cmocka_unit_test(rests),
		cmocka_unit_test(nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
