/* BTF of the kernel's modules. */
#ifndef SKEP_TRACE_MODULES_H
#define SKEP_TRACE_MODULES_H

#include <skep/btf.h>

#include "trace/provider/provider.h"

/** The BTF of one module, or ("vmlinux") the kernel's own; NULL: there is none.
 *  @ret_owned: NULL, or what is to be freed: a module's. */
const struct skep_btf *skep_module_btf(struct skep_expand *x, const char *module,
				       struct skep_btf **ret_owned);
/** Names of those that have BTF and match @pattern, sorted; "vmlinux" among them. */
void skep_modules_match(struct skep_arena *arena, const char *pattern, struct skep_names *names);
/** A descriptor of the BTF that the kernel has of @module, owned by the caller; -ENOENT: none */
int skep_module_btf_open(const char *module);

#endif
