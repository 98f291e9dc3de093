/*
 * Which instructions count for what is live on the stack: see live_graph.h.
 */
#include "verify/live_graph.h"

#include <string.h>

static bool leaves_memory_alone(const struct skep_insn *insn)
{
	switch (insn->code & 7) {
	case SKEP_ALU:
	case SKEP_ALU64: return true;
	case SKEP_JMP:
	case SKEP_JMP32: return (insn->code & 0xf0) == SKEP_JA;
	default: return is_load_imm64(insn);
	}
}

/* Of an instruction that is no node by itself: the one behind it. NOWHERE: it is one. That one must
 * be known already, or else what changes there would show a round late. */
static uint32_t node_behind(const struct verifier *v, const struct live_graph *graph, uint32_t f,
			    uint32_t at)
{
	uint32_t next[FLOW_WAYS];

	if (at == v->funcs[f].start || v->facts[at].prune_point ||
	    !leaves_memory_alone(&v->insns[at]) || flow_successors(v, at, next) != 1)
		return NOWHERE;
	return graph->node_of[next[0]];
}

static void find_nodes(struct verifier *v, struct live_graph *graph)
{
	memset(graph->node_of, 0xff, v->n_insns * sizeof(*graph->node_of));
	for (uint32_t f = 0; f < v->n_funcs; f++) {
		graph->first[f] = graph->flow.n;
		for (uint32_t i = v->funcs[f].order_start; i < v->funcs[f].order_end; i++) {
			uint32_t at = v->order[i], node = node_behind(v, graph, f, at);

			if (node == NOWHERE) {
				node = graph->flow.n++;
				graph->at[node] = at;
			}
			graph->node_of[at] = node;
		}
	}
	graph->first[v->n_funcs] = graph->flow.n;
}

static void find_ways(struct verifier *v, struct live_graph *graph)
{
	for (uint32_t node = 0; node < graph->flow.n; node++) {
		uint32_t *next = graph->flow.next[node];
		unsigned n = flow_successors(v, graph->at[node], next);

		for (unsigned i = 0; i < FLOW_WAYS; i++)
			next[i] = i < n ? graph->node_of[next[i]] : NOWHERE;
	}
}

void verify_live_graph(struct verifier *v, struct live_graph *ret)
{
	ret->flow.n = 0;
	ret->node_of = skep_arena_array(&v->arena, uint32_t, v->n_insns);
	ret->at = skep_arena_array(&v->arena, uint32_t, v->n_insns);
	ret->first = skep_arena_array(&v->arena, uint32_t, v->n_funcs + 1);
	find_nodes(v, ret);
	ret->flow.next = skep_arena_alloc(&v->arena, ret->flow.n * sizeof(*ret->flow.next));
	find_ways(v, ret);
	flow_find_preds(&ret->flow, &v->arena);
}
