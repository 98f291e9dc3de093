/*
 * Builtin names: a fixed type for most, a function for those that depend on
 * where the probe is. What a place does not have is an error that says which
 * probes do.
 */
#include "trace/types/typer.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"

#define COMM_BYTES 16

typedef const struct skep_type *typer_fn(struct skep_typer *t, struct skep_expr *expr);

static const char *provider_name(const struct skep_typer *t)
{
	return t->probe->provider->name;
}

static const struct skep_type *not_here(struct skep_typer *t, const struct skep_expr *expr,
					const char *hint)
{
	TYPE_ERROR(t, expr->span, BUILTIN_PROBE, expr->text, provider_name(t));
	if (t->diag)
		skep_diag_try(t->diag, "%s", hint);
	return NULL;
}

int skep_typer_layout(struct skep_typer *t)
{
	struct skep_expand *x = t->check->expand;
	const struct skep_probe *probe = t->probe;
	bool is_known = probe->args || probe->retval || probe->usdt_args;

	t->def->uses_args = true;
	if (is_known || !x || !probe->provider->layout)
		return 0;
	struct skep_diag *kept = x->diag;
	x->diag = t->diag;
	int err = probe->provider->layout(x, t->probe);
	x->diag = kept;
	if (err)
		skep_typer_failed(t);
	return err;
}

static const struct skep_type *type_args(struct skep_typer *t, struct skep_expr *expr)
{
	if (skep_typer_layout(t))
		return NULL;
	if (t->probe->args)
		return skep_type_record(t->types, t->probe->args, SKEP_SPACE_CTX);
	if (t->probe->provider->layout)
		return TYPE_ERROR(t, expr->span, ARGS_UNKNOWN, t->probe->name);
	return not_here(t, expr,
			"tracepoint, kprobe, fentry, fexit and rawtracepoint probes have args");
}

static const struct skep_type *type_arg(struct skep_typer *t, struct skep_expr *expr)
{
	enum skep_ctx_kind ctx = t->probe->provider->ctx;

	if (ctx == SKEP_CTX_USDT && skep_typer_layout(t))
		return NULL;
	if (ctx == SKEP_CTX_RAW || ctx == SKEP_CTX_USDT)
		return &skep_type_u64;
	if (ctx == SKEP_CTX_REGS && !t->probe->provider->is_return)
		return &skep_type_u64;
	if (ctx == SKEP_CTX_TRACEPOINT)
		return not_here(t, expr, "use the members of args: args.name");
	return not_here(t, expr,
			ctx == SKEP_CTX_REGS
				? "arguments are gone when a function returns: save "
				  "them at its entry, @x[tid] = arg0"
				: "kprobe, uprobe, usdt and rawtracepoint probes have it");
}

static const struct skep_type *type_retval(struct skep_typer *t, struct skep_expr *expr)
{
	if (!t->probe->provider->is_return)
		return not_here(t, expr, "kretprobe, uretprobe, fexit and fmod_ret probes have it");
	if (t->probe->provider->layout && skep_typer_layout(t))
		return NULL;
	return t->probe->retval ? t->probe->retval : &skep_type_u64;
}

static const char *iter_context(struct skep_typer *t)
{
	return skep_arena_printf(t->types->arena, "struct bpf_iter__%s", t->probe->spec->parts[1]);
}

/* What the context is to C, for those who cast and look inside. */
static const struct skep_type *type_ctx(struct skep_typer *t, struct skep_expr *expr)
{
	static const char *const names[] = {
		[SKEP_CTX_NONE] = "void",
		[SKEP_CTX_TRACEPOINT] = "void",
		[SKEP_CTX_RAW] = "u64",
		[SKEP_CTX_PERF] = "struct bpf_perf_event_data",
		[SKEP_CTX_REGS] = "struct pt_regs",
		[SKEP_CTX_USDT] = "struct pt_regs",
		[SKEP_CTX_HOOK] = "void",
	};
	enum skep_ctx_kind ctx = t->probe->provider->ctx;
	const char *name = ctx == SKEP_CTX_ITER ? iter_context(t) : names[ctx];
	const struct skep_type *elem = skep_type_by_name(t->types, name, SKEP_SPACE_CTX);

	return skep_type_ptr(t->types, elem ? elem : &skep_type_none, SKEP_SPACE_CTX);
}

/* Only named here: what is in it is looked up when a member is asked for. */
static const struct skep_type *type_curtask(struct skep_typer *t, struct skep_expr *expr)
{
	static const struct skep_record task = {.name = "struct task_struct"};
	const struct skep_type *elem =
		t->types->btf || t->types->n_records
			? skep_type_by_name(t->types, task.name, SKEP_SPACE_KERNEL)
			: NULL;

	if (!elem)
		elem = skep_type_record(t->types, &task, SKEP_SPACE_KERNEL);
	return skep_type_ptr(t->types, elem, SKEP_SPACE_KERNEL);
}

static const struct skep_type *type_comm(struct skep_typer *t, struct skep_expr *expr)
{
	return skep_type_string(t->types, COMM_BYTES);
}

static const struct skep_type *type_func(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_provider *provider = t->probe->provider;

	if (t->probe->func) {
		t->def->uses_args = true;
		return skep_type_string(t->types, (uint32_t)strlen(t->probe->func) + 1);
	}
	if (provider->ctx != SKEP_CTX_REGS && provider->ctx != SKEP_CTX_USDT)
		return not_here(t, expr, "kprobe, fentry and uprobe probes have it");
	return provider->space == SKEP_SPACE_USER ? &skep_type_usym : &skep_type_ksym;
}

static const struct skep_type *type_probetype(struct skep_typer *t, struct skep_expr *expr)
{
	const char *name = provider_name(t);

	if (!strcmp(name, "begin") || !strcmp(name, "end"))
		name = "special";
	expr->is_const = true;
	expr->text = name;
	expr->text_len = (uint32_t)strlen(name);
	return skep_type_string(t->types, expr->text_len + 1);
}

/* As a whole it is nothing: its members are constants, see skep_type_field(). */
static const struct skep_type *type_config(struct skep_typer *t, struct skep_expr *expr)
{
	TYPE_ERROR(t, expr->span, NO_VALUE, expr->text);
	if (t->diag)
		skep_diag_try(t->diag, "name a setting: config.max_strlen");
	return NULL;
}

static const struct skep_type *type_stack(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_config *config = t->check->config;

	return skep_type_stack(t->types, expr->builtin == SKEP_BI_ustack, config->stack_mode,
			       (uint32_t)config->max_stack_depth);
}

static const struct skep_type *type_cpid(struct skep_typer *t, struct skep_expr *expr)
{
	uint32_t cpid = t->check->opts ? t->check->opts->cpid : 0;

	expr->is_const = cpid != 0;
	expr->integer = cpid;
	return &skep_type_u32;
}

/* Only what interrupts may find either mode; elsewhere the probe itself says it. BEGIN and its
 * kin run for the script's own process. */
static const struct skep_type *type_usermode(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_provider *provider = t->probe->provider;

	if (provider->ctx != SKEP_CTX_PERF) {
		expr->is_const = true;
		expr->integer =
			provider->space == SKEP_SPACE_USER || provider->ctx == SKEP_CTX_NONE;
	}
	return &skep_type_u8;
}

static const struct row {
	const struct skep_type *type;
	typer_fn *typer; /* where the type depends on the place */
} rows[SKEP_BI_CNT] = {
	[SKEP_BI_args] = {.typer = type_args},
	[SKEP_BI_arg0] = {.typer = type_arg},
	[SKEP_BI_arg1] = {.typer = type_arg},
	[SKEP_BI_arg2] = {.typer = type_arg},
	[SKEP_BI_arg3] = {.typer = type_arg},
	[SKEP_BI_arg4] = {.typer = type_arg},
	[SKEP_BI_arg5] = {.typer = type_arg},
	[SKEP_BI_arg6] = {.typer = type_arg},
	[SKEP_BI_arg7] = {.typer = type_arg},
	[SKEP_BI_arg8] = {.typer = type_arg},
	[SKEP_BI_arg9] = {.typer = type_arg},
	[SKEP_BI_retval] = {.typer = type_retval},
	[SKEP_BI_arg10] = {.typer = type_arg},
	[SKEP_BI_arg11] = {.typer = type_arg},
	[SKEP_BI_arg12] = {.typer = type_arg},
	[SKEP_BI_arg13] = {.typer = type_arg},
	[SKEP_BI_arg14] = {.typer = type_arg},
	[SKEP_BI_arg15] = {.typer = type_arg},
	[SKEP_BI_leader_tid] = {&skep_type_u32},
	[SKEP_BI_leader_comm] = {.typer = type_comm},
	[SKEP_BI_probetype] = {.typer = type_probetype},
	[SKEP_BI_config] = {.typer = type_config},
	[SKEP_BI_ctx] = {.typer = type_ctx},
	[SKEP_BI_pid] = {&skep_type_u32},
	[SKEP_BI_tid] = {&skep_type_u32},
	[SKEP_BI_ppid] = {&skep_type_u32},
	[SKEP_BI_uid] = {&skep_type_u32},
	[SKEP_BI_gid] = {&skep_type_u32},
	[SKEP_BI_username] = {&skep_type_username},
	[SKEP_BI_comm] = {.typer = type_comm},
	[SKEP_BI_pcomm] = {.typer = type_comm},
	[SKEP_BI_cpu] = {&skep_type_u32},
	[SKEP_BI_ncpus] = {&skep_type_u32},
	[SKEP_BI_numaid] = {&skep_type_u32},
	[SKEP_BI_nsecs] = {&skep_type_u64},
	[SKEP_BI_elapsed] = {&skep_type_u64},
	[SKEP_BI_jiffies] = {&skep_type_u64},
	[SKEP_BI_rand] = {&skep_type_u32},
	[SKEP_BI_cgroup] = {&skep_type_u64},
	[SKEP_BI_curtask] = {.typer = type_curtask},
	[SKEP_BI_func] = {.typer = type_func},
	[SKEP_BI_probe] = {&skep_type_probe},
	[SKEP_BI_kstack] = {.typer = type_stack},
	[SKEP_BI_ustack] = {.typer = type_stack},
	[SKEP_BI_cpid] = {.typer = type_cpid},
	[SKEP_BI_usermode] = {.typer = type_usermode},
	[SKEP_BI_pkt] = {.typer = skep_type_chain_root},
	[SKEP_BI_sock] = {.typer = skep_type_chain_root},
	[SKEP_BI_sysctl] = {.typer = skep_type_chain_root},
	[SKEP_BI_device] = {.typer = skep_type_chain_root},
	[SKEP_BI_sockopt] = {.typer = skep_type_chain_root},
	[SKEP_BI_ifindex] = {.typer = skep_type_ifindex},
	[SKEP_BI_ifname] = {.typer = skep_type_ifname},
};

const struct skep_type *skep_type_builtin(struct skep_typer *t, struct skep_expr *expr)
{
	const struct row *row = &rows[expr->builtin];

	if (!skep_hook_has_builtin(t, expr))
		return NULL;
	return row->typer ? row->typer(t, expr) : row->type;
}
