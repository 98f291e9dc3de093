/* begin, end and self: what the run time starts itself, through a test run of the program. */
#include "trace/provider/provider.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/vec.h"

static const struct signal_row {
	const char *name;
	int number;
} signals[] = {
	{"SIGUSR1", SIGUSR1},
	{"SIGUSR2", SIGUSR2},
};
enum { N_SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static int add_edge(struct skep_expand *x, const struct skep_probe_spec *spec, const char *name,
		    enum skep_probe_special special)
{
	const struct skep_provider *provider = skep_provider_find(name);
	struct skep_probe *probe;

	if (spec->n_parts > 2 || (spec->n_parts == 2 && strcmp(spec->parts[1], "*") != 0))
		return skep_spec_bad_parts(x, provider, spec);
	probe = skep_expand_add(x, provider, spec);
	if (!probe)
		return -E2BIG;
	probe->special = special;
	skep_probe_name(x, probe, "%s", name);
	return 0;
}

int skep_begin_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return add_edge(x, spec, "begin", SKEP_PROBE_BEGIN);
}

int skep_end_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return add_edge(x, spec, "end", SKEP_PROBE_END);
}

int skep_begin_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		    struct skep_buf *out)
{
	skep_buf_puts(out, "begin\n");
	return 0;
}

int skep_end_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		  struct skep_buf *out)
{
	skep_buf_puts(out, "end\n");
	return 0;
}

static int fail_signal(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_names_ struct skep_names names = {0};

	for (size_t i = 0; i < N_SIGNALS; i++)
		skep_vec_push(&names, signals[i].name);
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_SIGNAL, skep_spec_span(x, spec, 2), spec->parts[2]);
	skep_diag_did_you_mean(x->diag, spec->parts[2], names.data, names.len);
	return -EINVAL;
}

int skep_self_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	const struct skep_provider *provider = skep_provider_find("self");
	const struct signal_row *row = signals;
	struct skep_probe *probe;

	if (spec->n_parts != 3 || strcmp(spec->parts[1], "signal") != 0)
		return skep_spec_bad_parts(x, provider, spec);
	while (row < signals + N_SIGNALS && strcmp(row->name, spec->parts[2]) != 0)
		row++;
	if (row == signals + N_SIGNALS)
		return fail_signal(x, spec);
	probe = skep_expand_add(x, provider, spec);
	if (!probe)
		return -E2BIG;
	probe->special = SKEP_PROBE_SIGNAL;
	probe->signal = row->number;
	skep_probe_name(x, probe, "self:signal:%s", row->name);
	return 0;
}

int skep_self_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		   struct skep_buf *out)
{
	const char *want = pattern->n_parts > 2 ? pattern->parts[2] : "*";

	for (size_t i = 0; i < N_SIGNALS; i++) {
		if (skep_wildcard_match(want, signals[i].name))
			skep_buf_printf(out, "self:signal:%s\n", signals[i].name);
	}
	return 0;
}
