/*
 * What the providers of the kernel's functions share (kprobe.c, fentry.c, lsm.c):
 * how places are written, why there are none, and what may serve instead.
 */
#ifndef SKEP_TRACE_KERNEL_H
#define SKEP_TRACE_KERNEL_H

#include <skep/btf.h>

#include "linux/feature.h"
#include "trace/provider/provider.h"

/** "FUNCTION", "FUNCTION+OFFSET" or "ADDRESS", behind a module or not. */
struct skep_kfunc_spec {
	const char *module, *func; /* module "*": any; func NULL: addr */
	uint64_t addr, off;
};
/** Return 0 | -EINVAL (see @x->diag) */
int skep_kfunc_parse(struct skep_expand *x, const struct skep_provider *provider,
		     const struct skep_probe_spec *spec, struct skep_kfunc_spec *ret);
/** There is no such function. Return as skep_expand_missing() */
int skep_kfunc_missing(struct skep_expand *x, const struct skep_probe_spec *spec,
		       const struct skep_kfunc_spec *kfunc);
/** @provider is not here because of @why; what else there is, is said: @other ("kprobe:f", or
 *  NULL), or a tracepoint about @func. Return as skep_expand_refused() */
int skep_kfunc_refused(struct skep_expand *x, const struct skep_probe_spec *spec,
		       const struct skep_provider *provider, const char *why, const char *other);
/** Why the kernel has not got @id, in words; NULL: it has, or we lack the privileges to find out,
 *  which loading will say better. Tried once a process. */
const char *skep_kfunc_why_not(struct skep_expand *x, enum skep_feature_id id);
bool skep_has_kprobes(void);

/** -lv: arguments of "MODULE:FUNCTION", and the return value. */
void skep_kfunc_list_args(struct skep_expand *x, const char *name, bool with_retval,
			  struct skep_buf *out);

/** A function as BTF describes it: the kernel's, or a module's. */
struct skep_kfunc_type {
	struct skep_btf *btf; /* borrowed of the compilation's types */
	uint32_t func, proto;
};
/** Look up "MODULE:FUNCTION". Return whether there is one. */
bool skep_kfunc_type(struct skep_expand *x, const char *name, struct skep_kfunc_type *ret);
/** Add the kernel's own function @kfunc if it is no pattern and BTF has it: the usual case, without
 *  a walk through all functions. Return whether it was added. */
bool skep_kfunc_find(struct skep_expand *x, const struct skep_kfunc_spec *kfunc,
		     struct skep_names *names);
/** Fill probe->args, and for functions that return also probe->retval, from the type of
 *  "MODULE:FUNCTION". Return 0 | -ENOENT (see @x->diag) */
int skep_kfunc_layout(struct skep_expand *x, struct skep_probe *probe, const char *name);

#endif
