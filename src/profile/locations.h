/*
 * Stacks as places in the code, as pprof and OTLP have them: a frame with all that is
 * inlined into it is one location. Private to src/profile.
 */
#ifndef SKEP_PROFILE_LOCATIONS_H
#define SKEP_PROFILE_LOCATIONS_H

#include "base/vec.h"
#include "profile/profile.h"

struct skep_locations {
	const struct skep_profile *profile; /* borrowed */
	/* Locations are its nodes: a node's frame is one of @profile, its parent the location
	 * without that, 0 if the frame is not inlined. */
	struct skep_profile table;
	SKEP_VEC(uint32_t) stack; /* that was asked for: locations, the outermost first */
};

void skep_locations_init(struct skep_locations *locations, const struct skep_profile *profile);
void skep_locations_done(struct skep_locations *locations);
/** Fill locations->stack with that of @node. */
void skep_locations_find(struct skep_locations *locations, uint32_t node);

/** The innermost frame of location @at. */
static inline const struct skep_profile_frame *skep_location_frame(
	const struct skep_locations *locations, uint32_t at)
{
	return &locations->profile->frames[locations->table.nodes[at].frame];
}

/** The location that its innermost frame is inlined into; 0: into none. */
static inline uint32_t skep_location_outer(const struct skep_locations *locations, uint32_t at)
{
	return locations->table.nodes[at].parent;
}

#endif
