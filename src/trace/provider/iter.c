/*
 * iter: the kernel's objects of a kind, one after the other. Names are those of
 * the contexts in its BTF, struct bpf_iter__NAME.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "base/vec.h"
#include "trace/provider/btf_args.h"

#define ITER_PREFIX "bpf_iter__"
#define ITER_FUNC   "bpf_iter_"

/* Each iterator has a struct bpf_iter__NAME, its context. */
static void match_iters(struct skep_expand *x, const char *pattern, struct skep_names *names)
{
	const struct skep_btf *btf = skep_types_btf(x->types);
	size_t len = strlen(ITER_PREFIX);

	for (uint32_t id = 1; btf && id <= skep_btf_n_types(btf); id++) {
		if (skep_btf_kind(btf, id) != SKEP_BTF_STRUCT)
			continue;
		const char *name = skep_btf_name(btf, id);
		if (!strncmp(name, ITER_PREFIX, len) && skep_wildcard_match(pattern, name + len))
			skep_vec_push(names, name + len);
	}
	skep_spec_names_sort_unique(names);
}

int skep_iter_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	const struct skep_provider *provider = skep_provider_find("iter");
	_cleanup_names_ struct skep_names names = {0};

	if (spec->n_parts != 2 && spec->n_parts != 3)
		return skep_spec_bad_parts(x, provider, spec);
	if (skep_has_wildcard(spec->parts[1]))
		return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_ALONE,
				      skep_spec_span(x, spec, 1));
	match_iters(x, spec->parts[1], &names);
	if (names.len)
		return skep_expand_refused(
			x, provider, spec->span,
			"this build of skep can name such places but not attach to them", NULL);
	match_iters(x, "*", &names);
	return skep_expand_missing(x, skep_spec_span(x, spec, 1),
				   skep_arena_printf(x->arena, "iterator %s", spec->parts[1]),
				   spec->parts[1], &names);
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
