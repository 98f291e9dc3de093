/* The kernel's code that is mapped into every process. */
#ifndef SKEP_LINUX_VDSO_H
#define SKEP_LINUX_VDSO_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/keeper.h"
#include "linux/maps.h"

/** Ours, if it is of @len bytes. Return 0 | -ENOENT */
int skep_vdso_read_own(size_t len, struct skep_buf *ret);
/** Of a process of its own that reads others' memory, which may never come; it is begun when it is
 *  needed. skep_keeper_done() */
void skep_vdso_reading_init(struct skep_keeper *ret);
/**
 * The image of mapping @m ("[vdso]") of @pid: ours, if it is of that size, as there is one for all
 * processes of one kind, and each may write over its copy; else from its memory.
 *
 * Return  0 | -ENOENT
 */
int skep_vdso_read(struct skep_keeper *keeper, pid_t pid, const struct skep_mapping *m,
		   struct skep_buf *ret);

#endif
