/* Trees of profiles, see tree.h. A node's number is above its caller's: so what all callees weigh
 * is known when their callers are reached from behind. */
#include "profile/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

/* --- Weights -------------------------------------------------------------------------------- */

static double share_of(int64_t value, int64_t total)
{
	return value > 0 && total > 0 ? (double)value / (double)total : 0;
}

static void weigh_samples(struct skep_profile_tree *tree, uint32_t type)
{
	const struct skep_profile *p = tree->profile;
	int64_t before = p->is_diff ? skep_profile_total(p, 0) : 0;
	int64_t now = p->is_diff ? skep_profile_total(p, 1) : 0;

	for (uint32_t i = 0; i < p->n_samples; i++) {
		const int64_t *values = p->samples[i].values;
		struct skep_profile_weight *self = &tree->self[p->samples[i].node];
		if (p->is_diff) {
			self->before += share_of(values[0], before);
			self->now += share_of(values[1], now);
		} else if (values[type] > 0) {
			self->now += (double)values[type];
		}
	}
}

static void weigh(struct skep_profile_tree *tree, uint32_t type)
{
	const struct skep_profile *p = tree->profile;

	tree->self = skep_xcalloc(p->n_nodes, sizeof(*tree->self));
	tree->total = skep_xcalloc(p->n_nodes, sizeof(*tree->total));
	weigh_samples(tree, type);
	memcpy(tree->total, tree->self, p->n_nodes * sizeof(*tree->self));
	for (uint32_t node = p->n_nodes; node-- > 1;) {
		struct skep_profile_weight *caller = &tree->total[p->nodes[node].parent];
		caller->before += tree->total[node].before;
		caller->now += tree->total[node].now;
	}
}

/* --- Callees -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b, void *context)
{
	const struct skep_profile *p = ((struct skep_profile_tree *)context)->profile;
	const struct skep_profile_frame *x = &p->frames[p->nodes[*(const uint32_t *)a].frame];
	const struct skep_profile_frame *y = &p->frames[p->nodes[*(const uint32_t *)b].frame];
	int order = strcmp(p->strings[x->name], p->strings[y->name]);

	return order ? order : (x > y) - (x < y);
}

static int heaviest_first(const void *a, const void *b, void *context)
{
	const struct skep_profile_tree *tree = context;
	double x = skep_profile_weight_all(tree->total[*(const uint32_t *)a]);
	double y = skep_profile_weight_all(tree->total[*(const uint32_t *)b]);

	return x == y ? by_name(a, b, context) : (x < y) - (x > y);
}

static void find_callees(struct skep_profile_tree *tree)
{
	const struct skep_profile *p = tree->profile;
	uint32_t *end = skep_xcalloc(p->n_nodes, sizeof(*end));

	tree->begin = skep_xcalloc(p->n_nodes + 1, sizeof(*tree->begin));
	tree->callees = skep_xcalloc(p->n_nodes, sizeof(*tree->callees));
	for (uint32_t node = 1; node < p->n_nodes; node++)
		tree->begin[p->nodes[node].parent + 1]++;
	for (uint32_t node = 0; node < p->n_nodes; node++) {
		tree->begin[node + 1] += tree->begin[node];
		end[node] = tree->begin[node];
	}
	for (uint32_t node = 1; node < p->n_nodes; node++)
		tree->callees[end[p->nodes[node].parent]++] = node;
	free(end);
}

void skep_profile_tree_init(struct skep_profile_tree *tree, const struct skep_profile *profile,
			    uint32_t type, enum skep_profile_tree_order order)
{
	*tree = (struct skep_profile_tree){.profile = profile};
	weigh(tree, type);
	find_callees(tree);
	for (uint32_t node = 0; node < profile->n_nodes; node++) {
		uint32_t *first = tree->callees + tree->begin[node];
		qsort_r(first, tree->begin[node + 1] - tree->begin[node], sizeof(*first),
			order == SKEP_TREE_BY_NAME ? by_name : heaviest_first, tree);
	}
}

uint32_t skep_profile_tree_heavy(const struct skep_profile_tree *tree, uint32_t node, double least)
{
	const uint32_t *callee = tree->callees + tree->begin[node];
	uint32_t n = 0, most = tree->begin[node + 1] - tree->begin[node];

	while (n < most && skep_profile_tree_is_heavy(tree, callee[n], least))
		n++;
	return n;
}

void skep_profile_tree_done(struct skep_profile_tree *tree)
{
	free(tree->begin);
	free(tree->callees);
	free(tree->self);
	free(tree->total);
}

/* --- Walks ---------------------------------------------------------------------------------- */

void skep_profile_walk_init(struct skep_profile_walk *walk, const struct skep_profile_tree *tree)
{
	*walk = (struct skep_profile_walk){.tree = tree};
}

void skep_profile_walk_done(struct skep_profile_walk *walk)
{
	free(walk->levels);
}

static void enter(struct skep_profile_walk *walk, uint32_t node)
{
	walk->levels = skep_vec_grow_(walk->levels, walk->n, &walk->cap, sizeof(*walk->levels));
	walk->levels[walk->n++] = (struct skep_profile_walk_level){node, walk->tree->begin[node]};
}

bool skep_profile_walk_next(struct skep_profile_walk *walk, uint32_t *ret)
{
	const struct skep_profile_tree *tree = walk->tree;

	if (!walk->levels)
		enter(walk, 0);
	else {
		while (walk->n && walk->levels[walk->n - 1].next ==
					  tree->begin[walk->levels[walk->n - 1].node + 1])
			walk->n--;
		if (!walk->n)
			return false;
		enter(walk, tree->callees[walk->levels[walk->n - 1].next++]);
	}
	*ret = walk->levels[walk->n - 1].node;
	return true;
}

void skep_profile_walk_skip(struct skep_profile_walk *walk)
{
	struct skep_profile_walk_level *level = &walk->levels[walk->n - 1];

	level->next = walk->tree->begin[level->node + 1];
}
