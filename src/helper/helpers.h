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

/** What the kernel says for "cannot do": not the C library's ENOTSUP. */
#define SKEP_ENOTSUPP 524

/** A register that is an address. */
static inline void *ptr_of(uint64_t r)
{
	return (void *)(uintptr_t)r;
}

static inline struct skep_map *map_of(uint64_t r)
{
	return ptr_of(r);
}

/** What a helper returns for an error: -errno, sign-extended. */
static inline uint64_t as_r0(int err)
{
	return (uint64_t)(int64_t)err;
}

/** skep_run_grant(), free of charge where nothing is checked. */
static inline void grant(struct skep_run *run, const void *at, size_t bytes, unsigned rights)
{
	if (run->check && at)
		skep_run_grant(run, at, bytes, rights);
}

static inline void ungrant(struct skep_run *run, const void *at)
{
	if (run->check && at)
		skep_run_revoke(run, at);
}

#endif
