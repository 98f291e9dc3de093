/*
 * Maps under threads: operations a second of one thread and of two on the same map, in turn, so
 *that both have the same machine. Prints a line each:
 *
 *	<what> <round> <operations a second of one thread> <of two>
 *
 * bench/maps.py reads them. Threads are CPUs (skep_cpu_enter()) as programs are, and each has its
 * own order of keys.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <skep/map.h>

#define KEYS          65536u /* a power of two */
#define ENTRIES       (2 * KEYS)
#define THREADS       2
#define BATCH         64

#define LEAST_OVERLAP 0.9
#define ROUND_NS      4000000

typedef void operate(struct skep_map *map, uint64_t key);

/* What the machine itself has to give two threads. */
static void nothing(struct skep_map *map, uint64_t key)
{
	for (int i = 0; i < 16; i++)
		__asm__ volatile("" : "+r"(key));
}

static void look_up(struct skep_map *map, uint64_t key)
{
	const uint64_t *value = skep_map_lookup(map, &key);

	if (!value)
		abort();
	__asm__ volatile("" ::"r"(*value));
}

static void update(struct skep_map *map, uint64_t key)
{
	if (skep_map_update(map, &key, &key, 0))
		abort();
}

/* What most programs do with a per-CPU value. */
static void count(struct skep_map *map, uint64_t key)
{
	uint64_t *value = skep_map_lookup(map, &key);

	++*value;
}

static void add(struct skep_map *map, uint64_t key)
{
	uint32_t index = (uint32_t)key;
	uint64_t *value = skep_map_lookup(map, &index);

	__atomic_fetch_add(value, 1, __ATOMIC_RELAXED);
}

static void exchange(struct skep_map *map, uint64_t key)
{
	skep_map_delete(map, &key);
	if (skep_map_update(map, &key, &key, 0))
		abort();
}

/* Half the keys are new each time: an old one goes for each. */
static void replace(struct skep_map *map, uint64_t key)
{
	static _Thread_local uint64_t fresh;

	fresh++;
	if (fresh & 1)
		key += fresh << 20;
	if (skep_map_update(map, &key, &key, 0))
		abort();
}

static const struct row {
	const char *name;
	uint32_t type, key_size;
	operate *operate;
} rows[] = {
	{"nothing", SKEP_MAP_ARRAY, 4, nothing},
	{"hash-lookup", SKEP_MAP_HASH, 8, look_up},
	{"hash-update", SKEP_MAP_HASH, 8, update},
	{"hash-delete-add", SKEP_MAP_HASH, 8, exchange},
	{"percpu-hash-count", SKEP_MAP_PERCPU_HASH, 8, count},
	{"percpu-hash-update", SKEP_MAP_PERCPU_HASH, 8, update},
	{"lru-lookup", SKEP_MAP_LRU_HASH, 8, look_up},
	{"lru-update", SKEP_MAP_LRU_HASH, 8, update},
	{"lru-replace", SKEP_MAP_LRU_HASH, 8, replace},
	{"array-atomic-add", SKEP_MAP_ARRAY, 4, add},
	{"percpu-array-count", SKEP_MAP_PERCPU_ARRAY, 4, count},
};

struct worker {
	pthread_t thread;
	const struct row *row;
	struct skep_map *map;
	pthread_barrier_t *start;
	uint64_t seed, done, from_ns, to_ns;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *work(void *at)
{
	struct worker *self = at;

	pthread_barrier_wait(self->start);
	skep_cpu_enter();
	self->from_ns = self->to_ns = now_ns();
	while (self->to_ns - self->from_ns < ROUND_NS) {
		for (int i = 0; i < BATCH; i++) {
			self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
			self->row->operate(self->map, self->seed >> 40 & (KEYS - 1));
		}
		self->done += BATCH;
		self->to_ns = now_ns();
	}
	skep_cpu_leave();
	return NULL;
}

/* The part of their time that they spent together. */
static double overlap_of(const struct worker *workers, unsigned n)
{
	uint64_t from = 0, to = UINT64_MAX;

	for (unsigned i = 0; i < n; i++) {
		from = workers[i].from_ns > from ? workers[i].from_ns : from;
		to = workers[i].to_ns < to ? workers[i].to_ns : to;
	}
	return to > from ? (double)(to - from) / ROUND_NS : 0;
}

/* Operations a second of all @n together; 0: they did not run at the same time. */
static double measure(const struct row *row, struct skep_map *map, unsigned n)
{
	struct worker workers[THREADS];
	pthread_barrier_t start;
	double sum = 0;

	pthread_barrier_init(&start, NULL, n);
	for (unsigned i = 0; i < n; i++) {
		workers[i] = (struct worker){.row = row, .map = map, .start = &start, .seed = i};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		sum += (double)workers[i].done * 1e9 /
		       (double)(workers[i].to_ns - workers[i].from_ns);
	}
	pthread_barrier_destroy(&start);
	return overlap_of(workers, n) < LEAST_OVERLAP ? 0 : sum;
}

static struct skep_map *new_map(const struct row *row)
{
	struct skep_map_attr attr = {.type = row->type,
				     .key_size = row->key_size,
				     .value_size = 8,
				     .max_entries = ENTRIES};
	struct skep_map *map;

	if (skep_map_create(&attr, &map))
		abort();
	for (uint64_t key = 0; key < KEYS; key++)
		skep_map_update(map, &key, &key, 0);
	return map;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 9;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct skep_map *map = new_map(&rows[i]);

		for (int round = 0; round < rounds; round++) {
			double one = measure(&rows[i], map, 1), two = measure(&rows[i], map, 2);

			printf("%s %d %.0f %.0f\n", rows[i].name, round, one, two);
		}
		skep_map_unref(map);
	}
	return 0;
}
