/*
 * Loops, and what is known too late in them.
 *
 * A path may end because its state is like an older one of the same loop, from which not all paths
 * have been walked. Then it is not known yet which numbers must be kept exactly:
 *
 *	  .-> A --.    B was found to be like A, and ends. Only then C is walked, and tells of
 *	  |   |   |    a number in A that it must be kept. It must be in B as well, and B's
 *	  '-- B   C    parents, which may be in the loop again.
 *
 * So each state that ended a path like B is remembered with the loop (a back edge). When all paths
 * from the loop's first state have ended, what A is asked for is carried from A to B until nothing
 * changes. Until then states of this loop are compared as if every number had to be kept.
 *
 * A loop is a strongly connected component of a function (graph.c). It is another loop for each
 * chain of calls that leads to it: between two calls of one function, states of the first may be
 * gone.
 *
 * A call that calls back is such a loop by itself. Linux 6.18 does not remember the back edges of
 * those, later ones do: without them a mark that is learned late is lost. It costs some states, and
 * a few instructions more are looked at than there.
 *
 * Source  behaviour of Linux 6.18, maybe_enter_scc(), propagate_backedges()
 */
#include "verify/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROUNDS  64 /* of carrying marks: then all numbers are kept */
#define FIRST_PLACES 4

/* --- Which loop a state is in ---------------------------------------------------------------- */

/* The outermost frame in a loop decides. Return false: none is */
static bool find_chain(const struct verifier *v, const struct state *state, struct visit *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint32_t f = 0; f < state->n_frames; f++) {
		uint32_t at = verify_frame_at(state, f);

		ret->scc = v->facts[at].scc;
		if (ret->scc)
			return true;
		if (f + 1 < state->n_frames)
			ret->calls[f] = at;
	}
	return false;
}

/* Where @chain is among visits->places, or would be. */
static uint32_t *place_of(struct visits *visits, const struct visit *chain)
{
	uint64_t hash = 0;
	uint32_t at;

	for (uint32_t i = 0; i < SKEP_MOST_FRAMES - 1; i++)
		hash = (hash ^ chain->calls[i]) * 0x9e3779b97f4a7c15;
	at = (uint32_t)(hash >> 32) & (visits->n_places - 1);
	while (visits->places[at] && memcmp(visits->list.data[visits->places[at] - 1].calls,
					    chain->calls, sizeof(chain->calls)))
		at = (at + 1) & (visits->n_places - 1);
	return &visits->places[at];
}

static struct visit *find_visit(const struct verifier *v, const struct visit *chain)
{
	struct visits *visits = &v->explored->visits[chain->scc];
	uint32_t place = visits->n_places ? *place_of(visits, chain) : 0;

	return place ? &visits->list.data[place - 1] : NULL;
}

static void add_places(struct visits *visits)
{
	visits->n_places = visits->n_places ? visits->n_places * 2 : FIRST_PLACES;
	free(visits->places);
	visits->places = skep_xcalloc(visits->n_places, sizeof(*visits->places));
	for (uint32_t i = 0; i < visits->list.len; i++)
		*place_of(visits, &visits->list.data[i]) = i + 1;
}

static struct visit *add_visit(struct verifier *v, const struct visit *chain)
{
	struct visits *visits = &v->explored->visits[chain->scc];

	if (2 * (visits->list.len + 1) > visits->n_places)
		add_places(visits);
	*place_of(visits, chain) = (uint32_t)visits->list.len + 1;
	skep_vec_push(&visits->list, *chain);
	return skep_vec_last(&visits->list);
}

static struct visit *visit_of(const struct verifier *v, const struct state *state)
{
	struct visit chain;

	return find_chain(v, state, &chain) ? find_visit(v, &chain) : NULL;
}

static void log_visit(struct verifier *v, const char *what, const struct visit *visit)
{
	if (!v->log || !(v->level & 2))
		return;
	verify_log(v, "SCC %s (", what);
	for (uint32_t i = 0; i < SKEP_MOST_FRAMES - 1 && visit->calls[i]; i++)
		verify_log(v, "%u,", visit->calls[i]);
	verify_log(v, "%u)\n", visit->scc);
}

/* --- Into a loop, around, and out ------------------------------------------------------------ */

int verify_loop_enter(struct verifier *v, struct state *state)
{
	struct visit chain, *visit;

	if (!find_chain(v, state, &chain))
		return 0;
	visit = find_visit(v, &chain);
	if (!visit)
		visit = add_visit(v, &chain);
	if (!visit->entry) {
		visit->entry = state;
		log_visit(v, "enter", visit);
	}
	return 0;
}

int verify_loop_closed(struct verifier *v, struct state *old)
{
	struct visit *visit = visit_of(v, old);
	struct state *edge;

	/* with nowhere to remember it, all that can be asked for is asked for now */
	if (!visit) {
		verify_all_precise(v, v->state);
		return 0;
	}
	edge = verify_state_keep(v, v->state);
	if (!edge)
		return -ENOMEM;
	edge->equal_to = old;
	edge->older = visit->backedges;
	visit->backedges = edge;
	log_visit(v, "backedge", visit);
	visit->n_backedges++;
	v->explored->n_backedges++;
	verify_update_peak(v);
	return 0;
}

bool verify_loop_is_open(const struct verifier *v, const struct state *state)
{
	const struct visit *visit;

	if (!v->explored->n_backedges)
		return false;
	visit = visit_of(v, state);
	return visit && visit->backedges;
}

static void free_backedges(struct verifier *v, struct visit *visit)
{
	while (visit->backedges) {
		struct state *edge = visit->backedges;

		visit->backedges = edge->older;
		verify_state_free(v, edge);
	}
}

/* One round over all back edges. Return 0 | -errno; *ret_changed: another is needed */
static int carry(struct verifier *v, struct visit *visit, bool *ret_changed)
{
	int err = 0;

	*ret_changed = false;
	for (struct state *edge = visit->backedges; edge && !err; edge = edge->older)
		err = verify_propagate_precision(v, edge->equal_to, edge, ret_changed);
	return err;
}

static int carry_all(struct verifier *v, struct visit *visit)
{
	bool changed = true;
	int err;

	for (unsigned round = 0; changed && round < MOST_ROUNDS; round++) {
		err = carry(v, visit, &changed);
		if (err)
			return err;
	}
	if (changed) {
		if (v->level & 2)
			verify_log(v, "propagate_backedges: too many iterations\n");
		for (struct state *edge = visit->backedges; edge; edge = edge->older)
			verify_all_precise(v, edge);
	}
	free_backedges(v, visit);
	return 0;
}

int verify_loop_exit(struct verifier *v, struct state *state)
{
	struct visit *visit = v->explored ? visit_of(v, state) : NULL;

	if (!visit || visit->entry != state)
		return 0;
	log_visit(v, "exit", visit);
	visit->entry = NULL;
	v->explored->n_backedges -= visit->n_backedges;
	visit->n_backedges = 0;
	verify_update_peak(v);
	return carry_all(v, visit);
}

void verify_loops_done(struct verifier *v)
{
	for (uint32_t i = 0; i <= v->n_sccs; i++) {
		struct visits *visits = &v->explored->visits[i];

		skep_vec_foreach (struct visit, visit, &visits->list)
			free_backedges(v, visit);
		skep_vec_done(&visits->list);
		free(visits->places);
		*visits = (struct visits){0}; /* there may be another function to walk */
	}
}

/* --- Rounds are made alike ------------------------------------------------------------------- */

struct state *verify_last_round(struct verifier *v, const struct state *state, uint32_t at)
{
	struct state *old;

	if (!state || !v->explored)
		return NULL;
	for (old = *verify_kept_at(v, v->state, at); old; old = old->older)
		if (old->at == at && old->branches && verify_same_calls(old, state) &&
		    old->depth < state->depth)
			return old;
	return NULL;
}
