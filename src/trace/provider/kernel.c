/*
 * The kernel's functions as places: what kprobe, fentry and lsm share. Kernels are
 * built without any of them; a script that uses one there is told why, and what may
 * serve instead, and its other probes go on.
 */
#include "trace/provider/kernel.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"
#include "linux/bpf.h"
#include "linux/privilege.h"
#include "trace/provider/btf_args.h"
#include "trace/provider/kfuncs.h"
#include "trace/provider/tracepoint.h"

/* --- Why not, and what instead -------------------------------------------------------------- */

bool skep_has_kprobes(void)
{
	return skep_pmu_type("kprobe") >= 0;
}

const char *skep_kfunc_why_not(struct skep_expand *x, enum skep_feature_id id)
{
	bool may_try = skep_has_cap(CAP_BPF) && skep_has_cap(CAP_PERFMON);
	const struct skep_feature *feature = skep_feature(id);
	struct skep_feature_result result;

	if (!may_try || skep_has_feature(id))
		return NULL;
	skep_feature_try(id, &result);
	return skep_arena_printf(x->arena, "%s: %s; it takes %s", feature->name,
				 result.why[0] ? result.why : strerror(-result.err),
				 feature->option);
}

/* "vfs_read" and "__x64_sys_read" are about "read". */
static const char *without_prefix(const char *func)
{
	static const char *const prefixes[] = {
		"__x64_sys_", "__arm64_sys_", "__ia32_sys_", "__se_sys_", "__do_sys_", "do_sys_",
		"ksys_",      "sys_",         "vfs_",        "do_",       "__"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i]);
		if (!strncmp(func, prefixes[i], len) && func[len])
			return func + len;
	}
	return func;
}

/* A tracepoint that is about what @func does; NULL: none is known. */
static const char *find_alternative(struct skep_expand *x, const char *func, bool is_return)
{
	_cleanup_names_ struct skep_names names = {0};
	const char *word = without_prefix(func);
	const char *edge = is_return ? "sys_exit_" : "sys_enter_";
	struct skep_diag *diag = x->diag;

	if (!diag || skep_has_wildcard(func) || strchr(func, '+'))
		return NULL;
	x->diag = NULL;
	skep_tracepoint_match(x, "syscalls", skep_arena_printf(x->arena, "%s%s", edge, word),
			      &names);
	if (!names.len)
		skep_tracepoint_match(x, "*", skep_arena_printf(x->arena, "*%s*", word), &names);
	x->diag = diag;
	return names.len ? skep_arena_printf(x->arena, "tracepoint:%s", names.data[0]) : NULL;
}

int skep_kfunc_refused(struct skep_expand *x, const struct skep_probe_spec *spec,
		       const struct skep_provider *provider, const char *why, const char *other)
{
	const char *func = spec->parts[spec->n_parts - 1];
	const char *hint = "use a tracepoint: skep trace -l 'tracepoint:*' lists them";

	if (!x->diag) /* one of many providers, and nobody asks why */
		return 0;
	if (!other)
		other = find_alternative(x, func, provider->is_return);
	if (other)
		hint = skep_arena_printf(x->arena, "use %s", other);
	return skep_expand_refused(x, provider, spec->span, why, hint);
}

int skep_kfunc_missing(struct skep_expand *x, const struct skep_probe_spec *spec,
		       const struct skep_kfunc_spec *kfunc)
{
	_cleanup_names_ struct skep_names names = {0};

	if (x->diag && !skep_has_wildcard(kfunc->func))
		skep_kfuncs_match(x, kfunc->module, "*", false, &names);
	for (size_t i = 0; i < names.len; i++)
		names.data[i] = strchr(names.data[i], ':') + 1;
	return skep_expand_missing(x, skep_spec_span(x, spec, spec->n_parts - 1),
				   skep_arena_printf(x->arena, "kernel function %s", kfunc->func),
				   kfunc->func, &names);
}

/* --- Specs ----------------------------------------------------------------------------------- */

int skep_kfunc_parse(struct skep_expand *x, const struct skep_provider *provider,
		     const struct skep_probe_spec *spec, struct skep_kfunc_spec *ret)
{
	bool is_whole = provider->is_return || provider->ctx != SKEP_CTX_REGS;
	uint32_t i = spec->n_parts - 1;
	const char *text = spec->parts[i], *plus = strchr(text, '+');

	if (spec->n_parts != 2 && spec->n_parts != 3)
		return skep_spec_bad_parts(x, provider, spec);
	*ret = (struct skep_kfunc_spec){.module = spec->n_parts > 2 ? spec->parts[1] : "*",
					.func = text};
	if (plus) {
		if (is_whole || skep_parse_uint(plus + 1, &ret->off))
			return skep_spec_bad_number(x, spec, i,
						    is_whole ? "a function: no offset is allowed"
							     : "a function and an offset");
		ret->func = skep_arena_printf(x->arena, "%.*s", (int)(plus - text), text);
	} else if (!is_whole && !skep_parse_uint(text, &ret->addr)) {
		ret->func = NULL;
	}
	return 0;
}

/* --- Types ----------------------------------------------------------------------------------- */

bool skep_kfunc_type(struct skep_expand *x, const char *name, struct skep_kfunc_type *ret)
{
	const char *colon = strchr(name, ':'), *func = colon + 1;
	const char *module = skep_arena_printf(x->arena, "%.*s", (int)(colon - name), name);
	struct skep_kfunc_type type = {.btf = skep_types_module_btf(x->types, module)};

	if (type.btf)
		type.func =
			skep_btf_find(type.btf, func, strlen(func), SKEP_BTF_MASK(SKEP_BTF_FUNC));
	if (type.func)
		type.proto = skep_btf_target(type.btf, type.func);
	if (type.proto)
		*ret = type;
	return type.proto;
}

bool skep_kfunc_find(struct skep_expand *x, const struct skep_kfunc_spec *kfunc,
		     struct skep_names *names)
{
	const char *name = skep_arena_printf(x->arena, SKEP_BASE_MODULE ":%s", kfunc->func);
	struct skep_kfunc_type type;

	if (skep_has_wildcard(kfunc->func) ||
	    !skep_wildcard_match(kfunc->module, SKEP_BASE_MODULE) ||
	    !skep_kfunc_type(x, name, &type))
		return false;
	skep_vec_push(names, name);
	return true;
}

int skep_kfunc_layout(struct skep_expand *x, struct skep_probe *probe, const char *name)
{
	struct skep_kfunc_type type;

	if (!skep_kfunc_type(x, name, &type)) {
		skep_diag_add(x->diag, SKEP_DIAG_PROBE_FORMAT, probe->spec->span,
			      probe->attach.target);
		skep_diag_why(x->diag, skep_types_btf(x->types)
					       ? "the kernel's BTF does not describe it"
					       : "this kernel has no BTF");
		skep_diag_try(x->diag, "arg0, arg1, … are there without types in kprobes");
		return -ENOENT;
	}
	probe->args = skep_btf_args_record(x, type.btf, type.proto, 0, probe->attach.target);
	if (probe->provider->is_return)
		probe->retval =
			skep_btf_arg_type(x, type.btf, skep_btf_target(type.btf, type.proto));
	return 0;
}

void skep_kfunc_list_args(struct skep_expand *x, const char *name, bool with_retval,
			  struct skep_buf *out)
{
	struct skep_kfunc_type type;

	if (!skep_kfunc_type(x, name, &type))
		return;
	skep_btf_args_list(type.btf, type.proto, 0, out);
	if (with_retval) {
		skep_buf_puts(out, "    ");
		skep_btf_print_decl(type.btf, skep_btf_target(type.btf, type.proto), NULL, out);
		skep_buf_puts(out, " retval\n");
	}
}
