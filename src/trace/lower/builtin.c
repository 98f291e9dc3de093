/* Builtin names: one function for each row of builtins.def. */
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>

#include <skep/btf.h>

#include "linux/bpf.h"
#include "trace/lower/lower.h"
#include "trace/lower/regs.h"

#define COMM_BYTES       16
#define GENERATIONS_MOST 16

static struct skep_value call0(struct skep_lower *l, const struct skep_expr *expr, int32_t helper)
{
	return skep_value_int(R(skep_ir_call(l->f, helper, 0, NULL)), expr->type);
}

/* Half of what get_current_pid_tgid() and get_current_uid_gid() give. */
static struct skep_value half(struct skep_lower *l, const struct skep_expr *expr, int32_t helper,
			      bool high)
{
	uint32_t both = skep_ir_call(l->f, helper, 0, NULL);
	uint32_t part = high ? skep_ir_alu(l->f, SKEP_IR_SHR, R(both), I(32))
			     : skep_ir_extend(l->f, R(both), 4, false);

	return skep_value_int(R(part), expr->type);
}

#define LOWER(name)                                                                                \
	static struct skep_value lower_##name(struct skep_lower *l, const struct skep_expr *expr)

LOWER(pid)
{
	return skep_lower_ids(l, expr->type, true, false);
}
LOWER(tid)
{
	return skep_lower_ids(l, expr->type, false, false);
}
LOWER(gid)
{
	return half(l, expr, BPF_FUNC_get_current_uid_gid, true);
}
LOWER(uid)
{
	return half(l, expr, BPF_FUNC_get_current_uid_gid, false);
}
LOWER(username)
{
	return half(l, expr, BPF_FUNC_get_current_uid_gid, false);
}
LOWER(cpu)
{
	return call0(l, expr, BPF_FUNC_get_smp_processor_id);
}
LOWER(numaid)
{
	return call0(l, expr, BPF_FUNC_get_numa_node_id);
}
LOWER(nsecs)
{
	return call0(l, expr, skep_lower_clock(l));
}
LOWER(jiffies)
{
	return call0(l, expr, BPF_FUNC_jiffies64);
}
LOWER(rand)
{
	return call0(l, expr, BPF_FUNC_get_prandom_u32);
}
LOWER(cgroup)
{
	return call0(l, expr, BPF_FUNC_get_current_cgroup_id);
}
LOWER(curtask)
{
	return skep_value_int(skep_lower_curtask(l), expr->type);
}
LOWER(ctx)
{
	return skep_value_int(l->ctx, expr->type);
}
LOWER(ncpus)
{
	return skep_value_int(I(skep_possible_cpus()), expr->type);
}
LOWER(cpid)
{
	return skep_value_int(I(l->opts->cpid), expr->type);
}
LOWER(kstack)
{
	return skep_lower_stack(l, expr->type);
}
LOWER(ustack)
{
	return skep_lower_stack(l, expr->type);
}

struct skep_opnd skep_lower_curtask(struct skep_lower *l)
{
	return R(skep_ir_call(l->f, BPF_FUNC_get_current_task, 0, NULL));
}

LOWER(elapsed)
{
	uint32_t now = skep_ir_call(l->f, skep_lower_clock(l), 0, NULL);
	uint32_t at = skep_ir_map_value(l->f, skep_lower_globals(l), l->program->elapsed_off);
	uint32_t start = skep_ir_load(l->f, 8, R(at), 0);

	l->program->needs_elapsed = true;
	return skep_value_int(R(skep_ir_alu(l->f, SKEP_IR_SUB, R(now), R(start))), expr->type);
}

/* --- The thread's name ------------------------------------------------------------------------ */

/* Where @name is in a task_struct, in bytes; -1: the kernel's BTF does not tell. */
static int32_t task_member(struct skep_lower *l, const char *name)
{
	struct skep_btf *btf = skep_types_btf(l->types);
	struct skep_btf_member member;
	uint32_t task = btf ? skep_btf_find(btf, "task_struct", strlen("task_struct"),
					    SKEP_BTF_MASK(SKEP_BTF_STRUCT))
			    : 0;

	return task && skep_btf_find_member(btf, task, name, strlen(name), &member) == 0
		       ? (int32_t)(member.bit_off / 8)
		       : -1;
}

/*
 * The kernel keeps zeroes behind a name's end, so its 16 bytes are two loads through the task that
 * the verifier knows: half the cost of a helper that copies a string. Kernels that lack the
 * instructions of version 4 may lack that pointer, too (before 5.11).
 */
static void copy_comm(struct skep_lower *l, struct skep_opnd dst, int32_t off)
{
	struct skep_value to = {.opnd = dst, .off = off};
	int32_t at = l->opts->target->isa_v4 ? task_member(l, "comm") : -1;

	if (at < 0) {
		/* Older kernels write nothing behind the name's end. */
		skep_lower_zero(l, dst, off, COMM_BYTES);
		skep_ir_calln(l->f, BPF_FUNC_get_current_comm, skep_lower_address(l, &to),
			      I(COMM_BYTES));
		return;
	}
	uint32_t task = skep_ir_call(l->f, BPF_FUNC_get_current_task_btf, 0, NULL);
	skep_lower_copy(l, dst, off, R(task), at, COMM_BYTES);
}

struct skep_value skep_lower_task_number(struct skep_lower *l, const struct skep_type *type,
					 const char *member)
{
	int32_t at = task_member(l, member);

	if (at < 0) {
		skep_lower_cannot(l, l->span, "the kernel's BTF does not describe task_struct");
		return skep_value_int(I(0), type);
	}
	uint32_t task = skep_ir_call(l->f, BPF_FUNC_get_current_task_btf, 0, NULL);
	return skep_value_int(R(skep_ir_load(l->f, 4, R(task), at)), type);
}

LOWER(comm)
{
	struct skep_value text = skep_lower_temp(l, expr->type);

	copy_comm(l, text.opnd, 0);
	return text;
}

/* --- The parent, through the kernel's task_struct ------------------------------------------- */

static int32_t task_off(struct skep_lower *l, const struct skep_expr *expr, const char *name)
{
	int32_t off = task_member(l, name);

	if (off >= 0)
		return off;
	skep_lower_cannot(l, expr->span, "the kernel's BTF does not describe task_struct");
	return 0;
}

/* A member of the task that the current one's member @whose points to. */
static struct skep_value of_other(struct skep_lower *l, const struct skep_expr *expr,
				  const char *whose, const char *member)
{
	struct skep_value task = {.opnd = skep_lower_curtask(l), .space = SKEP_SPACE_KERNEL};

	task.opnd = skep_lower_load(l, &task, task_off(l, expr, whose), 8, false);
	return skep_lower_at(l, task.opnd, task_off(l, expr, member), expr->type, task.space);
}

/* Up from the current task to its parents; the first of all is its own parent, with number 0. */
struct skep_value skep_fn_descends_from(struct skep_lower *l, const struct skep_expr *call)
{
	struct skep_ir_func *f = l->f;
	struct skep_value task = {.opnd = skep_lower_curtask(l), .space = SKEP_SPACE_KERNEL};
	int32_t tgid = task_off(l, call, "tgid"), parent = task_off(l, call, "real_parent");
	struct skep_opnd wanted = skep_lower_scalar(l, call->args);
	const struct skep_expr *other_task = call->args->next;
	uint32_t found = skep_ir_var(f), yes = skep_ir_block(f), done = skep_ir_block(f);

	if (other_task)
		task.opnd = skep_lower_scalar(l, other_task);
	skep_ir_set(f, found, I(0));
	for (int i = 0; i <= GENERATIONS_MOST; i++) {
		uint32_t other = skep_ir_block(f), up = skep_ir_block(f);
		struct skep_opnd pid = skep_lower_load(l, &task, tgid, 4, false);
		skep_ir_branch(f, SKEP_IR_EQ, pid, wanted, yes, other);
		skep_ir_at(f, other);
		skep_ir_branch(f, SKEP_IR_EQ, pid, I(0), done, up);
		skep_ir_at(f, up);
		task.opnd = skep_lower_load(l, &task, parent, 8, false);
	}
	skep_ir_jump(f, done);
	skep_ir_at(f, yes);
	skep_ir_set(f, found, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return skep_value_int(R(found), call->type);
}

LOWER(ppid)
{
	return of_other(l, expr, "real_parent", "tgid");
}
LOWER(pcomm)
{
	return of_other(l, expr, "real_parent", "comm");
}
LOWER(leader_tid)
{
	return of_other(l, expr, "group_leader", "pid");
}
LOWER(leader_comm)
{
	return of_other(l, expr, "group_leader", "comm");
}

/* --- Arguments ------------------------------------------------------------------------------- */

LOWER(args)
{
	return (struct skep_value){.type = expr->type, .opnd = l->ctx, .space = SKEP_SPACE_CTX};
}

static struct skep_opnd saved_reg(struct skep_lower *l, enum skep_reg reg)
{
	return R(skep_ir_load(l->f, 8, l->ctx, skep_reg_pt_regs_off(reg)));
}

/* base + index * scale + value, as the probe's note says. */
static struct skep_opnd usdt_address(struct skep_lower *l, const struct skep_usdt_arg *arg)
{
	struct skep_ir_func *f = l->f;
	uint32_t at = skep_ir_alu(f, SKEP_IR_ADD, saved_reg(l, arg->base), I(arg->value));

	if (!arg->scale)
		return R(at);
	struct skep_opnd index = saved_reg(l, arg->index);
	if (arg->index_width != 8)
		index = R(skep_ir_extend(f, index, 4, arg->index_width < 0));
	uint32_t step = skep_ir_alu(f, SKEP_IR_MUL, index, I(arg->scale));
	return R(skep_ir_alu(f, SKEP_IR_ADD, R(at), R(step)));
}

/* An argument of a USDT probe: a constant, a register, or memory of the process. */
static struct skep_opnd usdt_arg(struct skep_lower *l, const struct skep_expr *expr, uint32_t n)
{
	const struct skep_usdt_arg *arg = &l->probe->usdt_args[n];
	uint32_t bytes = (uint32_t)(arg->size < 0 ? -arg->size : arg->size);

	if (arg->kind == SKEP_USDT_CONST)
		return I(arg->value);
	if (arg->kind == SKEP_USDT_REG) {
		uint32_t reg =
			skep_ir_alu(l->f, SKEP_IR_SHR, saved_reg(l, arg->base), I(arg->shift));
		return bytes == 8 ? R(reg) : R(skep_ir_extend(l->f, R(reg), bytes, arg->size < 0));
	}
	if (arg->kind == SKEP_USDT_MEM) {
		struct skep_value at = {.opnd = usdt_address(l, arg), .space = SKEP_SPACE_USER};
		return skep_lower_load(l, &at, 0, bytes, arg->size < 0);
	}
	skep_lower_cannot(l, expr->span, "this argument is not in a register or in memory");
	return I(0);
}

/* A function's argument: in registers, then on the stack behind the return address. */
static struct skep_opnd regs_arg(struct skep_lower *l, uint32_t n)
{
	int32_t off = skep_regs_arg(n);

	if (off >= 0)
		return R(skep_ir_load(l->f, 8, l->ctx, off));
	struct skep_value stack = {.opnd = R(skep_ir_load(l->f, 8, l->ctx, skep_regs_find("sp"))),
				   .space = l->probe->provider->space};
	return skep_lower_load(l, &stack, skep_regs_stack_arg(n), 8, false);
}

/* A word of a context that is an array of them. */
static struct skep_opnd raw_word(struct skep_lower *l, uint32_t n)
{
	uint32_t prog_type = l->probe->provider->prog_type;
	uint32_t word = skep_ir_load(l->f, 8, l->ctx, (int32_t)(8 * n));

	if (prog_type != BPF_PROG_TYPE_TRACING && prog_type != BPF_PROG_TYPE_LSM &&
	    !l->probe->is_typed)
		return R(word);
	return skep_lower_as_number(l, R(word));
}

bool skep_lower_has_slots(const struct skep_lower *l)
{
	enum skep_ctx_kind ctx = l->probe->provider->ctx;

	return ctx == SKEP_CTX_RAW || ctx == SKEP_CTX_REGS;
}

struct skep_opnd skep_lower_slot(struct skep_lower *l, uint32_t n)
{
	return l->probe->provider->ctx == SKEP_CTX_RAW ? raw_word(l, n) : regs_arg(l, n);
}

static struct skep_value argument(struct skep_lower *l, const struct skep_expr *expr)
{
	uint32_t n = (uint32_t)(expr->builtin - SKEP_BI_arg0);
	enum skep_ctx_kind ctx = l->probe->provider->ctx;
	struct skep_opnd value = I(0);

	if (skep_lower_has_slots(l))
		value = skep_lower_slot(l, n);
	else if (ctx == SKEP_CTX_USDT && n < l->probe->n_usdt_args)
		value = usdt_arg(l, expr, n);
	else
		skep_lower_cannot(l, expr->span, "this probe has no such argument");
	return skep_value_int(value, expr->type);
}

#define ARGUMENT(n)                                                                                \
	LOWER(arg##n)                                                                              \
	{                                                                                          \
		return argument(l, expr);                                                          \
	}
ARGUMENT(0)
ARGUMENT(1)
ARGUMENT(2)
ARGUMENT(3)
ARGUMENT(4)
ARGUMENT(5)
ARGUMENT(6)
ARGUMENT(7)
ARGUMENT(8)
ARGUMENT(9)
ARGUMENT(10)
ARGUMENT(11)
ARGUMENT(12)
ARGUMENT(13)
ARGUMENT(14)
ARGUMENT(15)

/* Constants by the time they get here. */
LOWER(probetype)
{
	return skep_value_int(I(0), expr->type);
}
LOWER(config)
{
	return skep_value_int(I(0), expr->type);
}

/* Only their members are values, which are no builtins. */
LOWER(pkt)
{
	return skep_value_int(I(0), expr->type);
}
#define lower_sock    lower_pkt
#define lower_sysctl  lower_pkt
#define lower_device  lower_pkt
#define lower_sockopt lower_pkt

LOWER(ifindex)
{
	return skep_lower_ifindex(l, expr);
}
LOWER(ifname)
{
	return skep_lower_ifname(l, expr);
}

/* Behind the arguments, or in its register. */
LOWER(retval)
{
	struct skep_opnd value =
		l->probe->provider->ctx == SKEP_CTX_RAW
			? raw_word(l, l->probe->args->size / 8)
			: R(skep_ir_load(l->f, 8, l->ctx, skep_regs_find("retval")));

	return skep_value_int(skep_lower_fit(l, value, expr->type), expr->type);
}

/* --- Where we are ---------------------------------------------------------------------------- */

/* One place is known now; of several, the attach cookie or the system call's number tells which it
 * is: its index + 1. */
LOWER(probe)
{
	if (!l->many_places)
		return skep_value_int(I(l->probe->index), expr->type);
	struct skep_opnd place = l->place;
	if (!l->probe->gather)
		place = R(skep_ir_calln(l->f, BPF_FUNC_get_attach_cookie, l->ctx));
	return skep_value_int(R(skep_ir_alu(l->f, SKEP_IR_SUB, place, I(1))), expr->type);
}

static struct skep_opnd instruction_pointer(struct skep_lower *l)
{
	return R(skep_ir_load(l->f, 8, l->ctx, skep_regs_find("ip")));
}

/*
 * The kernel's function that a kprobe is on, also when it returns: the instruction pointer is in
 * whoever called it then. Within a function, and before Linux 5.15, the pointer has to do.
 */
static struct skep_opnd kernel_function(struct skep_lower *l)
{
	static const char helper[] = "bpf_get_func_ip_kprobe";
	struct skep_ir_func *f = l->f;
	struct skep_btf *btf = skep_types_btf(l->types);
	uint32_t at = skep_ir_var(f), within = skep_ir_block(f), done = skep_ir_block(f);

	if (!btf || !skep_btf_find(btf, helper, strlen(helper), SKEP_BTF_MASK(SKEP_BTF_FUNC)))
		return instruction_pointer(l);
	skep_ir_set(f, at, R(skep_ir_calln(f, BPF_FUNC_get_func_ip, l->ctx)));
	skep_ir_branch_cold(f, SKEP_IR_EQ, R(at), I(0), within);
	skep_ir_jump(f, done);
	skep_ir_at(f, within);
	skep_ir_set(f, at, instruction_pointer(l));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return R(at);
}

/* func: the name if the place says it, else the symbol at its address. */
LOWER(func)
{
	if (expr->type->kind == SKEP_T_STRING) {
		struct skep_value text = skep_lower_temp(l, expr->type);
		const char *name = l->probe->func ? l->probe->func : "";
		skep_lower_literal(l, name, (uint32_t)strlen(name), text.opnd, 0, expr->type->size);
		return text;
	}
	if (expr->type->kind == SKEP_T_USYM)
		return skep_lower_usym(l, instruction_pointer(l), expr->type);
	return skep_value_int(kernel_function(l), expr->type);
}

/* In user mode the saved code segment has privilege level 3 (x86), PSTATE a mode of 0 (arm64). */
LOWER(usermode)
{
	uint32_t state = skep_ir_load(l->f, 8, l->ctx, skep_regs_find(SKEP_REGS_MODE));
	uint32_t mode = skep_ir_alu(l->f, SKEP_IR_AND, R(state), I(SKEP_REGS_MODE_MASK));

	return skep_value_int(R(skep_ir_cmp(l->f, SKEP_IR_EQ, R(mode), I(SKEP_REGS_MODE_USER))),
			      expr->type);
}

static struct skep_value (*const lowerers[SKEP_BI_CNT])(struct skep_lower *,
							const struct skep_expr *) = {
#define BUILTIN(name, help) [SKEP_BI_##name] = lower_##name,
#include "trace/builtins.def"
#undef BUILTIN
};

struct skep_value skep_lower_builtin(struct skep_lower *l, const struct skep_expr *expr)
{
	return lowerers[expr->builtin](l, expr);
}

bool skep_lower_special_into(struct skep_lower *l, const struct skep_expr *expr,
			     struct skep_opnd dst, int32_t off, const struct skep_type *type)
{
	bool is_string = type->kind == SKEP_T_STRING;

	if (skep_lower_packet_into(l, expr, dst, off, type))
		return true;
	if (is_string && expr->kind == SKEP_E_IDENT && expr->builtin == SKEP_BI_comm &&
	    type->size >= COMM_BYTES) {
		copy_comm(l, dst, off);
		if (type->size > COMM_BYTES)
			skep_lower_zero(l, dst, off + COMM_BYTES, type->size - COMM_BYTES);
		return true;
	}
	if (is_string && expr->kind == SKEP_E_CALL && expr->function == SKEP_FN_str) {
		struct skep_value text = skep_lower_string_source(l, expr);
		skep_lower_zero(l, dst, off, type->size);
		skep_lower_read_str(l, dst, off, type->size, &text);
		return true;
	}
	return false;
}
