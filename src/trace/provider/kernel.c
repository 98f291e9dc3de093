/*
 * kprobe, kretprobe, fentry and fexit: their names are resolved and checked, but
 * there is no attach type for them in attach.def, and kernels without kprobes
 * exist besides. A script that uses one is told why, and what tracepoint may
 * serve instead; its other probes go on.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "base/vec.h"
#include "linux/bpf.h"
#include "trace/provider/btf_args.h"
#include "trace/provider/kfuncs.h"
#include "trace/provider/tracepoint.h"

/* --- Why not, and what instead -------------------------------------------------------------- */

static bool has_kprobes(void)
{
	return skep_pmu_type("kprobe") >= 0;
}

static const char *why_refused(const char *provider)
{
	bool is_kprobe = !strcmp(provider, "kprobe") || !strcmp(provider, "kretprobe");

	if (is_kprobe && !has_kprobes())
		return "this kernel was built without CONFIG_KPROBES: there is no "
		       "/sys/bus/event_source/devices/kprobe";
	return "this build of skep can name such places but not attach to them";
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

	if (!diag || skep_has_wildcard(func))
		return NULL;
	x->diag = NULL;
	skep_tracepoint_match(x, "syscalls", skep_arena_printf(x->arena, "%s%s", edge, word),
			      &names);
	if (!names.len)
		skep_tracepoint_match(x, "*", skep_arena_printf(x->arena, "*%s*", word), &names);
	x->diag = diag;
	return names.len ? skep_arena_printf(x->arena, "tracepoint:%s", names.data[0]) : NULL;
}

static int refuse(struct skep_expand *x, const struct skep_provider *provider,
		  const struct skep_probe_spec *spec, const char *func)
{
	const char *other = find_alternative(x, func, provider->is_return);
	const char *hint = other ? skep_arena_printf(x->arena, "use %s", other)
				 : "use a tracepoint: skep trace -l 'tracepoint:*' lists them";

	return skep_expand_refused(x, provider, spec->span, why_refused(provider->name), hint);
}

/* --- Kernel functions ------------------------------------------------------------------------ */

struct kfunc_spec {
	const char *module, *func; /* module "*": any */
	uint64_t addr;             /* func NULL */
	uint64_t off;
};

/* "FUNCTION", "FUNCTION+OFFSET" or "ADDRESS" */
static int parse_func(struct skep_expand *x, const struct skep_probe_spec *spec, bool is_return,
		      struct kfunc_spec *ret)
{
	uint32_t i = spec->n_parts - 1;
	const char *text = spec->parts[i], *plus = strchr(text, '+');

	ret->module = spec->n_parts > 2 ? spec->parts[1] : "*";
	ret->func = text;
	if (plus) {
		if (is_return || skep_parse_uint(plus + 1, &ret->off))
			return skep_spec_bad_number(x, spec, i,
						    is_return ? "a function: no offset is allowed"
							      : "a function and an offset");
		ret->func = skep_arena_printf(x->arena, "%.*s", (int)(plus - text), text);
	} else if (!skep_parse_uint(text, &ret->addr)) {
		ret->func = NULL;
	}
	return 0;
}

static int fail_missing(struct skep_expand *x, const struct skep_probe_spec *spec,
			const struct kfunc_spec *kfunc)
{
	_cleanup_names_ struct skep_names names = {0};

	if (x->diag && !skep_has_wildcard(kfunc->func))
		skep_kfuncs_match(x->arena, kfunc->module, "*", false, &names);
	for (size_t i = 0; i < names.len; i++)
		names.data[i] = strchr(names.data[i], ':') + 1;
	return skep_expand_missing(x, skep_spec_span(x, spec, spec->n_parts - 1),
				   skep_arena_printf(x->arena, "kernel function %s", kfunc->func),
				   kfunc->func, &names);
}

static int expand_kfunc(struct skep_expand *x, const struct skep_probe_spec *spec, const char *name)
{
	const struct skep_provider *provider = skep_provider_find(name);
	_cleanup_names_ struct skep_names names = {0};
	struct kfunc_spec kfunc = {0};

	if (spec->n_parts != 2 && spec->n_parts != 3)
		return skep_spec_bad_parts(x, provider, spec);
	int err = parse_func(x, spec, provider->is_return, &kfunc);
	if (err)
		return err;
	if (!x->diag) /* one of many providers: nothing can be added, and nobody asks why */
		return 0;
	if (!kfunc.func)
		return refuse(x, provider, spec, "*");
	err = skep_kfuncs_match(x->arena, kfunc.module, kfunc.func, false, &names);
	if (!err && !names.len)
		return fail_missing(x, spec, &kfunc);
	return refuse(x, provider, spec, kfunc.func);
}

int skep_kprobe_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand_kfunc(x, spec, "kprobe");
}

int skep_kretprobe_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand_kfunc(x, spec, "kretprobe");
}

int skep_fentry_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand_kfunc(x, spec, "fentry");
}

int skep_fexit_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand_kfunc(x, spec, "fexit");
}

/** Needs probe->func. */
int skep_fentry_layout(struct skep_expand *x, struct skep_probe *probe)
{
	const struct skep_btf *btf = skep_types_btf(x->types);
	uint32_t proto = skep_btf_func_proto(x, probe->func);

	if (!proto)
		return skep_diag_fail(x->diag, -ENOENT, SKEP_DIAG_PROBE_FORMAT, probe->spec->span,
				      probe->attach.target);
	probe->args = skep_btf_args_record(x, btf, proto, 0, probe->attach.target);
	probe->retval =
		skep_type_from_btf(x->types, skep_btf_target(btf, proto), SKEP_SPACE_KERNEL);
	return 0;
}

/* --- Listing kernel functions ----------------------------------------------------------------- */

static void list_args(struct skep_expand *x, const char *func, bool with_retval,
		      struct skep_buf *out)
{
	const struct skep_btf *btf = skep_types_btf(x->types);
	uint32_t proto = skep_btf_func_proto(x, func);

	if (!proto)
		return;
	skep_btf_args_list(btf, proto, 0, out);
	if (!with_retval)
		return;
	skep_buf_puts(out, "    ");
	skep_btf_print_decl(btf, skep_btf_target(btf, proto), NULL, out);
	skep_buf_puts(out, " retval\n");
}

/* Only what can be attached to is listed; asked for by name, the reason is given. */
static int list_kfuncs(struct skep_expand *x, const struct skep_probe_spec *pattern,
		       const char *name, bool verbose, struct skep_buf *out)
{
	const struct skep_provider *provider = skep_provider_find(name);
	bool is_kprobe = provider->ctx == SKEP_CTX_REGS;
	_cleanup_names_ struct skep_names names = {0};

	if (is_kprobe && !has_kprobes()) {
		skep_expand_refused(x, provider, pattern->span, why_refused(name), NULL);
		return 0;
	}
	skep_kfuncs_match(x->arena, pattern->n_parts > 2 ? pattern->parts[1] : "*",
			  pattern->n_parts > 1 ? pattern->parts[pattern->n_parts - 1] : "*", true,
			  &names);
	for (size_t i = 0; i < names.len; i++) {
		const char *func = strchr(names.data[i], ':') + 1;
		if (!is_kprobe && !skep_btf_func_proto(x, func))
			continue;
		skep_buf_printf(out, "%s:%s\n", name,
				is_kprobe && pattern->n_parts < 3 ? func : names.data[i]);
		if (verbose)
			list_args(x, func, provider->is_return, out);
	}
	return 0;
}

int skep_kprobe_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		     struct skep_buf *out)
{
	return list_kfuncs(x, pattern, "kprobe", verbose, out);
}

int skep_kretprobe_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
			struct skep_buf *out)
{
	return list_kfuncs(x, pattern, "kretprobe", verbose, out);
}

int skep_fentry_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		     struct skep_buf *out)
{
	return list_kfuncs(x, pattern, "fentry", verbose, out);
}

int skep_fexit_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		    struct skep_buf *out)
{
	return list_kfuncs(x, pattern, "fexit", verbose, out);
}
