/*
 * iter: the kernel's objects of a kind, one after the other. Names are those of
 * the contexts in its BTF, struct bpf_iter__NAME, whose members a script has as
 * ctx and as args; a function bpf_iter_NAME() stands for the iterator when a
 * program is loaded. The run time reads each once, see trace/run/iter.c.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "base/vec.h"
#include "linux/feature.h"
#include "trace/provider/btf_args.h"

#define ITER_PREFIX "bpf_iter__"
#define ITER_FUNC   "bpf_iter_"

static void match_iters(struct skep_expand *x, const char *pattern, struct skep_names *names)
{
	skep_btf_match(x, skep_types_btf(x->types), SKEP_BTF_STRUCT, ITER_PREFIX, pattern, names);
	skep_spec_names_sort_unique(names);
}

static uint32_t find_type(struct skep_expand *x, const char *prefix, const char *name,
			  enum skep_btf_kind kind)
{
	struct skep_btf *btf = skep_types_btf(x->types);
	const char *full = skep_arena_printf(x->arena, "%s%s", prefix, name);

	return btf ? skep_btf_find(btf, full, strlen(full), SKEP_BTF_MASK(kind)) : 0;
}

static int fail_missing(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_names_ struct skep_names names = {0};

	match_iters(x, "*", &names);
	return skep_expand_missing(x, skep_spec_span(x, spec, 1),
				   skep_arena_printf(x->arena, "iterator %s", spec->parts[1]),
				   spec->parts[1], &names);
}

/* The elements of a map are gone over by whoever has the map, and a script names none. */
static bool needs_map(const char *name)
{
	return !strcmp(name, "bpf_map_elem") || !strcmp(name, "bpf_sk_storage_map") ||
	       !strcmp(name, "sockmap");
}

/* Why a script cannot have it; NULL: it can. */
static const char *why_not(const struct skep_probe_spec *spec, struct skep_feature_result *ret)
{
	if (needs_map(spec->parts[1])) {
		strcpy(ret->hint, "skep map shows what a map holds");
		return "it goes over the elements of a map, and a script has no name for one";
	}
	if (spec->n_parts > 2) {
		strcpy(ret->hint, "leave the last part out: the iterator is read at once");
		return "a script's output is made by skep: there would be nothing in a pinned file";
	}
	skep_feature_try(SKEP_FEATURE_ITERATOR, ret);
	return ret->yes ? NULL : ret->why;
}

static int add(struct skep_expand *x, const struct skep_probe_spec *spec, uint32_t func)
{
	struct skep_probe *probe = skep_expand_add(x, skep_provider_find("iter"), spec);
	bool is_of_tasks = !strncmp(spec->parts[1], "task", strlen("task"));

	if (!probe)
		return -E2BIG;
	probe->attach.type = SKEP_ATTACH_ITER;
	probe->expected_attach_type = BPF_TRACE_ITER;
	probe->attach_btf_id = func;
	if (is_of_tasks && x->pid >= 0)
		probe->attach.iter.pid = x->pid;
	skep_probe_name(x, probe, "iter:%s", spec->parts[1]);
	return 0;
}

int skep_iter_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	struct skep_feature_result here = {0};
	uint32_t func;

	if (spec->n_parts != 2 && spec->n_parts != 3)
		return skep_spec_bad_parts(x, skep_provider_find("iter"), spec);
	if (skep_has_wildcard(spec->parts[1]))
		return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_ALONE,
				      skep_spec_span(x, spec, 1));
	func = find_type(x, ITER_FUNC, spec->parts[1], SKEP_BTF_FUNC);
	if (!func || !find_type(x, ITER_PREFIX, spec->parts[1], SKEP_BTF_STRUCT))
		return fail_missing(x, spec);
	const char *why = why_not(spec, &here);
	if (why)
		return skep_expand_refused(x, skep_provider_find("iter"), spec->span, why,
					   here.hint);
	return add(x, spec, func);
}

int skep_iter_layout(struct skep_expand *x, struct skep_probe *probe)
{
	uint32_t id = find_type(x, ITER_PREFIX, probe->spec->parts[1], SKEP_BTF_STRUCT);
	const struct skep_type *type = skep_type_from_btf(x->types, id, SKEP_SPACE_CTX);

	probe->args = type->record;
	return 0;
}

/* The parameters of bpf_iter_NAME() but for the first, which is about the iterator itself. */
int skep_iter_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		   struct skep_buf *out)
{
	_cleanup_names_ struct skep_names names = {0};

	match_iters(x, pattern->n_parts > 1 ? pattern->parts[1] : "*", &names);
	for (size_t i = 0; i < names.len; i++) {
		skep_buf_printf(out, "iter:%s\n", names.data[i]);
		uint32_t proto =
			verbose ? skep_btf_func_proto(x, skep_arena_printf(x->arena, ITER_FUNC "%s",
									   names.data[i]))
				: 0;
		if (proto)
			skep_btf_args_list(skep_types_btf(x->types), proto, 1, out);
	}
	return 0;
}
