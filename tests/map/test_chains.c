/* Tables of chains: their order, their end, and readers beside writers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "map/chains.h"

static void add(struct skep_chains *chains, uint64_t key, uint32_t hash)
{
	uint64_t *value = skep_chains_add(chains, &key, hash);

	assert_non_null(value);
	*value = key * 10;
}

static void newest_first_in_each_bucket(void **state)
{
	struct skep_chains chains;
	uint64_t key, next;
	const uint64_t order[] = {8, 4, 0, 5, 1, 2, 3};

	assert_int_equal(skep_chains_init(&chains, 4, 7, 8, 8), 0);
	for (uint64_t i = 0; i < 6; i++)
		add(&chains, i, (uint32_t)i);
	add(&chains, 8, 8);
	key = 99;
	assert_null(skep_chains_add(&chains, &key, 99)); /* seven, and no more */
	for (unsigned i = 0; i < 7; i++) {
		assert_int_equal(
			skep_chains_next_key(&chains, i ? &key : NULL, (uint32_t)key, &next), 0);
		assert_int_equal(next, order[i]);
		key = next;
		assert_int_equal(*(uint64_t *)skep_chains_find(&chains, &key, (uint32_t)key),
				 key * 10);
	}
	assert_int_equal(skep_chains_next_key(&chains, &key, (uint32_t)key, &next), -ENOENT);
	key = 0;
	skep_chains_raise(&chains, &key, 0);
	assert_int_equal(skep_chains_next_key(&chains, NULL, 0, &next), 0);
	assert_int_equal(next, 0);
	assert_true(skep_chains_remove(&chains, &key, 0));
	assert_false(skep_chains_remove(&chains, &key, 0));
	assert_null(skep_chains_find(&chains, &key, 0));
	assert_int_equal(chains.n_items, 6);
	add(&chains, 77, 77); /* the node is to be had again */
	skep_chains_done(&chains);
}

#define KEYS   64
#define ROUNDS 30000

static struct skep_chains shared;
static int stop;

/* Keys below KEYS / 2 are always there, whatever happens to the others. */
static void *read_always(void *arg)
{
	for (uint64_t i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		uint64_t key = i % (KEYS / 2);

		if (!skep_chains_find(&shared, &key, (uint32_t)key))
			return (void *)1;
	}
	return NULL;
}

static void *write_others(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t key = KEYS / 2 + (seed = seed * 1103515245 + 12345) / 65536 % (KEYS / 2);
		uint64_t stays = key - KEYS / 2;

		skep_chains_lock(&shared);
		if (!skep_chains_remove(&shared, &key, (uint32_t)key))
			skep_chains_add(&shared, &key, (uint32_t)key);
		skep_chains_raise(&shared, &stays, (uint32_t)stays);
		skep_chains_unlock(&shared);
	}
	return NULL;
}

static void readers_miss_nothing(void **state)
{
	pthread_t readers[2], writers[2];
	void *missed;

	assert_int_equal(skep_chains_init(&shared, 4, KEYS, 8, 8), 0);
	for (uint64_t i = 0; i < KEYS / 2; i++)
		add(&shared, i, (uint32_t)i);
	for (uintptr_t i = 0; i < 2; i++) {
		pthread_create(&readers[i], NULL, read_always, NULL);
		pthread_create(&writers[i], NULL, write_others, (void *)(i + 1));
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(readers[i], &missed);
		assert_null(missed);
	}
	skep_chains_done(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_first_in_each_bucket),
		cmocka_unit_test(readers_miss_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
