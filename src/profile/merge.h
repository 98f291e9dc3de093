/*
 * One profile's samples added to another's: all of them, or those that a filter lets through. Only
 * what they need of strings, frames and nodes comes along.
 *
 *	skep_profile_merger_init(&merger, &from, &to);
 *	if (skep_profile_merge_head(&merger) == 0)
 *		skep_profile_merge(&merger, &filter);
 *	skep_profile_merger_done(&merger);
 */
#ifndef SKEP_PROFILE_MERGE_H
#define SKEP_PROFILE_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "profile/profile.h"

/** Whose samples are wanted; borrowed. Zero: everybody's. */
struct skep_profile_filter {
	const uint32_t *pids;
	uint32_t n_pids;    /* 0: any */
	uint32_t tid;       /* 0: any */
	const char *comm;   /* NULL: any */
	const char *cgroup; /* a path, and all that is below it; NULL: any */
};

bool skep_profile_is_wanted(const struct skep_profile_filter *filter,
			    const struct skep_profile *profile,
			    const struct skep_profile_sample *sample);

/** Remembers what became of strings, frames and nodes; @from may grow between two merges. */
struct skep_profile_merger {
	const struct skep_profile *from; /* borrowed, as the next */
	struct skep_profile *to;
	struct skep_merged {
		uint32_t *to; /* numbers of `to` + 1, by those of `from`; owned */
		uint32_t n;
	} strings, frames, nodes;
	SKEP_VEC(uint32_t) stack;
};

void skep_profile_merger_init(struct skep_profile_merger *merger, const struct skep_profile *from,
			      struct skep_profile *to);
void skep_profile_merger_done(struct skep_profile_merger *merger);
/** What its values count, as a number: names and units of its types, its period, and of what that
 *  is. The same in each run. Never 0. */
uint64_t skep_profile_kind(const struct skep_profile *profile);
/**
 * Types, period and title of @from, if @to has no types yet; the builds of its modules.
 * Return 0 | -EINVAL the two count different things
 */
int skep_profile_merge_head(struct skep_profile_merger *merger);
/** Samples and losses. @filter  NULL: all samples */
void skep_profile_merge(struct skep_profile_merger *merger,
			const struct skep_profile_filter *filter);

#endif
