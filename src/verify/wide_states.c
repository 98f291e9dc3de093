/*
 * Extended mode: which states are kept at an instruction, and when a path ends there.
 *
 *	covered    all that the state can be is in one kept here: the path ends
 *	few        else it is kept too, up to a number (struct patience)
 *	many       else it is joined with the one that it is likest, which it replaces; the path
 *	           goes on with all that both can be. If that one was all of it: covered after all
 *
 * States are kept where jumps lead back to, each time, so that no loop is walked forever: an
 * instruction has at most so many states of each shape, and each can only grow so often. Elsewhere
 * now and then, as the kernel does.
 *
 * A state that was replaced is let go of; its paths are walked or wait already. None points to
 * another: the second walk asks nothing of the way that led here.
 */
#include "verify/wide.h"

#include <errno.h>
#include <string.h>

#include "verify/flow.h"

#define LEAST_JUMPS    2
#define LEAST_INSNS    8
#define MOST_HULLS     8   /* joined as they are; then bounds that move go on to thresholds */
#define MOST_THRESHOLD 100 /* joined so; then what moves may be anything */
#define LOOSE_AFTER    4   /* times the patience, of states that cannot be joined */

/* --- Begin and end --------------------------------------------------------------------------- */

static void find_loop_starts(struct verifier *v)
{
	for (uint32_t at = 0; at < v->n_insns; at += is_load_imm64(&v->insns[at]) ? 2 : 1) {
		uint32_t next[2];
		unsigned n = flow_successors(v, at, next);

		for (unsigned i = 0; i < n; i++)
			if (next[i] <= at)
				v->wide->loop_start[next[i]] = true;
	}
}

void verify_wide_begin(struct verifier *v, struct patience patience)
{
	struct wide *wide = skep_arena_new(&v->arena, struct wide);

	wide->patience = patience;
	wide->newest = skep_arena_array(&v->arena, struct state *, v->n_insns);
	wide->loop_start = skep_arena_array(&v->arena, bool, v->n_insns);
	wide->progress = skep_arena_array(&v->arena, struct progress, v->n_insns);
	for (uint32_t at = 0; at < v->n_insns; at++)
		wide->progress[at].iterator = NO_ITERATOR;
	v->wide = wide;
	find_loop_starts(v);
	verify_thresholds_collect(v);
}

void verify_wide_done(struct verifier *v)
{
	if (!v->wide)
		return;
	for (uint32_t at = 0; at < v->n_insns; at++)
		while (v->wide->newest[at]) {
			struct state *state = v->wide->newest[at];

			v->wide->newest[at] = state->older;
			verify_state_free(v, state);
		}
	skep_vec_done(&v->wide->numbers.numbers);
	v->wide = NULL;
}

/* --- The state under way --------------------------------------------------------------------- */

/* Nothing need be told of what is not read again. */
static void clean_regs(const struct verifier *v, struct state *state)
{
	for (uint32_t f = 0; f < state->n_frames; f++) {
		uint16_t live = v->facts[verify_frame_at(state, f)].live_regs;

		for (unsigned r = 0; r < SKEP_R10; r++)
			if (!(live >> r & 1))
				state->frames[f]->regs[r] = verify_reg_unset;
	}
}

static bool keeps(const struct verifier *v)
{
	const struct insn_facts *facts = &v->facts[v->at];

	return v->wide->loop_start[v->at] || facts->force_checkpoint ||
	       (v->n_jumps - v->n_jumps_at_state >= LEAST_JUMPS &&
		v->n_processed - v->n_insns_at_state >= LEAST_INSNS);
}

static uint32_t patience(const struct verifier *v)
{
	bool loop = v->wide->loop_start[v->at] || v->facts[v->at].force_checkpoint;

	return loop ? v->wide->patience.at_loops : v->wide->patience.elsewhere;
}

static int keep(struct verifier *v)
{
	struct state **list = &v->wide->newest[v->at];
	uint64_t most = verify_most_memory(v);
	struct state *kept;

	if (v->memory_bytes > most)
		return verify_refuse(v, TOO_MUCH_MEMORY, (unsigned long long)most);
	kept = verify_state_copy(v, v->state);
	if (!kept)
		return -ENOMEM;
	kept->older = *list;
	*list = kept;
	v->n_states++;
	v->n_jumps_at_state = v->n_jumps;
	v->n_insns_at_state = v->n_processed;
	if (v->peak_states < v->n_states)
		v->peak_states = v->n_states;
	return 0;
}

/* --- Covered --------------------------------------------------------------------------------- */

/* *ret_n: how many are called alike */
static bool is_covered(struct verifier *v, uint32_t *ret_n)
{
	*ret_n = 0;
	for (const struct state *old = v->wide->newest[v->at]; old; old = old->older) {
		if (!verify_wide_comparable(old, v->state))
			continue;
		++*ret_n;
		if (verify_states_equal(v, old, v->state, LIKE_WITHIN))
			return true;
	}
	if (v->most_states_per_insn < *ret_n)
		v->most_states_per_insn = *ret_n;
	return false;
}

/* --- Joined ---------------------------------------------------------------------------------- */

struct joining {
	struct state **old; /* where the likest is linked */
	struct state *joined;
	uint32_t n_grown;
};

/* How often an old state grew already (.misses) tells how to go on. */
static enum widening widening(const struct verifier *v, const struct state *old)
{
	if (old->misses >= MOST_THRESHOLD)
		return WIDEN_ALL;
	return v->wide->loop_start[v->at] || old->misses >= MOST_HULLS ? WIDEN_THRESHOLDS
								       : WIDEN_HULL;
}

/* Return 0 | -ENOMEM; @best is told if @old is the likest so far */
static int try_join(struct verifier *v, struct state **old, bool loose, struct joining *best)
{
	struct state *joined = verify_state_copy(v, v->state);
	uint32_t n_grown;

	if (!joined)
		return -ENOMEM;
	if (!verify_join(v, *old, joined, widening(v, *old), loose, &n_grown) ||
	    (best->joined && best->n_grown <= n_grown)) {
		verify_state_free(v, joined);
		return 0;
	}
	verify_state_free(v, best->joined);
	joined->misses = (*old)->misses + 1;
	*best = (struct joining){old, joined, n_grown};
	return 0;
}

static int find_likest(struct verifier *v, bool loose, struct joining *best)
{
	struct state **at = &v->wide->newest[v->at];

	for (; *at && !(best->joined && !best->n_grown); at = &(*at)->older) {
		int err = verify_wide_comparable(*at, v->state) ? try_join(v, at, loose, best) : 0;

		if (err)
			return err;
	}
	return 0;
}

static void replace_old(struct verifier *v, struct joining *best)
{
	struct state *old = *best->old;

	*best->old = old->older;
	verify_state_free(v, old);
	v->n_states--;
	verify_state_free(v, v->state);
	v->state = best->joined;
	v->state_shown = false;
	verify_note_all(v);
}

/* Return PATH_END: covered | 0: v->state goes on, and is to be kept | -errno */
static int join(struct verifier *v, bool loose)
{
	struct joining best = {0};
	int err = find_likest(v, loose, &best);

	if (err || !best.joined) {
		verify_state_free(v, best.joined);
		return err;
	}
	if (!best.n_grown) {
		verify_state_free(v, best.joined);
		return PATH_END;
	}
	replace_old(v, &best);
	return 0;
}

int verify_wide_prune(struct verifier *v)
{
	uint32_t n, most = patience(v);
	int ret = 0;

	clean_regs(v, v->state);
	if (is_covered(v, &n))
		return PATH_END;
	if (!keeps(v))
		return 0;
	if (n >= most)
		ret = join(v, n >= LOOSE_AFTER * most);
	if (ret)
		return ret;
	return keep(v);
}
