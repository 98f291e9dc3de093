/* Which stacks leave the kernel's memory, with maps that are not the kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "profiler/impl.h"

#define NUMBERS 16

/* What there is by numbers below 16; of user stacks, their chains. */
static struct {
	bool is_there[SKEP_STACK_KIND_CNT][NUMBERS];
	uint32_t chains[NUMBERS];
} maps;

int skep_map_stack_forget(const struct skep_map_reader *reader, enum skep_stack_kind kind,
			  uint32_t number)
{
	bool was_there = maps.is_there[kind][number];

	(void)reader;
	maps.is_there[kind][number] = false;
	return was_there ? 0 : -ENOENT;
}

int skep_map_stack_next(const struct skep_map_reader *reader, enum skep_stack_kind kind,
			const uint32_t *number, uint32_t *ret)
{
	(void)reader;
	for (uint32_t i = number ? *number + 1 : 0; i < NUMBERS; i++) {
		if (maps.is_there[kind][i]) {
			*ret = i;
			return 0;
		}
	}
	return -ENOENT;
}

uint32_t skep_map_stack_chain(const struct skep_map_reader *reader, uint32_t stack_id)
{
	(void)reader;
	return maps.is_there[SKEP_STACK_USER][stack_id] ? maps.chains[stack_id] : 0;
}

static void keep(enum skep_stack_kind kind, uint32_t number, uint32_t chain)
{
	maps.is_there[kind][number] = true;
	if (chain) {
		maps.chains[number] = chain;
		maps.is_there[SKEP_STACK_CHAIN][chain] = true;
	}
}

/* User stacks, twice as samples are many, and a kernel's. */
static void see(struct skep_stacks_seen *seen, uint32_t kernel, uint32_t user)
{
	const struct skep_stack_key keys[2] = {{.stack_id = kernel}, {.stack_id = user}};

	for (int i = 0; i < 2; i++)
		skep_stacks_see(seen, &keys[0], &keys[1]);
}

static void test_unseen(void **state)
{
	struct skep_stacks_seen seen = {0};

	memset(&maps, 0, sizeof(maps));
	keep(SKEP_STACK_KERNEL, 1, 0);
	keep(SKEP_STACK_KERNEL, 2, 0);
	keep(SKEP_STACK_USER, 3, 0);
	keep(SKEP_STACK_USER, 4, 0);
	see(&seen, 1, 3);
	see(&seen, 2, 4);
	skep_stacks_forget(&seen, NULL);
	see(&seen, 2, 4);
	see(&seen, UINT32_MAX, UINT32_MAX);
	skep_stacks_forget(&seen, NULL);
	assert_false(maps.is_there[SKEP_STACK_KERNEL][1]);
	assert_true(maps.is_there[SKEP_STACK_KERNEL][2]);
	assert_false(maps.is_there[SKEP_STACK_USER][3]);
	assert_true(maps.is_there[SKEP_STACK_USER][4]);
	skep_stacks_seen_done(&seen);
}

/* Stacks 1 and 2 have chain 7, stack 3 has 8: 7 stays as long as one of the two does. */
static void test_chains(void **state)
{
	struct skep_stacks_seen seen = {0};

	memset(&maps, 0, sizeof(maps));
	keep(SKEP_STACK_USER, 1, 7);
	keep(SKEP_STACK_USER, 2, 7);
	keep(SKEP_STACK_USER, 3, 8);
	for (uint32_t i = 1; i <= 3; i++)
		see(&seen, UINT32_MAX, i);
	skep_stacks_forget(&seen, NULL);
	see(&seen, UINT32_MAX, 2);
	skep_stacks_forget(&seen, NULL);
	assert_false(maps.is_there[SKEP_STACK_USER][1]);
	assert_true(maps.is_there[SKEP_STACK_USER][2]);
	assert_true(maps.is_there[SKEP_STACK_CHAIN][7]);
	assert_false(maps.is_there[SKEP_STACK_CHAIN][8]);
	skep_stacks_forget(&seen, NULL);
	assert_false(maps.is_there[SKEP_STACK_USER][2]);
	assert_false(maps.is_there[SKEP_STACK_CHAIN][7]);
	skep_stacks_seen_done(&seen);
}

/* Those that no sample that was read refers to go, too, after a while. */
static void test_left_over(void **state)
{
	struct skep_stacks_seen seen = {0};

	memset(&maps, 0, sizeof(maps));
	keep(SKEP_STACK_USER, 1, 7);
	keep(SKEP_STACK_CHAIN, 9, 0);
	keep(SKEP_STACK_KERNEL, 2, 0);
	for (int i = 0; i < 70; i++)
		skep_stacks_forget(&seen, NULL);
	for (int kind = 0; kind < SKEP_STACK_KIND_CNT; kind++) {
		for (uint32_t i = 0; i < NUMBERS; i++)
			assert_false(maps.is_there[kind][i]);
	}
	skep_stacks_seen_done(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_left_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
