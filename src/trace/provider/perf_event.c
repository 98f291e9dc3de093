/* software and hardware: what the kernel counts, every so many events. Rows: perf_events.def. */
#include "trace/provider/provider.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"

struct event {
	const char *name, *alias;
	uint32_t config;
	uint64_t period;
};

static const struct event software[] = {
#define SOFTWARE_EVENT(name, alias, config, period) {name, alias, config, period},
#include "trace/provider/perf_events.def"
#undef SOFTWARE_EVENT
};

static const struct event hardware[] = {
#define HARDWARE_EVENT(name, alias, config, period) {name, alias, config, period},
#include "trace/provider/perf_events.def"
#undef HARDWARE_EVENT
};

static const struct source {
	const char *provider;
	uint32_t type;
	const struct event *events;
	size_t n;
} sources[] = {
	{"software", PERF_TYPE_SOFTWARE, software, sizeof(software) / sizeof(software[0])},
	{"hardware", PERF_TYPE_HARDWARE, hardware, sizeof(hardware) / sizeof(hardware[0])},
};

static const struct event *find(const struct source *source, const char *name)
{
	for (size_t i = 0; i < source->n; i++) {
		const struct event *event = &source->events[i];
		if (!strcmp(event->name, name) || (event->alias && !strcmp(event->alias, name)))
			return event;
	}
	return NULL;
}

static void add_names(const struct source *source, const char *pattern, struct skep_names *names)
{
	for (size_t i = 0; i < source->n; i++) {
		const struct event *event = &source->events[i];
		if (skep_wildcard_match(pattern, event->name))
			skep_vec_push(names, event->name);
		if (event->alias && skep_wildcard_match(pattern, event->alias))
			skep_vec_push(names, event->alias);
	}
}

static int fail_unknown(struct skep_expand *x, const struct skep_probe_spec *spec,
			const struct source *source)
{
	_cleanup_names_ struct skep_names names = {0};

	add_names(source, "*", &names);
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_EVENT, skep_spec_span(x, spec, 1), spec->parts[1],
		      source->provider);
	if (skep_has_wildcard(spec->parts[1]))
		skep_diag_why(x->diag, "wildcards are not allowed here");
	skep_diag_did_you_mean(x->diag, spec->parts[1], names.data, names.len);
	return -EINVAL;
}

/* software:faults: and software:faults:* leave the period to us. */
static int parse_period(struct skep_expand *x, const struct skep_probe_spec *spec, uint64_t *ret)
{
	const char *text = spec->n_parts > 2 ? spec->parts[2] : "";
	uint64_t period;

	if (!text[0] || !strcmp(text, "*"))
		return 0;
	if (skep_parse_uint(text, &period) || !period || period > INT64_MAX)
		return skep_spec_bad_number(x, spec, 2, "a number of events above 0");
	*ret = period;
	return 0;
}

static int expand(struct skep_expand *x, const struct skep_probe_spec *spec,
		  const struct source *source)
{
	const struct skep_provider *provider = skep_provider_find(source->provider);
	const struct event *event;
	struct skep_probe *probe;
	uint64_t period = 0;

	if (spec->n_parts != 2 && spec->n_parts != 3)
		return skep_spec_bad_parts(x, provider, spec);
	event = find(source, spec->parts[1]);
	if (!event)
		return fail_unknown(x, spec, source);
	if (parse_period(x, spec, &period))
		return -EINVAL;
	probe = skep_expand_add(x, provider, spec);
	if (!probe)
		return -E2BIG;
	probe->attach.type = SKEP_ATTACH_PERF;
	probe->attach.perf.type = source->type;
	probe->attach.perf.config = event->config;
	probe->attach.perf.period = period ? period : event->period;
	probe->attach.perf.pid = x->pid;
	if (period)
		skep_probe_name(x, probe, "%s:%s:%llu", source->provider, spec->parts[1],
				(unsigned long long)period);
	else
		skep_probe_name(x, probe, "%s:%s", source->provider, spec->parts[1]);
	return 0;
}

/* "cpu:", with the colon before a count: that decides the order too. */
static int list(struct skep_expand *x, const struct skep_probe_spec *pattern,
		const struct source *source, struct skep_buf *out)
{
	_cleanup_names_ struct skep_names names = {0};

	add_names(source, pattern->n_parts > 1 ? pattern->parts[1] : "*", &names);
	for (size_t i = 0; i < names.len; i++)
		names.data[i] = skep_arena_printf(x->arena, "%s:", names.data[i]);
	skep_spec_names_sort(&names);
	skep_spec_names_list(&names, source->provider, out);
	return 0;
}

int skep_software_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, &sources[0]);
}

int skep_hardware_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return expand(x, spec, &sources[1]);
}

int skep_software_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		       struct skep_buf *out)
{
	return list(x, pattern, &sources[0], out);
}

int skep_hardware_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		       struct skep_buf *out)
{
	return list(x, pattern, &sources[1], out);
}
