/* The states of a walk, kept by instruction: see soundness.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/invariants.h"

#include "soundness.h"

#define MEMORY_BYTES (48u << 20)

void states_init(struct states *states)
{
	memset(states, 0, sizeof(*states));
	states->memory = malloc(MEMORY_BYTES);
	states_clear(states);
}

void states_done(struct states *states)
{
	free(states->memory);
}

void states_clear(struct states *states)
{
	for (uint32_t i = 0; i < TYPED_MOST_INSNS; i++) {
		states->at[i] = NULL;
		states->last[i] = &states->at[i];
	}
	states->used = 0;
	states->n = 0;
	states->full = false;
	states->broken[0] = '\0';
}

static void *take(struct states *states, size_t bytes)
{
	void *at = states->memory + states->used;

	states->used += (bytes + 15) & ~(size_t)15;
	return at;
}

static size_t bytes_of(const struct state *state)
{
	size_t bytes = sizeof(struct seen) + 16;

	for (uint32_t i = 0; i < state->n_frames; i++)
		bytes += sizeof(struct seen_frame) + 32 +
			 state->frames[i]->n_slots * sizeof(struct slot);
	return bytes;
}

static void keep_frame(struct states *states, const struct frame *frame, struct seen_frame *ret)
{
	ret->func = frame->func;
	ret->call_at = frame->call_at;
	ret->n_slots = frame->n_slots;
	memcpy(ret->regs, frame->regs, sizeof(ret->regs));
	ret->slots = take(states, frame->n_slots * sizeof(struct slot));
	if (frame->n_slots)
		memcpy(ret->slots, frame->slots, frame->n_slots * sizeof(struct slot));
}

void states_observe(void *ctx, uint32_t insn, const void *private_state)
{
	const struct state *state = private_state;
	struct states *states = ctx;
	const char *broken;
	struct seen *seen;

	if (state->speculative)
		return;
	broken = verify_broken_invariant(state);
	if (broken && !*states->broken)
		snprintf(states->broken, sizeof(states->broken), "before instruction %u: %s", insn,
			 broken);
	if (states->full || states->used + bytes_of(state) > MEMORY_BYTES) {
		states->full = true;
		return;
	}
	seen = take(states, sizeof(*seen));
	seen->next = NULL;
	seen->n_frames = state->n_frames;
	seen->frames = take(states, state->n_frames * sizeof(struct seen_frame));
	for (uint32_t i = 0; i < state->n_frames; i++)
		keep_frame(states, state->frames[i], &seen->frames[i]);
	*states->last[insn] = seen;
	states->last[insn] = &seen->next;
	states->n++;
}
