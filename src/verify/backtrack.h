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

/** Is the slot wanted that the instruction stores to? */
static inline bool wanted_slot(const struct wanted *w, const struct step *step)
{
	uint32_t flags = step ? (uint32_t)step->flags : 0;
	uint32_t frame = flags >> STEP_FRAME_SHIFT & STEP_FRAME_MASK;

	return flags & STEP_STACK &&
	       w->slots[frame] >> (flags >> STEP_SLOT_SHIFT & STEP_SLOT_MASK) & 1;
}

/** Is it clear at a look that the instruction leaves @w as it is? Most do. */
static inline bool wanted_stays(const struct wanted *w, const struct skep_insn *insn,
				const struct step *step)
{
	uint32_t dst = w->regs[w->frame] >> insn->dst & 1;
	uint8_t op = insn->code & 0xf0;

	if (step && step->linked)
		return false;
	switch (insn->code & 7) {
	case SKEP_ST: return !dst && !wanted_slot(w, step);
	case SKEP_STX: return !dst && !wanted_slot(w, step) && (insn->code & 0xe0) != SKEP_ATOMIC;
	case SKEP_JMP:
	case SKEP_JMP32:
		if (op == SKEP_CALL || op == SKEP_EXIT)
			return false;
		return !(insn->code & SKEP_X) || !(dst | (w->regs[w->frame] >> insn->src & 1));
	default: return !dst;
	}
}

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
