/*
 * What stands before the probes: settings, structs and enums, declared maps.
 */
#include "trace/types/typer.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"

#define MAX_MAP_KEYS 16777216

/* Names of all settings, for "did you mean". */
static const char *const setting_names[] = {
#define CONFIG_UINT(name, initial, min, max, help)  #name,
#define CONFIG_BOOL(name, initial, help)            #name,
#define CONFIG_STACK_MODE(name, initial, help)      #name,
#define CONFIG_CHOICE(name, initial, choices, help) #name,
#include "trace/config.def"
#undef CONFIG_UINT
#undef CONFIG_BOOL
#undef CONFIG_STACK_MODE
#undef CONFIG_CHOICE
};

static void check_config(struct skep_check *check)
{
	for (const struct skep_config_item *i = check->script->config; i; i = i->next) {
		int err = skep_config_set(check->config, i->name, i->value);

		if (err == -ENOENT) {
			skep_diag_add(check->diag, SKEP_DIAG_CONFIG_UNKNOWN, i->span, i->name);
			skep_diag_did_you_mean(check->diag, i->name, setting_names,
					       sizeof(setting_names) / sizeof(setting_names[0]));
		} else if (err) {
			skep_diag_add(check->diag, SKEP_DIAG_CONFIG_VALUE, i->value_span, i->name,
				      i->value);
		}
	}
}

/* What interpreters run is laid beside frames that frame pointers do not find. */
static void check_interpreters(struct skep_check *check)
{
	const struct skep_config_item *last = NULL;

	if (!check->config->interpreters || !strcmp(check->config->unwind, "cfi"))
		return;
	for (const struct skep_config_item *i = check->script->config; i; i = i->next)
		last = strcmp(i->name, "interpreters") ? last : i;
	skep_diag_add(check->diag, SKEP_DIAG_INTERPRETERS_FP, last ? last->span : SKEP_NOWHERE);
}

static bool is_map_kind(const char *kind)
{
	static const char *const kinds[] = {"hash", "lruhash", "percpuhash", "percpulruhash"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kinds[i], kind))
			return true;
	}
	return false;
}

static bool is_declared_before(const struct skep_script *script, const struct skep_map_decl *decl)
{
	for (const struct skep_map_decl *i = script->map_decls; i != decl; i = i->next) {
		if (!strcmp(i->name, decl->name))
			return true;
	}
	return false;
}

static void check_map_decls(struct skep_check *check)
{
	for (const struct skep_map_decl *i = check->script->map_decls; i; i = i->next) {
		if (!is_map_kind(i->kind))
			skep_diag_add(check->diag, SKEP_DIAG_MAP_KIND, i->span, i->kind);
		if (i->max_keys < 1 || i->max_keys > MAX_MAP_KEYS)
			skep_diag_add(check->diag, SKEP_DIAG_MAP_MAX_KEYS, i->span,
				      (long long)i->max_keys);
		if (is_declared_before(check->script, i))
			skep_diag_add(check->diag, SKEP_DIAG_MAP_DECL_TWICE, i->span, i->name);
	}
}

int skep_check_preamble(struct skep_check *check)
{
	size_t n_before = check->diag->n_errors;

	check_config(check);
	check_interpreters(check);
	skep_check_structs(check);
	check_map_decls(check);
	return check->diag->n_errors == n_before ? 0 : -EINVAL;
}
