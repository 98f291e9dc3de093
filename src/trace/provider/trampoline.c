/*
 * What fentry.c and fmod_ret.c share: which functions a trampoline fits, and a
 * place of one. BTF must describe the function, for the program is loaded for it:
 * one program a place.
 */
#include "trace/provider/trampoline.h"

#include <string.h>

#include "base/arena.h"
#include "trace/provider/modules.h"

enum { MAX_ARGS = 12, MAX_ARG_BYTES = 16 };

/* What cannot be passed on: more arguments than are saved, structs in memory, "...". */
bool skep_trampoline_fits(const struct skep_kfunc_type *type)
{
	uint32_t n = skep_btf_n_members(type->btf, type->proto);
	struct skep_btf_member param;

	if (n > MAX_ARGS)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (skep_btf_member(type->btf, type->proto, i, &param) || !param.type)
			return false;
		if (skep_btf_size(type->btf, param.type) > MAX_ARG_BYTES)
			return false;
	}
	return true;
}

static bool is_module(const char *name)
{
	return strncmp(name, SKEP_BASE_MODULE ":", strlen(SKEP_BASE_MODULE ":")) != 0;
}

struct skep_probe *skep_trampoline_add(struct skep_expand *x, const struct skep_provider *provider,
				       const struct skep_probe_spec *spec, const char *name,
				       uint32_t attach_type)
{
	struct skep_kfunc_type type = {0};
	struct skep_probe *probe = skep_expand_add(x, provider, spec);

	if (!probe)
		return NULL;
	skep_kfunc_type(x, name, &type);
	probe->kfunc = name;
	probe->func = strchr(name, ':') + 1;
	probe->expected_attach_type = attach_type;
	probe->attach_btf_id = type.func;
	probe->attach.type = SKEP_ATTACH_TRACING;
	skep_probe_name(x, probe, "%s:%s", provider->name, name);
	if (is_module(name))
		probe->attach_fd = skep_module_btf_open(
			skep_arena_printf(x->arena, "%.*s", (int)strcspn(name, ":"), name));
	return probe;
}

void skep_trampoline_list(struct skep_expand *x, const struct skep_provider *provider,
			  const char *name, bool verbose, struct skep_buf *out)
{
	skep_buf_printf(out, "%s:%s\n", provider->name, name);
	if (verbose)
		skep_kfunc_list_args(x, name, provider->is_return, out);
}
