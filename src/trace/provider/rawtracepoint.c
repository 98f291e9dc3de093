/*
 * rawtracepoint: the kernel's tracepoints with their own arguments. BTF has a
 * typedef btf_trace_NAME for each; the arguments' names are those of one of the
 * functions that the kernel generates beside it. Without BTF the names are those
 * of tracefs, and there are no typed arguments.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "base/vec.h"
#include "trace/provider/btf_args.h"
#include "trace/provider/modules.h"
#include "trace/provider/tracepoint.h"

#define TYPE_PREFIX "btf_trace_"

/* --- Names --------------------------------------------------------------------------------- */

/* "MODULE:EVENT" for the events of one BTF. */
static void match_btf(struct skep_expand *x, const char *module, const char *event,
		      struct skep_names *names)
{
	size_t first = names->len;

	skep_btf_match(x, skep_types_module_btf(x->types, module), SKEP_BTF_TYPEDEF, TYPE_PREFIX,
		       event, names);
	for (size_t i = first; i < names->len; i++)
		names->data[i] = skep_arena_printf(x->arena, "%s:%s", module, names->data[i]);
}

/* Without BTF: tracefs knows no modules. Syscall events are made from two raw ones. */
static void match_tracefs(struct skep_expand *x, const char *event, struct skep_names *names)
{
	_cleanup_names_ struct skep_names events = {0};

	if (skep_tracepoint_match(x, "*", event, &events))
		return;
	for (size_t i = 0; i < events.len; i++) {
		if (strncmp(events.data[i], "syscalls:", 9) != 0)
			skep_vec_push(names, skep_arena_printf(x->arena, SKEP_BASE_MODULE ":%s",
							       strchr(events.data[i], ':') + 1));
	}
}

static void match_events(struct skep_expand *x, const char *module, const char *event,
			 struct skep_names *names)
{
	_cleanup_names_ struct skep_names modules = {0};

	if (!skep_types_btf(x->types)) {
		match_tracefs(x, event, names);
	} else {
		skep_modules_match(x->arena, module, &modules);
		for (size_t i = 0; i < modules.len; i++)
			match_btf(x, modules.data[i], event, names);
	}
	skep_spec_names_sort_unique(names);
}

/* The usual case at once: one hashed look-up in the kernel's BTF. */
static bool find_exact(struct skep_expand *x, const char *module, const char *event,
		       struct skep_names *names)
{
	struct skep_btf *btf = skep_types_btf(x->types);
	const char *type = skep_arena_printf(x->arena, TYPE_PREFIX "%s", event);

	if (!btf || skep_has_wildcard(event) || !skep_wildcard_match(module, SKEP_BASE_MODULE) ||
	    !skep_btf_find(btf, type, strlen(type), SKEP_BTF_MASK(SKEP_BTF_TYPEDEF)))
		return false;
	skep_vec_push(names, skep_arena_printf(x->arena, SKEP_BASE_MODULE ":%s", event));
	return true;
}

/* --- Expansion ------------------------------------------------------------------------------ */

static int add_place(struct skep_expand *x, const struct skep_probe_spec *spec, const char *name)
{
	struct skep_probe *probe = skep_expand_add(x, skep_provider_find("rawtracepoint"), spec);

	if (!probe)
		return -E2BIG;
	probe->attach.type = SKEP_ATTACH_RAW_TRACEPOINT;
	probe->attach.raw_tracepoint.name = strchr(name, ':') + 1;
	skep_probe_name(x, probe, "rawtracepoint:%s", name);
	return 0;
}

static int fail_missing(struct skep_expand *x, const struct skep_probe_spec *spec,
			const char *module, const char *event)
{
	_cleanup_names_ struct skep_names names = {0}, events = {0};

	if (!skep_has_wildcard(event))
		match_events(x, module, "*", &names);
	for (size_t i = 0; i < names.len; i++)
		skep_vec_push(&events, strchr(names.data[i], ':') + 1);
	return skep_expand_missing(x, skep_spec_span(x, spec, spec->n_parts - 1),
				   skep_arena_printf(x->arena, "raw tracepoint %s", event), event,
				   &events);
}

int skep_rawtracepoint_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_names_ struct skep_names names = {0};
	const char *module = spec->n_parts > 2 ? spec->parts[1] : "*";
	const char *event = spec->parts[spec->n_parts - 1];
	int err = 0;

	if (spec->n_parts != 2 && spec->n_parts != 3)
		return skep_spec_bad_parts(x, skep_provider_find("rawtracepoint"), spec);
	if (!find_exact(x, module, event, &names))
		match_events(x, module, event, &names);
	for (size_t i = 0; i < names.len && !err; i++)
		err = add_place(x, spec, names.data[i]);
	return names.len ? err : fail_missing(x, spec, module, event);
}

/* --- Arguments ------------------------------------------------------------------------------ */

/* The prototype with the best names for the parameters; each begins with "void *__data". The
 * stub is there since Linux 6.4; the others serve older kernels. */
static uint32_t find_proto(struct skep_btf *btf, struct skep_arena *arena, const char *event)
{
	static const char *const prefixes[] = {"__probestub_", "__traceiter_", "__bpf_trace_"};
	const char *name;
	uint32_t id;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		name = skep_arena_printf(arena, "%s%s", prefixes[i], event);
		id = skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_FUNC));
		if (id)
			return skep_btf_target(btf, id);
	}
	name = skep_arena_printf(arena, TYPE_PREFIX "%s", event);
	id = skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_TYPEDEF));
	return id ? skep_btf_target(btf, skep_btf_strip(btf, id)) : 0;
}

/* @name: "MODULE:EVENT". The BTF that has it and the prototype; 0: there is none. */
static uint32_t open_proto(struct skep_expand *x, const char *name, const struct skep_btf **ret)
{
	const char *colon = strchr(name, ':');
	const char *module = skep_arena_printf(x->arena, "%.*s", (int)(colon - name), name);
	struct skep_btf *btf = skep_types_module_btf(x->types, module);

	*ret = btf;
	return btf ? find_proto(btf, x->arena, colon + 1) : 0;
}

int skep_rawtracepoint_layout(struct skep_expand *x, struct skep_probe *probe)
{
	const char *name = strchr(probe->attach.target, ':') + 1;
	const struct skep_btf *btf;
	uint32_t proto = open_proto(x, name, &btf);

	if (proto) {
		probe->args = skep_btf_args_record(x, btf, proto, 1, probe->attach.target);
		return 0;
	}
	skep_diag_add(x->diag, SKEP_DIAG_PROBE_FORMAT, probe->spec->span, probe->attach.target);
	skep_diag_why(x->diag, skep_types_btf(x->types) ? "the kernel's BTF does not describe it"
							: "this kernel has no BTF");
	skep_diag_try(x->diag, "arg0, arg1, … are there without types; or use the tracepoint");
	return -ENOENT;
}

/* --- Listing -------------------------------------------------------------------------------- */

static void list_args(struct skep_expand *x, const char *name, struct skep_buf *out)
{
	const struct skep_btf *btf;
	uint32_t proto = open_proto(x, name, &btf);

	if (proto)
		skep_btf_args_list(btf, proto, 1, out);
}

int skep_rawtracepoint_list(struct skep_expand *x, const struct skep_probe_spec *pattern,
			    bool verbose, struct skep_buf *out)
{
	_cleanup_names_ struct skep_names names = {0};
	const char *module = pattern->n_parts > 2 ? pattern->parts[1] : "*";

	match_events(x, module, pattern->n_parts > 1 ? pattern->parts[pattern->n_parts - 1] : "*",
		     &names);
	for (size_t i = 0; i < names.len; i++) {
		skep_buf_printf(out, "rawtracepoint:%s\n", names.data[i]);
		if (verbose)
			list_args(x, names.data[i], out);
	}
	return 0;
}
