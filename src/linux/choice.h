/*
 * What skep uses for what it does, and what stands in for it on kernels that
 * have not got it: choices.def. Decided by probing features, never by version.
 */
#ifndef SKEP_LINUX_CHOICE_H
#define SKEP_LINUX_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "linux/feature.h"

enum skep_purpose {
#define PURPOSE(name, words) SKEP_FOR_##name,
#include "linux/choices.def"
	SKEP_PURPOSE_CNT
};

#define SKEP_WAY_NEEDS 3

struct skep_way {
	enum skep_purpose purpose;
	const char *by;   /* "ring buffer" */
	const char *lost; /* what is lost against the first way; "" of that */
	enum skep_feature_id needs[SKEP_WAY_NEEDS]; /* the rest: SKEP_FEATURE_BPF */
};

/** In words: "events". */
const char *skep_purpose_name(enum skep_purpose purpose);
/** The best way there could be: the first of the purpose's skep_n_ways(), which stand in a row. */
const struct skep_way *skep_best_way(enum skep_purpose purpose);
size_t skep_n_ways(enum skep_purpose purpose);
/** The best that this kernel and these privileges allow; NULL: none.
 *  Cost: that of skep_has_feature() for what was not asked before. */
const struct skep_way *skep_way(enum skep_purpose purpose);
/** Is that the best there could be? */
bool skep_has_best_way(enum skep_purpose purpose);

#endif
