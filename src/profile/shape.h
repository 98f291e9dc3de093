/*
 * Profiles made from profiles: seen by process, from the inside out, or one against another.
 * What they are given is left as it is.
 */
#ifndef SKEP_PROFILE_SHAPE_H
#define SKEP_PROFILE_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "profile/profile.h"

struct skep_diag;

/** What a sample's process becomes: an outermost frame. Stacks that have one keep it. */
enum skep_profile_root {
	SKEP_PROFILE_ROOT_COMM,   /* "nginx" */
	SKEP_PROFILE_ROOT_PID,    /* "nginx-1234" */
	SKEP_PROFILE_ROOT_THREAD, /* "nginx-1234/1250" */
	SKEP_PROFILE_ROOT_NONE,
};

struct skep_profile_shape {
	const uint32_t *which; /* numbers of the samples that are taken, without what was lost;
				  NULL: all */
	uint32_t n_which;
	enum skep_profile_root root;
	bool is_inverted;   /* from the innermost frame outwards */
	bool by_function;   /* frames without addresses and lines: one a function */
	bool by_line;       /* with that: lines that are known behind names, "main a.c:12" */
	bool by_file_name;  /* modules without their folders */
	bool has_addresses; /* "[libc.so.6]", of an unknown function, becomes "[libc.so.6 <7f02>]" */
};

/**
 * @profile in another shape, as a profile of its own: skep_profile_done(). Whose a sample was
 * is told by its frames alone; its process, thread and name are 0. What weighs nothing is gone.
 * Cost O(frames of the stacks that are taken), and of all strings and frames if all are
 */
void skep_profile_shaped(const struct skep_profile *profile, const struct skep_profile_shape *shape,
			 struct skep_profile *ret);

/** The number of the value type @name (NULL: the first). Return 0 | -ENOENT; see @diag */
int skep_profile_find_type(const struct skep_profile *profile, const char *name, uint32_t *ret,
			   struct skep_diag *diag);

/**
 * What was @before and what is @now, stack by stack: a profile of two types, is_diff, with
 * processes as frames. Frames are the same if name, kind and the name of the module's file
 * are: lines, addresses and folders change from build to build. Values are as they were: who
 * shows it makes the totals alike.
 *
 * @value  name of the value type; NULL: the first that both have, or else each profile's first.
 *         The title of what is made says it
 * @ret    skep_profile_done(); untouched on error
 * Return  0 | -ENOENT one has no such type | -EINVAL their units differ; see @diag
 */
int skep_profile_diff(const struct skep_profile *before, const struct skep_profile *now,
		      const char *value, struct skep_profile *ret, struct skep_diag *diag);

#endif
