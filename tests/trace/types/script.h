/*
 * For tests of types: parse a script and check it, with a few providers of our
 * own that need no kernel: what a probe is called decides what its program sees.
 */
#ifndef TESTS_TRACE_TYPES_SCRIPT_H
#define TESTS_TRACE_TYPES_SCRIPT_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <linux/bpf.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/parse.h"
#include "trace/types/types.h"

#define SCRIPT_MAX_PLACES 16

struct script {
	struct skep_arena arena;
	struct skep_types types;
	struct skep_diag diag;
	struct skep_source source;
	struct skep_config config;
	struct skep_compile_opts opts;
	struct skep_expand expand;
	struct skep_script *script;
	struct skep_check check;
	struct skep_probe *places[SCRIPT_MAX_PLACES];
	uint32_t n_places;
	int parse_err, err;
};

/* "tracepoint:test:…": `int fd; const char *filename; unsigned long count; char comm[16];
 * u8 addr[4]`; "tracepoint:test:other" has `long fd; char name[64]` instead, and of
 * "tracepoint:test:nothing" nothing is known. */
static inline int script_layout(struct skep_expand *x, struct skep_probe *probe)
{
	struct skep_record *record = skep_arena_new(x->arena, struct skep_record);
	struct skep_field *fields = skep_arena_array(x->arena, struct skep_field, 5);
	bool is_other = strstr(probe->name, "other") != NULL;
	const struct skep_type *text = skep_type_ptr(x->types, &skep_type_s8, SKEP_SPACE_USER);
	if (strstr(probe->name, "nothing"))
		return 0;
	const struct skep_type *bytes = skep_type_array(x->types, &skep_type_u8, 4);

	record->name = skep_arena_printf(x->arena, "args of %s", probe->name);
	record->size = 128;
	record->fields = fields;
	record->n_fields = is_other ? 2 : 5;
	fields[0] = (struct skep_field){"fd", is_other ? &skep_type_s64 : &skep_type_s32, 8};
	fields[1] = (struct skep_field){"filename", text, 16};
	if (is_other)
		fields[1] = (struct skep_field){"name", skep_type_string(x->types, 64), 16};
	fields[2] = (struct skep_field){"count", &skep_type_u64, 24};
	fields[3] = (struct skep_field){"comm", skep_type_string(x->types, 16), 32};
	fields[4] = (struct skep_field){"addr", bytes, 48};
	probe->args = record;
	return 0;
}

static const struct skep_provider script_providers[] = {
	{.name = "BEGIN", .ctx = SKEP_CTX_NONE, .space = SKEP_SPACE_KERNEL},
	{.name = "tracepoint",
	 .ctx = SKEP_CTX_TRACEPOINT,
	 .space = SKEP_SPACE_KERNEL,
	 .layout = script_layout},
	{.name = "kprobe",
	 .ctx = SKEP_CTX_REGS,
	 .prog_type = BPF_PROG_TYPE_KPROBE,
	 .space = SKEP_SPACE_KERNEL},
	{.name = "kretprobe",
	 .ctx = SKEP_CTX_REGS,
	 .prog_type = BPF_PROG_TYPE_KPROBE,
	 .space = SKEP_SPACE_KERNEL,
	 .is_return = true},
	{.name = "lsm",
	 .ctx = SKEP_CTX_RAW,
	 .prog_type = BPF_PROG_TYPE_LSM,
	 .space = SKEP_SPACE_KERNEL},
	{.name = "fmod_ret",
	 .ctx = SKEP_CTX_RAW,
	 .prog_type = BPF_PROG_TYPE_TRACING,
	 .space = SKEP_SPACE_KERNEL,
	 .is_return = true},
	{.name = "uprobe",
	 .ctx = SKEP_CTX_REGS,
	 .prog_type = BPF_PROG_TYPE_KPROBE,
	 .space = SKEP_SPACE_USER},
	{.name = "profile", .ctx = SKEP_CTX_PERF, .space = SKEP_SPACE_KERNEL},
	{.name = "rawtracepoint", .ctx = SKEP_CTX_RAW, .space = SKEP_SPACE_KERNEL},
	{.name = "xdp", .ctx = SKEP_CTX_HOOK, .space = SKEP_SPACE_KERNEL},
	{.name = "tc", .ctx = SKEP_CTX_HOOK, .space = SKEP_SPACE_KERNEL},
	{.name = "cgroup", .ctx = SKEP_CTX_HOOK, .space = SKEP_SPACE_KERNEL},
};

static inline const struct skep_provider *script_provider(const char *text)
{
	for (size_t i = 1; i < sizeof(script_providers) / sizeof(script_providers[0]); i++) {
		size_t len = strlen(script_providers[i].name);
		if (!strncmp(text, script_providers[i].name, len))
			return &script_providers[i];
	}
	return &script_providers[0];
}

/* "xdp:lo", "tc:lo:ingress", "cgroup:/:connect4" */
static inline void script_hook(struct skep_probe *place)
{
	const char *provider = place->provider->name, *last = strrchr(place->name, ':');

	place->hook = skep_hook_find(provider, strcmp(provider, "xdp") && last ? last + 1 : "");
	if (!place->hook)
		return;
	place->link = place->hook->link;
	place->ifname = strcmp(provider, "cgroup") ? "lo" : NULL;
}

static inline void script_add_places(struct script *s)
{
	for (struct skep_probe_def *def = s->script->probes; def; def = def->next) {
		for (struct skep_probe_spec *i = def->specs; i; i = i->next) {
			struct skep_probe *place = skep_arena_new(&s->arena, struct skep_probe);
			place->provider = script_provider(i->text);
			place->def = def;
			place->spec = i;
			place->name = i->text;
			script_hook(place);
			if (!strcmp(place->provider->name, "fmod_ret"))
				place->expected_attach_type = BPF_MODIFY_RETURN;
			place->attach.type = place->provider->space == SKEP_SPACE_USER
						     ? SKEP_ATTACH_UPROBE
						     : SKEP_ATTACH_PERF;
			place->attach.uprobe.path = "/proc/self/exe";
			if (s->n_places < SCRIPT_MAX_PLACES)
				s->places[s->n_places++] = place;
		}
	}
}

static inline int script_check_given(struct script *s, const char *text, const char *const *params,
				     uint32_t n_params, const char *const *options,
				     uint32_t n_options, bool allow_unsafe)
{
	struct skep_params given = {.values = params, .n = n_params};

	memset(s, 0, sizeof(*s));
	skep_arena_init(&s->arena);
	skep_types_init(&s->types, &s->arena);
	skep_config_init(&s->config);
	s->source = (struct skep_source){.name = "test", .text = text, .len = strlen(text)};
	s->diag.source = &s->source;
	s->opts = (struct skep_compile_opts){
		.params = params, .n_params = n_params, .allow_unsafe = allow_unsafe};
	s->parse_err = skep_parse(&s->arena, &s->source, &given, &s->script, &s->diag);
	if (s->parse_err)
		return s->err = s->parse_err;
	script_add_places(s);
	s->expand = (struct skep_expand){
		.types = &s->types, .arena = &s->arena, .diag = &s->diag, .config = &s->config};
	s->check = (struct skep_check){.types = &s->types,
				       .arena = &s->arena,
				       .diag = &s->diag,
				       .config = &s->config,
				       .opts = &s->opts,
				       .options = options,
				       .n_options = n_options,
				       .script = s->script,
				       .expand = &s->expand};
	int err = skep_check_preamble(&s->check);
	s->err = skep_check_script(&s->check, s->places, s->n_places);
	return s->err = s->err ? s->err : err;
}

/** Parse and check @text; results are in @s until script_done(). */
static inline int script_check(struct script *s, const char *text, const char *const *params,
			       uint32_t n_params, bool allow_unsafe)
{
	return script_check_given(s, text, params, n_params, NULL, 0, allow_unsafe);
}

/** The same with what getopt() takes. */
static inline int script_check_options(struct script *s, const char *text,
				       const char *const *options, uint32_t n)
{
	return script_check_given(s, text, NULL, 0, options, n, false);
}

static inline void script_done(struct script *s)
{
	skep_types_done(&s->types);
	skep_diag_done(&s->diag);
	skep_arena_done(&s->arena);
}

/** "@x[KEY]: VALUE" of every map, with '; ' between. */
static inline void script_print_maps(const struct script *s, struct skep_buf *out)
{
	for (const struct skep_map *map = s->script->maps; map; map = map->next) {
		skep_buf_printf(out, "%s%s", out->len ? "; " : "", map->name);
		if (map->key) {
			skep_buf_addc(out, '[');
			skep_type_print(map->key, out);
			skep_buf_addc(out, ']');
		}
		skep_buf_puts(out, ": ");
		if (map->value)
			skep_type_print(map->value, out);
		else
			skep_buf_addc(out, '?');
	}
	if (!out->len)
		skep_buf_puts(out, "");
}

#endif
