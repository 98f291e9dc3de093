/*
 * States that are kept, so that a path that comes to one like it needs no second walk.
 *
 * Where paths may meet (facts.prune_point) the state under way is compared with those kept there
 * before. It ends, as safe, where an old one was found safe for all that it can be. If none was,
 * it is kept itself, but not at each such place: what is kept costs memory, and each comparison
 * time. At least 2 jumps and 8 instructions lie between two states of a path.
 *
 * The kept states form a tree: a path's state points to the one kept last on its way, its parent.
 *
 *	parent.branches   paths from there that have not ended
 *
 * A state with branches is on the path under way itself: to be like it is to be in a loop. As
 * nothing is known of where it leads, that proves nothing, or else that the loop never ends; but
 * loops with an iterator, a callback or may_goto do end, by what is outside of the program. There
 * a state like an earlier one is the last that need be walked (loops.c).
 *
 * A kept state that ends no path is taken out of its list: it misses, so often for each hit. It
 * must stay while states point to it.
 *
 * Source  behaviour of Linux 6.18, is_state_visited()
 */
#include "verify/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_JUMPS    2
#define LEAST_INSNS    8
#define MOST_STEPS     40 /* to a state: what goes back along them must not go far */
#define LOOP_JUMPS     20 /* in a loop states are kept more seldom */
#define LOOP_INSNS     100
#define UNPRIV_STATES  64 /* at one instruction, where numbers are never alike */
#define MISSES_PER_HIT 3
#define MISSES_IN_LOOP 64

/* --- Lists ----------------------------------------------------------------------------------- */

struct state **verify_kept_at(struct verifier *v, const struct state *state, uint32_t at)
{
	return &v->explored->newest[(at ^ top_frame(state)->call_at) % v->n_insns];
}

static void link_state(struct state **list, struct state *state)
{
	state->older = *list;
	state->newer = NULL;
	if (*list)
		(*list)->newer = state;
	*list = state;
}

static void unlink_state(struct state **list, struct state *state)
{
	if (state->newer)
		state->newer->older = state->older;
	else
		*list = state->older;
	if (state->older)
		state->older->newer = state->newer;
}

static void free_list(struct verifier *v, struct state **list)
{
	while (*list) {
		struct state *state = *list;

		*list = state->older;
		verify_state_free(v, state);
	}
}

static int make_explored(struct verifier *v)
{
	if (v->explored)
		return 0;
	v->explored = skep_arena_array(&v->arena, struct explored, 1);
	v->explored->newest = skep_arena_array(&v->arena, struct state *, v->n_insns);
	v->explored->visits = skep_arena_array(&v->arena, struct visits, v->n_sccs + 1);
	return 0;
}

void verify_states_done(struct verifier *v)
{
	if (!v->explored)
		return;
	for (uint32_t i = 0; i < v->n_insns; i++)
		free_list(v, &v->explored->newest[i]);
	free_list(v, &v->explored->evicted);
	verify_loops_done(v);
}

void verify_update_peak(struct verifier *v)
{
	const struct explored *e = v->explored;
	uint32_t now = e->n_listed + e->n_evicted + e->n_backedges;

	if (v->peak_states < now)
		v->peak_states = now;
}

/* --- Out of the list, and out of memory ------------------------------------------------------ */

static void free_if_unneeded(struct verifier *v, struct state *state)
{
	if (!state->evicted || state->branches || verify_loop_is_open(v, state))
		return;
	unlink_state(&v->explored->evicted, state);
	verify_state_free(v, state);
	v->explored->n_evicted--;
}

static void evict(struct verifier *v, struct state *state)
{
	unlink_state(verify_kept_at(v, v->state, v->at), state);
	link_state(&v->explored->evicted, state);
	state->evicted = true;
	v->explored->n_evicted++;
	v->explored->n_listed--;
	free_if_unneeded(v, state);
}

static void missed(struct verifier *v, struct state *old, bool keeps)
{
	bool in_loop = v->facts[v->at].force_checkpoint && old->branches;
	uint32_t per_hit = in_loop ? MISSES_IN_LOOP : MISSES_PER_HIT;

	if (keeps)
		old->misses++;
	if (old->misses > old->hits * per_hit + per_hit)
		evict(v, old);
}

int verify_path_ended(struct verifier *v, struct state *state)
{
	struct state *kept = NULL;

	while (state && !--state->branches) {
		struct state *parent = state->parent;
		int err = verify_loop_exit(v, state);

		if (err)
			return err;
		if (kept)
			free_if_unneeded(v, kept);
		state = kept = parent;
	}
	return 0;
}

/* --- What is dead is taken out --------------------------------------------------------------- */

bool verify_same_calls(const struct state *a, const struct state *b)
{
	if (a->n_frames != b->n_frames)
		return false;
	for (uint32_t f = a->n_frames; f-- > 0;)
		if (a->frames[f]->call_at != b->frames[f]->call_at)
			return false;
	return true;
}

static void clean_frame(struct verifier *v, struct state *state, uint32_t number)
{
	struct frame *frame = state->frames[number];
	uint16_t live = v->facts[verify_frame_at(state, number)].live_regs;
	uint64_t live_slots = verify_live_slots(v, state, number);

	for (unsigned r = 0; r < SKEP_R10; r++)
		if (!(live >> r & 1))
			kept_reg_gone(frame, r);
	for (uint32_t s = 0; s < frame->n_slots; s++) {
		if (!(live_slots >> s & 1))
			kept_slot_gone(frame, s);
	}
}

/* Once all is known of where old states lead, what is not read from there on may be anything. */
static void clean_old(struct verifier *v)
{
	struct state *old = *verify_kept_at(v, v->state, v->at);

	for (; old; old = old->older) {
		if (old->branches || old->cleaned || old->at != v->at ||
		    !verify_same_calls(old, v->state) || verify_loop_is_open(v, old))
			continue;
		old->cleaned = true;
		for (uint32_t f = 0; f < old->n_frames; f++)
			clean_frame(v, old, f);
	}
}

/* --- Like a state of the path itself --------------------------------------------------------- */

/* Seen quickly: are the registers the same, the unread ones too? */
static bool may_be_looping(const struct state *old, const struct state *now)
{
	const struct frame *then = top_frame(old), *top = top_frame(now);

	if (old->n_frames != now->n_frames)
		return false;
	for (unsigned r = 0; r < SKEP_N_REGS; r++) {
		const struct reg *old_reg = kept_reg(then, r), *reg = &top->regs[r];

		if (old_reg->id != reg->id || !verify_reg_same(old_reg, reg))
			return false;
	}
	return true;
}

/* A round of an iterator's loop is another round, though all else is the same. */
static bool other_round(const struct state *old, const struct state *now)
{
	for (uint32_t f = 0; f < old->n_frames; f++) {
		const struct frame *frame = old->frames[f];

		for (uint32_t s = 0; s < frame->n_slots; s++) {
			struct reg room;
			const struct reg *then;

			if (kept_kinds(frame, s)[0] != SLOT_ITER)
				continue;
			then = reg_whole(kept_spilled(frame, s), &room);
			if (then->iter_state == ITER_ACTIVE &&
			    then->iter_depth != now->frames[f]->slots[s].spilled.iter_depth)
				return true;
		}
	}
	return false;
}

static bool iterator_is_active(const struct state *state)
{
	const struct reg *r1 = &top_frame(state)->regs[SKEP_R1];
	int64_t off = r1->off + (int64_t)r1->value.bits.value;
	const struct frame *frame = state->frames[r1->frame];
	uint32_t slot = (uint32_t)(-off - 1) / SLOT_BYTES;

	return slot < frame->n_slots && frame->slots[slot].spilled.iter_state == ITER_ACTIVE;
}

static int refuse_endless(struct verifier *v, const struct state *old)
{
	int err;

	verify_log_line(v, v->at, "; ");
	err = verify_refuse(v, INFINITE_LOOP, v->at);
	verify_log(v, "cur state:");
	verify_log_frame(v, v->state, top_frame(v->state), true);
	verify_log(v, "old state:");
	verify_log_frame(v, old, top_frame(old), true);
	return err;
}

static bool is_endless(struct verifier *v, const struct state *old)
{
	const struct state *now = v->state;

	return may_be_looping(old, now) && verify_states_equal(v, old, now, LIKE_EXACT) &&
	       !other_round(old, now) && old->may_goto_depth == now->may_goto_depth &&
	       old->callback_unroll_depth == now->callback_unroll_depth;
}

/* The loops that end by what is outside: is one more round like the old? *ret_decided: no other
 * comparison is made. */
static bool ends_round(struct verifier *v, const struct state *old, bool *ret_decided)
{
	const struct insn_facts *facts = &v->facts[v->at];
	const struct frame *then = top_frame(old);
	const struct state *now = v->state;

	*ret_decided =
		then->in_async_callback && then->async_entries != top_frame(now)->async_entries;
	if (*ret_decided)
		return false;
	*ret_decided = facts->iter_next || facts->calls_callback;
	if (facts->iter_next)
		return verify_states_equal(v, old, now, LIKE_WITHIN) && iterator_is_active(now);
	if (facts->may_goto && old->may_goto_depth != now->may_goto_depth &&
	    verify_states_equal(v, old, now, LIKE_WITHIN))
		return true;
	return facts->calls_callback && verify_states_equal(v, old, now, LIKE_WITHIN);
}

/* --- The search ------------------------------------------------------------------------------ */

struct search {
	bool keeps;  /* the state under way, if none is like it */
	bool forced; /* each time */
	bool loop;   /* the one that is like it belongs to a loop that is not all walked */
};

static void begin_search(const struct verifier *v, struct search *s)
{
	s->forced = v->opts->test_state_freq || v->facts[v->at].force_checkpoint ||
		    v->state->n_steps > MOST_STEPS;
	s->keeps = s->forced || (v->n_jumps - v->n_jumps_at_state >= LEAST_JUMPS &&
				 v->n_processed - v->n_insns_at_state >= LEAST_INSNS);
	s->loop = false;
}

/* @old is on the path under way. Return 1: it ends here | 0 | -errno */
static int compare_with_open(struct verifier *v, struct search *s, const struct state *old)
{
	bool decided;

	if (ends_round(v, old, &decided)) {
		s->loop = true;
		return 1;
	}
	if (!decided && is_endless(v, old))
		return refuse_endless(v, old);
	if (!s->forced && v->n_jumps - v->n_jumps_at_state < LOOP_JUMPS &&
	    v->n_processed - v->n_insns_at_state < LOOP_INSNS)
		s->keeps = false;
	return 0;
}

static int compare(struct verifier *v, struct search *s, const struct state *old)
{
	if (old->branches)
		return compare_with_open(v, s, old);
	s->loop = verify_loop_is_open(v, old);
	return verify_states_equal(v, old, v->state, s->loop ? LIKE_WITHIN : LIKE_SAFE);
}

static int hit(struct verifier *v, const struct search *s, struct state *old)
{
	int err = 0;

	old->hits++;
	if (v->facts[v->at].jump_point)
		err = verify_push_step(v, 0, 0);
	if (!err)
		err = verify_propagate_precision(v, old, v->state, NULL);
	if (!err && s->loop)
		err = verify_loop_closed(v, old);
	return err ? err : PATH_END;
}

/* Return PATH_END | 0: none is like it, *ret_n were looked at | -errno */
static int search(struct verifier *v, struct search *s, uint32_t *ret_n)
{
	struct state *old = *verify_kept_at(v, v->state, v->at), *older;

	for (*ret_n = 0; old; old = older, ++*ret_n) {
		int ret;

		older = old->older;
		if (old->at != v->at)
			continue;
		ret = compare(v, s, old);
		if (ret)
			return ret > 0 ? hit(v, s, old) : ret;
		missed(v, old, s->keeps);
	}
	return 0;
}

/* --- Keeping --------------------------------------------------------------------------------- */

static void forget_precision(struct reg *reg, void *ctx)
{
	(void)ctx;
	if (reg->kind == REG_SCALAR)
		reg->precise = false;
}

static int keep(struct verifier *v)
{
	struct state *cur = v->state, *kept;

	v->n_states++;
	v->explored->n_listed++;
	verify_update_peak(v);
	v->n_jumps_at_state = v->n_jumps;
	v->n_insns_at_state = v->n_processed;
	/* what its parent was asked for it need not be */
	if (v->privileged)
		verify_each_reg(cur, forget_precision, NULL);
	kept = verify_state_keep(v, cur);
	if (!kept)
		return -ENOMEM;
	/* the one that is kept has the steps that led to it, the state under way none since */
	cur->n_steps = 0;
	kept->hits = kept->misses = 0;
	cur->parent = kept;
	cur->first_at = v->at;
	cur->depth = kept->depth + 1;
	link_state(verify_kept_at(v, cur, v->at), kept);
	return verify_loop_enter(v, kept);
}

int verify_prune(struct verifier *v)
{
	struct search s;
	uint32_t n;
	int ret;

	if (v->opts->no_pruning)
		return 0;
	ret = make_explored(v);
	if (ret)
		return ret;
	begin_search(v, &s);
	clean_old(v);
	ret = search(v, &s, &n);
	if (ret)
		return ret;
	if (v->most_states_per_insn < n)
		v->most_states_per_insn = n;
	if (!s.keeps || (!v->privileged && n > UNPRIV_STATES))
		return 0;
	ret = verify_check_memory(v);
	return ret ? ret : keep(v);
}
