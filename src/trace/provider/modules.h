/* The kernel's modules that have BTF. */
#ifndef SKEP_TRACE_MODULES_H
#define SKEP_TRACE_MODULES_H

#include "trace/provider/provider.h"

/** Names of those that have BTF and match @pattern, sorted; "vmlinux" among them. */
void skep_modules_match(struct skep_arena *arena, const char *pattern, struct skep_names *names);
/** A descriptor of the BTF that the kernel has of @module, owned by the caller; -ENOENT: none */
int skep_module_btf_open(const char *module);

#endif
