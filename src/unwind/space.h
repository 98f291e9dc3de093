/*
 * Which stretches of an array are taken. What was given back rests for a while
 * before it is handed out again, as long as a program in the kernel may still be
 * reading it (layout.h: SKEP_UNWIND_GRACE_NS).
 *
 *	free      rising, no two touch each other
 *	resting   in the order in which they were given back
 *
 * Invariant: taken, free and resting stretches never overlap and together are
 * the array. Time is the caller's: any clock that does not run backwards.
 */
#ifndef SKEP_UNWIND_SPACE_H
#define SKEP_UNWIND_SPACE_H

#include <stdint.h>

#include "base/vec.h"

struct skep_unwind_stretch {
	uint32_t first, n;
};

struct skep_unwind_resting {
	struct skep_unwind_stretch stretch;
	uint64_t since_ns;
};

struct skep_unwind_space {
	uint32_t size;
	uint32_t n_free, n_resting; /* entries of the array, not stretches */
	SKEP_VEC(struct skep_unwind_stretch) free;
	SKEP_VEC(struct skep_unwind_resting) resting;
	size_t first_resting; /* those before it have been set free */
};

/** All of @size entries are free. */
void skep_unwind_space_init(struct skep_unwind_space *ret, uint32_t size);
void skep_unwind_space_done(struct skep_unwind_space *space);
/**
 * Take @n entries, at least one, that lie together.
 *
 * Return  0 | -ENOSPC no stretch of that length is free now
 * Cost    O(free stretches)
 */
int skep_unwind_space_take(struct skep_unwind_space *space, uint32_t n, uint64_t now_ns,
			   struct skep_unwind_stretch *ret);
/** Give back what was taken, whole; nothing where @stretch is empty. */
void skep_unwind_space_give(struct skep_unwind_space *space, struct skep_unwind_stretch stretch,
			    uint64_t now_ns);
/** Give back what was taken and that nobody has seen: it need not rest. */
void skep_unwind_space_undo(struct skep_unwind_space *space, struct skep_unwind_stretch stretch);
uint32_t skep_unwind_space_taken(const struct skep_unwind_space *space);
/** Bytes held to remember all that. */
size_t skep_unwind_space_memory(const struct skep_unwind_space *space);

#endif
