/* Names of the kernel's functions. */
#ifndef SKEP_TRACE_KFUNCS_H
#define SKEP_TRACE_KFUNCS_H

#include "trace/provider/provider.h"

/**
 * Add "MODULE:FUNCTION" for each function that matches both patterns, sorted,
 * each once; the kernel itself is module "vmlinux".
 *
 * @traceable_only  only what ftrace says can be probed; else /proc/kallsyms serves
 *                  where that list cannot be read or has no match
 * Return 0 | -errno neither can be read.  Cost O(all functions), some 100 ms the first time
 */
int skep_kfuncs_match(struct skep_expand *x, const char *module, const char *func,
		      bool traceable_only, struct skep_names *names);

#endif
