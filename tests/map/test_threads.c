/*
 * Many threads on one map: nothing is lost, nothing is there twice, counts hold;
 * meant to run under TSan as well. And CPUs: no two threads are the same one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/map.h>

#define THREADS 4
#define ROUNDS  20000
#define KEYS    64

struct worker {
	pthread_t thread;
	struct skep_map *map;
	uint32_t number;
	uint64_t seed, done;
	int error;
};

static uint32_t random_below(struct worker *self, uint32_t n)
{
	self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(self->seed >> 33) % n;
}

static uint64_t run(struct skep_map *map, void *(*body)(void *))
{
	struct worker workers[THREADS] = {0};
	uint64_t done = 0;

	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.map = map, .number = i, .seed = i * 77 + 1};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, body, &workers[i]), 0);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].error, 0);
		done += workers[i].done;
	}
	return done;
}

static struct skep_map *make(uint32_t type, uint32_t key_size, uint32_t entries, uint32_t flags)
{
	struct skep_map_attr attr = {.type = type,
				     .key_size = key_size,
				     .value_size = 16,
				     .max_entries = entries,
				     .flags = flags};
	struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

static uint32_t count_keys(struct skep_map *map)
{
	uint8_t key[16];
	uint32_t n = 0;

	for (void *last = NULL; !skep_map_sys_next_key(map, last, key); last = key)
		n++;
	return n;
}

/* Each worker has keys of its own, so it must find what it put, whatever the others do. */
static int own_key(struct worker *self, uint32_t n, uint64_t *last, uint64_t now)
{
	uint64_t key = (uint64_t)n * THREADS + self->number, value[2] = {now, now};
	int want = last[n] ? 0 : -ENOENT, err;

	switch (random_below(self, 4)) {
	case 0: last[n] = 0; return skep_map_sys_delete(self->map, &key) == want ? 0 : -EPROTO;
	case 1:
		err = skep_map_sys_lookup(self->map, &key, value, 0);
		if (err != want)
			return -EPROTO;
		return !err && (value[0] != last[n] || value[1] != last[n]) ? -EBADMSG : 0;
	default: last[n] = now; return skep_map_sys_update(self->map, &key, value, 0);
	}
}

static void *own_keys(void *arg)
{
	struct worker *self = arg;
	uint64_t last[KEYS] = {0};

	for (uint32_t i = 0; i < ROUNDS && !self->error; i++)
		self->error = own_key(self, random_below(self, KEYS), last,
				      ((uint64_t)self->number << 32) + i + 1);
	for (uint32_t n = 0; n < KEYS; n++)
		self->done += last[n] != 0;
	return NULL;
}

static void test_own_keys(void **state)
{
	static const struct {
		uint32_t type, flags;
	} maps[] = {{SKEP_MAP_HASH, 0}, {SKEP_MAP_HASH, 1}, {SKEP_MAP_LRU_HASH, 0}};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		/* An LRU forgets before it is full: CPUs keep free elements back. */
		uint32_t entries = KEYS * THREADS * (maps[i].type == SKEP_MAP_LRU_HASH ? 4 : 1);
		struct skep_map *map = make(maps[i].type, 8, entries, maps[i].flags);
		uint64_t there = run(map, own_keys);

		assert_int_equal(count_keys(map), there);
		skep_map_unref(map);
	}
}

/* One writes the same keys again and again, the others must find them every time. */
static void *find_always(void *arg)
{
	struct worker *self = arg;
	uint64_t key, value[2];

	for (uint32_t i = 0; i < ROUNDS; i++) {
		key = random_below(self, 8);
		if (!self->number)
			skep_map_update(self->map, &key, value, 0);
		else if (!skep_map_lookup(self->map, &key))
			self->done++;
	}
	return NULL;
}

static void test_found_while_replaced(void **state)
{
	static const uint32_t types[] = {SKEP_MAP_HASH, SKEP_MAP_LPM_TRIE};
	uint64_t value[2] = {0};

	for (size_t i = 0; i < 2; i++) {
		/* Few buckets, so that chains are long. */
		struct skep_map *map = make(types[i], 8, 8, types[i] == SKEP_MAP_LPM_TRIE);

		for (uint64_t key = 0; key < 8; key++)
			assert_int_equal(skep_map_update(map, &key, value, 0), 0);
		assert_int_equal(run(map, find_always), 0);
		skep_map_unref(map);
	}
}

/* A map larger than any machine, which comes with use. */
static void test_vast(void **state)
{
	struct skep_map_attr attr = {.type = SKEP_MAP_HASH,
				     .key_size = 8,
				     .value_size = 1 << 20,
				     .max_entries = 1 << 27,
				     .flags = 1};
	_cleanup_map_ struct skep_map *map = NULL;
	uint64_t key = 7;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	assert_null(skep_map_lookup(map, &key));
	attr.flags = 0;
	assert_int_equal(skep_map_create(&attr, &map), -ENOMEM);
}

/* All on the same few keys, with everything there is. */
static void *shared_keys(void *arg)
{
	struct worker *self = arg;
	struct skep_map *map = self->map;
	uint64_t value[32] = {0}, key, next;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		key = (uint64_t)random_below(self, KEYS) << 32 | 8;
		switch (random_below(self, 6)) {
		case 0: skep_map_update(map, &key, value, 0); break;
		case 1: skep_map_delete(map, &key); break;
		case 2: skep_map_sys_lookup(map, &key, value, 0); break;
		case 3: skep_map_sys_next_key(map, &key, &next); break;
		case 4: skep_map_sys_lookup_and_delete(map, &key, value, 0); break;
		default: self->done += skep_map_lookup(map, &key) != NULL;
		}
	}
	return NULL;
}

/* Emptied, the map takes as many keys as it should: no element was lost. Of an LRU, CPUs may keep
 * half of the elements back. */
static void check_room(struct skep_map *map)
{
	bool lru = map->type == SKEP_MAP_LRU_HASH;
	uint64_t value[2] = {0}, key;

	while (!skep_map_sys_next_key(map, NULL, &key))
		assert_int_equal(skep_map_delete(map, &key), 0);
	for (uint64_t n = 0; n < 2 * (uint64_t)map->max_entries; n++) {
		key = n << 32 | 8;
		skep_map_update(map, &key, value, 0);
	}
	assert_true(count_keys(map) >= map->max_entries / (lru ? 2 : 1));
}

static void test_shared_keys(void **state)
{
	static const struct {
		uint32_t type, entries, flags;
	} maps[] = {
		{SKEP_MAP_HASH, KEYS, 0},         {SKEP_MAP_HASH, KEYS / 2, 1},
		{SKEP_MAP_LRU_HASH, KEYS / 2, 0}, {SKEP_MAP_LRU_HASH, KEYS / 2, 2},
		{SKEP_MAP_LPM_TRIE, KEYS, 1},
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		struct skep_map *map = make(maps[i].type, 8, maps[i].entries, maps[i].flags);

		run(map, shared_keys);
		assert_true(count_keys(map) <= maps[i].entries);
		check_room(map);
		skep_map_unref(map);
	}
}

/* What is deleted is room again, however much it is at once: nothing is forgotten. CPUs may keep
 * half of the elements back. */
static void test_lru_deleted(void **state)
{
	_cleanup_map_ struct skep_map *map = make(SKEP_MAP_LRU_HASH, 8, 4096, 0);
	uint64_t value[2] = {0};

	for (uint64_t key = 0; key < 20000; key += 2000) {
		for (uint64_t i = 0; i < 2000; i++)
			assert_int_equal(skep_map_update(map, &(uint64_t){key + i}, value, 0), 0);
		for (uint64_t i = 0; i < 2000; i++)
			assert_int_equal(skep_map_delete(map, &(uint64_t){key + i}), 0);
	}
	assert_int_equal(count_keys(map), 0);
}

/* No two threads are the same CPU, so what they add needs no atomics. */
static void *count_up(void *arg)
{
	struct worker *self = arg;
	uint32_t key = 0;
	uint64_t *value;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		skep_cpu_enter();
		value = skep_map_lookup(self->map, &key);
		++*value;
		skep_cpu_leave();
	}
	return NULL;
}

static void check_sum(struct skep_map *map, uint64_t want)
{
	uint32_t key = 0;
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < skep_map_n_cpus(); cpu++)
		sum += *(uint64_t *)skep_map_lookup_percpu(map, &key, cpu);
	assert_int_equal(sum, want);
}

static void test_cpus(void **state)
{
	static const uint32_t types[] = {SKEP_MAP_PERCPU_ARRAY, SKEP_MAP_PERCPU_HASH,
					 SKEP_MAP_LRU_PERCPU_HASH};
	uint64_t zero[2] = {0};
	uint32_t key = 0;

	for (size_t i = 0; i < 3; i++) {
		struct skep_map *map = make(types[i], 4, 4, 0);

		assert_int_equal(skep_map_update(map, &key, zero, 0), 0);
		run(map, count_up);
		check_sum(map, (uint64_t)THREADS * ROUNDS);
		skep_map_unref(map);
	}
}

static void test_cpu_nests(void **state)
{
	uint32_t cpu = skep_cpu_enter();

	assert_int_equal(skep_cpu_enter(), cpu);
	assert_int_equal(skep_cpu_current(), cpu);
	skep_cpu_leave();
	assert_int_equal(skep_cpu_current(), cpu);
	skep_cpu_leave();
	assert_true(cpu < skep_map_n_cpus());
}

/* A child of fork() has the same map, and takes no CPU along when it dies. */
static void test_fork(void **state)
{
	struct skep_map *map = make(SKEP_MAP_HASH, 8, 16, 0);
	uint64_t key = 5, value[2] = {1, 2};
	int status;

	for (uint32_t i = 0; i < skep_map_n_cpus(); i++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (!child) {
			skep_cpu_enter(); /* and never leaves */
			value[0] = i + 10;
			_exit(skep_map_update(map, &key, value, 0) != 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		assert_int_equal(skep_map_sys_lookup(map, &key, value, 0), 0);
		assert_int_equal(value[0], i + 10);
	}
	skep_cpu_enter();
	skep_cpu_leave();
	skep_map_unref(map);
}

/* Long values, so that others meet who writes one; words all the same. */
#define LONG_WORDS 1024

/* In its own copy is what it wrote last, in the others' what a new element has. */
static bool is_only_mine(struct skep_map *map, uint64_t key, uint64_t mine)
{
	uint32_t self = skep_cpu_current();

	for (uint32_t cpu = 0; cpu < skep_map_n_cpus(); cpu++) {
		const uint64_t *copy = skep_map_lookup_percpu(map, &key, cpu);
		uint64_t want = cpu == self ? mine : 0;

		for (size_t i = 0; i < LONG_WORDS; i++)
			if (!copy || __atomic_load_n(copy + i, __ATOMIC_RELAXED) != want)
				return false;
	}
	return true;
}

static int put_words(struct skep_map *map, uint64_t key, uint64_t word)
{
	uint64_t value[LONG_WORDS];

	for (size_t i = 0; i < LONG_WORDS; i++)
		value[i] = word;
	return skep_map_update(map, &key, value, 0);
}

/* Keys that all write to and take out, in turn with one that only this worker does: it gets the
 * elements of the others, and nobody may write to it who meant them. */
static int write_and_take(struct worker *self)
{
	uint64_t mine = 1000 + self->number, shared;
	struct skep_map *map = self->map;
	int err = 0;

	for (uint32_t i = 0; i < 4; i++) {
		shared = random_below(self, 4);
		put_words(map, shared, ~UINT64_C(0));
	}
	skep_map_delete(map, &shared);
	for (uint64_t word = 1; !err && word <= 3; word++) {
		err = put_words(map, mine, word);
		if (!err && !is_only_mine(map, mine, word))
			err = -EBADMSG;
	}
	return err ? err : skep_map_delete(map, &mine);
}

static void *write_in_place(void *arg)
{
	struct worker *self = arg;

	for (uint32_t i = 0; i < ROUNDS / 4 && !self->error; i++) {
		skep_cpu_enter();
		self->error = write_and_take(self);
		skep_cpu_leave();
	}
	return NULL;
}

static void test_percpu_in_place(void **state)
{
	struct skep_map_attr attr = {.type = SKEP_MAP_PERCPU_HASH,
				     .key_size = 8,
				     .value_size = 8 * LONG_WORDS,
				     .max_entries = 4 + THREADS};
	_cleanup_map_ struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	run(map, write_in_place);
	assert_true(count_keys(map) <= 4);
}

static void *push_and_pop(void *arg)
{
	struct worker *self = arg;
	uint64_t value[2];

	for (uint32_t i = 0; i < ROUNDS; i++) {
		value[0] = value[1] = self->number * (uint64_t)ROUNDS + i;
		if (random_below(self, 2))
			self->done += !skep_map_push(self->map, value, 0);
		else if (!skep_map_pop(self->map, value))
			self->done--;
		if (value[0] != value[1])
			self->error = -EBADMSG;
	}
	return NULL;
}

static void test_queues(void **state)
{
	for (uint32_t type = SKEP_MAP_QUEUE; type <= SKEP_MAP_STACK; type++) {
		struct skep_map *map = make(type, 0, 100, 0);
		uint64_t left = run(map, push_and_pop), value[2];

		for (; left; left--)
			assert_int_equal(skep_map_pop(map, value), 0);
		assert_int_equal(skep_map_pop(map, value), -ENOENT);
		skep_map_unref(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_keys), cmocka_unit_test(test_found_while_replaced),
		cmocka_unit_test(test_vast),     cmocka_unit_test(test_shared_keys),
		cmocka_unit_test(test_cpus),     cmocka_unit_test(test_cpu_nests),
		cmocka_unit_test(test_fork),     cmocka_unit_test(test_percpu_in_place),
		cmocka_unit_test(test_queues),   cmocka_unit_test(test_lru_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
