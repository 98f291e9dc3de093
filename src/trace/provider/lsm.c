/*
 * lsm: the places where the kernel asks its security modules whether an operation
 * is allowed. Each is a function bpf_lsm_HOOK() in BTF, whose parameters are the
 * operation's. A probe looks on and allows; with --unsafe it may refuse, see the
 * language's `return`.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"
#include "linux/lsm.h"
#include "trace/provider/btf_args.h"
#include "trace/provider/kernel.h"

#define HOOK_PREFIX "bpf_lsm_"

static const char *full_name(struct skep_expand *x, const char *hook)
{
	return skep_arena_printf(x->arena, SKEP_BASE_MODULE ":" HOOK_PREFIX "%s", hook);
}

/* Names without the prefix, sorted. */
static void match_hooks(struct skep_expand *x, const char *pattern, struct skep_names *names)
{
	skep_btf_match(x, skep_types_btf(x->types), SKEP_BTF_FUNC, HOOK_PREFIX, pattern, names);
	skep_spec_names_sort_unique(names);
}

/* Also a kernel that has it all may not ask BPF programs. */
static const char *why_not(struct skep_expand *x)
{
	const char *why = skep_kfunc_why_not(x, SKEP_FEATURE_LSM);

	if (!why && !skep_lsm_is_active("bpf"))
		why = "the kernel was not told to ask BPF programs: /sys/kernel/security/lsm has "
		      "no bpf in it";
	return why;
}

static int add_hook(struct skep_expand *x, const struct skep_probe_spec *spec, const char *hook)
{
	struct skep_probe *probe;
	struct skep_kfunc_type type;
	const char *name = full_name(x, hook);

	if (!skep_kfunc_type(x, name, &type))
		return 0;
	probe = skep_expand_add(x, skep_provider_find("lsm"), spec);
	if (!probe)
		return -E2BIG;
	probe->kfunc = name;
	probe->func = hook;
	probe->expected_attach_type = BPF_LSM_MAC;
	probe->attach_btf_id = type.func;
	probe->attach.type = SKEP_ATTACH_TRACING;
	skep_probe_name(x, probe, "lsm:%s", hook);
	return 0;
}

static int fail_missing(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_names_ struct skep_names names = {0};
	const char *hook = spec->parts[1];

	match_hooks(x, "*", &names);
	return skep_expand_missing(x, skep_spec_span(x, spec, 1),
				   skep_arena_printf(x->arena, "LSM hook %s", hook), hook, &names);
}

int skep_lsm_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	const struct skep_provider *provider = skep_provider_find("lsm");
	_cleanup_names_ struct skep_names names = {0};
	int err = 0;

	if (spec->n_parts != 2)
		return skep_spec_bad_parts(x, provider, spec);
	const char *why = why_not(x);
	if (why)
		return skep_expand_refused(x, provider, spec->span, why,
					   "boot a kernel that has CONFIG_BPF_LSM with lsm=…,bpf");
	match_hooks(x, spec->parts[1], &names);
	for (size_t i = 0; i < names.len && !err; i++)
		err = add_hook(x, spec, names.data[i]);
	return names.len ? err : fail_missing(x, spec);
}

int skep_lsm_layout(struct skep_expand *x, struct skep_probe *probe)
{
	return skep_kfunc_layout(x, probe, probe->kfunc);
}

int skep_lsm_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		  struct skep_buf *out)
{
	_cleanup_names_ struct skep_names names = {0};
	const char *why = why_not(x);

	if (why) {
		skep_expand_refused(x, skep_provider_find("lsm"), pattern->span, why, NULL);
		return 0;
	}
	match_hooks(x, pattern->n_parts > 1 ? pattern->parts[1] : "*", &names);
	for (size_t i = 0; i < names.len; i++) {
		skep_buf_printf(out, "lsm:%s\n", names.data[i]);
		if (verbose)
			skep_kfunc_list_args(x, full_name(x, names.data[i]), false, out);
	}
	return 0;
}
