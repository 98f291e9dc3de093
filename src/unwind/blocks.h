/*
 * Blocks of mappings: what of a process's memory is code, and where in the array
 * `mappings` that is written. A process that has been forked shares its parent's
 * block until one of the two changes.
 *
 * Areas are the mappings of code, rising, not overlapping. Between two that do
 * not touch there is an entry in the array where nothing is known.
 */
#ifndef SKEP_UNWIND_BLOCKS_H
#define SKEP_UNWIND_BLOCKS_H

#include "unwind/objects.h"

struct skep_unwind_area {
	uint64_t start, end, off;
	struct skep_unwind_object *object; /* a use of it; NULL: frame pointers are believed */
};

struct skep_unwind_block {
	uint32_t n_users; /* processes */
	SKEP_VEC(struct skep_unwind_area) areas;
	struct skep_unwind_stretch stretch; /* of `mappings`; empty: not written yet */
	bool is_stale;                      /* has changed since it was written */
	uint32_t visit;                     /* of the last walk over all blocks that came by */
};

/** What all blocks need; all borrowed but the space. */
struct skep_unwind_blocks {
	const struct skep_unwind_arrays *arrays;
	struct skep_unwind_objects *objects;
	struct skep_unwind_losses *losses;
	struct skep_unwind_space space; /* of `mappings` */
	uint32_t n;
};

void skep_unwind_blocks_init(struct skep_unwind_blocks *ret,
			     const struct skep_unwind_arrays *arrays,
			     struct skep_unwind_objects *objects,
			     struct skep_unwind_losses *losses);
void skep_unwind_blocks_done(struct skep_unwind_blocks *blocks);

/** An empty one, with one user. */
struct skep_unwind_block *skep_unwind_block_new(struct skep_unwind_blocks *blocks);
/** One user less; the last one frees it. */
void skep_unwind_block_unref(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block,
			     uint64_t now_ns);
/** A copy of its own for one of several users, not written yet; the only user's is the same. */
struct skep_unwind_block *skep_unwind_block_own(struct skep_unwind_blocks *blocks,
						struct skep_unwind_block *block);
/**
 * @place is mapped now, in place of what was there; so it is with what is no file of code, and of
 * which nothing can be known. Areas that go on where one ends are joined to it.
 * Cost O(areas)
 */
void skep_unwind_block_add(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block,
			   const struct skep_unwind_place *place);
bool skep_unwind_block_equals(const struct skep_unwind_block *a, const struct skep_unwind_block *b);
/**
 * Write a block that has changed, or never was, to the array: elsewhere than it was.
 *
 * Return  0 | -ENOSPC there is no room now; then it is nowhere
 */
int skep_unwind_block_write(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block,
			    uint64_t now_ns);
/** Write the files of its mappings anew, in place, if it is there as it is. */
void skep_unwind_block_refresh(struct skep_unwind_blocks *blocks, struct skep_unwind_block *block);
/** An area of @object; NULL: there is none. */
const struct skep_unwind_area *skep_unwind_block_find(const struct skep_unwind_block *block,
						      const struct skep_unwind_object *object);

#endif
