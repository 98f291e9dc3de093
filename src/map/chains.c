/* Hash tables of chains; see chains.h. */
#include "map/chains.h"

#include <errno.h>
#include <string.h>

#include "map/copy.h"
#include "map/lock.h"
#include "map/memory.h"

struct node {
	uint32_t next, hash; /* next: a node's number + 1 */
	uint64_t key[];
};

int skep_chains_init(struct skep_chains *chains, uint32_t n_buckets, uint32_t most,
		     uint32_t key_size, uint32_t value_size)
{
	size_t heads = skep_round8((size_t)n_buckets * sizeof(uint32_t));
	struct skep_chains c = {.n_buckets = n_buckets, .most = most, .key_size = key_size};

	c.value_off = (uint32_t)(sizeof(struct node) + skep_round8(key_size));
	c.node_bytes = c.value_off + skep_round8(value_size);
	c.bytes = heads + c.node_bytes * most;
	c.heads = skep_memory_private(c.bytes);
	if (!c.heads)
		return -ENOMEM;
	c.nodes = (uint8_t *)c.heads + heads;
	*chains = c;
	return 0;
}

void skep_chains_done(struct skep_chains *chains)
{
	skep_memory_release(chains->heads, chains->bytes);
	chains->heads = NULL;
}

static struct node *node_at(const struct skep_chains *chains, uint32_t word)
{
	return (struct node *)(chains->nodes + (size_t)(word - 1) * chains->node_bytes);
}

static void *value_of(const struct skep_chains *chains, struct node *node)
{
	return (uint8_t *)node + chains->value_off;
}

static uint32_t *head_of(const struct skep_chains *chains, uint32_t hash)
{
	return &chains->heads[hash & (chains->n_buckets - 1)];
}

static uint32_t word_at(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void set_word(uint32_t *at, uint32_t word)
{
	__atomic_store_n(at, word, __ATOMIC_RELEASE);
}

static bool has_key(const struct skep_chains *chains, const struct node *node, const void *key)
{
	const uint8_t *at = key;

	for (uint32_t off = 0; off < chains->key_size; off += 8) {
		uint32_t n = chains->key_size - off < 8 ? chains->key_size - off : 8;
		uint64_t word = 0;

		memcpy(&word, at + off, n);
		if (word != skep_word_load(&node->key[off / 8]))
			return false;
	}
	return true;
}

/* A walk that writers lead astray ends after as many steps as there are nodes. */
static struct node *walk(const struct skep_chains *chains, const void *key, uint32_t hash)
{
	uint32_t word = word_at(head_of(chains, hash));

	for (uint32_t i = 0; word && i < chains->most; i++) {
		struct node *node = node_at(chains, word);

		if (word_at(&node->hash) == hash && has_key(chains, node, key))
			return node;
		word = word_at(&node->next);
	}
	return NULL;
}

/* Between `seq` and what it guards. gcc's thread sanitizer knows no fences, and needs none: all
 * that is guarded is read and written atomically. */
static void fence(void)
{
#ifndef __SANITIZE_THREAD__
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Readers start when nobody writes. */
static uint32_t read_start(const struct skep_chains *chains)
{
	uint32_t seq;

	for (unsigned i = 1; (seq = word_at(&chains->seq)) & 1; i++) {
		skep_spin_pause();
		if (i % SKEP_LOCK_SPINS == 0)
			sched_yield();
	}
	return seq;
}

void *skep_chains_find(const struct skep_chains *chains, const void *key, uint32_t hash)
{
	for (;;) {
		uint32_t seq = read_start(chains);
		struct node *node = walk(chains, key, hash);

		if (node)
			return value_of(chains, node);
		fence();
		if (word_at(&chains->seq) == seq)
			return NULL;
	}
}

void skep_chains_lock(struct skep_chains *chains)
{
	skep_lock(&chains->lock);
}

void skep_chains_unlock(struct skep_chains *chains)
{
	skep_unlock(&chains->lock);
}

static void change_start(struct skep_chains *chains)
{
	__atomic_store_n(&chains->seq, chains->seq + 1, __ATOMIC_RELAXED);
	fence();
}

static void change_end(struct skep_chains *chains)
{
	set_word(&chains->seq, chains->seq + 1);
}

static uint32_t node_new(struct skep_chains *chains)
{
	uint32_t word = chains->first_free;

	if (word)
		chains->first_free = node_at(chains, word)->next;
	else if (chains->n_used < chains->most)
		word = ++chains->n_used;
	return word;
}

static void push(struct skep_chains *chains, uint32_t word, uint32_t hash)
{
	uint32_t *head = head_of(chains, hash);

	set_word(&node_at(chains, word)->next, *head);
	set_word(head, word);
}

void *skep_chains_add(struct skep_chains *chains, const void *key, uint32_t hash)
{
	uint32_t word = node_new(chains);
	struct node *node;

	if (!word)
		return NULL;
	node = node_at(chains, word);
	change_start(chains);
	set_word(&node->hash, hash);
	skep_copy_zero(node->key, chains->node_bytes - sizeof(*node));
	skep_copy_in(node->key, key, chains->key_size);
	push(chains, word, hash);
	change_end(chains);
	__atomic_store_n(&chains->n_items, chains->n_items + 1, __ATOMIC_RELAXED);
	return value_of(chains, node);
}

/* Take the element out of its chain, inside a change; 0: not there. */
static uint32_t unlink_node(struct skep_chains *chains, const void *key, uint32_t hash)
{
	uint32_t *at = head_of(chains, hash);

	for (uint32_t word; (word = *at); at = &node_at(chains, word)->next) {
		struct node *node = node_at(chains, word);

		if (node->hash != hash || !has_key(chains, node, key))
			continue;
		set_word(at, node->next);
		return word;
	}
	return 0;
}

bool skep_chains_remove(struct skep_chains *chains, const void *key, uint32_t hash)
{
	uint32_t word;

	change_start(chains);
	word = unlink_node(chains, key, hash);
	if (word) {
		set_word(&node_at(chains, word)->next, chains->first_free);
		chains->first_free = word;
		__atomic_store_n(&chains->n_items, chains->n_items - 1, __ATOMIC_RELAXED);
	}
	change_end(chains);
	return word;
}

void skep_chains_raise(struct skep_chains *chains, const void *key, uint32_t hash)
{
	uint32_t word;

	change_start(chains);
	word = unlink_node(chains, key, hash);
	if (word)
		push(chains, word, hash);
	change_end(chains);
}

/* Under the lock: the element after @key's in walking order, as a word. */
static uint32_t after(struct skep_chains *chains, const void *key, uint32_t hash)
{
	const struct node *node = key ? walk(chains, key, hash) : NULL;
	uint32_t bucket = 0;

	if (node) {
		if (node->next)
			return node->next;
		bucket = (hash & (chains->n_buckets - 1)) + 1;
	}
	for (; bucket < chains->n_buckets; bucket++)
		if (chains->heads[bucket])
			return chains->heads[bucket];
	return 0;
}

int skep_chains_next_key(struct skep_chains *chains, const void *key, uint32_t hash, void *next)
{
	uint32_t word;

	skep_chains_lock(chains);
	word = after(chains, key, hash);
	if (word)
		skep_copy_out(next, node_at(chains, word)->key, chains->key_size);
	skep_chains_unlock(chains);
	return word ? 0 : -ENOENT;
}

void skep_chains_each(struct skep_chains *chains, void (*each)(void *key, void *value, void *ctx),
		      void *ctx)
{
	for (uint32_t bucket = 0; bucket < chains->n_buckets && chains->n_items; bucket++)
		for (uint32_t word = chains->heads[bucket], next; word; word = next) {
			struct node *node = node_at(chains, word);

			next = node->next;
			each(node->key, value_of(chains, node), ctx);
		}
}
