/*
 * Free elements: a list for each CPU, so that threads seldom meet; who finds
 * his own empty takes from the others', so a map is full only when all are.
 *
 * A free element's list goes through the first word of its key: `chain` and
 * `hash` must stay, for readers that still stand on it. Elements that were never
 * used are not listed: `fresh` counts them.
 */
#include "map/hash_pool.h"

#include <sched.h>

#include "map/cpu.h"
#include "map/lock.h"

struct skep_hash_pool {
	uint32_t lock;
	uint32_t first;            /* 1 + element, 0: none */
	uint32_t fresh, fresh_end; /* elements */
	uint32_t spare;            /* 1 + element, 0: it is out; atomic */
	uint32_t writes_to;        /* 1 + element, 0: none; atomic; the CPU's to set */
	uint32_t pad[10];
};

_Static_assert(sizeof(struct skep_hash_pool) == 64, "one cache line");

size_t skep_hash_pool_bytes(uint32_t n_cpus)
{
	return n_cpus * sizeof(struct skep_hash_pool);
}

void skep_hash_pools_init(struct skep_hash *hash, uint32_t n, uint32_t n_all)
{
	uint32_t n_cpus = skep_map_n_cpus(), at = 0;

	for (uint32_t cpu = 0; cpu < n_cpus; cpu++) {
		struct skep_hash_pool *pool = &hash->pools[cpu];

		pool->fresh = at;
		at += n / n_cpus + (cpu < n % n_cpus);
		pool->fresh_end = at;
		pool->spare = n + cpu < n_all ? n + cpu + 1 : 0;
	}
}

static uint32_t *list_link(const struct skep_hash *hash, struct skep_hash_elem *elem)
{
	return (uint32_t *)skep_elem_key(hash, elem);
}

static uint32_t pop(const struct skep_hash *hash, struct skep_hash_pool *pool)
{
	uint32_t link;

	skep_lock(&pool->lock);
	link = pool->first;
	if (link)
		pool->first = __atomic_load_n(list_link(hash, skep_hash_elem(hash, link)),
					      __ATOMIC_RELAXED);
	else if (pool->fresh < pool->fresh_end)
		link = ++pool->fresh;
	skep_unlock(&pool->lock);
	return link;
}

struct skep_hash_elem *skep_hash_take(struct skep_hash *hash)
{
	uint32_t n_cpus = skep_map_n_cpus(), self = skep_cpu_current();

	for (uint32_t i = 0; i < n_cpus; i++) {
		uint32_t cpu = self + i < n_cpus ? self + i : self + i - n_cpus;
		uint32_t link = pop(hash, &hash->pools[cpu]);

		if (link)
			return skep_hash_elem(hash, link);
	}
	return NULL;
}

void skep_hash_give(struct skep_hash *hash, struct skep_hash_elem *elem)
{
	struct skep_hash_pool *pool = &hash->pools[skep_cpu_current()];

	skep_lock(&pool->lock);
	__atomic_store_n(list_link(hash, elem), pool->first, __ATOMIC_RELAXED);
	pool->first = skep_hash_number(hash, elem) + 1;
	skep_unlock(&pool->lock);
}

/* There are as many spares as CPUs. Who has one holds a bucket's lock and waits for nobody. */
struct skep_hash_elem *skep_hash_take_spare(struct skep_hash *hash)
{
	uint32_t n_cpus = skep_map_n_cpus(), cpu = skep_cpu_current();

	for (uint32_t tries = 1;; tries++) {
		uint32_t *spare = &hash->pools[cpu].spare;
		uint32_t link = __atomic_load_n(spare, __ATOMIC_RELAXED)
					? __atomic_exchange_n(spare, 0, __ATOMIC_ACQUIRE)
					: 0;

		if (link)
			return skep_hash_elem(hash, link);
		cpu = cpu + 1 < n_cpus ? cpu + 1 : 0;
		if (tries % (n_cpus * 64) == 0)
			sched_yield();
	}
}

void skep_hash_give_spare(struct skep_hash *hash, struct skep_hash_elem *elem)
{
	uint32_t n_cpus = skep_map_n_cpus(), cpu = skep_cpu_current();
	uint32_t link = skep_hash_number(hash, elem) + 1, none = 0;

	while (!__atomic_compare_exchange_n(&hash->pools[cpu].spare, &none, link, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
		none = 0;
		cpu = cpu + 1 < n_cpus ? cpu + 1 : 0;
	}
}

void skep_hash_set_writer(struct skep_hash *hash, const struct skep_hash_elem *elem)
{
	uint32_t *writes_to = &hash->pools[skep_cpu_current()].writes_to;

	if (!elem) {
		__atomic_store_n(writes_to, 0, __ATOMIC_RELEASE);
		return;
	}
	__atomic_exchange_n(writes_to, skep_hash_number(hash, elem) + 1, __ATOMIC_SEQ_CST);
	skep_cpu_barrier();
}

void skep_hash_await_writers(const struct skep_hash *hash, const struct skep_hash_elem *elem)
{
	uint32_t n_cpus = skep_map_n_cpus(), link = skep_hash_number(hash, elem) + 1;

	skep_cpu_barrier();
	for (uint32_t cpu = 0; cpu < n_cpus; cpu++) {
		const uint32_t *writes_to = &hash->pools[cpu].writes_to;

		for (uint32_t i = 1; __atomic_load_n(writes_to, __ATOMIC_ACQUIRE) == link; i++)
			if (i % SKEP_LOCK_SPINS == 0)
				sched_yield();
	}
}
