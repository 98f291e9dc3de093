/*
 * fentry and fexit: entry and return of the kernel's functions by way of a
 * trampoline, which costs a fraction of a breakpoint and knows the arguments with
 * their types; at return, the arguments still.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"
#include "trace/provider/kfuncs.h"
#include "trace/provider/trampoline.h"

static int add_place(struct skep_expand *x, const struct skep_provider *provider,
		     const struct skep_probe_spec *spec, const char *name)
{
	uint32_t attach_type = provider->is_return ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY;
	struct skep_kfunc_type type;

	if (!skep_kfunc_type(x, name, &type) || !skep_trampoline_fits(&type))
		return 0;
	return skep_trampoline_add(x, provider, spec, name, attach_type) ? 0 : -E2BIG;
}

/* What else sees the same: a kprobe, if the kernel has them. */
static const char *other(struct skep_expand *x, const struct skep_provider *provider,
			 const struct skep_probe_spec *spec)
{
	const char *func = spec->parts[spec->n_parts - 1];

	if (!skep_has_kprobes())
		return NULL;
	return skep_arena_printf(x->arena, "%s:%s", provider->is_return ? "kretprobe" : "kprobe",
				 func);
}

static int fail_untyped(struct skep_expand *x, const struct skep_probe_spec *spec,
			const struct skep_provider *provider)
{
	return skep_kfunc_refused(x, spec, provider,
				  "the kernel's BTF does not describe the function, or it has "
				  "arguments that cannot be passed on",
				  other(x, provider, spec));
}

static int expand(struct skep_expand *x, const struct skep_probe_spec *spec, const char *name)
{
	const struct skep_provider *provider = skep_provider_find(name);
	_cleanup_names_ struct skep_names names = {0};
	struct skep_kfunc_spec kfunc;
	uint32_t before = x->n_probes;
	int err = skep_kfunc_parse(x, provider, spec, &kfunc);

	if (err)
		return err;
	if (!skep_kfunc_find(x, &kfunc, &names))
		skep_kfuncs_match(x, kfunc.module, kfunc.func, false, &names);
	if (!names.len)
		return x->diag ? skep_kfunc_missing(x, spec, &kfunc) : 0;
	const char *why = skep_kfunc_why_not(x, provider->is_return ? SKEP_FEATURE_FEXIT
								    : SKEP_FEATURE_FENTRY);
	if (why)
		return skep_kfunc_refused(x, spec, provider, why, other(x, provider, spec));
	for (size_t i = 0; i < names.len && !err; i++)
		err = add_place(x, provider, spec, names.data[i]);
	return err || x->n_probes > before ? err : fail_untyped(x, spec, provider);
}

int skep_fentry_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, "fentry");
}

int skep_fexit_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, "fexit");
}

int skep_fentry_layout(struct skep_expand *x, struct skep_probe *probe)
{
	return skep_kfunc_layout(x, probe, probe->kfunc);
}

/* --- Listing --------------------------------------------------------------------------------- */

static int list(struct skep_expand *x, const struct skep_probe_spec *pattern, const char *name,
		bool verbose, struct skep_buf *out)
{
	const struct skep_provider *provider = skep_provider_find(name);
	_cleanup_names_ struct skep_names names = {0};
	const char *why = skep_kfunc_why_not(x, provider->is_return ? SKEP_FEATURE_FEXIT
								    : SKEP_FEATURE_FENTRY);

	if (why) {
		skep_expand_refused(x, provider, pattern->span, why, NULL);
		return 0;
	}
	skep_kfuncs_match(x, pattern->n_parts > 2 ? pattern->parts[1] : "*",
			  pattern->n_parts > 1 ? pattern->parts[pattern->n_parts - 1] : "*", true,
			  &names);
	for (size_t i = 0; i < names.len; i++) {
		struct skep_kfunc_type type;
		if (skep_kfunc_type(x, names.data[i], &type) && skep_trampoline_fits(&type))
			skep_trampoline_list(x, provider, names.data[i], verbose, out);
	}
	return 0;
}

int skep_fentry_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		     struct skep_buf *out)
{
	return list(x, pattern, "fentry", verbose, out);
}

int skep_fexit_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		    struct skep_buf *out)
{
	return list(x, pattern, "fexit", verbose, out);
}
