/*
 * -l: what could be attached to. A pattern is written like a spec; its first part
 * may match several providers, of which those that need a binary take part only
 * where one is named.
 */
#include "trace/provider/provider.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/vec.h"

/* @text split at the colons outside of quotes; quotes are removed. */
static struct skep_probe_spec *split(struct skep_arena *arena, const char *text)
{
	struct skep_probe_spec *spec = skep_arena_new(arena, struct skep_probe_spec);
	char *at = skep_arena_alloc(arena, strlen(text) + 1), *out = at;
	struct skep_names parts = {0};
	bool quoted = false;

	skep_vec_push(&parts, at);
	for (const char *p = text; *p; p++) {
		if (*p == '"') {
			quoted = !quoted;
		} else if (*p == ':' && !quoted) {
			*out++ = '\0';
			skep_vec_push(&parts, out);
		} else {
			*out++ = *p;
		}
	}
	spec->text = text;
	spec->n_parts = (uint32_t)parts.len;
	spec->parts = skep_arena_dup(arena, parts.data, parts.len * sizeof(*parts.data));
	skep_spec_names_done(&parts);
	return spec;
}

static bool names_a_file(const struct skep_probe_spec *pattern)
{
	return pattern->n_parts > 1 && strchr(pattern->parts[1], '/') &&
	       !skep_has_wildcard(pattern->parts[1]) && !access(pattern->parts[1], F_OK);
}

static void list_any(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		     struct skep_buf *out)
{
	bool user = x->pid >= 0 || names_a_file(pattern);
	const struct skep_provider *const *providers;
	size_t n = skep_providers(&providers);
	struct skep_diag *diag = x->diag;

	/* What one provider cannot list is no error while others can. */
	x->diag = NULL;
	for (size_t i = 0; i < n; i++) {
		enum skep_listed listed = providers[i]->listed;
		if ((listed == SKEP_LISTED_KERNEL || (listed == SKEP_LISTED_USER && user)) &&
		    skep_wildcard_match(pattern->parts[0], providers[i]->name))
			providers[i]->list(x, pattern, verbose, out);
	}
	x->diag = diag;
}

static int fail_unknown(struct skep_expand *x, const char *name)
{
	_cleanup_names_ struct skep_names names = {0};
	const struct skep_provider *const *providers;
	size_t n = skep_providers(&providers);

	for (size_t i = 0; i < n; i++)
		skep_vec_push(&names, providers[i]->name);
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_PROVIDER, SKEP_NOWHERE, name);
	skep_diag_did_you_mean(x->diag, name, names.data, names.len);
	return -EINVAL;
}

/* "sleep" without a provider is part of a name in any of them. */
static int list_one(struct skep_expand *x, const char *text, bool verbose, struct skep_buf *out)
{
	const struct skep_provider *provider = NULL;
	struct skep_probe_spec *pattern;

	if (!strchr(text, ':') && (provider = skep_provider_find(text)))
		text = skep_arena_printf(x->arena, "%s:*", provider->name);
	else if (!strchr(text, ':'))
		text = skep_arena_printf(x->arena, "*:%s", text[0] ? text : "*");
	pattern = split(x->arena, text);
	if (!pattern->parts[0][0])
		pattern->parts[0] = "*";
	if (skep_has_wildcard(pattern->parts[0])) {
		list_any(x, pattern, verbose, out);
		return 0;
	}
	provider = skep_provider_find(pattern->parts[0]);
	return provider ? provider->list(x, pattern, verbose, out)
			: fail_unknown(x, pattern->parts[0]);
}

static const char *trimmed(struct skep_arena *arena, const char *at, size_t len)
{
	for (; len && isspace((unsigned char)*at); at++)
		len--;
	while (len && isspace((unsigned char)at[len - 1]))
		len--;
	return skep_arena_dup(arena, at, len);
}

int skep_probe_list(struct skep_expand *x, const char *pattern, bool verbose, struct skep_buf *out)
{
	const char *at = pattern ? pattern : "";
	int err = 0;

	for (;;) {
		size_t len = strcspn(at, ",");
		int failed = list_one(x, trimmed(x->arena, at, len), verbose, out);
		err = failed ? -EINVAL : err;
		if (!at[len])
			return err;
		at += len + 1;
	}
}
