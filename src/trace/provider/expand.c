/*
 * From probe specs to places: finds each spec's provider in the table made from
 * providers.def, lets it add the places it means, removes what was added twice
 * and numbers the rest.
 *
 * Invariant: x->probes[0 … n_probes) are complete, whatever failed after them.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/strmap.h"
#include "base/vec.h"
#include "trace/provider/binary.h"

enum provider_id {
#define PROVIDER(id, ...) P_##id,
#include "trace/provider/providers.def"
#undef PROVIDER
	N_PROVIDERS
};

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PROVIDER(id, names, how, list_kind, context, prog, pointers, returns, fn, layout_fn)       \
	[P_##id] = {                                                                               \
		.name = #id,                                                                       \
		.aliases = names,                                                                  \
		.synopsis = how,                                                                   \
		.listed = SKEP_LISTED_##list_kind,                                                 \
		.ctx = SKEP_CTX_##context,                                                         \
		.prog_type = BPF_PROG_TYPE_##prog,                                                 \
		.space = SKEP_SPACE_##pointers,                                                    \
		.is_return = returns,                                                              \
		.expand = skep_##fn##_expand,                                                      \
		.list = skep_##fn##_list,                                                          \
		.layout = layout_fn,                                                               \
	},
static const struct skep_provider rows[N_PROVIDERS] = {
#include "trace/provider/providers.def"
};
#undef PROVIDER

static const struct skep_provider *const providers[N_PROVIDERS] = {
#define PROVIDER(id, ...) &rows[P_##id],
#include "trace/provider/providers.def"
#undef PROVIDER
};

enum { DEFAULT_MAX_PROBES = 4096 };

/* --- The table ---------------------------------------------------------------------------- */

size_t skep_providers(const struct skep_provider *const **ret)
{
	*ret = providers;
	return N_PROVIDERS;
}

static bool has_alias(const struct skep_provider *provider, const char *name)
{
	for (const char *const *alias = provider->aliases; *alias; alias++) {
		if (!strcmp(*alias, name))
			return true;
	}
	return false;
}

/* Full names in any case (BEGIN), aliases as they are: u and U differ. */
const struct skep_provider *skep_provider_find(const char *name)
{
	for (size_t i = 0; i < N_PROVIDERS; i++) {
		if (!strcasecmp(providers[i]->name, name) || has_alias(providers[i], name))
			return providers[i];
	}
	return NULL;
}

static int fail_unknown(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_names_ struct skep_names names = {0};

	for (size_t i = 0; i < N_PROVIDERS; i++)
		skep_vec_push(&names, providers[i]->name);
	for (size_t i = 0; i < N_PROVIDERS; i++) {
		for (const char *const *alias = providers[i]->aliases; *alias; alias++) {
			if (strlen(*alias) > 2)
				skep_vec_push(&names, *alias);
		}
	}
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_PROVIDER, skep_spec_span(x, spec, 0),
		      spec->parts[0]);
	skep_diag_did_you_mean(x->diag, spec->parts[0], names.data, names.len);
	return -EINVAL;
}

/* --- The list of places ------------------------------------------------------------------- */

static uint64_t max_probes(const struct skep_expand *x)
{
	return x->config && x->config->max_probes ? x->config->max_probes : DEFAULT_MAX_PROBES;
}

static void grow(struct skep_expand *x)
{
	uint32_t cap = x->cap_probes ? x->cap_probes * 2 : 16;
	struct skep_probe **probes = skep_arena_array(x->arena, struct skep_probe *, cap);

	if (x->n_probes)
		memcpy(probes, x->probes, x->n_probes * sizeof(*probes));
	x->probes = probes;
	x->cap_probes = cap;
}

struct skep_probe *skep_expand_add(struct skep_expand *x, const struct skep_provider *provider,
				   const struct skep_probe_spec *spec)
{
	struct skep_probe *probe;

	if (x->n_probes >= max_probes(x)) {
		x->over_limit = true;
		return NULL;
	}
	if (x->n_probes == x->cap_probes)
		grow(x);
	probe = skep_arena_new(x->arena, struct skep_probe);
	probe->provider = provider;
	probe->def = x->def;
	probe->spec = spec;
	probe->attach.span = spec->span;
	x->probes[x->n_probes++] = probe;
	return probe;
}

void skep_probe_close(struct skep_probe *probe)
{
	if (probe->attach.type == SKEP_ATTACH_CGROUP)
		skep_close(&probe->attach.cgroup.cgroup_fd);
	if (probe->attach_fd > 0)
		skep_close(&probe->attach_fd);
}

/* Which file @path is, by whatever name. */
struct file {
	const char *path;
	struct stat st;
};

static void look_at(struct file *file, const char *path)
{
	if (path == file->path)
		return;
	file->path = path;
	if (stat(path, &file->st) < 0)
		file->st = (struct stat){0};
}

/* One name may stand for several places: a USDT probe that was inlined. And one place may have
 * several names: those of links to its file. */
static const char *place_key(const struct skep_expand *x, const struct skep_probe *probe,
			     struct file *file)
{
	const char *target = probe->attach.target;

	if (probe->special != SKEP_PROBE_ATTACHED || probe->attach.type != SKEP_ATTACH_UPROBE)
		return target;
	look_at(file, probe->attach.uprobe.path);
	if (file->st.st_ino)
		target = skep_arena_printf(x->arena, "%s:%llx:%llx:%s", probe->provider->name,
					   (unsigned long long)file->st.st_dev,
					   (unsigned long long)file->st.st_ino,
					   strrchr(target, ':'));
	return skep_arena_printf(x->arena, "%s@%llx", target,
				 (unsigned long long)probe->attach.uprobe.file_off);
}

static void drop_duplicates(struct skep_expand *x, uint32_t first)
{
	struct skep_strmap seen = {0};
	struct file file = {0};
	uint32_t n = first;

	for (uint32_t i = first; i < x->n_probes; i++) {
		const char *key = place_key(x, x->probes[i], &file);
		void **place = skep_strmap_put(&seen, key, strlen(key));
		if (!*place)
			x->probes[n++] = x->probes[i];
		*place = x->probes[i];
	}
	x->n_probes = n;
	skep_strmap_done(&seen);
}

/* --- Specs -------------------------------------------------------------------------------- */

/* "*:sys_enter_*": what is written for one provider may make no sense for another, so nothing
 * is reported unless no provider finds anything. */
static int expand_any(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	bool user = x->pid >= 0 || (spec->n_parts > 1 && strchr(spec->parts[1], '/'));
	enum skep_listed kind = user ? SKEP_LISTED_USER : SKEP_LISTED_KERNEL;
	struct skep_probe_spec *each = skep_arena_dup(x->arena, spec, sizeof(*spec));
	const char *all[2] = {spec->parts[0], "*"};
	struct skep_diag *diag = x->diag;
	uint32_t before = x->n_probes;

	if (spec->n_parts == 1) {
		each->parts = skep_arena_dup(x->arena, all, sizeof(all));
		each->n_parts = 2;
	}
	x->diag = NULL;
	for (size_t i = 0; i < N_PROVIDERS; i++) {
		if (providers[i]->listed == kind &&
		    (spec->n_parts == 1 || skep_wildcard_match(spec->parts[0], providers[i]->name)))
			providers[i]->expand(x, each);
	}
	x->diag = diag;
	if (x->n_probes > before || x->over_limit)
		return 0;
	return skep_expand_missing(x, spec->span,
				   skep_arena_printf(x->arena, "probe that matches %s", spec->text),
				   NULL, NULL);
}

static int expand_one(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	const struct skep_provider *provider;

	if (skep_has_wildcard(spec->parts[0]))
		return expand_any(x, spec);
	provider = skep_provider_find(spec->parts[0]);
	return provider ? provider->expand(x, spec) : fail_unknown(x, spec);
}

/* NAME=provider:…: the same spec without the name. */
static const struct skep_probe_spec *without_name(struct skep_expand *x,
						  const struct skep_probe_spec *spec,
						  const char **ret_name)
{
	const char *equals = strchr(spec->parts[0], '=');
	struct skep_probe_spec *copy;

	*ret_name = NULL;
	if (!equals || equals == spec->parts[0] || !equals[1])
		return spec;
	*ret_name =
		skep_arena_printf(x->arena, "%.*s", (int)(equals - spec->parts[0]), spec->parts[0]);
	copy = skep_arena_dup(x->arena, spec, sizeof(*spec));
	copy->parts = skep_arena_dup(x->arena, spec->parts, spec->n_parts * sizeof(*spec->parts));
	copy->parts[0] = equals + 1;
	return copy;
}

static int expand_spec(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	uint32_t first = x->n_probes;
	const char *name;

	if (!spec->n_parts || !spec->parts[0][0]) /* a trailing comma */
		return 0;
	int err = expand_one(x, without_name(x, spec, &name));
	for (uint32_t i = first; name && i < x->n_probes; i++)
		x->probes[i]->name = name;
	if (!x->over_limit)
		return err;
	return skep_diag_fail(x->diag, -E2BIG, SKEP_DIAG_PROBE_LIMIT, spec->span,
			      (unsigned long long)max_probes(x));
}

/* missing_probes=any: of the places of one body there must be one. */
static int fail_if_none(struct skep_expand *x, const struct skep_probe_def *def, uint32_t first)
{
	const char *said = x->config ? x->config->missing_probes : NULL;

	if (x->n_probes > first || !said || strcmp(said, "any") != 0)
		return 0;
	x->must_find = true;
	int err = expand_spec(x, def->specs);
	x->must_find = false;
	return err;
}

static int expand_def(struct skep_expand *x, struct skep_probe_def *def)
{
	uint32_t first = x->n_probes;
	int err = 0;

	x->def = def;
	if (def->is_off)
		return 0;
	for (const struct skep_probe_spec *spec = def->specs; spec && !x->over_limit;
	     spec = spec->next) {
		if (expand_spec(x, spec))
			err = -EINVAL;
	}
	drop_duplicates(x, first);
	return err ? err : fail_if_none(x, def, first);
}

static uint32_t count_specs(const struct skep_script *script)
{
	uint32_t n = 0;

	for (const struct skep_probe_def *def = script->probes; def; def = def->next) {
		for (const struct skep_probe_spec *spec = def->specs; spec; spec = spec->next)
			n++;
	}
	return n;
}

/* With `some`, who knows which probes are meant says which of them are missing. */
static bool is_told_later(const struct skep_expand *x)
{
	return x->config && x->config->missing_probes && !strcmp(x->config->missing_probes, "some");
}

int skep_expand_script(struct skep_expand *x, struct skep_script *script)
{
	int err = 0;

	x->n_specs = count_specs(script);
	for (struct skep_probe_def *def = script->probes; def && !x->over_limit; def = def->next) {
		if (expand_def(x, def))
			err = -EINVAL;
	}
	skep_binary_close(x);
	for (uint32_t i = 0; i < x->n_probes; i++)
		x->probes[i]->index = i;
	if (!err && !x->n_probes && script->probes && !is_told_later(x))
		err = skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_NONE, script->probes->span);
	return err;
}
