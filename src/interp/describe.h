/* Which interpreter a program or library has in it, and how that keeps its frames. */
#ifndef SKEP_INTERP_DESCRIBE_H
#define SKEP_INTERP_DESCRIBE_H

#include <stdbool.h>

#include "interp/layout.h"

struct skep_elf;

/**
 * Look for an interpreter in a file. Only one whose name says that it could have one is looked
 * through: most files of a machine have none, and their symbols are many.
 *
 * @path  as it is mapped
 * @ret   untouched if there is none
 * Return whether there is one, of a version that is known
 */
bool skep_interp_describe(const struct skep_elf *elf, const char *path,
			  struct skep_interp_runtime *ret);

#endif
