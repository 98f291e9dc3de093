/*
 * skep trace -l: probes by pattern, probes that a script means, and types of
 * the kernel ("struct NAME").
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <skep/btf.h>

#include "base/buf.h"
#include "base/vec.h"
#include "cmd/trace/list.h"
#include "trace/parse.h"
#include "trace/probe.h"

static bool is_type(const char *pattern)
{
	return !strncmp(pattern, "struct ", 7) || !strncmp(pattern, "union ", 6) ||
	       !strncmp(pattern, "enum ", 5);
}

static uint32_t kind_mask(const char *pattern)
{
	if (pattern[0] == 's')
		return SKEP_BTF_MASK(SKEP_BTF_STRUCT);
	if (pattern[0] == 'u')
		return SKEP_BTF_MASK(SKEP_BTF_UNION);
	return SKEP_BTF_MASK(SKEP_BTF_ENUM) | SKEP_BTF_MASK(SKEP_BTF_ENUM64);
}

static void list_type(struct skep_btf *btf, uint32_t id, const char *word, bool verbose,
		      struct skep_buf *out)
{
	skep_buf_puts(out, "vmlinux: ");
	if (verbose)
		skep_btf_print_def(btf, id, false, out);
	else
		skep_buf_printf(out, "%s %s", word, skep_btf_name(btf, id));
	skep_buf_addc(out, '\n');
}

/* "struct task_*": every type whose name matches. Walks all of the BTF only for a wildcard. */
static int list_types(struct skep_types *types, const char *pattern, bool verbose,
		      struct skep_buf *out, struct skep_diag *diag)
{
	struct skep_btf *btf = skep_types_btf(types);
	const char *name = strchr(pattern, ' ') + 1;
	uint32_t mask = kind_mask(pattern);
	char word[8];
	bool found = false;

	snprintf(word, sizeof(word), "%.*s", (int)(name - pattern) - 1, pattern);
	if (!btf)
		return skep_diag_fail(diag, -ENOENT, SKEP_DIAG_FILE_READ, SKEP_NOWHERE,
				      "the kernel's BTF", strerror(-types->btf_err));
	if (!skep_has_wildcard(name)) {
		uint32_t id = skep_btf_find(btf, name, strlen(name), mask);
		if (id)
			list_type(btf, id, word, verbose, out);
		return id ? 0
			  : skep_diag_fail(diag, -ENOENT, SKEP_DIAG_LIST_TYPE, SKEP_NOWHERE,
					   pattern);
	}
	for (uint32_t id = 1; id <= skep_btf_n_types(btf); id++) {
		bool kind_fits = mask & SKEP_BTF_MASK(skep_btf_kind(btf, id));
		if (!kind_fits || !skep_wildcard_match(name, skep_btf_name(btf, id)))
			continue;
		list_type(btf, id, word, verbose, out);
		found = true;
	}
	return found ? 0
		     : skep_diag_fail(diag, -ENOENT, SKEP_DIAG_LIST_TYPE, SKEP_NOWHERE, pattern);
}

static int list_one(struct skep_expand *expand, const char *pattern, bool verbose,
		    struct skep_buf *out)
{
	if (pattern && is_type(pattern))
		return list_types(expand->types, pattern, verbose, out, expand->diag);
	return skep_probe_list(expand, pattern, verbose, out);
}

int skep_list_pattern(struct skep_expand *expand, const char *pattern, bool verbose,
		      struct skep_buf *out)
{
	if (!pattern || !strchr(pattern, ',') || !strchr(pattern, ' '))
		return list_one(expand, pattern, verbose, out);
	char *copy = skep_arena_strdup(expand->arena, pattern), *rest;
	for (char *at = strtok_r(copy, ",", &rest); at; at = strtok_r(NULL, ",", &rest)) {
		int err = list_one(expand, at + strspn(at, " "), verbose, out);
		if (err)
			return err;
	}
	return 0;
}

int skep_list_script(struct skep_expand *expand, const struct skep_source *source,
		     const struct skep_params *params, struct skep_buf *out)
{
	struct skep_script *script;
	int err = skep_parse(expand->arena, source, params, &script, expand->diag);

	if (!err)
		err = skep_expand_script(expand, script);
	for (uint32_t i = 0; i < expand->n_probes; i++)
		skep_buf_printf(out, "%s\n", expand->probes[i]->name);
	return err;
}
