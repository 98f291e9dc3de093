/*
 * missing_probes = "some": a script with probes for several programs goes on
 * without those that are not here, but not if that leaves nothing to wait for.
 */
#include <errno.h>
#include <string.h>

#include "trace/probe.h"
#include "trace/types/typer.h"

/* Those that run by themselves tell nothing of the system. */
static bool runs_by_itself(const struct skep_probe *probe)
{
	static const char *const names[] = {"interval", "begin", "end", "self"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(probe->provider->name, names[i]))
			return true;
	}
	return false;
}

static bool has_place(const struct skep_probe_def *def, struct skep_probe *const *probes,
		      uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (probes[i]->def == def)
			return true;
	}
	return false;
}

int skep_check_missing(const struct skep_check *check, struct skep_probe *const *probes, uint32_t n)
{
	if (!check->config->missing_probes || strcmp(check->config->missing_probes, "some") != 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!runs_by_itself(probes[i]))
			return 0;
	}
	skep_diag_add(check->diag, SKEP_DIAG_PROBE_SOME, SKEP_NOWHERE);
	skep_diag_try(check->diag, "programs are found that run already: start them first, or name "
				   "one by -p PID or -c COMMAND");
	for (const struct skep_probe_def *def = check->script->probes; def; def = def->next) {
		if (def->is_off || has_place(def, probes, n))
			continue;
		for (const struct skep_probe_spec *spec = def->specs; spec; spec = spec->next)
			skep_diag_why(check->diag, "there is no %s", spec->text);
	}
	return -ENOENT;
}
