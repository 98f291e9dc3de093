/*
 * kprobe and kretprobe: entry and return of the kernel's functions, and any
 * instruction in them.
 *
 * What a wildcard means is attached by one link where the kernel has kprobe.multi
 * (see struct skep_bundle), else by a perf event each. Functions of modules are
 * always attached by themselves: older kernels look for the names of a link among
 * those of the kernel only.
 *
 * Arguments are in registers, as many as there are; BTF gives them names and types.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"
#include "linux/bpf.h"
#include "trace/provider/kernel.h"
#include "trace/provider/kfuncs.h"

#define WHY_NOT                                                                                    \
	"this kernel was built without CONFIG_KPROBES: there is no "                               \
	"/sys/bus/event_source/devices/kprobe"

/* Of one spec. */
struct places {
	const struct skep_provider *provider;
	const struct skep_probe_spec *spec;
	struct skep_kfunc_spec kfunc;
	bool by_multi; /* functions of the kernel itself */
};

/* --- Expansion ------------------------------------------------------------------------------- */

static void set_multi(struct skep_expand *x, struct skep_probe *probe, const char *func, bool ret)
{
	const char **names = skep_arena_array(x->arena, const char *, 1);

	names[0] = func;
	probe->expected_attach_type = BPF_TRACE_KPROBE_MULTI;
	probe->attach.type = SKEP_ATTACH_KPROBE_MULTI;
	probe->attach.kprobe_multi.names = names;
	probe->attach.kprobe_multi.n = 1;
	probe->attach.kprobe_multi.ret = ret;
}

static void set_single(struct skep_probe *probe, const char *func,
		       const struct skep_kfunc_spec *kfunc, bool ret)
{
	probe->attach.type = SKEP_ATTACH_KPROBE;
	probe->attach.kprobe.func = func;
	probe->attach.kprobe.addr = kfunc->addr;
	probe->attach.kprobe.off = kfunc->off;
	probe->attach.kprobe.ret = ret;
}

/* @name: "MODULE:FUNCTION". The module is named where the script does, or where it is one. */
static int add_func(struct skep_expand *x, const struct places *places, const char *name)
{
	struct skep_probe *probe = skep_expand_add(x, places->provider, places->spec);
	const char *func = strchr(name, ':') + 1;
	size_t len = (size_t)(func - name) - 1;
	bool is_base = len == strlen(SKEP_BASE_MODULE) && !memcmp(name, SKEP_BASE_MODULE, len);
	bool is_plain = is_base && places->spec->n_parts < 3;
	unsigned long long off = places->kfunc.off;

	if (!probe)
		return -E2BIG;
	probe->kfunc = name;
	if (places->by_multi && is_base)
		set_multi(x, probe, func, places->provider->is_return);
	else
		set_single(probe, is_base ? func : name, &places->kfunc,
			   places->provider->is_return);
	if (off)
		skep_probe_name(x, probe, "%s:%s+%llu", places->provider->name,
				is_plain ? func : name, off);
	else
		skep_probe_name(x, probe, "%s:%s", places->provider->name, is_plain ? func : name);
	return 0;
}

static int add_address(struct skep_expand *x, const struct places *places)
{
	struct skep_probe *probe = skep_expand_add(x, places->provider, places->spec);

	if (!probe)
		return -E2BIG;
	set_single(probe, NULL, &places->kfunc, false);
	skep_probe_name(x, probe, "%s:0x%llx", places->provider->name,
			(unsigned long long)places->kfunc.addr);
	return 0;
}

static int expand(struct skep_expand *x, const struct skep_probe_spec *spec, const char *name)
{
	struct places places = {.provider = skep_provider_find(name), .spec = spec};
	_cleanup_names_ struct skep_names names = {0};
	const struct skep_kfunc_spec *kfunc = &places.kfunc;
	int err = skep_kfunc_parse(x, places.provider, spec, &places.kfunc);

	if (err)
		return err;
	if (!kfunc->func)
		return skep_has_kprobes()
			       ? add_address(x, &places)
			       : skep_kfunc_refused(x, spec, places.provider, WHY_NOT, NULL);
	bool is_found = skep_kfunc_find(x, kfunc, &names);
	if (!is_found && (skep_has_kprobes() || x->diag))
		err = skep_kfuncs_match(x, kfunc->module, kfunc->func, false, &names);
	if (!err && !names.len)
		return x->diag ? skep_kfunc_missing(x, spec, kfunc) : 0;
	if (!skep_has_kprobes())
		return skep_kfunc_refused(x, spec, places.provider, WHY_NOT, NULL);
	places.by_multi =
		names.len > 1 && !kfunc->off && !skep_kfunc_why_not(x, SKEP_FEATURE_KPROBE_MULTI);
	for (size_t i = 0; i < names.len && !err; i++)
		err = add_func(x, &places, names.data[i]);
	return err;
}

int skep_kprobe_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, "kprobe");
}

int skep_kretprobe_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, "kretprobe");
}

int skep_kprobe_layout(struct skep_expand *x, struct skep_probe *probe)
{
	bool is_inside = !probe->kfunc ||
			 (probe->attach.type == SKEP_ATTACH_KPROBE && probe->attach.kprobe.off);

	if (!is_inside)
		return skep_kfunc_layout(x, probe, probe->kfunc);
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_FORMAT, probe->spec->span, probe->attach.target);
	skep_diag_why(x->diag, "within a function its arguments may be anywhere");
	skep_diag_try(x->diag, "read registers: reg(\"di\")");
	return -ENOENT;
}

/* --- Listing --------------------------------------------------------------------------------- */

/* Only what can be attached to is listed; asked for by name, the reason is given. */
static int list(struct skep_expand *x, const struct skep_probe_spec *pattern, const char *name,
		bool verbose, struct skep_buf *out)
{
	const struct skep_provider *provider = skep_provider_find(name);
	_cleanup_names_ struct skep_names names = {0};
	bool has_module = pattern->n_parts > 2;

	if (!skep_has_kprobes()) {
		skep_expand_refused(x, provider, pattern->span, WHY_NOT, NULL);
		return 0;
	}
	skep_kfuncs_match(x, has_module ? pattern->parts[1] : "*",
			  pattern->n_parts > 1 ? pattern->parts[pattern->n_parts - 1] : "*", true,
			  &names);
	for (size_t i = 0; i < names.len; i++) {
		const char *func = strchr(names.data[i], ':') + 1;
		skep_buf_printf(out, "%s:%s\n", name, has_module ? names.data[i] : func);
		if (verbose)
			skep_kfunc_list_args(x, names.data[i], false, out);
	}
	return 0;
}

int skep_kprobe_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		     struct skep_buf *out)
{
	return list(x, pattern, "kprobe", verbose, out);
}

int skep_kretprobe_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
			struct skep_buf *out)
{
	return list(x, pattern, "kretprobe", verbose, out);
}
