/* watchpoint and asyncwatchpoint: the processor's own breakpoints, on an address. */
#include "trace/provider/provider.h"

#include <errno.h>
#include <string.h>

static int fail_watch(struct skep_expand *x, const struct skep_probe_spec *spec, uint32_t i,
		      const char *what, const char *hint)
{
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_WATCH, skep_spec_span(x, spec, i), what,
		      spec->parts[i]);
	skep_diag_try(x->diag, "%s", hint);
	return -EINVAL;
}

/* Any order of the letters that the processor has: it cannot watch reads alone. */
static bool is_watch_mode(const char *mode)
{
	static const char *const modes[] = {"w", "x", "rw", "wr"};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(modes[i], mode))
			return true;
	}
	return false;
}

int skep_watchpoint_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	const struct skep_provider *provider = skep_provider_find(spec->parts[0]);
	uint64_t addr, len;

	if (spec->n_parts != 4)
		return skep_spec_bad_parts(x, provider, spec);
	if (skep_parse_uint(spec->parts[1], &addr) || !addr)
		return fail_watch(x, spec, 1, "address", "write a number: 0xffffffff81000000");
	if (skep_parse_uint(spec->parts[2], &len) || (len != 1 && len != 2 && len != 4 && len != 8))
		return fail_watch(x, spec, 2, "length", "1, 2, 4 or 8 bytes");
	if (!is_watch_mode(spec->parts[3]))
		return fail_watch(x, spec, 3, "mode", "w (written), rw (read or written), x (run)");
	return skep_expand_refused(x, provider, spec->span,
				   "this build of skep can name such places but not attach to them",
				   NULL);
}

int skep_watchpoint_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
			 struct skep_buf *out)
{
	return 0;
}
