/*
 * Maps under threads: operations a second of one thread and of two on the same map, in turn, so
 * that both have the same machine. Prints a line each:
 *
 *	<what> <whose keys> <whose map> <round> <operations a second of one thread> <of two>
 *
 * bench/maps.py reads them. Threads are CPUs (skep_cpu_enter()) as programs are. Keys come in an
 * order of each thread's own, never the same in two rounds, and of one of two kinds:
 *
 *	own     a thread has half of the keys to itself, as programs have that count what the
 *	        task or the flow at hand does: the map is shared, elements are not
 *	shared  all threads take all keys, so that every other operation finds in its cache
 *	        what the other thread wrote; no map can do anything about that
 *
 * The kernel does the same to a map of its own in the same rounds: processors differ much in what
 * two threads are worth, and so does one machine from one second to the next.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <skep/map.h>

#include "threads.h"

#define KEYS          65536u /* a power of two */
#define ENTRIES       (2 * KEYS)
#define THREADS       2
#define BATCH         64
#define CACHE_LINES   128 /* bytes that processors fetch together */

#define LEAST_OVERLAP 0.9
#define WARM_NS       2000000
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

/* Keys that no thread had before, in this round or another. */
static _Thread_local uint64_t fresh;

/* Half the keys are new each time, and the map is full: an old one goes for each. */
static void replace(struct skep_map *map, uint64_t key)
{
	fresh++;
	if (fresh & 1)
		key = fresh;
	if (skep_map_update(map, &key, &key, 0))
		abort();
}

enum keys { OWN, SHARED };

static const char *const keys_names[] = {[OWN] = "own", [SHARED] = "shared"};

static const struct row {
	const char *name;
	uint32_t type, key_size;
	operate *operate;
	const char *kernel_body;
	uint32_t filled; /* elements that it begins with; 0: KEYS */
} rows[] = {
	{"nothing", SKEP_MAP_ARRAY, 4, nothing, threads_kernel_nothing},
	{"hash-lookup", SKEP_MAP_HASH, 8, look_up, threads_kernel_look_up},
	{"hash-update", SKEP_MAP_HASH, 8, update, threads_kernel_update},
	{"hash-delete-add", SKEP_MAP_HASH, 8, exchange, threads_kernel_exchange},
	{"percpu-hash-count", SKEP_MAP_PERCPU_HASH, 8, count, threads_kernel_count},
	{"percpu-hash-update", SKEP_MAP_PERCPU_HASH, 8, update, threads_kernel_update},
	{"lru-lookup", SKEP_MAP_LRU_HASH, 8, look_up, threads_kernel_look_up},
	{"lru-update", SKEP_MAP_LRU_HASH, 8, update, threads_kernel_update},
	{"lru-replace", SKEP_MAP_LRU_HASH, 8, replace, threads_kernel_replace, ENTRIES},
	{"array-atomic-add", SKEP_MAP_ARRAY, 4, add, threads_kernel_add},
	{"percpu-array-count", SKEP_MAP_PERCPU_ARRAY, 4, count, threads_kernel_count},
};

#define ROW_CNT (sizeof(rows) / sizeof(*rows))

/* The maps of a row: ours and the kernel's. */
struct pair {
	const struct row *row;
	enum keys keys;
	struct skep_map *map;
	int kernel_map;               /* -1: the kernel gives none */
	int kernel_programs[THREADS]; /* one for each thread's keys */
};

/* No two share a line: what one notes for itself would slow the other down. */
struct worker {
	_Alignas(CACHE_LINES) pthread_t thread;
	const struct pair *pair;
	pthread_barrier_t *start;
	struct threads_keys keys;
	int program;   /* of the kernel's side, else -1 */
	uint64_t seed; /* begins as a number that no other worker had */
	uint64_t from_ns, to_ns, done;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void operate_batch(struct worker *self)
{
	operate *each = self->pair->row->operate;
	const struct threads_keys keys = self->keys;
	uint64_t seed = self->seed;

	for (int i = 0; i < BATCH; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		each(self->pair->map, keys.first + (seed >> 40 & (keys.n - 1)));
	}
	self->seed = seed;
	self->done += BATCH;
}

static void kernel_batch(struct worker *self)
{
	threads_kernel_run(self->program);
	self->done += THREADS_KERNEL_OPS;
}

/* For @ns, and notes from when to when it was. */
static void work_for(struct worker *self, uint64_t ns)
{
	self->done = 0;
	self->from_ns = self->to_ns = now_ns();
	while (self->to_ns - self->from_ns < ns) {
		if (self->program < 0)
			operate_batch(self);
		else
			kernel_batch(self);
		self->to_ns = now_ns();
	}
}

/* What a round begins with is in the caches of whoever had the round before: that does not count.
 */
static void *work(void *at)
{
	struct worker *self = at;

	fresh = self->seed << 32;
	skep_cpu_enter();
	pthread_barrier_wait(self->start);
	work_for(self, WARM_NS);
	pthread_barrier_wait(self->start);
	work_for(self, ROUND_NS);
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

static struct threads_keys keys_of(enum keys keys, uint32_t thread)
{
	const struct threads_keys all = {0, KEYS},
				  part = {thread * (KEYS / THREADS), KEYS / THREADS};

	return keys == OWN ? part : all;
}

/* Operations a second of all @n together; 0: they did not run at the same time. */
static double measure(const struct pair *pair, bool kernel, unsigned n)
{
	static uint64_t runs;
	struct worker workers[THREADS];
	pthread_barrier_t start;
	double sum = 0;

	pthread_barrier_init(&start, NULL, n);
	for (unsigned i = 0; i < n; i++) {
		workers[i] = (struct worker){.pair = pair,
					     .start = &start,
					     .keys = keys_of(pair->keys, i),
					     .program = kernel ? pair->kernel_programs[i] : -1,
					     .seed = ++runs};
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

static void make(const struct row *row, enum keys keys, struct pair *ret)
{
	struct skep_map_attr attr = {.type = row->type,
				     .key_size = row->key_size,
				     .value_size = 8,
				     .max_entries = ENTRIES};
	uint32_t filled = row->filled ? row->filled : KEYS;

	*ret = (struct pair){.row = row, .keys = keys};
	if (skep_map_create(&attr, &ret->map))
		abort();
	for (uint64_t key = 0; key < filled; key++)
		skep_map_update(ret->map, &key, &key, 0);
	ret->kernel_map = threads_kernel_map(row->type, row->key_size, ENTRIES, filled);
	for (uint32_t i = 0; ret->kernel_map >= 0 && i < THREADS; i++) {
		ret->kernel_programs[i] =
			threads_kernel_program(ret->kernel_map, row->kernel_body, keys_of(keys, i));
		if (ret->kernel_programs[i] < 0)
			abort();
	}
}

static void drop(struct pair *pair)
{
	skep_map_unref(pair->map);
	if (pair->kernel_map < 0)
		return;
	for (uint32_t i = 0; i < THREADS; i++)
		close(pair->kernel_programs[i]);
	close(pair->kernel_map);
}

static void compare(const struct pair *pair, int round)
{
	for (int kernel = 0; kernel <= (pair->kernel_map >= 0); kernel++) {
		double one = measure(pair, kernel, 1), two = measure(pair, kernel, 2);

		printf("%s %s %s %d %.0f %.0f\n", pair->row->name, keys_names[pair->keys],
		       kernel ? "kernel" : "skep", round, one, two);
	}
}

/* All rows take their turn in every round, so that they have the same machine as well. */
static void compare_all(const struct pair *pairs, size_t n, int rounds)
{
	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i < n; i++)
			compare(&pairs[i], round);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 9;
	const char *only = argc > 2 ? argv[2] : "";
	struct pair pairs[2 * ROW_CNT];
	size_t n = 0;

	for (size_t i = 0; i < 2 * ROW_CNT; i++)
		if (strstr(rows[i / 2].name, only))
			make(&rows[i / 2], i % 2 ? SHARED : OWN, &pairs[n++]);
	compare_all(pairs, n, rounds);
	for (size_t i = 0; i < n; i++)
		drop(&pairs[i]);
	return 0;
}
