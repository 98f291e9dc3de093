/*
 * lpm_trie: prefixes; a look-up finds the longest that the key begins with.
 *
 * A key is a struct bpf_lpm_trie_key_u8: a length in bits, then the bits, most
 * significant first. Nodes form a tree by bits; a node's prefix begins with its
 * parent's, and the bit after it says which child it is:
 *
 *	         10.0.0.0/8
 *	         /        \
 *	10.1.0.0/16     (10.128.0.0/10)      in parentheses: an intermediate node, no
 *	                  /        \         entry of its own, always two children
 *	          10.130.0.0/16  10.160.0.0/16
 *
 * Readers take no lock. Writers count `version` up before and after; a reader
 * that sees it change begins anew, and takes the lock after a few times. That
 * is why all loads of nodes acquire and all stores release: the version is read
 * after what it vouches for. A reader among nodes that are being moved takes no
 * more steps than a prefix has bits.
 *
 * Nodes are numbers in a slab; free ones are taken in the order they became
 * free, so that a value that a program still looks at lives on for a while.
 */
#include <errno.h>

#include "map/copy.h"
#include "map/lock.h"
#include "map/memory.h"
#include "map/ops.h"

#define CREATE_FLAGS   (SKEP_F_NO_PREALLOC | SKEP_F_NUMA_NODE | SKEP_F_ACCESS)

#define MOST_DATA      256 /* bytes of a prefix */
#define MOST_WORDS     (MOST_DATA / 8)
#define MOST_DEPTH     (MOST_DATA * 8 + 1)
#define NODE_BYTES     40 /* of the kernel's node, which limits the value */
#define MOST_RESERVE   (UINT64_C(1) << 40)
#define TRIES          8
#define PREFIXLEN_SIZE 4

struct node {
	uint32_t child[2]; /* 1 + number, 0: none */
	uint32_t prefixlen;
	uint32_t intermediate;
	uint64_t words[]; /* the prefix, first bit highest; then the value */
};

struct root {
	uint32_t lock, version;
	uint32_t first; /* node */
	uint32_t n_entries;
	uint32_t fresh; /* nodes from here on were never used */
	uint32_t free_first, free_last;
	uint32_t pad[9];
};

_Static_assert(sizeof(struct root) == 64, "nodes are aligned");

struct trie {
	struct skep_map map;
	struct root *root;
	uint8_t *nodes;
	size_t stride;
	uint32_t n_nodes, data_size, n_words;
};

/* A key made ready for comparing. */
struct prefix {
	uint32_t len;
	uint64_t words[MOST_WORDS];
};

static struct trie *trie_of(struct skep_map *map)
{
	return (struct trie *)map;
}

/* --- Nodes ----------------------------------------------------------------------------------- */

static struct node *node_at(const struct trie *trie, uint32_t link)
{
	return (struct node *)(trie->nodes + (size_t)(link - 1) * trie->stride);
}

static uint32_t get(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void set(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static void *value_of(const struct trie *trie, struct node *node)
{
	return &node->words[trie->n_words];
}

static uint64_t word_of_bytes(const uint8_t *at, uint32_t n)
{
	uint64_t word = 0;

	for (uint32_t i = 0; i < 8; i++)
		word = word << 8 | (i < n ? at[i] : 0);
	return word;
}

static uint64_t load_word(const uint8_t *at, uint32_t n)
{
	uint64_t word;
	uint32_t half;

	if (n == 4) {
		memcpy(&half, at, 4);
		return (uint64_t)__builtin_bswap32(half) << 32;
	}
	if (n < 8 || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return word_of_bytes(at, n);
	memcpy(&word, at, 8);
	return __builtin_bswap64(word);
}

/* Return -EINVAL: longer than the map's prefixes can be. */
static int read_prefix(const struct trie *trie, const void *key, struct prefix *ret)
{
	const uint8_t *data = (const uint8_t *)key + PREFIXLEN_SIZE;

	memcpy(&ret->len, key, PREFIXLEN_SIZE);
	if (ret->len > trie->data_size * 8)
		return -EINVAL;
	for (uint32_t i = 0; i < trie->n_words; i++)
		ret->words[i] = load_word(data + (size_t)i * 8, trie->data_size - i * 8);
	return 0;
}

static void write_key(const struct trie *trie, const struct node *node, void *key)
{
	uint32_t len = get(&node->prefixlen);
	uint8_t *data = (uint8_t *)key + PREFIXLEN_SIZE;

	memcpy(key, &len, PREFIXLEN_SIZE);
	for (uint32_t i = 0; i < trie->data_size; i++)
		data[i] = (uint8_t)(node->words[i / 8] >> (56 - i % 8 * 8));
}

static uint32_t bit_at(const uint64_t *words, uint32_t bit)
{
	return __atomic_load_n(&words[bit / 64], __ATOMIC_ACQUIRE) >> (63 - bit % 64) & 1;
}

/* How many bits @node's prefix (of @len bits) and @key have in common. */
static uint32_t common_bits(const struct trie *trie, const struct node *node, uint32_t len,
			    const struct prefix *key)
{
	uint32_t limit = len < key->len ? len : key->len;

	for (uint32_t i = 0; i < trie->n_words && i * 64 < limit; i++) {
		uint64_t diff = __atomic_load_n(&node->words[i], __ATOMIC_ACQUIRE) ^ key->words[i];
		uint32_t bits = i * 64 + (diff ? (uint32_t)__builtin_clzll(diff) : 64);

		if (diff)
			return bits < limit ? bits : limit;
	}
	return limit;
}

static uint32_t take_node(const struct trie *trie)
{
	struct root *root = trie->root;
	uint32_t link = root->free_first;

	if (!link)
		return root->fresh < trie->n_nodes ? ++root->fresh : 0;
	root->free_first = get(&node_at(trie, link)->child[0]);
	if (!root->free_first)
		root->free_last = 0;
	return link;
}

static void give_node(const struct trie *trie, uint32_t link)
{
	struct root *root = trie->root;

	set(&node_at(trie, link)->child[0], 0);
	if (root->free_last)
		set(&node_at(trie, root->free_last)->child[0], link);
	else
		root->free_first = link;
	root->free_last = link;
}

static void fill_node(const struct trie *trie, struct node *node, uint32_t len,
		      const uint64_t *words, bool intermediate)
{
	set(&node->child[0], 0);
	set(&node->child[1], 0);
	set(&node->prefixlen, len);
	set(&node->intermediate, intermediate);
	for (uint32_t i = 0; i < trie->n_words; i++)
		__atomic_store_n(&node->words[i], words[i], __ATOMIC_RELEASE);
}

static void begin_change(struct root *root)
{
	skep_lock(&root->lock);
	set(&root->version, root->version + 1);
}

static void end_change(struct root *root)
{
	set(&root->version, root->version + 1);
	skep_unlock(&root->lock);
}

/* --- Looking up ------------------------------------------------------------------------------ */

static uint32_t walk(const struct trie *trie, const struct prefix *key)
{
	uint32_t link = get(&trie->root->first), found = 0;

	for (int steps = 0; link && steps < MOST_DEPTH; steps++) {
		const struct node *node = node_at(trie, link);
		uint32_t len = get(&node->prefixlen);

		if (common_bits(trie, node, len, key) < len)
			break;
		if (!get(&node->intermediate))
			found = link;
		if (len >= key->len)
			break;
		link = get(&node->child[bit_at(key->words, len)]);
	}
	return found;
}

static uint32_t walk_unlocked(const struct trie *trie, const struct prefix *key)
{
	struct root *root = trie->root;
	uint32_t found;

	for (int i = 0; i < TRIES; i++) {
		uint32_t version = get(&root->version);

		found = walk(trie, key);
		if (!(version & 1) && get(&root->version) == version)
			return found;
	}
	skep_lock(&root->lock);
	found = walk(trie, key);
	skep_unlock(&root->lock);
	return found;
}

static void *lpm_lookup(struct skep_map *map, const void *key)
{
	const struct trie *trie = trie_of(map);
	struct prefix prefix;
	uint32_t found;

	if (read_prefix(trie, key, &prefix))
		return NULL;
	found = walk_unlocked(trie, &prefix);
	return found ? value_of(trie, node_at(trie, found)) : NULL;
}

/* --- Changing -------------------------------------------------------------------------------- */

/* Where @key is or belongs: the node that is there, or 0; the links that lead to it and to its
 * parent; how many bits it has in common. */
struct place {
	uint32_t *slot, *parent_slot;
	uint32_t parent, node, common;
};

static struct place find_place(const struct trie *trie, const struct prefix *key)
{
	struct place at = {.slot = &trie->root->first};

	at.parent_slot = at.slot;
	while ((at.node = *at.slot)) {
		struct node *node = node_at(trie, at.node);

		at.common = common_bits(trie, node, node->prefixlen, key);
		if (at.common != node->prefixlen || node->prefixlen == key->len)
			break;
		at.parent = at.node;
		at.parent_slot = at.slot;
		at.slot = &node->child[bit_at(key->words, node->prefixlen)];
	}
	return at;
}

static bool is_exact(const struct trie *trie, const struct place *at, const struct prefix *key)
{
	const struct node *node = at->node ? node_at(trie, at->node) : NULL;

	return node && node->prefixlen == at->common && node->prefixlen == key->len;
}

/* Between the parent and @at's node, which the new one differs from, goes one that both share. */
static int branch(const struct trie *trie, const struct place *at, uint32_t link,
		  const struct prefix *key)
{
	uint32_t fork = take_node(trie), side = bit_at(key->words, at->common);

	if (!fork)
		return -ENOMEM;
	fill_node(trie, node_at(trie, fork), at->common, node_at(trie, at->node)->words, true);
	set(&node_at(trie, fork)->child[side], link);
	set(&node_at(trie, fork)->child[!side], at->node);
	set(at->slot, fork);
	return 0;
}

static int insert(const struct trie *trie, const struct place *at, uint32_t link,
		  const struct prefix *key)
{
	struct node *node = node_at(trie, link);

	if (!at->node) {
		set(at->slot, link);
		return 0;
	}
	if (is_exact(trie, at, key)) {
		set(&node->child[0], node_at(trie, at->node)->child[0]);
		set(&node->child[1], node_at(trie, at->node)->child[1]);
		set(at->slot, link);
		give_node(trie, at->node);
		return 0;
	}
	if (at->common != key->len)
		return branch(trie, at, link, key);
	set(&node->child[bit_at(node_at(trie, at->node)->words, at->common)], at->node);
	set(at->slot, link);
	return 0;
}

/* 1: the entry is there, 0: to be added; or what forbids it. */
static int check_entry(const struct trie *trie, const struct place *at, const struct prefix *key,
		       uint64_t flags)
{
	if (is_exact(trie, at, key) && !node_at(trie, at->node)->intermediate)
		return flags == SKEP_NOEXIST ? -EEXIST : 1;
	if (flags == SKEP_EXIST)
		return -ENOENT;
	return trie->root->n_entries == trie->map.max_entries ? -ENOSPC : 0;
}

static int update_locked(const struct trie *trie, const struct prefix *key, const void *value,
			 uint64_t flags)
{
	struct place at = find_place(trie, key);
	int there = check_entry(trie, &at, key, flags), err;
	uint32_t link;

	if (there < 0)
		return there;
	link = take_node(trie);
	if (!link)
		return -ENOMEM;
	fill_node(trie, node_at(trie, link), key->len, key->words, false);
	skep_copy_in(value_of(trie, node_at(trie, link)), value, trie->map.value_size);
	err = insert(trie, &at, link, key);
	if (err)
		give_node(trie, link);
	else
		trie->root->n_entries += !there;
	return err;
}

static int lpm_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	const struct trie *trie = trie_of(map);
	struct prefix prefix;
	int err;

	if (flags > SKEP_EXIST || read_prefix(trie, key, &prefix))
		return -EINVAL;
	begin_change(trie->root);
	err = update_locked(trie, &prefix, value, flags);
	end_change(trie->root);
	return err;
}

/* Take the node out; an intermediate parent that is left with one child goes too. */
static void remove_node(const struct trie *trie, const struct place *at)
{
	struct node *node = node_at(trie, at->node);
	struct node *parent = at->parent ? node_at(trie, at->parent) : NULL;

	if (node->child[0] && node->child[1]) {
		set(&node->intermediate, 1);
		return;
	}
	if (parent && parent->intermediate && !node->child[0] && !node->child[1]) {
		set(at->parent_slot, parent->child[parent->child[0] == at->node]);
		give_node(trie, at->parent);
	} else {
		set(at->slot, node->child[0] ? node->child[0] : node->child[1]);
	}
	give_node(trie, at->node);
}

static int lpm_delete(struct skep_map *map, const void *key)
{
	const struct trie *trie = trie_of(map);
	struct prefix prefix;
	struct place at;
	bool there;

	if (read_prefix(trie, key, &prefix))
		return -EINVAL;
	begin_change(trie->root);
	at = find_place(trie, &prefix);
	there = is_exact(trie, &at, &prefix) && !node_at(trie, at.node)->intermediate;
	if (there) {
		remove_node(trie, &at);
		trie->root->n_entries--;
	}
	end_change(trie->root);
	return there ? 0 : -ENOENT;
}

/* --- Walking: children before parents, so specific prefixes before general ones -------------- */

static uint32_t leftmost(const struct trie *trie, uint32_t link)
{
	uint32_t last = 0;

	while (link) {
		const struct node *node = node_at(trie, link);

		last = link;
		link = node->child[0] ? node->child[0] : node->child[1];
	}
	return last;
}

/* The nodes from the root to @key's entry. Return their number; 0: there is no such entry. */
static uint32_t path_to(const struct trie *trie, const struct prefix *key, uint32_t *path)
{
	uint32_t n = 0, link = trie->root->first;

	while (link) {
		const struct node *node = node_at(trie, link);

		path[n++] = link;
		if (common_bits(trie, node, node->prefixlen, key) != node->prefixlen)
			return 0;
		if (node->prefixlen == key->len)
			return node->intermediate ? 0 : n;
		link = node->child[bit_at(key->words, node->prefixlen)];
	}
	return 0;
}

/* After the last of the @n nodes of @path. */
static uint32_t next_after(const struct trie *trie, const uint32_t *path, uint32_t n)
{
	for (uint32_t i = n; i-- > 1;) {
		const struct node *parent = node_at(trie, path[i - 1]);

		if (parent->child[0] == path[i] && parent->child[1])
			return leftmost(trie, parent->child[1]);
		if (!parent->intermediate)
			return path[i - 1];
	}
	return 0;
}

static int lpm_next_key(struct skep_map *map, const void *key, void *next_key)
{
	const struct trie *trie = trie_of(map);
	struct prefix prefix;
	uint32_t path[MOST_DEPTH], n, next;
	bool valid = key && !read_prefix(trie, key, &prefix);

	skep_lock(&trie->root->lock);
	n = valid ? path_to(trie, &prefix, path) : 0;
	next = n ? next_after(trie, path, n) : leftmost(trie, trie->root->first);
	if (next)
		write_key(trie, node_at(trie, next), next_key);
	skep_unlock(&trie->root->lock);
	return next ? 0 : -ENOENT;
}

/* --- Creating -------------------------------------------------------------------------------- */

static int lpm_check(const struct skep_map_attr *attr)
{
	if (!attr->max_entries || !(attr->flags & SKEP_F_NO_PREALLOC) ||
	    !skep_map_flags_ok(attr, CREATE_FLAGS) || attr->key_size <= PREFIXLEN_SIZE ||
	    attr->key_size > PREFIXLEN_SIZE + MOST_DATA || !attr->value_size ||
	    attr->value_size > SKEP_KMALLOC_MOST - MOST_DATA - NODE_BYTES)
		return -EINVAL;
	return 0;
}

/* Every entry but the first may need a fork, and a replaced one is there twice for a moment. */
static int get_nodes(struct trie *trie)
{
	uint64_t n = (uint64_t)trie->map.max_entries * 2 + 1;
	int err;

	if (n > UINT32_MAX - 1)
		n = UINT32_MAX - 1;
	if (n > MOST_RESERVE / trie->stride)
		n = MOST_RESERVE / trie->stride;
	for (;; n /= 2) {
		err = skep_map_reserve(&trie->map, sizeof(struct root) + n * trie->stride, false);
		if (!err || n < 2)
			break;
	}
	trie->n_nodes = (uint32_t)n;
	trie->root = (struct root *)trie->map.base;
	trie->nodes = trie->map.base + sizeof(struct root);
	return err;
}

static int lpm_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct trie *trie = skep_map_alloc(attr, sizeof(*trie));
	int err;

	if (!trie)
		return -ENOMEM;
	trie->data_size = attr->key_size - PREFIXLEN_SIZE;
	trie->n_words = (trie->data_size + 7) / 8;
	trie->stride = sizeof(struct node) + trie->n_words * 8 + trie->map.elem_size;
	err = get_nodes(trie);
	if (err) {
		skep_map_discard(&trie->map);
		return err;
	}
	*ret = &trie->map;
	return 0;
}

const struct skep_map_ops skep_map_lpm_trie_ops = {
	.check = lpm_check,
	.create = lpm_create,
	.free = skep_map_discard,
	.lookup = lpm_lookup,
	.update = lpm_update,
	.delete = lpm_delete,
	.next_key = lpm_next_key,
	.has_lookup_batch = true,
	.has_update_batch = true,
	.has_delete_batch = true,
};
