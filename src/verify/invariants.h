/*
 * What must hold of every state, whatever the program: for tests, and for builds with
 * -Dverify_invariants=true, which look at every step of every path.
 */
#ifndef SKEP_VERIFY_INVARIANTS_H
#define SKEP_VERIFY_INVARIANTS_H

#include "verify/state.h"

/** A number's descriptions contradict themselves or each other: which do; NULL: they do not.
 *  Source: reg_bounds_sanity_check() */
const char *verify_broken_scalar(const struct skep_scalar *s);
/** The same of all that a state holds, its frames, slots and references. */
const char *verify_broken_invariant(const struct state *state);

#endif
