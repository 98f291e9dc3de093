/*
 * What live_stack.c looks at of the program: of instructions that neither read nor write memory and
 * lead to one other, only the first behind them that is of another kind. What is live there is live
 * before them too.
 *
 * An instruction stays one by itself where the log may tell of it: where paths meet, and where a
 * function begins.
 */
#ifndef SKEP_VERIFY_LIVE_GRAPH_H
#define SKEP_VERIFY_LIVE_GRAPH_H

#include "verify/flow.h"

/* Nodes are in the order of v->order: each comes behind those that it leads to, but for loops. */
struct live_graph {
	struct flow_graph flow;
	uint32_t *at;      /* of each node, its instruction */
	uint32_t *node_of; /* [n_insns]; NOWHERE: nothing leads there */
	uint32_t *first;   /* [n_funcs + 1]: a function's nodes begin there */
};

/** Find the nodes; memory is the verifier's arena. Cost O(instructions) */
void verify_live_graph(struct verifier *v, struct live_graph *ret);

/** Is @at a node by itself? */
static inline bool live_graph_has(const struct live_graph *graph, uint32_t at)
{
	return graph->node_of[at] != NOWHERE && graph->at[graph->node_of[at]] == at;
}

#endif
