/* Places of programs that the kernel calls from a trampoline: fentry, fexit, fmod_ret. */
#ifndef SKEP_TRACE_TRAMPOLINE_H
#define SKEP_TRACE_TRAMPOLINE_H

#include "trace/provider/kernel.h"

/** Can a trampoline pass on what the function is called with? */
bool skep_trampoline_fits(const struct skep_kfunc_type *type);
/**
 * Add the function @name as a place of @provider.
 *
 * @name         "MODULE:FUNCTION", on x->arena, with such a type as fits
 * @attach_type  BPF_TRACE_FENTRY, …
 * Return        the place, to be completed | NULL there are too many (see @x->diag)
 */
struct skep_probe *skep_trampoline_add(struct skep_expand *x, const struct skep_provider *provider,
				       const struct skep_probe_spec *spec, const char *name,
				       uint32_t attach_type);
/** -l: the function's line; @verbose: its arguments, and its result where @provider has that. */
void skep_trampoline_list(struct skep_expand *x, const struct skep_provider *provider,
			  const char *name, bool verbose, struct skep_buf *out);

#endif
