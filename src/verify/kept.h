/*
 * What is kept of states while the paths of one function are walked: between states.c and loops.c.
 */
#ifndef SKEP_VERIFY_KEPT_H
#define SKEP_VERIFY_KEPT_H

#include "verify/verifier.h"

/*
 * A loop as it was come into by one chain of calls: the calls up to the outermost frame that is in
 * a loop, and which loop that is.
 */
struct visit {
	uint32_t calls[SKEP_MOST_FRAMES - 1];
	uint32_t scc;
	struct state *entry;     /* the first state kept in it on the path under way; NULL: none */
	struct state *backedges; /* owned, by .older: states that were like an older of the loop */
	uint32_t n_backedges;
};

/* Of one loop: as many as there are ways to come to it. */
struct visits {
	SKEP_VEC(struct visit) list;
	uint32_t *places;  /* owned: 1 + which of the list, by its calls */
	uint32_t n_places; /* a power of 2, more than twice as many as there are visits; or 0 */
};

struct explored {
	struct state **newest; /* [n_insns] lists, owned: by where, and where called from */
	struct state *evicted; /* a list, owned */
	struct visits *visits; /* [n_sccs + 1]; [0] is not used */
	uint32_t n_listed, n_evicted, n_backedges;
};

/* --- states.c ------------------------------------------------------------------------------ */

void verify_update_peak(struct verifier *v);
/** Are @a and @b called from the same places? */
bool verify_same_calls(const struct state *a, const struct state *b);
/** The list in which states at @at, called as @state is, are kept. */
struct state **verify_kept_at(struct verifier *v, const struct state *state, uint32_t at);

/* --- loops.c ------------------------------------------------------------------------------- */

/** @state, which is kept now, is in a loop perhaps. Return 0 | -ENOMEM */
int verify_loop_enter(struct verifier *v, struct state *state);
/** All paths from @state have ended: of a loop too, perhaps. Return 0 | -errno */
int verify_loop_exit(struct verifier *v, struct state *state);
/** The state under way is like @old, of the same loop, whose paths have not all ended.
 *  Return 0 | -ENOMEM */
int verify_loop_closed(struct verifier *v, struct state *old);
/** Is more to be learned of what @state needs, from states of its loop that were like others? */
bool verify_loop_is_open(const struct verifier *v, const struct state *state);
void verify_loops_done(struct verifier *v);

/* --- same.c -------------------------------------------------------------------------------- */

/** Do they hold the same, but for their id and what is asked of them? @kept may be packed. */
bool verify_reg_same(const struct reg *kept, const struct reg *now);

/* --- precision.c --------------------------------------------------------------------------- */

/** What is kept exactly in @old must be in the states before @state, which is like it.
 *  @changed  set where one was not yet; may be NULL */
int verify_propagate_precision(struct verifier *v, const struct state *old, struct state *state,
			       bool *changed);
/** It cannot be told what: so all numbers in the states before @state. */
void verify_all_precise(struct verifier *v, struct state *state);

#endif
