/*
 * Where paths part and meet again.
 */
#include "verify/verifier.h"

int verify_graph(struct verifier *v)
{
	for (uint32_t f = 0; f < v->n_funcs; f++) {
		v->funcs[f].start = v->image->funcs[f].start;
		v->funcs[f].end = v->image->funcs[f].end;
		v->funcs[f].name = "";
	}
	return 0;
}
