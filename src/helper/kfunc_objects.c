/*
 * Objects of a program's own, and the lists and trees they hang in.
 *
 *	list head  | first | last |          node | next | before | owner |
 *	tree root  | root  | 0    |          node | parent | right | left | owner |
 *
 * All zero is empty. `owner` is the head or root that a node hangs in: what is in one can not
 * go into another, and only its owner gives it back. Nodes belong to their owner, which is why
 * adding and removing need no counting.
 *
 * A tree is a treap: by the program's own order, and a heap by a number that comes of each node's
 * address; so it is balanced whatever order nodes come in.
 */
#include <skep/btf.h>

#include "helper/kfuncs.h"
#include "helper/object.h"

static uint64_t make(struct skep_run *run, uint64_t type, uint32_t n_copies)
{
	const struct skep_btf *types = run->world ? run->world->types : NULL;
	int64_t bytes = types ? skep_btf_size(types, (uint32_t)type) : 0;
	void *object =
		bytes > 0 && bytes <= INT32_MAX ? object_new((uint32_t)bytes, n_copies) : NULL;

	grant(run, object, (size_t)(object ? bytes : 0), SKEP_MAY_READ | SKEP_MAY_WRITE);
	return (uintptr_t)object;
}

DEFINE_KFUNC(obj_new_impl)
{
	return make(run, r1, 1);
}

DEFINE_KFUNC(percpu_obj_new_impl)
{
	return make(run, r1, skep_map_n_cpus());
}

DEFINE_KFUNC(obj_drop_impl)
{
	object_unref(run, ptr_of(r1));
	return 0;
}

DEFINE_KFUNC(percpu_obj_drop_impl)
{
	object_unref(run, ptr_of(r1));
	return 0;
}

DEFINE_KFUNC(refcount_acquire_impl)
{
	object_ref(ptr_of(r1));
	return r1;
}

/* Another run, or another program, may have made what hangs here. */
static uint64_t give(struct skep_run *run, const void *node)
{
	const void *object = run->check && node ? object_around(node) : NULL;

	if (object)
		grant(run, object, object_bytes(object), SKEP_MAY_READ | SKEP_MAY_WRITE);
	return (uintptr_t)node;
}

/* A node that hangs somewhere already: the caller's reference goes with the failure. */
static uint64_t refuse(struct skep_run *run, const void *node)
{
	void *object = object_around(node);

	if (object)
		object_unref(run, object);
	return as_r0(-EINVAL);
}

/* --- Lists -------------------------------------------------------------------------------- */

struct list_node {
	struct list_node *next, *before;
	void *owner;
};

struct list_head {
	struct list_node *first, *last;
};

static bool take_node(void **owner, void *taker)
{
	void *nobody = NULL;

	return __atomic_compare_exchange_n(owner, &nobody, taker, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

DEFINE_KFUNC(list_push_front_impl)
{
	struct list_head *head = ptr_of(r1);
	struct list_node *node = ptr_of(r2);

	if (!take_node(&node->owner, head))
		return refuse(run, node);
	node->before = NULL;
	node->next = head->first;
	*(head->first ? &head->first->before : &head->last) = node;
	head->first = node;
	return 0;
}

DEFINE_KFUNC(list_push_back_impl)
{
	struct list_head *head = ptr_of(r1);
	struct list_node *node = ptr_of(r2);

	if (!take_node(&node->owner, head))
		return refuse(run, node);
	node->next = NULL;
	node->before = head->last;
	*(head->last ? &head->last->next : &head->first) = node;
	head->last = node;
	return 0;
}

static uint64_t unhang(struct skep_run *run, struct list_head *head, struct list_node *node)
{
	if (!node)
		return 0;
	*(node->before ? &node->before->next : &head->first) = node->next;
	*(node->next ? &node->next->before : &head->last) = node->before;
	*node = (struct list_node){0};
	return give(run, node);
}

DEFINE_KFUNC(list_pop_front)
{
	struct list_head *head = ptr_of(r1);

	return unhang(run, head, head->first);
}

DEFINE_KFUNC(list_pop_back)
{
	struct list_head *head = ptr_of(r1);

	return unhang(run, head, head->last);
}

DEFINE_KFUNC(list_front)
{
	return give(run, ((struct list_head *)ptr_of(r1))->first);
}

DEFINE_KFUNC(list_back)
{
	return give(run, ((struct list_head *)ptr_of(r1))->last);
}

/* --- Trees -------------------------------------------------------------------------------- */

struct tree_node {
	struct tree_node *parent, *right, *left;
	void *owner;
};

struct tree {
	struct tree_node *root;
	uint64_t unused;
};

static uint64_t rank_of(const struct tree_node *node)
{
	return (uint64_t)(uintptr_t)node * 0x9e3779b97f4a7c15ull;
}

/* The place that points to @node. */
static struct tree_node **place_of(struct tree *tree, struct tree_node *node)
{
	struct tree_node *parent = node->parent;

	if (!parent)
		return &tree->root;
	return parent->left == node ? &parent->left : &parent->right;
}

/* @node changes places with its parent; the order stays. */
static void rotate_up(struct tree *tree, struct tree_node *node)
{
	struct tree_node *parent = node->parent, **place = place_of(tree, parent);
	bool was_left = parent->left == node;
	struct tree_node **from = was_left ? &parent->left : &parent->right;
	struct tree_node **to = was_left ? &node->right : &node->left;

	*from = *to;
	if (*to)
		(*to)->parent = parent;
	*to = parent;
	node->parent = parent->parent;
	parent->parent = node;
	*place = node;
}

DEFINE_KFUNC(rbtree_add_impl)
{
	struct tree *tree = ptr_of(r1);
	struct tree_node *node = ptr_of(r2), *parent = NULL, **place = &tree->root;

	if (!take_node(&node->owner, tree))
		return refuse(run, node);
	while (*place) {
		const uint64_t args[5] = {r2, (uintptr_t)*place};

		parent = *place;
		give(run, parent);
		place = skep_run_callback(run, r3, args) ? &parent->left : &parent->right;
		if (run->stop) {
			node->owner = NULL;
			return 0;
		}
	}
	node->parent = parent;
	node->left = node->right = NULL;
	*place = node;
	while (node->parent && rank_of(node) > rank_of(node->parent))
		rotate_up(tree, node);
	return 0;
}

DEFINE_KFUNC(rbtree_remove)
{
	struct tree *tree = ptr_of(r1);
	struct tree_node *node = ptr_of(r2);

	if (!node || node->owner != tree)
		return 0;
	while (node->left && node->right)
		rotate_up(tree,
			  rank_of(node->left) > rank_of(node->right) ? node->left : node->right);
	struct tree_node *child = node->left ? node->left : node->right;
	*place_of(tree, node) = child;
	if (child)
		child->parent = node->parent;
	*node = (struct tree_node){0};
	return give(run, node);
}

DEFINE_KFUNC(rbtree_first)
{
	const struct tree_node *node = ((struct tree *)ptr_of(r1))->root;

	while (node && node->left)
		node = node->left;
	return give(run, node);
}

DEFINE_KFUNC(rbtree_root)
{
	return give(run, ((struct tree *)ptr_of(r1))->root);
}

DEFINE_KFUNC(rbtree_left)
{
	const struct tree_node *node = ptr_of(r2);

	return node->owner == ptr_of(r1) ? give(run, node->left) : 0;
}

DEFINE_KFUNC(rbtree_right)
{
	const struct tree_node *node = ptr_of(r2);

	return node->owner == ptr_of(r1) ? give(run, node->right) : 0;
}
