/* Places in the code, see locations.h. */
#include "profile/locations.h"

void skep_locations_init(struct skep_locations *locations, const struct skep_profile *profile)
{
	*locations = (struct skep_locations){.profile = profile};
	skep_profile_init(&locations->table);
}

void skep_locations_done(struct skep_locations *locations)
{
	skep_profile_done(&locations->table);
	skep_vec_done(&locations->stack);
}

/* Its frames, the outermost first. */
static void find_frames(struct skep_locations *locations, uint32_t node)
{
	const struct skep_profile *p = locations->profile;

	locations->stack.len = 0;
	for (; node; node = p->nodes[node].parent)
		skep_vec_push(&locations->stack, p->nodes[node].frame);
	for (size_t i = 0, j = locations->stack.len; i + 1 < j; i++) {
		uint32_t kept = locations->stack.data[i];
		locations->stack.data[i] = locations->stack.data[--j];
		locations->stack.data[j] = kept;
	}
}

/* An inlined frame's location takes the place of the one that it is inlined into. */
void skep_locations_find(struct skep_locations *locations, uint32_t node)
{
	uint32_t *stack;
	size_t n = 0;

	find_frames(locations, node);
	stack = locations->stack.data;
	for (size_t i = 0; i < locations->stack.len; i++) {
		uint32_t frame = stack[i];
		bool inlined = n && locations->profile->frames[frame].kind == SKEP_FRAME_INLINE;
		uint32_t outer = inlined ? stack[--n] : 0;
		stack[n++] = skep_profile_node(&locations->table, outer, frame);
	}
	locations->stack.len = n;
}
