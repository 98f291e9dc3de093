/*
 * When a path needs no second walk.
 */
#include "verify/verifier.h"

int verify_prune(struct verifier *v)
{
	return 0;
}

int verify_path_ended(struct verifier *v, struct state *state)
{
	return 0;
}

void verify_states_done(struct verifier *v)
{
}
