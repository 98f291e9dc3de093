/*
 * A profile as a tree to walk: what each node weighs, itself and with all that it calls, and
 * its callees in order. Private to src/profile.
 *
 *	skep_profile_tree_init(&tree, &profile, weights, SKEP_TREE_HEAVIEST_FIRST);
 *	for (uint32_t i = tree.begin[node]; i < tree.begin[node + 1]; i++)
 *		callee = tree.callees[i];
 */
#ifndef SKEP_PROFILE_TREE_H
#define SKEP_PROFILE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "profile/profile.h"

enum skep_profile_tree_order { SKEP_TREE_BY_NAME, SKEP_TREE_HEAVIEST_FIRST };

/** What weighs below zero weighs nothing. Of a profile that is no difference, now[] is used. */
struct skep_profile_tree {
	const struct skep_profile *profile; /* borrowed */
	uint32_t *begin;                    /* of a node's callees: n_nodes + 1; owned */
	uint32_t *callees;                  /* nodes; owned */
	struct skep_profile_weight {
		double before, now; /* of a difference: shares of 1, not values */
	} * self, *total;           /* by node; owned */
};

/** @type  the value type that counts; a difference has both. */
void skep_profile_tree_init(struct skep_profile_tree *tree, const struct skep_profile *profile,
			    uint32_t type, enum skep_profile_tree_order order);
void skep_profile_tree_done(struct skep_profile_tree *tree);
#define _cleanup_profile_tree_ __attribute__((cleanup(skep_profile_tree_done)))

/** What a node's width stands for: what it weighs; of a difference the sum of both sides. */
static inline double skep_profile_weight_all(struct skep_profile_weight weight)
{
	return weight.before + weight.now;
}

/** Does @node weigh something, and @least or more? */
static inline bool skep_profile_tree_is_heavy(const struct skep_profile_tree *tree, uint32_t node,
					      double least)
{
	double weight = skep_profile_weight_all(tree->total[node]);

	return weight > 0 && weight >= least;
}

/** How many of @node's callees do, of a tree whose heaviest come first: those before all others.
 *  Cost: as many. */
uint32_t skep_profile_tree_heavy(const struct skep_profile_tree *tree, uint32_t node, double least);

/** A walk from callers to callees, depth first, without recursion. */
struct skep_profile_walk {
	const struct skep_profile_tree *tree; /* borrowed */
	struct skep_profile_walk_level {
		uint32_t node, next; /* next: place in tree->callees */
	} * levels;                  /* owned */
	size_t n, cap;
};

void skep_profile_walk_init(struct skep_profile_walk *walk, const struct skep_profile_tree *tree);
void skep_profile_walk_done(struct skep_profile_walk *walk);
#define _cleanup_profile_walk_ __attribute__((cleanup(skep_profile_walk_done)))
/**
 * The next node (0, which has no frame, is the first); its depth is walk->n - 1.
 * Return false: that was all
 */
bool skep_profile_walk_next(struct skep_profile_walk *walk, uint32_t *ret);
/** Do not go into the callees of the node that came last. */
void skep_profile_walk_skip(struct skep_profile_walk *walk);

#endif
