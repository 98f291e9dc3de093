/*
 * States as memory: made, copied, let go of, and counted. See state.h.
 */
#include "verify/verifier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- Frames ---------------------------------------------------------------------------------- */

static struct frame *frame_new(struct verifier *v)
{
	struct frame *frame = calloc(1, sizeof(*frame));

	if (frame)
		v->memory_bytes += sizeof(*frame);
	return frame;
}

static void frame_free(struct verifier *v, struct frame *frame)
{
	if (!frame)
		return;
	v->memory_bytes -= sizeof(*frame) + frame->n_slots * sizeof(*frame->slots);
	free(frame->slots);
	free(frame);
}

int verify_frame_grow(struct verifier *v, struct frame *frame, uint32_t n)
{
	size_t more;
	struct slot *slots;

	if (n <= frame->n_slots)
		return 0;
	more = (n - frame->n_slots) * sizeof(*slots);
	slots = realloc(frame->slots, n * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + frame->n_slots, 0, more);
	frame->slots = slots;
	frame->n_slots = n;
	v->memory_bytes += more;
	return 0;
}

static struct frame *frame_copy(struct verifier *v, const struct frame *from)
{
	struct frame *frame = frame_new(v);

	if (!frame)
		return NULL;
	*frame = *from;
	frame->slots = NULL;
	frame->n_slots = 0;
	if (verify_frame_grow(v, frame, from->n_slots)) {
		frame_free(v, frame);
		return NULL;
	}
	if (from->n_slots)
		memcpy(frame->slots, from->slots, from->n_slots * sizeof(*from->slots));
	return frame;
}

int verify_frame_push(struct verifier *v, struct state *state, uint32_t func, uint32_t call_at)
{
	struct frame *frame;

	if (state->n_frames == SKEP_MOST_FRAMES)
		return verify_refuse(v, TOO_MANY_FRAMES, state->n_frames + 1);
	frame = frame_new(v);
	if (!frame)
		return -ENOMEM;
	frame->func = func;
	frame->call_at = call_at;
	frame->number = state->n_frames;
	for (unsigned r = 0; r < SKEP_N_REGS; r++)
		frame->regs[r] = verify_reg_unset;
	verify_reg_pointer(&frame->regs[SKEP_R10], REG_STACK, 0);
	frame->regs[SKEP_R10].frame = (uint8_t)frame->number;
	state->frames[state->n_frames++] = frame;
	verify_note_all(v);
	return 0;
}

void verify_frame_pop(struct verifier *v, struct state *state)
{
	frame_free(v, state->frames[--state->n_frames]);
	state->frames[state->n_frames] = NULL;
}

/* --- States ---------------------------------------------------------------------------------- */

struct state *verify_state_new(struct verifier *v)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	v->memory_bytes += sizeof(*state);
	state->branches = 1;
	return state;
}

void verify_state_free(struct verifier *v, struct state *state)
{
	if (!state)
		return;
	for (uint32_t i = 0; i < SKEP_MOST_FRAMES; i++)
		frame_free(v, state->frames[i]);
	v->memory_bytes -= sizeof(*state) + state->n_refs * sizeof(*state->refs) +
			   state->cap_steps * sizeof(*state->steps);
	free(state->refs);
	free(state->steps);
	free(state);
}

/* A copy of an array in @ret; an empty one has no memory. */
static int copy_array(struct verifier *v, const void *from, size_t bytes, void **ret)
{
	*ret = NULL;
	if (!bytes)
		return 0;
	*ret = malloc(bytes);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, from, bytes);
	v->memory_bytes += bytes;
	return 0;
}

static int copy_parts(struct verifier *v, const struct state *from, struct state *state)
{
	void *refs, *steps;
	int err;

	for (uint32_t i = 0; i < from->n_frames; i++) {
		state->frames[i] = frame_copy(v, from->frames[i]);
		if (!state->frames[i])
			return -ENOMEM;
	}
	err = copy_array(v, from->refs, from->n_refs * sizeof(*from->refs), &refs);
	if (err)
		return err;
	state->refs = refs;
	state->n_refs = from->n_refs;
	err = copy_array(v, from->steps, from->n_steps * sizeof(*from->steps), &steps);
	if (err)
		return err;
	state->steps = steps;
	state->n_steps = state->cap_steps = from->n_steps;
	return 0;
}

struct state *verify_state_copy(struct verifier *v, const struct state *from)
{
	struct state *state = malloc(sizeof(*state));

	if (!state)
		return NULL;
	v->memory_bytes += sizeof(*state);
	*state = *from;
	memset(state->frames, 0, sizeof(state->frames));
	state->refs = NULL;
	state->steps = NULL;
	state->n_refs = state->n_steps = state->cap_steps = 0;
	if (copy_parts(v, from, state)) {
		verify_state_free(v, state);
		return NULL;
	}
	return state;
}
