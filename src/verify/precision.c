/*
 * What decisions rest on.
 *
 * Most numbers do not matter: the program copies them. Two states that differ in such a number are
 * the same. A number matters once something was decided by it: a jump whose way is certain, an
 * offset that was found within bounds, a size. Then it must be exact, "precise", in every state
 * that was kept on the way here, and so must what it came from.
 *
 * So the path is gone back, instruction by instruction (backtrack.c), from where the decision was
 * made, to the parent state, where what is still wanted is marked; and on to the parent's parent,
 * until nothing is wanted, or all that is wanted was marked before.
 *
 *	state ─ parent ───────────── parent's parent ─ …
 *	steps: 12 after 9, 5 after 3       steps …
 *
 * Between two instructions that a step names, the one before is the one above. The state under way
 * itself is not marked: marks count in kept states only.
 *
 * Where this cannot be told, all numbers of all the parents are marked.
 *
 * Source  behaviour of Linux 6.18, mark_chain_precision()
 */
#include "verify/backtrack.h"
#include "verify/kept.h"

#include <errno.h>

/* --- Steps ----------------------------------------------------------------------------------- */

int verify_push_step(struct verifier *v, uint32_t flags, uint64_t linked)
{
	struct state *state = v->state;
	struct step *last = state->n_steps ? &state->steps[state->n_steps - 1] : NULL;

	if (v->opts->no_pruning || v->wide)
		return 0;
	if (v->step_noted && last) {
		last->flags |= flags;
		last->linked = linked;
		return 0;
	}
	if (state->n_steps == state->cap_steps && verify_steps_grow(v, state))
		return -ENOMEM;
	state->steps[state->n_steps++] = (struct step){v->at, v->prev_at, flags, linked};
	v->step_noted = true;
	return 0;
}

/* --- All of them ----------------------------------------------------------------------------- */

static bool logs(const struct verifier *v)
{
	return v->log && v->level & 2;
}

static void force_frame(struct verifier *v, struct frame *frame, uint32_t number)
{
	for (unsigned r = 0; r < SKEP_R10; r++) {
		struct reg *reg = kept_reg(frame, r);

		if (reg->kind != REG_SCALAR || reg->precise)
			continue;
		reg->precise = true;
		if (logs(v))
			verify_log(v, "force_precise: frame%u: forcing r%u to be precise\n", number,
				   r);
	}
	for (uint32_t s = 0; s < frame->n_slots; s++) {
		if (!kept_is_spilled_scalar(frame, s) || kept_spilled(frame, s)->precise)
			continue;
		kept_spilled(frame, s)->precise = true;
		if (logs(v))
			verify_log(v, "force_precise: frame%u: forcing fp%d to be precise\n",
				   number, -(int)(s + 1) * SLOT_BYTES);
	}
}

void verify_all_precise(struct verifier *v, struct state *state)
{
	if (logs(v))
		verify_log(v,
			   "mark_precise: frame%u: falling back to forcing all scalars precise\n",
			   state->n_frames - 1);
	while ((state = state->parent) && !state->forced) {
		for (uint32_t f = 0; f < state->n_frames; f++)
			force_frame(v, state->frames[f], f);
		state->forced = true;
	}
}

/* --- Back along the path --------------------------------------------------------------------- */

struct chain {
	struct verifier *v;
	struct state *start, *state; /* where it began; whose steps are gone back */
	struct wanted want;
	int64_t first, last, after; /* instructions; -1: before the function's first */
	bool started;
	bool changed; /* a mark was set that was not */
};

static const struct step *step_at(const struct state *state, uint32_t n, int64_t at)
{
	return n && state->steps[n - 1].at == at ? &state->steps[n - 1] : NULL;
}

static int64_t before_first(uint32_t at)
{
	return at == NOWHERE ? -1 : (int64_t)at;
}

/* Which came before @at, of which @step is remembered? @n: steps not gone back yet. Return false:
 * none since the parent */
static bool step_back(const struct state *state, const struct step *step, int64_t *at, uint32_t *n)
{
	if (*at == state->first_at && (!*n || (*n == 1 && step)))
		return false;
	if (step) {
		*at = step->prev_at == STEP_NOWHERE ? -1 : (int64_t)step->prev_at;
		--*n;
	} else {
		--*at;
	}
	return true;
}

enum progress { TO_PARENT, FOUND_ALL, LOST };

/* Over the instruction at @at. Return TO_PARENT: go on | FOUND_ALL | LOST */
static enum progress back_over(struct chain *c, int64_t at, const struct step *step)
{
	const struct way_back way = {(uint32_t)at, c->after, step};

	if (at < 0 || at >= c->v->n_insns)
		return LOST;
	if (c->started && !logs(c->v) && wanted_stays(&c->want, &c->v->insns[at], step))
		return TO_PARENT;
	if (c->started && !verify_backtrack(c->v, &way, &c->want))
		return LOST;
	c->started = true;
	return wanted_none(&c->want) ? FOUND_ALL : TO_PARENT;
}

static enum progress back_to_parent(struct chain *c)
{
	uint32_t n = c->state->n_steps;
	int64_t at = c->last;
	const struct step *step;

	do {
		enum progress progress;

		step = step_at(c->state, n, at);
		progress = back_over(c, at, step);
		if (progress != TO_PARENT)
			return progress;
		c->after = at;
	} while (step_back(c->state, step, &at, &n));
	return TO_PARENT;
}

/* Marks the number; what was marked before need not be followed. Return whether it must be. */
static bool mark(struct chain *c, struct reg *reg)
{
	if (reg->kind != REG_SCALAR || reg->precise)
		return false;
	reg->precise = true;
	c->changed = true;
	return true;
}

static void mark_frame(struct chain *c, struct frame *frame, uint32_t f)
{
	uint32_t *regs = &c->want.regs[f];
	uint64_t *slots = &c->want.slots[f];

	for (uint32_t left = *regs; left; left &= left - 1) {
		unsigned r = (unsigned)__builtin_ctz(left);

		if (!mark(c, kept_reg(frame, r)))
			*regs &= ~(1u << r);
	}
	for (uint64_t left = *slots; left; left &= left - 1) {
		uint32_t s = (uint32_t)__builtin_ctzll(left);

		if (s >= frame->n_slots || !kept_is_spilled_scalar(frame, s) ||
		    !mark(c, kept_spilled(frame, s)))
			*slots &= ~(1ull << s);
	}
}

static void log_parent(struct chain *c, uint32_t f)
{
	struct verifier *v = c->v;

	if (!logs(v))
		return;
	verify_log(v, "mark_precise: frame%u: parent state regs=", f);
	verify_log_wanted_regs(v, c->want.regs[f]);
	verify_log(v, " stack=");
	verify_log_wanted_slots(v, c->want.slots[f]);
	verify_log(v, ": ");
	verify_log_frame(v, c->state, c->state->frames[f], true);
}

/* Return false: the parent has not the frames that the way back went through */
static bool mark_parent(struct chain *c)
{
	if (c->want.frame >= c->state->n_frames)
		return false;
	for (uint32_t f = c->want.frame + 1; f-- > 0;) {
		mark_frame(c, c->state->frames[f], f);
		log_parent(c, f);
	}
	return true;
}

/* A global function begins here: its arguments are what it is verified for. Return false: more is
 * wanted than arguments */
static bool at_arguments(struct chain *c)
{
	struct state *state = c->state;
	uint32_t *regs = &c->want.regs[c->want.frame];

	if (state->n_frames != 1 || !state->frames[0]->func || c->want.frame ||
	    state->frames[0]->call_at != NOWHERE || c->want.slots[0] || *regs & ~0x3eu)
		return false;
	for (unsigned r = SKEP_R1; r <= SKEP_R5; r++) {
		struct reg *reg = kept_reg(state->frames[0], r);

		if (!(*regs >> r & 1) || reg->kind != REG_SCALAR)
			continue;
		reg->precise = true;
		c->changed = true;
	}
	return true;
}

static bool follow(struct chain *c)
{
	while (c->state) {
		enum progress progress;

		if (logs(c->v))
			verify_log(c->v,
				   "mark_precise: frame%u: last_idx %d first_idx %d subseq_idx "
				   "%d \n",
				   c->want.frame, (int)c->last, (int)c->first, (int)c->after);
		if (c->last < 0)
			return at_arguments(c);
		progress = back_to_parent(c);
		if (progress != TO_PARENT)
			return progress == FOUND_ALL;
		c->state = c->state->parent;
		if (!c->state || !mark_parent(c))
			return false;
		if (wanted_none(&c->want))
			return true;
		c->after = c->first;
		c->last = before_first(c->state->last_at);
		c->first = c->state->first_at;
	}
	return false;
}

/* @c's state and what is wanted are set. */
static void follow_or_all(struct chain *c)
{
	if (!c->v->privileged || c->v->opts->no_pruning || c->v->wide)
		return;
	c->start = c->state;
	c->want.frame = c->state->n_frames - 1;
	c->first = c->state->first_at;
	c->last = c->state->at;
	c->after = -1;
	if (!wanted_none(&c->want) && !follow(c))
		verify_all_precise(c->v, c->start);
}

int verify_mark_precise(struct verifier *v, unsigned regno)
{
	struct chain c = {.v = v, .state = v->state};

	if (top_frame(v->state)->regs[regno].kind != REG_SCALAR)
		return 0;
	c.want.regs[v->state->n_frames - 1] = 1u << regno;
	follow_or_all(&c);
	return 0;
}

int verify_mark_slot_precise(struct verifier *v, uint32_t frame, uint32_t slot)
{
	struct chain c = {.v = v, .state = v->state};

	c.want.slots[frame] = 1ull << slot;
	follow_or_all(&c);
	return 0;
}

/* --- What an old state needs, a state like it needs ------------------------------------------ */

static bool is_precise(const struct reg *reg)
{
	return reg->kind == REG_SCALAR && reg->precise;
}

static void log_propagated(struct verifier *v, uint32_t f, const struct wanted *w)
{
	const char *slots_begin = w->regs[f] ? ",fp" : "fp";

	if (!logs(v) || !(w->regs[f] | w->slots[f]))
		return;
	verify_log(v, "frame %u: propagating ", f);
	verify_log_wanted_regs(v, w->regs[f]);
	for (int s = 0; s < MOST_SLOTS; s++) {
		if (!(w->slots[f] >> s & 1))
			continue;
		verify_log(v, "%s%d", slots_begin, -(s + 1) * SLOT_BYTES);
		slots_begin = ",fp";
	}
	verify_log(v, "\n");
}

static void want_of_frame(struct wanted *w, const struct frame *old, uint32_t f)
{
	for (unsigned r = 0; r < SKEP_R10; r++)
		w->regs[f] |= (uint32_t)is_precise(kept_reg(old, r)) << r;
	for (uint32_t s = 0; s < old->n_slots; s++)
		if (kept_is_spilled_scalar(old, s))
			w->slots[f] |= (uint64_t)kept_spilled(old, s)->precise << s;
}

int verify_propagate_precision(struct verifier *v, const struct state *old, struct state *state,
			       bool *changed)
{
	struct chain c = {.v = v, .state = state};

	for (uint32_t f = old->n_frames; f-- > 0;) {
		want_of_frame(&c.want, old->frames[f], f);
		log_propagated(v, f, &c.want);
	}
	follow_or_all(&c);
	if (changed && c.changed)
		*changed = true;
	return 0;
}
