/*
 * Extended mode's second walk: what its files share.
 *
 *	extended.c     the two walks, and what is said of them
 *	wide_states.c  which states are kept; when a path ends
 *	join.c         two states made one that is all that either can be
 *	widen.c        how far a number that grows from round to round is let go
 *	progress.c     what each instruction does to numbers, noted on the way
 *	rounds.c       does each loop end? From those notes
 *
 * The first walk is the kernel's, past its limits. The second asks less: not which paths there are,
 * but which states can be at an instruction at all. A state that one kept there covers, whole and
 * with every number in bounds, need not be walked, even while the kept one's paths have not ended:
 * whatever comes of it comes of that one too, and is looked at. So nothing need be known of which
 * numbers matter, and rounds of a loop are not told apart by their counter once it was widened.
 *
 * That the loop ends is not shown by this: see rounds.c.
 */
#ifndef SKEP_VERIFY_WIDE_H
#define SKEP_VERIFY_WIDE_H

#include "verify/verifier.h"

/* How a number of two states becomes one. */
enum widening {
	WIDEN_HULL,       /* from the least to the greatest of both */
	WIDEN_THRESHOLDS, /* what grew, on to the next number that the program compares with */
	WIDEN_ALL,        /* what grew may be any number */
};

/* Numbers that a bound may stop at. */
struct thresholds {
	SKEP_VEC(uint64_t) numbers;
};

/* What an instruction did, each time it was walked: progress.c. */
struct progress {
	bool seen;
	bool wraps_unsigned, wraps_signed; /* the sum may be out of what 64 bits hold */
	bool changes;                      /* a move or load gives another number than was there */
	int64_t least, most;               /* added; INT64_MIN, INT64_MAX: any */
	uint64_t stack_writes;             /* slots of its own frame, but by r10 and an offset */
	int64_t iterator;                  /* where on the stack it lies; NO_ITERATOR */
};

#define NO_ITERATOR  INT64_MIN
#define ANY_ITERATOR INT64_MAX

/* How many states are kept apart at an instruction before they are joined. */
struct patience {
	uint32_t at_loops, elsewhere;
};

struct wide {
	struct patience patience;
	struct state **newest;     /* [n_insns] lists, owned */
	struct thresholds numbers; /* widen.c */
	bool *loop_start;          /* [n_insns]: a jump leads back to it */
	struct progress *progress; /* [n_insns] */
	bool foreign_iterator;     /* a function makes iterators in another's stack */
};

/* --- extended.c ---------------------------------------------------------------------------- */

/** skep_verify() in extended mode. */
int verify_extended(const struct skep_verify_program *program, const struct skep_verify_opts *opts,
		    struct skep_buf *log, struct skep_verify_report *ret);

/** Was it the second walk that refused with @refusal? Cost: one as the kernel's, to its limits. */
bool verify_wide_decided(const struct skep_verify_program *program,
			 const struct skep_verify_opts *opts, const char *refusal);
/** v->wide, as it is for the last try: what refused the program. */
void verify_wide_patiently(struct verifier *v);

/* --- wide_states.c ------------------------------------------------------------------------- */

/** v->wide, as empty. */
void verify_wide_begin(struct verifier *v, struct patience patience);
void verify_wide_done(struct verifier *v);
/** What verify_prune() is to the first walk. Return 0 | PATH_END | -errno */
int verify_wide_prune(struct verifier *v);

/* --- join.c -------------------------------------------------------------------------------- */

/** Are both called alike, as the same kinds of callbacks, so that one may cover the other? */
bool verify_wide_comparable(const struct state *old, const struct state *now);
/**
 * @state becomes all that it or @old can be; both are at one instruction, called alike.
 *
 * @loose       what cannot be both is given up: nothing may be read of it then
 * @ret_grown   of how many registers and slots less is known than @old does; 0: it covers @state
 * Return       false: they cannot be one; then @state is spoiled
 */
bool verify_join(struct verifier *v, const struct state *old, struct state *state,
		 enum widening widening, bool loose, uint32_t *ret_grown);

/* --- widen.c ------------------------------------------------------------------------------- */

/** What the program compares with. */
void verify_thresholds_collect(struct verifier *v);
void verify_threshold_add(struct verifier *v, uint64_t number);
/** All that is in @old or @now, and more. */
struct skep_scalar verify_number_join(struct verifier *v, const struct skep_scalar *old,
				      const struct skep_scalar *now, enum widening widening);

/* --- progress.c ---------------------------------------------------------------------------- */

/** Before a step: what the instruction is about to do to numbers. */
void verify_note_progress(struct verifier *v);

/* --- rounds.c ------------------------------------------------------------------------------ */

/** A pass after the walk: does every loop end? Else refuse. */
int verify_rounds(struct verifier *v);

#endif
