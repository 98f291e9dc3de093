/*
 * How deep the stack gets: along every chain of calls, what the functions in it take together.
 *
 *	together at most 512 bytes, each rounded up to 16; at most 8 functions
 *	what is called back at once counts as called; what is called back later begins a stack of
 *	its own, and so a chain of its own
 *	a tail call leaves the frames of its callers in place, and there can be 33 in a row: so
 *	these take less than 256
 *
 * Programs that cannot be entered again while they run (kprobes, tracepoints and the like) may have
 * stacks of their own for functions of 64 bytes and more: then these count by themselves. But not
 * for a function that is called back later as well, which could run in between, nor where there
 * are tail calls.
 *
 * Functions that each call all the next make more chains than can be followed: 20 in each of seven
 * layers make a thousand million. But a function that was followed with so many bytes and functions
 * above it, and was not refused, is not refused with fewer either, and no deeper: so it is not
 * followed again.
 *
 * How much a function takes the walk has found out. Spills around quick calls that are taken out
 * take nothing (fastcall.c).
 *
 * Source  behaviour of Linux 6.18, check_max_stack_depth()
 */
#include "verify/flow.h"

#include <string.h>

#include "verify/call.h"

#define MOST_CALLER_BYTES 256 /* of a function with tail calls */
#define LEAST_PRIVATE     64
#define MAY_GOTO_BYTES    16
#define ATTACH_TRACE_ITER 28 /* BPF_TRACE_ITER */
#define MOST_FUNCS        256

enum stack { STACK_UNDECIDED, STACK_SHARED, STACK_PRIVATE };

/* A function was followed to its end: below so many functions, of which one is called back or none
 * is, with at the most so many bytes less one; 0: never. */
struct followed {
	uint32_t bytes[2][SKEP_MOST_FRAMES + 1];
};

struct chain {
	struct verifier *v;
	enum stack *stacks;        /* of each function */
	struct followed *followed; /* so too */
	bool may_be_private, has_tail_call;
	uint32_t bytes, n;
	uint32_t funcs[SKEP_MOST_FRAMES]; /* n of them */
};

static bool in_callback(const struct chain *chain)
{
	for (uint32_t i = 0; i < chain->n; i++)
		if (chain->v->funcs[chain->funcs[i]].is_callback)
			return true;
	return false;
}

/* --- A function comes to the chain ----------------------------------------------------------- */

static uint32_t bytes_of(const struct verifier *v, uint32_t func)
{
	return (v->funcs[func].stack_bytes + 15) & ~15u;
}

static int add_bytes(struct chain *chain, uint32_t func)
{
	struct verifier *v = chain->v;
	uint32_t bytes = bytes_of(v, func);
	enum stack *stack = &chain->stacks[func];

	if (!chain->may_be_private)
		*stack = STACK_SHARED;
	else if (*stack == STACK_UNDECIDED && bytes >= LEAST_PRIVATE)
		*stack = STACK_PRIVATE;
	if (*stack == STACK_PRIVATE)
		return bytes > SKEP_STACK_BYTES
			       ? verify_refuse(v, FUNC_STACK_TOO_LARGE, func, bytes)
			       : 0;
	chain->bytes += bytes;
	if (chain->bytes > v->stack_bytes)
		v->stack_bytes = chain->bytes;
	if (chain->bytes > SKEP_STACK_BYTES)
		return verify_refuse(v, STACK_TOO_LARGE, chain->n, chain->bytes);
	return 0;
}

static int enter(struct chain *chain, uint32_t func)
{
	const struct func_facts *facts = &chain->v->funcs[func];

	chain->funcs[chain->n++] = func;
	if (facts->has_ld_abs && in_callback(chain))
		return verify_refuse(chain->v, LD_ABS_IN_CALLBACK);
	if (func && facts->has_tail_call && chain->bytes >= MOST_CALLER_BYTES)
		return verify_refuse(chain->v, TAIL_CALL_TOO_DEEP, chain->bytes);
	return add_bytes(chain, func);
}

static int leave(struct chain *chain, uint32_t func)
{
	chain->n--;
	if (chain->has_tail_call)
		for (uint32_t i = 0; i < chain->n; i++)
			if (chain->v->funcs[chain->funcs[i]].is_exception_callback)
				return verify_refuse(chain->v, TAIL_CALL_IN_EXCEPTION_CALLBACK);
	if (chain->n && chain->stacks[func] != STACK_PRIVATE)
		chain->bytes -= bytes_of(chain->v, func);
	return 0;
}

/* --- What it calls --------------------------------------------------------------------------- */

static int follow(struct chain *chain, uint32_t func);

static bool was_followed(const struct chain *chain, uint32_t func)
{
	const struct followed *followed = &chain->followed[func];

	for (int back = in_callback(chain); back < 2; back++)
		for (uint32_t n = chain->n; n <= SKEP_MOST_FRAMES; n++)
			if (followed->bytes[back][n] > chain->bytes)
				return true;
	return false;
}

static int follow_unless_known(struct chain *chain, uint32_t func)
{
	uint32_t *known = &chain->followed[func].bytes[in_callback(chain)][chain->n];
	uint32_t bytes = chain->bytes;
	int err;

	if (was_followed(chain, func))
		return 0;
	err = follow(chain, func);
	if (!err)
		*known = bytes + 1; /* what was known was less */
	return err;
}

/* Once for each function: the same again would come to the same. */
static int follow_once(struct chain *chain, uint32_t func, uint64_t *done)
{
	if (done[func / 64] >> (func % 64) & 1)
		return 0;
	done[func / 64] |= 1ull << (func % 64);
	chain->has_tail_call |= chain->v->funcs[func].has_tail_call;
	if (chain->n == SKEP_MOST_FRAMES)
		return verify_refuse(chain->v, CALL_CHAIN_TOO_DEEP, chain->n);
	return follow_unless_known(chain, func);
}

static int visit_call(struct chain *chain, uint32_t at, uint64_t *done)
{
	struct verifier *v = chain->v;
	const struct skep_insn *insn = &v->insns[at];
	uint32_t func = skep_image_func_at(v->image, called_start(insn, at));

	if (v->funcs[func].is_async_callback) {
		if (!is_call(insn))
			return 0;
		if (v->funcs[func].is_exception_callback)
			return verify_refuse(v, EXCEPTION_CALLBACK_CALLED, at);
	}
	return follow_once(chain, func, done);
}

static int visit(struct chain *chain, uint32_t at, uint64_t *done)
{
	struct verifier *v = chain->v;
	const struct skep_insn *insn = &v->insns[at];

	if (is_local_call(insn) || is_function_address(insn))
		return visit_call(chain, at, done);
	if (is_kfunc_call(insn) && !insn->off && !strcmp(verify_kfunc_name(v, at), "bpf_throw") &&
	    in_callback(chain))
		return verify_refuse(v, THROWS_IN_CALLBACK, at, chain->funcs[chain->n - 1]);
	return 0;
}

static int follow(struct chain *chain, uint32_t func)
{
	const struct func_facts *facts = &chain->v->funcs[func];
	uint64_t done[MOST_FUNCS / 64] = {0};
	int err = enter(chain, func);

	if (!err)
		err = verify_check_time(chain->v);
	for (uint32_t at = facts->start; at < facts->end && !err; at++)
		err = visit(chain, at, done);
	return err ? err : leave(chain, func);
}

/* --- All chains ------------------------------------------------------------------------------ */

static bool runs_once_at_a_time(const struct verifier *v)
{
	switch (verify_type(v)) {
	case PROG_TYPE_KPROBE:
	case PROG_TYPE_TRACEPOINT:
	case PROG_TYPE_PERF_EVENT:
	case PROG_TYPE_RAW_TRACEPOINT: return true;
	case PROG_TYPE_TRACING: return v->program->attach_type != ATTACH_TRACE_ITER;
	default: return false;
	}
}

static bool has_tail_calls(const struct verifier *v)
{
	for (uint32_t f = 0; f < v->n_funcs; f++)
		if (v->funcs[f].has_tail_call)
			return true;
	return false;
}

/* What stands in place of a may_goto counts its rounds and looks at the clock: in 16 bytes of
 * stack, which are told, but were not held against the limit. */
static void add_may_goto(struct verifier *v)
{
	for (uint32_t at = 0; at < v->n_insns && v->image->has_may_goto; at++) {
		struct func_facts *func = &v->funcs[skep_image_func_at(v->image, at)];

		if (!v->facts[at].may_goto)
			continue;
		func->stack_bytes += MAY_GOTO_BYTES;
		at = func->end - 1;
	}
}

/* From the last to the first: when main's chains come, it is known which functions share a stack
 * because they are also called back later. */
int verify_stack_depth(struct verifier *v)
{
	enum stack *stacks = skep_arena_array(&v->arena, enum stack, v->n_funcs);
	bool own_stacks = runs_once_at_a_time(v) && !has_tail_calls(v);
	int err = 0;

	v->at = NOWHERE;
	for (uint32_t f = v->n_funcs; f-- > 0 && !err;) {
		struct chain chain = {.v = v, .stacks = stacks, .may_be_private = !f && own_stacks};

		if (f && !v->funcs[f].is_async_callback)
			continue;
		chain.followed = skep_arena_array(&v->arena, struct followed, v->n_funcs);
		err = follow(&chain, f);
	}
	if (!err)
		add_may_goto(v);
	return err;
}
