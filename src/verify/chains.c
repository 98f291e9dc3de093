/*
 * How long chains of calls get, as every kernel counts them: functions that are called back at once
 * belong to the chain, those that are called back later begin one of their own.
 *
 * depth.c refuses what is too deep, with stacks of their own for some functions; this only reports,
 * of programs that were accepted: no function calls itself, and a chain has few functions. So what
 * a chain takes from a function on is found in as many rounds over all calls as the longest has.
 */
#include "verify/flow.h"

#define STACK_GRAIN 16

static uint32_t own_bytes(const struct func_facts *func)
{
	return (func->stack_bytes + STACK_GRAIN - 1) & ~(uint32_t)(STACK_GRAIN - 1);
}

/* @caller's chain goes on with @callee's, if that is longer than what is known. */
static bool lengthen(const struct verifier *v, struct chain_length *lengths, uint32_t caller,
		     uint32_t callee)
{
	uint32_t frames = 1 + lengths[callee].frames;
	uint32_t bytes = own_bytes(&v->funcs[caller]) + lengths[callee].bytes;
	bool longer = frames > lengths[caller].frames || bytes > lengths[caller].bytes;

	if (frames > lengths[caller].frames)
		lengths[caller].frames = frames;
	if (bytes > lengths[caller].bytes)
		lengths[caller].bytes = bytes;
	return longer;
}

static bool lengthen_by_calls(const struct verifier *v, struct chain_length *lengths)
{
	bool changed = false;

	for (uint32_t at = 0; at < v->n_insns; at++) {
		const struct skep_insn *insn = &v->insns[at];
		uint32_t callee;

		if (!is_local_call(insn) && !is_function_address(insn))
			continue;
		callee = skep_image_func_at(v->image, called_start(insn, at));
		if (!v->funcs[callee].is_async_callback)
			changed |= lengthen(v, lengths, skep_image_func_at(v->image, at), callee);
	}
	return changed;
}

struct chain_length verify_longest_chain(struct verifier *v)
{
	struct chain_length *lengths = skep_arena_array(&v->arena, struct chain_length, v->n_funcs);
	struct chain_length longest = {0};

	for (uint32_t f = 0; f < v->n_funcs; f++)
		lengths[f] = (struct chain_length){1, own_bytes(&v->funcs[f])};
	for (unsigned round = 0; round < SKEP_MOST_FRAMES && lengthen_by_calls(v, lengths);)
		round++;
	for (uint32_t f = 0; f < v->n_funcs; f++) {
		if (lengths[f].frames > longest.frames)
			longest.frames = lengths[f].frames;
		if (lengths[f].bytes > longest.bytes)
			longest.bytes = lengths[f].bytes;
	}
	return longest;
}
