/*
 * What must be exact, on the way back along a path: between precision.c and backtrack.c.
 */
#ifndef SKEP_VERIFY_BACKTRACK_H
#define SKEP_VERIFY_BACKTRACK_H

#include "verify/verifier.h"

/* Registers and slots asked for, of each frame up to .frame, the one where the path is. */
struct wanted {
	uint32_t frame;
	uint32_t regs[SKEP_MOST_FRAMES];
	uint64_t slots[SKEP_MOST_FRAMES];
};

static inline bool wanted_none(const struct wanted *w)
{
	uint64_t any = 0;

	for (uint32_t f = 0; f <= w->frame; f++)
		any |= w->regs[f] | w->slots[f];
	return !any;
}

/* One instruction that was gone through. */
struct way_back {
	uint32_t at;
	int64_t after;           /* the one that came after it; -1: none */
	const struct step *step; /* what is remembered of it, or NULL */
};

/**
 * What was wanted after the instruction, as what is wanted before it.
 *
 * Return  false: this cannot be told; all must be exact
 * Source  backtrack_insn()
 */
bool verify_backtrack(struct verifier *v, const struct way_back *way, struct wanted *w);

/** "r0,r2", "-8,-24": to the log. */
void verify_log_wanted_regs(struct verifier *v, uint32_t regs);
void verify_log_wanted_slots(struct verifier *v, uint64_t slots);

#endif
