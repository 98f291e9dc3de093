/* Iterators as links see them. */
#ifndef SKEP_MACHINE_ITER_H
#define SKEP_MACHINE_ITER_H

#include "machine/machine.h"

/** LINK_CREATE's part: what @link's program is to be shown; its hook is the kernel's function.
 *  Return 0 | -EINVAL | -EBADF | -ENOENT no such target */
int machine_iter_attach(const struct attr_link_create *attr, struct link_object *link);
/** The target's name: "bpf_map"; "" if it is none. Valid as long as @link. */
const char *machine_iter_name(const struct link_object *link);

#endif
