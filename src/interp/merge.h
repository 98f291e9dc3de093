/*
 * An interpreter's frames among those of the processor: a stack that was walked by call frame
 * information has a frame of the interpreter's own function wherever that was called from C, and
 * there belongs what of the program ran in it.
 *
 *	native, innermost first     of the program, innermost first
 *	  builtin_sorted
 *	  evaluate                  key
 *	  evaluate                  main, <module>
 *	  run, main, _start
 */
#ifndef SKEP_INTERP_MERGE_H
#define SKEP_INTERP_MERGE_H

#include <stdbool.h>

#include "interp/layout.h"

/** What stands in place of a native frame: frames [first, first + n); 0: nothing does. */
struct skep_interp_run {
	uint16_t first, n;
};

/** What found no native frame to stand for. */
struct skep_interp_rest {
	struct skep_interp_run outer; /* stands outside of the outermost native frame */
	uint32_t n_displaced; /* frames of a whole stack that stand where they may not belong */
};

/** Is a function of this name the one that interprets, in a file that has an interpreter of this
 *  version (enum skep_interp_version)? */
bool skep_interp_is_evaluator(uint32_t version, const char *name);
/**
 * Give the frames of @stack to the native frames of the interpreter's function.
 *
 * Where both stacks are whole they are laid beside each other from the outermost frame on: a
 * function that has just been entered, or is about to be left, has no frame of the program yet, or
 * any more, and keeps its native one. If not, from the innermost on. Where there are native frames
 * too few, as nobody knows of some whose they are, the innermost of them has all that is left.
 *
 * @is_evaluator  of each of @n native frames, innermost first: is it of that function?
 * @is_whole      does the native stack reach its outermost frame?
 * @ret_runs      @n of them
 */
struct skep_interp_rest skep_interp_merge(const struct skep_interp_stack *stack,
					  const bool *is_evaluator, uint32_t n, bool is_whole,
					  struct skep_interp_run *ret_runs);

/**
 * The same for a stack of HotSpot's, each of whose frames says itself where it stands.
 *
 * @n         native frames
 * @ret_runs  @n of them
 */
void skep_interp_place(const struct skep_interp_stack *stack, uint32_t n,
		       struct skep_interp_run *ret_runs);

#endif
