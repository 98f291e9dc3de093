/*
 * The health of a profile's stacks: how many reach the place where their thread began, by process,
 * and why the others do not. A stack that does not has a frame that says so as its outermost
 * (SKEP_FRAME_BROKEN).
 */
#ifndef SKEP_PROFILER_HEALTH_H
#define SKEP_PROFILER_HEALTH_H

#include "base/arena.h"
#include "base/vec.h"
#include "profile/profile.h"

struct skep_health_row {
	skep_profile_str comm;
	uint32_t pid;            /* of the last of them, if there are several */
	uint64_t stacks, whole;  /* weighed by the last value: how often */
	skep_profile_str reason; /* the most frequent one of the others; 0: there are none */
	uint64_t reason_cnt;
	uint32_t processes; /* where it is the reason */
};

struct skep_health {
	SKEP_VEC(struct skep_health_row) rows; /* those with most broken stacks first */
	uint64_t stacks, whole;
	uint32_t rows_broken; /* that have a broken stack: the first ones */
};

/** @by_name  a row for all processes of a name.  Strings are @profile's. */
void skep_health_of(const struct skep_profile *profile, bool by_name, struct skep_health *ret);
void skep_health_done(struct skep_health *health);

#endif
