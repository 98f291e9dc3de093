/* The kernel's code that is mapped into every process. Private to src/symbol. */
#ifndef SKEP_SYMBOL_VDSO_H
#define SKEP_SYMBOL_VDSO_H

#include <sys/types.h>

#include "base/buf.h"
#include "symbol/maps.h"

/**
 * The image of mapping @m ("[vdso]") of @pid, from its memory. Of a process
 * that ended, ours instead, if it is of that size: there is one for all
 * processes of one kind. Return 0 | -ENOENT
 */
int skep_vdso_read(pid_t pid, const struct skep_mapping *m, struct skep_buf *ret);

#endif
