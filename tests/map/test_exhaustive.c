/*
 * All sequences of operations on maps of a few entries: the LRU hashes' choice
 * of what to forget, and the LPM trie's shape, against the running kernel.
 *
 *	SKEP_EXHAUSTIVE_LENGTH=5   longer sequences than usual (3, 4 as root's quick run)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle.h"

/* --- Running all of them ---------------------------------------------------------------------- */

struct choice {
	enum oracle_kind kind;
	uint32_t key;
};

static uint32_t length(uint32_t otherwise)
{
	const char *text = getenv("SKEP_EXHAUSTIVE_LENGTH");

	return text ? (uint32_t)strtoul(text, NULL, 0) : otherwise;
}

/* Like an odometer; false: that was the last one. */
static bool next_sequence(uint32_t *digits, uint32_t n, uint32_t base)
{
	for (uint32_t i = 0; i < n; i++) {
		if (++digits[i] < base)
			return true;
		digits[i] = 0;
	}
	return false;
}

static void set_ops(struct oracle_case *test, const struct choice *choices, const uint32_t *digits,
		    uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		test->ops[i] = (struct oracle_op){
			.kind = choices[digits[i]].kind, .key = choices[digits[i]].key, .value = i};
	test->ops[n] = (struct oracle_op){.kind = ORACLE_DUMP};
	test->n_ops = n + 1;
}

static uint64_t run_all(struct oracle_case *test, const struct choice *choices, uint32_t n_choices,
			uint32_t n)
{
	uint32_t digits[ORACLE_MOST_OPS] = {0};
	uint64_t done = 0;
	char why[256];

	do {
		set_ops(test, choices, digits, n);
		if (oracle_run(test, why, sizeof(why)) >= 0) {
			oracle_shrink(test);
			oracle_print(test);
			fail_msg("%s", why);
		}
		done++;
	} while (next_sequence(digits, n, n_choices));
	return done;
}

/* --- LRU -------------------------------------------------------------------------------------- */

static const struct choice lru_choices[] = {
	{ORACLE_UPDATE, 0}, {ORACLE_UPDATE, 1}, {ORACLE_UPDATE, 2}, {ORACLE_UPDATE, 3},
	{ORACLE_DELETE, 0}, {ORACLE_DELETE, 1}, {ORACLE_LOOKUP, 0},
};

static const struct choice lru_program_choices[] = {
	{ORACLE_UPDATE, 0},      {ORACLE_UPDATE, 1},      {ORACLE_UPDATE, 2},
	{ORACLE_PROG_LOOKUP, 0}, {ORACLE_PROG_LOOKUP, 1}, {ORACLE_PROG_DELETE, 0},
};

static void run_lru(uint32_t type, uint32_t flags, bool programs)
{
	const struct oracle_type row = {.type = type, .programs = true};
	struct oracle_case test = {.type = &row, .programs = programs};
	const struct choice *choices = programs ? lru_program_choices : lru_choices;
	uint32_t n = programs ? 6 : 7, len = length(programs ? 3 : 4);

	test.attr = (struct skep_map_attr){
		.type = type, .key_size = 4, .value_size = 8, .flags = flags};
	for (test.attr.max_entries = 1; test.attr.max_entries <= 3; test.attr.max_entries++)
		run_all(&test, choices, n, len);
}

static void test_lru(void **state)
{
	static const uint32_t flags[] = {0, 1 << 1}; /* BPF_F_NO_COMMON_LRU */

	if (geteuid())
		skip();
	for (int i = 0; i < 2; i++) {
		run_lru(SKEP_MAP_LRU_HASH, flags[i], false);
		run_lru(SKEP_MAP_LRU_PERCPU_HASH, flags[i], false);
		run_lru(SKEP_MAP_LRU_HASH, flags[i], true);
	}
}

/* --- LPM trie --------------------------------------------------------------------------------- */

/* The prefixes of up to two bits, as a heap: 1 is the empty one, 2n and 2n + 1 its children. */
static void heap_key(const struct skep_map_attr *attr, uint32_t n, uint8_t *key)
{
	uint32_t len = 31 - (uint32_t)__builtin_clz(n), bits = n - (1u << len);

	memcpy(key, &len, 4);
	memset(key + 4, 0, attr->key_size - 4);
	key[4] = (uint8_t)(bits << (8 - len));
}

static const struct oracle_type lpm_row = {
	.type = SKEP_MAP_LPM_TRIE, .ordered = true, .programs = true, .key = heap_key};

static const struct skep_map_attr lpm_attr = {.type = SKEP_MAP_LPM_TRIE,
					      .key_size = 5,
					      .value_size = 4,
					      .max_entries = 4,
					      .flags = 1}; /* BPF_F_NO_PREALLOC */

static void test_lpm_sequences(void **state)
{
	struct oracle_case test = {.type = &lpm_row, .attr = lpm_attr, .ordered = true};
	struct choice choices[14];

	if (geteuid())
		skip();
	for (uint32_t i = 0; i < 7; i++) {
		choices[i] = (struct choice){ORACLE_UPDATE, 1 + i};
		choices[7 + i] = (struct choice){ORACLE_DELETE, 1 + i};
	}
	run_all(&test, choices, 14, length(4) - 1);
}

/* --- All sets of prefixes of up to three bits, against what the words "longest prefix" say ---- */

static bool covers(uint32_t prefix, uint32_t key)
{
	while (key > prefix)
		key /= 2;
	return key == prefix;
}

static uint32_t longest(uint32_t set, uint32_t key)
{
	for (; key && !(set >> key & 1); key /= 2)
		;
	return key;
}

static void put(struct skep_map *map, uint32_t prefix)
{
	uint8_t key[8];

	heap_key(&lpm_attr, prefix, key);
	assert_int_equal(skep_map_update(map, key, &prefix, 0), 0);
}

static void check_lookups(struct skep_map *map, uint32_t set)
{
	for (uint32_t key = 1; key < 32; key++) {
		uint32_t want = longest(set, key);
		const uint32_t *found;
		uint8_t bytes[8];

		heap_key(&lpm_attr, key, bytes);
		found = skep_map_lookup(map, bytes);
		assert_int_equal(found != NULL, want != 0);
		if (found)
			assert_int_equal(*found, want);
	}
}

/* Every entry once, none before one that it covers. */
static void check_order(struct skep_map *map, uint32_t set)
{
	uint8_t key[8], *last = NULL;
	uint32_t left = set;

	while (!skep_map_sys_next_key(map, last, key)) {
		uint32_t found, len;

		last = key;
		memcpy(&len, key, 4);
		assert_int_equal(skep_map_sys_lookup(map, key, &found, 0), 0);
		assert_int_equal(found, (1u << len) + (key[4] >> (8 - len)));
		assert_true(left >> found & 1);
		left &= ~(1u << found);
		for (uint32_t other = 1; other < 16; other++)
			assert_false(left >> other & 1 && other != found && covers(found, other));
	}
	assert_int_equal(left, 0);
}

static void test_lpm_sets(void **state)
{
	struct skep_map_attr attr = lpm_attr;
	uint8_t key[8];

	attr.max_entries = 15;
	for (uint32_t set = 0; set < 1u << 16; set += 2) {
		_cleanup_map_ struct skep_map *map = NULL;
		uint32_t gone = set & 0x6db6; /* then some are taken out again */

		assert_int_equal(skep_map_create(&attr, &map), 0);
		for (uint32_t i = 1; i < 16; i++)
			if (set >> (i * 7 % 16) & 1)
				put(map, i * 7 % 16);
		check_lookups(map, set);
		check_order(map, set);
		for (uint32_t i = 1; i < 16; i++) {
			heap_key(&attr, i, key);
			if (gone >> i & 1)
				assert_int_equal(skep_map_delete(map, key), 0);
		}
		check_lookups(map, set & ~gone);
		check_order(map, set & ~gone);
	}
}

static int stay_on_one_cpu(void **state)
{
	return oracle_go_to_cpu(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lru),
		cmocka_unit_test(test_lpm_sequences),
		cmocka_unit_test(test_lpm_sets),
	};

	return cmocka_run_group_tests(tests, stay_on_one_cpu, NULL);
}
