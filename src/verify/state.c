/*
 * States as memory: made, copied, let go of, and counted. See state.h.
 */
#include "verify/verifier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_AT_A_TIME 4
#define LEAST_STEPS     8

/* --- Frames ---------------------------------------------------------------------------------- */

/* Slots are asked for some at a time: most frames grow by one after the other. */
static size_t slots_bytes(uint32_t n)
{
	return (n + SLOTS_AT_A_TIME - 1) / SLOTS_AT_A_TIME * SLOTS_AT_A_TIME * sizeof(struct slot);
}

void *verify_take(struct verifier *v, size_t bytes)
{
	void *piece = pool_get(&v->pool, bytes);

	if (piece)
		v->memory_bytes += pool_bytes(bytes);
	return piece;
}

void verify_give_back(struct verifier *v, void *piece, size_t bytes)
{
	if (piece)
		v->memory_bytes -= pool_bytes(bytes);
	pool_put(&v->pool, piece, bytes);
}

static void frame_free(struct verifier *v, struct frame *frame)
{
	if (!frame)
		return;
	if (frame->places) {
		verify_give_back(v, frame, frame->kept_bytes);
		return;
	}
	verify_give_back(v, frame->slots, slots_bytes(frame->n_slots));
	verify_give_back(v, frame, sizeof(*frame));
}

int verify_frame_grow(struct verifier *v, struct frame *frame, uint32_t n)
{
	size_t old = slots_bytes(frame->n_slots), bytes = slots_bytes(n);
	struct slot *slots = frame->slots;

	if (n <= frame->n_slots)
		return 0;
	if (bytes != old) {
		slots = verify_take(v, bytes);
		if (!slots)
			return -ENOMEM;
		if (frame->n_slots)
			memcpy(slots, frame->slots, frame->n_slots * sizeof(*slots));
		verify_give_back(v, frame->slots, old);
	}
	memset(slots + frame->n_slots, 0, (n - frame->n_slots) * sizeof(*slots));
	frame->slots = slots;
	frame->n_slots = n;
	return 0;
}

static struct frame *frame_keep(struct verifier *v, const struct frame *from)
{
	_Alignas(SLOT_BYTES) char packed[KEPT_FRAME_MOST_BYTES];
	size_t bytes = kept_frame_pack(from, packed);
	void *memory = verify_take(v, bytes);

	if (!memory)
		return NULL;
	memcpy(memory, packed, bytes);
	return kept_frame_moved(memory);
}

static struct frame *frame_unpack(struct verifier *v, const struct frame *kept)
{
	struct frame *frame = verify_take(v, sizeof(*frame));

	if (!frame)
		return NULL;
	frame->slots = kept->n_slots ? verify_take(v, slots_bytes(kept->n_slots)) : NULL;
	if (kept->n_slots && !frame->slots) {
		verify_give_back(v, frame, sizeof(*frame));
		return NULL;
	}
	kept_frame_unpack(kept, frame);
	return frame;
}

/* Most slots have no register: of theirs only is told that it is unset. */
static void slot_copy(const struct slot *from, struct slot *ret)
{
	if (slot_has_reg(from->kinds)) {
		*ret = *from;
		return;
	}
	memcpy(ret->kinds, from->kinds, sizeof(ret->kinds));
	verify_slot_no_reg(ret);
}

static struct frame *frame_copy(struct verifier *v, const struct frame *from)
{
	struct frame *frame = verify_take(v, sizeof(*frame));

	if (!frame)
		return NULL;
	*frame = *from;
	if (!from->n_slots)
		return frame;
	frame->slots = verify_take(v, slots_bytes(from->n_slots));
	if (!frame->slots) {
		frame->n_slots = 0;
		frame_free(v, frame);
		return NULL;
	}
	for (uint32_t s = 0; s < from->n_slots; s++)
		slot_copy(&from->slots[s], &frame->slots[s]);
	return frame;
}

int verify_frame_push(struct verifier *v, struct state *state, uint32_t func, uint32_t call_at)
{
	struct frame *frame;

	if (state->n_frames == SKEP_MOST_FRAMES)
		return verify_refuse(v, TOO_MANY_FRAMES, state->n_frames + 1);
	frame = verify_take(v, sizeof(*frame));
	if (!frame)
		return -ENOMEM;
	memset(frame, 0, sizeof(*frame));
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
	struct state *state = verify_take(v, sizeof(*state));

	if (!state)
		return NULL;
	memset(state, 0, sizeof(*state));
	state->branches = 1;
	return state;
}

void verify_state_free(struct verifier *v, struct state *state)
{
	if (!state)
		return;
	for (uint32_t i = 0; i < state->n_frames; i++)
		frame_free(v, state->frames[i]);
	verify_refs_leave(v, state);
	verify_give_back(v, state->steps, state->cap_steps * sizeof(*state->steps));
	verify_give_back(v, state, sizeof(*state));
}

int verify_steps_grow(struct verifier *v, struct state *state)
{
	uint32_t cap = state->cap_steps ? state->cap_steps * 2 : LEAST_STEPS;
	struct step *steps = verify_take(v, cap * sizeof(*steps));

	if (!steps)
		return -ENOMEM;
	if (state->n_steps)
		memcpy(steps, state->steps, state->n_steps * sizeof(*steps));
	verify_give_back(v, state->steps, state->cap_steps * sizeof(*steps));
	state->steps = steps;
	state->cap_steps = cap;
	return 0;
}

static int copy_steps(struct verifier *v, const struct state *from, struct state *state)
{
	size_t bytes = from->n_steps * sizeof(*from->steps);

	if (!bytes)
		return 0;
	state->steps = verify_take(v, bytes);
	if (!state->steps)
		return -ENOMEM;
	memcpy(state->steps, from->steps, bytes);
	state->n_steps = state->cap_steps = from->n_steps;
	return 0;
}

static int copy_frames(struct verifier *v, const struct state *from, struct state *state)
{
	for (; state->n_frames < from->n_frames; state->n_frames++) {
		const struct frame *frame = from->frames[state->n_frames];

		state->frames[state->n_frames] =
			state->kept ? frame_keep(v, frame) : frame_copy(v, frame);
		if (!state->frames[state->n_frames])
			return -ENOMEM;
	}
	return 0;
}

static struct state *copy(struct verifier *v, const struct state *from, bool keep)
{
	struct state *state = verify_take(v, sizeof(*state));

	if (!state)
		return NULL;
	*state = *from;
	verify_refs_share(state);
	state->steps = NULL;
	state->kept = keep;
	state->n_frames = state->n_steps = state->cap_steps = 0;
	if (copy_frames(v, from, state) || copy_steps(v, from, state)) {
		verify_state_free(v, state);
		return NULL;
	}
	verify_note_peak(v);
	return state;
}

struct state *verify_state_copy(struct verifier *v, const struct state *from)
{
	return copy(v, from, false);
}

struct state *verify_state_keep(struct verifier *v, const struct state *from)
{
	return copy(v, from, true);
}

static int change_frames(struct verifier *v, struct state *state,
			 struct frame *(*change)(struct verifier *v, const struct frame *from))
{
	struct frame *changed[SKEP_MOST_FRAMES];

	for (uint32_t f = 0; f < state->n_frames; f++) {
		changed[f] = change(v, state->frames[f]);
		if (changed[f])
			continue;
		while (f-- > 0)
			frame_free(v, changed[f]);
		return -ENOMEM;
	}
	for (uint32_t f = 0; f < state->n_frames; f++) {
		frame_free(v, state->frames[f]);
		state->frames[f] = changed[f];
	}
	state->kept = !state->kept;
	return 0;
}

int verify_state_pack(struct verifier *v, struct state *state)
{
	return state->kept ? 0 : change_frames(v, state, frame_keep);
}

int verify_state_unpack(struct verifier *v, struct state *state)
{
	return state->kept ? change_frames(v, state, frame_unpack) : 0;
}

void verify_note_peak(struct verifier *v)
{
	size_t now = v->memory_bytes + v->arena.used_bytes;

	if (v->peak_bytes < now)
		v->peak_bytes = now;
}

int verify_check_memory(struct verifier *v)
{
	uint64_t most = verify_most_memory(v);

	if (v->memory_bytes + v->arena.used_bytes > most)
		return verify_refuse(v, TOO_MUCH_MEMORY, (unsigned long long)most);
	return 0;
}
