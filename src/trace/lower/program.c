/*
 * From a script to a program: the order of things.
 *
 * A probe's body becomes one BPF program for all the places of one kind that it
 * is attached to, unless what it does depends on the place (the layout of
 * `args`, where a USDT argument is kept): then one for each, or for those that
 * have the same layout.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include <skep/isa.h>

#include "base/buf.h"
#include "linux/newer.h"
#include "trace/lower/packet.h"
#include "trace/parse.h"
#include "trace/types/types.h"

void skep_lower_cannot(struct skep_lower *l, struct skep_span span, const char *what)
{
	if (!l->failed)
		skep_diag_add(l->diag, SKEP_DIAG_CANNOT_LOWER, span, what);
	l->failed = true;
}

/* Each question may cost system calls, and is asked only where the answer matters. */
bool skep_lower_best(struct skep_lower *l, enum skep_purpose purpose)
{
	if (!l->opts->has_best_way || l->opts->has_best_way(purpose))
		return true;
	l->program->stand_ins |= 1u << purpose;
	return false;
}

/* --- One program ------------------------------------------------------------------------ */

/* "tracepoint_sched_switch": what bpftool shows; the kernel takes 15 characters. */
static const char *program_name(struct skep_lower *l, const struct skep_probe *probe)
{
	const char *full = probe->gather ? probe->attach.target : probe->name;
	const char *last = strrchr(full, ':');
	char *name = skep_arena_strdup(l->arena, last ? last + 1 : full);

	for (char *c = name; *c; c++) {
		bool fine = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			    (*c >= '0' && *c <= '9') || *c == '_';
		*c = fine ? *c : '_';
	}
	return name;
}

/* What the run time starts by hand is a raw tracepoint's program, or one of a uprobe. */
uint32_t skep_lower_run_type(struct skep_lower *l)
{
	return skep_lower_best(l, SKEP_FOR_RUNS) ? BPF_PROG_TYPE_RAW_TRACEPOINT
						 : BPF_PROG_TYPE_KPROBE;
}

static uint32_t program_type(struct skep_lower *l, const struct skep_probe *probe)
{
	if (probe->hook)
		return probe->hook->prog_type;
	if (probe->special != SKEP_PROBE_ATTACHED)
		return skep_lower_run_type(l);
	if (probe->is_typed)
		return BPF_PROG_TYPE_TRACING;
	return probe->gather ? BPF_PROG_TYPE_RAW_TRACEPOINT : probe->provider->prog_type;
}

static const char *function_section(const struct skep_probe *probe)
{
	bool is_return = probe->provider->is_return;

	switch (probe->attach.type) {
	case SKEP_ATTACH_KPROBE: return is_return ? "kretprobe" : "kprobe";
	case SKEP_ATTACH_KPROBE_MULTI: return is_return ? "kretprobe.multi" : "kprobe.multi";
	default: break;
	}
	if (probe->expected_attach_type == ATTACH_UPROBE_MULTI)
		return is_return ? "uretprobe.multi" : "uprobe.multi";
	return is_return ? "uretprobe" : "uprobe";
}

/* What libbpf goes by in an ELF file. */
static const char *section_name(struct skep_lower *l, const struct skep_probe *probe)
{
	const char *name = probe->gather ? probe->attach.target : probe->name;
	const char *event = strchr(name, ':');

	if (probe->hook)
		return probe->hook->section;
	switch (program_type(l, probe)) {
	case BPF_PROG_TYPE_TRACEPOINT: {
		char *text = skep_arena_printf(l->arena, "tracepoint/%s", event ? event + 1 : name);
		char *colon = strchr(text, ':');
		if (colon)
			*colon = '/';
		return text;
	}
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
		return skep_arena_printf(l->arena, "raw_tracepoint/%s", event ? event + 1 : name);
	case BPF_PROG_TYPE_PERF_EVENT: return "perf_event";
	case BPF_PROG_TYPE_TRACING:
	case BPF_PROG_TYPE_LSM:
		return skep_arena_printf(l->arena, "%s/%s",
					 probe->is_typed ? "tp_btf" : probe->provider->name,
					 strrchr(name, ':') + 1);
	default: return function_section(probe);
	}
}

/* -p: programs that would run for every process leave at once in others; unless the script says
 * itself, by selected(), which events are the process's: another may be the one that wakes it. */
static void filter_pid(struct skep_lower *l)
{
	struct skep_ir_func *f = l->f;
	uint32_t other = skep_ir_block(f), mine = skep_ir_block(f);
	bool everywhere = l->probe->special == SKEP_PROBE_ATTACHED &&
			  l->probe->provider->prog_type != BPF_PROG_TYPE_PERF_EVENT &&
			  l->probe->attach.type != SKEP_ATTACH_UPROBE &&
			  l->probe->provider->ctx != SKEP_CTX_ITER &&
			  (!l->probe->hook || l->probe->hook->has_task);

	if (l->opts->pid <= 0 || l->opts->pid_is_place || !everywhere ||
	    l->program->script->selects) {
		skep_ir_jump(f, mine);
	} else {
		struct skep_value pid = skep_lower_ids(l, &skep_type_u32, true, true);
		skep_ir_branch(f, SKEP_IR_EQ, pid.opnd, I(l->opts->pid), mine, other);
	}
	skep_ir_at(f, other);
	skep_lower_exit(l);
	skep_ir_at(f, mine);
}

static void predicate(struct skep_lower *l, const struct skep_expr *expr)
{
	uint32_t yes = skep_ir_block(l->f), no = skep_ir_block(l->f);
	uint32_t mark = skep_ir_slot_mark(l->f);

	skep_ir_at_source(l->f, expr->span);
	skep_lower_test(l, expr, yes, no);
	skep_ir_slot_release(l->f, mark);
	skep_ir_at(l->f, no);
	skep_lower_exit(l);
	skep_ir_at(l->f, yes);
}

/* A packet may lie in several buffers: nothing here relies on one. */
static void describe_hook(const struct skep_trace_hook *hook, struct skep_ir_prog_desc *desc)
{
	desc->expected_attach_type = hook->attach_type;
	desc->unrun = hook->pass;
	if (hook->id == SKEP_AT_XDP)
		desc->flags = BPF_F_XDP_HAS_FRAGS;
}

static uint32_t lower_program(struct skep_lower *l, const struct skep_probe *probe,
			      bool many_places)
{
	const struct skep_probe_def *def = probe->def;
	struct skep_ir_prog_desc desc = {
		.name = program_name(l, probe),
		.type = program_type(l, probe),
		.section = section_name(l, probe),
		.expected_attach_type = probe->expected_attach_type,
		.attach_btf_id = probe->attach_btf_id,
		.attach_fd = probe->attach_fd,
		.span = probe->spec->span,
	};
	uint32_t index = l->n_programs++;

	if (probe->hook)
		describe_hook(probe->hook, &desc);

	l->f = skep_ir_prog(l->ir, &desc);
	l->probe = probe;
	l->many_places = many_places;
	l->ctx = R(skep_ir_param(l->f, 0));
	l->loop = NULL;
	l->in_callback = false;
	l->unwind = NULL;
	l->n_proofs = 0;
	skep_ir_at_source(l->f, probe->spec->span);
	skep_lower_answer(l);
	filter_pid(l);
	skep_lower_iter_object(l);
	skep_lower_gathered_place(l);
	skep_lower_homes(l, def);
	if (l->packet && l->packet->is_before_predicate)
		skep_lower_packet_walk(l);
	if (def->predicate)
		predicate(l, def->predicate);
	if (l->packet && !l->packet->is_before_predicate)
		skep_lower_packet_walk(l);
	skep_lower_stmts(l, def->body);
	if (!skep_ir_ended(l->f))
		skep_lower_exit(l);
	return index;
}

/* --- Which places share a program --------------------------------------------------------- */

/* Raw tracepoints have had cookies only since 6.10, others since 5.15, and what sees packets has
 * none: without, a place is told by its own program, if it is not gathered. */
static bool lacks_cookie(struct skep_lower *l, const struct skep_probe *probe)
{
	return probe->hook || probe->provider->prog_type == BPF_PROG_TYPE_RAW_TRACEPOINT ||
	       (!probe->gather && !skep_lower_best(l, SKEP_FOR_PLACES));
}

/* Programs on trampolines are loaded for one place each. Which of the kernel's functions it is, a
 * kprobe can ask. */
static bool needs_own_program(struct skep_lower *l, const struct skep_probe *probe)
{
	const struct skep_probe_def *def = probe->def;
	bool knows_func = probe->attach.type == SKEP_ATTACH_KPROBE ||
			  probe->attach.type == SKEP_ATTACH_KPROBE_MULTI;

	/* Tracepoints whose records look the same have one layout: skep_tracepoint_layout(). */
	bool one_layout = probe->provider->ctx == SKEP_CTX_TRACEPOINT;

	return (def->uses_args && !one_layout) || probe->provider->ctx == SKEP_CTX_USDT ||
	       probe->attach_btf_id || (!knows_func && skep_lower_mentions(def, SKEP_BI_func)) ||
	       skep_lower_mentions(def, SKEP_BI_ifname) ||
	       (skep_lower_mentions(def, SKEP_BI_probe) && lacks_cookie(l, probe));
}

/* The same body, of the same kind and reached the same way. */
bool skep_lower_same_program(const struct skep_probe *a, const struct skep_probe *b)
{
	return a->def == b->def && a->provider == b->provider && a->gather == b->gather &&
	       (a->gather || a->attach.type == b->attach.type) && a->hook == b->hook &&
	       a->link == b->link && a->args == b->args;
}

/* Take every later place of the same body and kind into the program of @first. */
static void share_program(struct skep_lower *l, uint32_t first)
{
	struct skep_probe **probes = l->program->probes;
	bool by_cookie = skep_lower_mentions(probes[first]->def, SKEP_BI_probe);
	uint32_t n = 1;

	for (uint32_t i = first + 1; i < l->program->n_probes; i++)
		n += skep_lower_same_program(probes[i], probes[first]);
	bool many = n > 1;
	if (many)
		skep_lower_choose_multi(l, first);
	uint32_t prog = lower_program(l, probes[first], many);
	for (uint32_t i = first; i < l->program->n_probes; i++) {
		if (!skep_lower_same_program(probes[i], probes[first]))
			continue;
		probes[i]->attach.prog = prog;
		probes[i]->attach.cookie = many && by_cookie && !probes[i]->gather ? i + 1 : 0;
	}
	if (many)
		skep_lower_bundle(l, first, n);
}

static bool is_shared_already(const struct skep_trace_program *program, uint32_t n)
{
	for (uint32_t i = n; i-- > 0;) {
		if (program->probes[i]->def != program->probes[n]->def)
			return false; /* the places of one body stand together */
		if (skep_lower_same_program(program->probes[i], program->probes[n]))
			return true;
	}
	return false;
}

static int lower_all(struct skep_lower *l, struct skep_check *check)
{
	struct skep_trace_program *program = l->program;

	for (uint32_t i = 0; i < program->n_probes && !l->failed; i++) {
		struct skep_probe *probe = program->probes[i];
		bool own = needs_own_program(l, probe);
		if (!own && is_shared_already(program, i))
			continue;
		int err = skep_check_probe(check, probe);
		if (err)
			return err;
		if (own) {
			skep_lower_type_args(l, probe);
			probe->attach.prog = lower_program(l, probe, false);
		} else {
			share_program(l, i);
		}
	}
	return l->failed ? -EINVAL : 0;
}

/* --- The whole ------------------------------------------------------------------------------- */

static void dump_ir(const struct skep_lower *l)
{
	if (l->opts->dump_ir)
		skep_ir_print(l->ir, l->opts->dump_ir);
}

static void dump_bytecode(const struct skep_lower *l)
{
	const struct skep_object *object = l->object;

	for (size_t i = 0; l->opts->dump_bytecode && i < object->n_progs; i++) {
		const struct skep_object_prog *prog = &object->progs[i];
		skep_buf_printf(l->opts->dump_bytecode, "%s: %zu instructions, %u bytes of stack\n",
				prog->name, prog->n_insns, prog->stack_bytes);
		skep_disasm(prog->insns, prog->n_insns, NULL, l->opts->dump_bytecode);
	}
}

static void take_results(struct skep_lower *l)
{
	struct skep_trace_program *program = l->program;

	program->n_events = (uint32_t)l->events.len;
	program->events =
		skep_arena_dup(l->arena, l->events.data, l->events.len * sizeof(*l->events.data));
	program->n_strings = (uint32_t)l->strings.len;
	program->strings = skep_arena_dup(l->arena, l->strings.data,
					  l->strings.len * sizeof(*l->strings.data));
}

static int generate(struct skep_lower *l, struct skep_check *check)
{
	int err;

	skep_lower_storage(l);
	l->ir = skep_ir_new(l->arena, l->object, l->opts->target);
	skep_ir_set_scratch_loss(l->ir, skep_lower_globals(l), skep_loss_off(l, SKEP_LOSS_SCRATCH));
	skep_lower_gather(l);
	if ((err = lower_all(l, check)))
		return err;
	skep_lower_eraser(l);
	take_results(l);
	dump_ir(l);
	if ((err = skep_ir_emit(l->ir, l->diag)))
		return err;
	dump_bytecode(l);
	return 0;
}

static int understand(struct skep_check *check, struct skep_expand *expand,
		      struct skep_trace_program *program)
{
	int err;

	if ((err = skep_check_preamble(check)))
		return err;
	skep_check_predicates(check);
	err = skep_expand_script(expand, check->script);
	program->probes = expand->probes;
	program->n_probes = expand->n_probes;
	if (err)
		return err;
	for (uint32_t i = 0; i < program->n_probes; i++)
		program->probes[i]->index = i;
	err = skep_check_script(check, program->probes, program->n_probes);
	return err ? err : skep_check_missing(check, program->probes, program->n_probes);
}

/* BPFTRACE_MAX_STRLEN=200 is config = { max_strlen = 200 }; other names are not ours to judge. */
static int config_from_env(struct skep_config *config, char *const *env, struct skep_diag *diag)
{
	static const char *const prefixes[] = {"BPFTRACE_", "SKEP_"};
	char name[64];

	for (; env && *env; env++) {
		const char *prefix = prefixes[!!strncmp(*env, prefixes[0], strlen(prefixes[0]))];
		size_t skip = strlen(prefix), len = strcspn(*env, "=");
		if (strncmp(*env, prefix, skip) || len - skip >= sizeof(name) || !(*env)[len])
			continue;
		for (size_t i = skip; i <= len; i++)
			name[i - skip] = i == len ? '\0' : (char)tolower((unsigned char)(*env)[i]);
		if (skep_config_set(config, name, *env + len + 1) == -EINVAL)
			return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ENV_VALUE, SKEP_NOWHERE,
					      (int)len, *env, *env + len + 1);
	}
	return 0;
}

/* "--name" and "--name=value" are for getopt(); the others are $1, $2…. Not where the caller knows
 * which are which. */
static struct skep_compile_opts split_params(struct skep_arena *arena,
					     const struct skep_compile_opts *opts,
					     struct skep_check *check)
{
	const char **params = skep_arena_array(arena, const char *, opts->n_params + 1);
	const char **options = skep_arena_array(arena, const char *, opts->n_params + 1);
	struct skep_compile_opts ret = *opts;

	check->options = opts->options ? opts->options : options;
	check->n_options = opts->n_options;
	if (opts->options)
		return ret;
	ret.n_params = 0;
	for (uint32_t i = 0; i < opts->n_params; i++) {
		if (!strncmp(opts->params[i], "--", 2) && opts->params[i][2])
			options[check->n_options++] = opts->params[i];
		else
			params[ret.n_params++] = opts->params[i];
	}
	ret.params = params;
	return ret;
}

int skep_trace_compile(struct skep_arena *arena, const struct skep_source *source,
		       const struct skep_compile_opts *given, struct skep_trace_program *ret,
		       struct skep_diag *diag)
{
	struct skep_check check = {
		.types = &ret->types, .arena = arena, .diag = diag, .config = &ret->config};
	struct skep_compile_opts split = split_params(arena, given, &check);
	const struct skep_compile_opts *opts = &split;
	struct skep_params params = {.values = opts->params,
				     .n = opts->n_params,
				     .options = check.options,
				     .n_options = check.n_options};
	struct skep_expand expand = {.types = &ret->types,
				     .arena = arena,
				     .diag = diag,
				     .config = &ret->config,
				     .pid = opts->pid ? opts->pid : -1,
				     .cmd_path = opts->cmd_path};
	struct skep_lower l = {.arena = arena,
			       .types = &ret->types,
			       .diag = diag,
			       .opts = opts,
			       .program = ret,
			       .object = &ret->object};

	check.opts = opts;
	check.expand = &expand;
	skep_object_init(&ret->object);
	ret->object.source = source;
	ret->eraser = UINT32_MAX;
	skep_types_init(&ret->types, arena);
	ret->types.btf = opts->btf;
	ret->types.btf_is_lent = opts->btf;
	skep_config_init(&ret->config);
	int err = config_from_env(&ret->config, opts->env, diag);
	if (!err)
		err = skep_parse(arena, source, &params, &ret->script, diag);
	if (!err) {
		check.script = ret->script;
		err = understand(&check, &expand, ret);
	}
	if (opts->dump_ast && ret->script)
		skep_script_print(ret->script, opts->dump_ast);
	if (!err)
		err = generate(&l, &check);
	if (!err)
		snprintf(ret->object.license, sizeof(ret->object.license), "%s",
			 ret->config.license);
	skep_lower_forget_choices(&l);
	skep_vec_done(&l.events);
	skep_vec_done(&l.strings);
	return err;
}

void skep_trace_program_done(struct skep_trace_program *program)
{
	for (uint32_t i = 0; i < program->n_probes; i++)
		skep_probe_close(program->probes[i]);
	skep_object_done(&program->object);
	skep_types_done(&program->types);
}
