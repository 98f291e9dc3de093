/*
 * interval and profile: timers, as perf's CPU clock. interval fires on one CPU,
 * profile on each. Written interval:UNIT:NUMBER, or interval:DURATION, which is
 * the same as interval:us:NUMBER.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

#include "base/vec.h"

static const struct unit {
	const char *name;
	uint64_t ns; /* 0: a rate */
} units[] = {
	{"hz", 0},
	{"ms", 1000000},
	{"s", 1000000000},
	{"us", 1000},
};
enum { N_UNITS = sizeof(units) / sizeof(units[0]), LEAST_NS = 1000 };

static const struct unit *find_unit(const char *name)
{
	for (size_t i = 0; i < N_UNITS; i++) {
		if (!strcmp(units[i].name, name))
			return &units[i];
	}
	return NULL;
}

static int parse_duration(struct skep_expand *x, const struct skep_probe_spec *spec,
			  uint64_t *ret_us)
{
	uint64_t ns;

	if (skep_parse_uint(spec->parts[1], &ns))
		return skep_spec_bad_number(x, spec, 1, "a duration, as in 10ms");
	if (ns < LEAST_NS)
		return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_SHORT,
				      skep_spec_span(x, spec, 1), (unsigned long long)ns);
	*ret_us = ns / 1000;
	return 0;
}

static int parse_rate(struct skep_expand *x, const struct skep_probe_spec *spec,
		      const struct unit **ret_unit, uint64_t *ret)
{
	const struct unit *unit = find_unit(spec->parts[1]);
	uint64_t n, ns;

	if (!unit)
		return skep_diag_fail(x->diag, -EINVAL, SKEP_DIAG_PROBE_UNIT,
				      skep_spec_span(x, spec, 1), spec->parts[1]);
	if (skep_parse_uint(spec->parts[2], &n) || !n || __builtin_mul_overflow(n, unit->ns, &ns) ||
	    ns > INT64_MAX)
		return skep_spec_bad_number(x, spec, 2, "a number of times above 0");
	*ret_unit = unit;
	*ret = n;
	return 0;
}

static int expand(struct skep_expand *x, const struct skep_probe_spec *spec, const char *name,
		  bool one_cpu)
{
	const struct skep_provider *provider = skep_provider_find(name);
	const struct unit *unit = find_unit("us");
	struct skep_probe *probe;
	uint64_t n = 0;
	int err;

	if (spec->n_parts != 2 && spec->n_parts != 3)
		return skep_spec_bad_parts(x, provider, spec);
	err = spec->n_parts == 2 ? parse_duration(x, spec, &n) : parse_rate(x, spec, &unit, &n);
	if (err)
		return err;
	probe = skep_expand_add(x, provider, spec);
	if (!probe)
		return -E2BIG;
	probe->attach.type = SKEP_ATTACH_PERF;
	probe->attach.perf.type = PERF_TYPE_SOFTWARE;
	probe->attach.perf.config = PERF_COUNT_SW_CPU_CLOCK;
	probe->attach.perf.freq = !unit->ns;
	probe->attach.perf.period = unit->ns ? n * unit->ns : n;
	probe->attach.perf.pid = one_cpu ? -1 : x->pid;
	probe->attach.perf.one_cpu = one_cpu;
	skep_probe_name(x, probe, "%s:%s:%llu", name, unit->name, (unsigned long long)n);
	return 0;
}

static int list(const struct skep_probe_spec *pattern, const char *name, struct skep_buf *out)
{
	const char *want = pattern->n_parts > 1 ? pattern->parts[1] : "*";

	for (size_t i = 0; i < N_UNITS; i++) {
		if (skep_wildcard_match(want, units[i].name))
			skep_buf_printf(out, "%s:%s:\n", name, units[i].name);
	}
	return 0;
}

int skep_interval_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, "interval", true);
}

int skep_profile_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, "profile", false);
}

int skep_interval_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		       struct skep_buf *out)
{
	return list(pattern, "interval", out);
}

int skep_profile_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		      struct skep_buf *out)
{
	return list(pattern, "profile", out);
}
