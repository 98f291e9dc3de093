/*
 * Where instructions lead within a function: what the passes over the whole program share.
 *
 * A call leads behind itself here; what it calls is another function.
 */
#ifndef SKEP_VERIFY_FLOW_H
#define SKEP_VERIFY_FLOW_H

#include "verify/verifier.h"

static inline bool is_load_imm64(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM);
}

static inline bool is_of_jumps(const struct skep_insn *insn)
{
	return (insn->code & 7) == SKEP_JMP || (insn->code & 7) == SKEP_JMP32;
}

static inline bool is_call(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_CALL);
}

static inline bool is_local_call(const struct skep_insn *insn)
{
	return is_call(insn) && insn->src == SKEP_CALL_LOCAL;
}

static inline bool is_helper_call(const struct skep_insn *insn)
{
	return is_call(insn) && insn->src == SKEP_CALL_HELPER;
}

static inline bool is_kfunc_call(const struct skep_insn *insn)
{
	return is_call(insn) && insn->src == SKEP_CALL_KFUNC;
}

/** The address of a function of the program, for who calls it back. */
static inline bool is_function_address(const struct skep_insn *insn)
{
	return is_load_imm64(insn) && insn->src == SKEP_PSEUDO_FUNC;
}

/** A jump's target; @at is where it stands. */
static inline uint32_t jump_target(const struct skep_insn *insn, uint32_t at)
{
	bool wide = insn->code == (SKEP_JMP32 | SKEP_JA);

	return (uint32_t)((int64_t)at + 1 + (wide ? insn->imm : insn->off));
}

/** Where a local call, or a function's address, has its function begin. */
static inline uint32_t called_start(const struct skep_insn *insn, uint32_t at)
{
	return (uint32_t)((int64_t)at + 1 + insn->imm);
}

/** Up to two places that @at leads to: straight on first, then aside. Return how many. */
static inline unsigned flow_ways(const struct skep_insn *insns, uint32_t at, uint32_t ret[2])
{
	const struct skep_insn *insn = &insns[at];
	uint8_t op = insn->code & 0xf0;
	unsigned n = 0;

	if (!is_of_jumps(insn) || op == SKEP_CALL) {
		ret[0] = at + (is_load_imm64(insn) ? 2 : 1);
		return 1;
	}
	if (op == SKEP_EXIT)
		return 0;
	if (op != SKEP_JA)
		ret[n++] = at + 1;
	ret[n++] = jump_target(insn, at);
	return n;
}

static inline unsigned flow_successors(const struct verifier *v, uint32_t at, uint32_t ret[2])
{
	return flow_ways(v->insns, at, ret);
}

/**
 * Is there a loop by its look: a jump back to where the same path came from? The first that is
 * found going as deep as can be, straight on before aside, from @start on.
 *
 * @n         instructions at @insns
 * @ret_from  the jump, and @ret_to where it leads
 * Cost       O(n)
 * Source     behaviour of Linux 6.18 for programs without privileges, of Linux before 5.3 for all:
 *            check_cfg()
 */
bool flow_back_edge(const struct skep_insn *insns, uint32_t n, uint32_t start, uint32_t *ret_from,
		    uint32_t *ret_to);
/**
 * v->order: the instructions of each function such that one comes behind those that it leads to,
 * but for loops; funcs[f].order_start tells where each one's begin.
 * Cost O(n)
 */
void flow_order(struct verifier *v);

#define FLOW_WAYS 2 /* that a node leads to, at most */
struct flow_graph {
	uint32_t n;
	uint32_t (*next)[FLOW_WAYS]; /* [n]; NOWHERE: no such way */
	uint32_t *preds;             /* those that lead to node i are [first_pred[i]] and on, */
	uint32_t *first_pred;        /* up to [first_pred[i + 1]] */
};
/** Find graph->preds, by graph->next; they are @arena's. Cost O(n) */
void flow_find_preds(struct flow_graph *graph, struct skep_arena *arena);
/**
 * facts[].scc: instructions of one loop (a strongly connected component) get one number, from 1;
 * those in none 0. A call that calls back is a loop by itself.
 * Cost O(n). Source: Tarjan, Depth-First Search and Linear Graph Algorithms (1972)
 */
void flow_components(struct verifier *v);

#endif
