/*
 * watchpoint and asyncwatchpoint: the processor's own breakpoints, on an
 * address of the process that -p or -c names, else of any process and of the
 * kernel. In bpftrace the second kind differs for arguments of functions only.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <string.h>

#include "linux/feature.h"

static int fail_watch(struct skep_expand *x, const struct skep_probe_spec *spec, uint32_t i,
		      const char *what, const char *hint)
{
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_WATCH, skep_spec_span(x, spec, i), what,
		      spec->parts[i]);
	skep_diag_try(x->diag, "%s", hint);
	return -EINVAL;
}

/* Any order of the letters that the processor has: it cannot watch reads alone. 0: none of them. */
static uint32_t watch_mode(const char *mode)
{
	static const struct {
		const char *letters;
		uint32_t type;
	} modes[] = {
		{"w", HW_BREAKPOINT_W},
		{"x", HW_BREAKPOINT_X},
		{"rw", HW_BREAKPOINT_RW},
		{"wr", HW_BREAKPOINT_RW},
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(modes[i].letters, mode))
			return modes[i].type;
	}
	return 0;
}

static int parse(struct skep_expand *x, const struct skep_probe_spec *spec, struct skep_attach *ret)
{
	uint64_t addr, len;
	uint32_t mode = watch_mode(spec->parts[3]);

	if (skep_parse_uint(spec->parts[1], &addr) || !addr)
		return fail_watch(x, spec, 1, "address", "write a number: 0xffffffff81000000");
	if (skep_parse_uint(spec->parts[2], &len) || (len != 1 && len != 2 && len != 4 && len != 8))
		return fail_watch(x, spec, 2, "length", "1, 2, 4 or 8 bytes");
	if (!mode)
		return fail_watch(x, spec, 3, "mode", "w (written), rw (read or written), x (run)");
	if (mode != HW_BREAKPOINT_X && addr % len)
		return fail_watch(x, spec, 1, "address",
				  "the processor watches at multiples of the length");
	ret->type = SKEP_ATTACH_PERF;
	ret->perf.type = PERF_TYPE_BREAKPOINT;
	ret->perf.period = 1;
	ret->perf.pid = x->pid;
	ret->perf.bp_addr = addr;
	ret->perf.bp_type = mode;
	/* Of code it watches the start of an instruction; the kernel wants this length then. */
	ret->perf.bp_len = mode == HW_BREAKPOINT_X ? sizeof(long) : (uint32_t)len;
	return 0;
}

int skep_watchpoint_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	const struct skep_provider *provider = skep_provider_find(spec->parts[0]);
	struct skep_feature_result here;
	struct skep_attach attach = {0};

	if (spec->n_parts != 4)
		return skep_spec_bad_parts(x, provider, spec);
	int err = parse(x, spec, &attach);
	if (err)
		return err;
	skep_feature_try(SKEP_FEATURE_WATCHPOINT, &here);
	if (!here.yes)
		return skep_expand_refused(x, provider, spec->span, here.why, here.hint);
	struct skep_probe *probe = skep_expand_add(x, provider, spec);
	if (!probe)
		return -E2BIG;
	attach.span = probe->attach.span;
	probe->attach = attach;
	skep_probe_name(x, probe, "%s:%s:%s:%s", provider->name, spec->parts[1], spec->parts[2],
			spec->parts[3]);
	return 0;
}

int skep_watchpoint_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
			 struct skep_buf *out)
{
	return 0;
}
