/*
 * What the families of helpers share: their functions by name, and how a
 * helper reads its arguments.
 */
#ifndef SKEP_HELPER_HELPERS_H
#define SKEP_HELPER_HELPERS_H

#include <errno.h>

#include <skep/helper.h>

/* A function for each row of helpers.def that has a family. */
#define HELPER(id, name, ...) skep_function skep_helper_##name;
#include <skep/helpers.def>
#undef HELPER

/**
 * The head of a helper's function. Arguments come as 64-bit numbers; what a
 * helper does not take it does not look at.
 */
#define DEFINE_HELPER(name)                                                                        \
	uint64_t skep_helper_##name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,            \
				    uint64_t r5, struct skep_run *run)

/** A register that is an address. */
static inline void *ptr_of(uint64_t r)
{
	return (void *)(uintptr_t)r;
}

static inline struct skep_map *map_of(uint64_t r)
{
	return ptr_of(r);
}

#endif
