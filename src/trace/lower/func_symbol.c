/* Symbols, stacks, registers, and what a pointer points into. */
#include <errno.h>
#include <linux/bpf.h>

#include "linux/bpf.h"
#include "trace/lower/lower.h"
#include "trace/lower/regs.h"

#define FN(name)                                                                                   \
	struct skep_value skep_fn_##name(struct skep_lower *l, const struct skep_expr *call)

static uint32_t current_pid(struct skep_lower *l)
{
	uint32_t both = skep_ir_call(l->f, BPF_FUNC_get_current_pid_tgid, 0, NULL);

	return skep_ir_alu(l->f, SKEP_IR_SHR, R(both), I(32));
}

struct skep_value skep_lower_usym(struct skep_lower *l, struct skep_opnd addr,
				  const struct skep_type *type)
{
	struct skep_value sym = skep_lower_temp(l, type);

	l->program->names_code = true;
	skep_ir_store(l->f, 8, sym.opnd, 0, addr);
	skep_ir_store(l->f, 8, sym.opnd, 8, R(current_pid(l)));
	return sym;
}

FN(ksym)
{
	return skep_value_int(skep_lower_scalar(l, call->args), call->type);
}
FN(usym)
{
	return skep_lower_usym(l, skep_lower_scalar(l, call->args), call->type);
}

/* Addresses were looked up by types/: only one that had to wait for the run would get here. */
FN(kaddr)
{
	return skep_value_int(I(call->integer), call->type);
}

/* So far from the probed instruction. When a function returns, the kernel still knows its entry. */
FN(uaddr)
{
	uint32_t ip = l->probe->provider->is_return
			      ? skep_ir_calln(l->f, BPF_FUNC_get_func_ip, l->ctx)
			      : skep_ir_load(l->f, 8, l->ctx, skep_regs_find("ip"));

	return skep_value_int(R(skep_ir_alu(l->f, SKEP_IR_ADD, R(ip), I(call->integer))),
			      call->type);
}

/* A CPU that there cannot be has no copy: 0, as for those who test for it. */
FN(percpu_kaddr)
{
	struct skep_ir_func *f = l->f;
	const struct skep_expr *cpu = call->args->next;
	uint32_t n = skep_ir_var(f), addr = skep_ir_var(f);
	uint32_t some = skep_ir_block(f), done = skep_ir_block(f);

	skep_ir_set(f, n,
		    cpu ? skep_lower_scalar(l, cpu)
			: R(skep_ir_call(f, BPF_FUNC_get_smp_processor_id, 0, NULL)));
	skep_ir_set(f, addr, I(0));
	skep_ir_branch(f, SKEP_IR_ULT, R(n), I(skep_possible_cpus()), some, done);
	skep_ir_at(f, some);
	uint32_t step = skep_ir_alu(f, SKEP_IR_SHL, R(n), I(3));
	struct skep_value at = {
		.opnd = R(skep_ir_alu(f, SKEP_IR_ADD, R(step), I(call->percpu_offsets))),
		.space = SKEP_SPACE_KERNEL};
	struct skep_opnd off = skep_lower_load(l, &at, 0, 8, false);
	skep_ir_set(f, addr, R(skep_ir_alu(f, SKEP_IR_ADD, off, I(call->integer))));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return skep_value_int(R(addr), call->type);
}

/* Error numbers are the last 4095 addresses. */
FN(is_err)
{
	struct skep_opnd ptr = skep_lower_scalar(l, call->args);

	return skep_value_int(R(skep_ir_cmp(l->f, SKEP_IR_UGE, ptr, I(-4095))), call->type);
}

FN(container_of)
{
	struct skep_opnd ptr = skep_lower_scalar(l, call->args);

	return skep_value_int(R(skep_ir_alu(l->f, SKEP_IR_SUB, ptr, I(call->integer))), call->type);
}

FN(reg)
{
	int32_t off = skep_regs_find(call->args->text);

	return skep_value_int(R(skep_ir_load(l->f, 8, l->ctx, off)), call->type);
}

/* The type says whose the pointer is; the bits are the same. */
static struct skep_value same_bits(struct skep_lower *l, const struct skep_expr *call)
{
	struct skep_value value = skep_lower_expr(l, call->args);

	if (!skep_type_is_scalar(value.type))
		value.space = call->type->space;
	value.type = call->type;
	return value;
}

FN(kptr)
{
	return same_bits(l, call);
}
FN(uptr)
{
	return same_bits(l, call);
}

static void get_stackid(struct skep_lower *l, bool user, uint32_t map, uint32_t id)
{
	skep_ir_set(l->f, id,
		    R(skep_ir_calln(l->f, BPF_FUNC_get_stackid, l->ctx, R(skep_ir_map(l->f, map)),
				    I(user ? BPF_F_USER_STACK : 0))));
}

/* Where its place is taken by another there may be one in the second map. */
static void try_again(struct skep_lower *l, bool user, uint32_t id, uint32_t on)
{
	struct skep_ir_func *f = l->f;
	uint32_t taken = skep_ir_block(f), found = skep_ir_block(f), failed = skep_ir_block(f);

	skep_ir_branch(f, SKEP_IR_EQ, R(id), I(-EEXIST), taken, failed);
	skep_ir_at(f, taken);
	get_stackid(l, user, l->program->more_stacks[user], id);
	skep_ir_branch(f, SKEP_IR_SLT, R(id), I(0), failed, found);
	skep_ir_at(f, found);
	skep_ir_set(f, id, R(skep_ir_alu(f, SKEP_IR_OR, R(id), I(SKEP_STACK_MORE))));
	skep_ir_jump(f, on);
	skep_ir_at(f, failed);
}

/*
 * A stack that could not be kept (of both hashes there is another, no memory) is counted, and its
 * id is -1. -EFAULT only says that there is none: a kernel thread has no user stack.
 */
static struct skep_opnd stack_id(struct skep_lower *l, bool user, uint32_t depth)
{
	struct skep_ir_func *f = l->f;
	uint32_t failed = skep_ir_block(f), lost = skep_ir_block(f), none = skep_ir_block(f);
	uint32_t on = skep_ir_block(f), id = skep_ir_var(f);

	get_stackid(l, user, skep_lower_stack_map(l, user, depth), id);
	skep_ir_branch_cold(f, SKEP_IR_SLT, R(id), I(0), failed);
	skep_ir_jump(f, on);
	skep_ir_at(f, failed);
	try_again(l, user, id, on);
	skep_ir_branch(f, SKEP_IR_EQ, R(id), I(-EFAULT), none, lost);
	skep_ir_at(f, lost);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_STACK));
	skep_ir_jump(f, none);
	skep_ir_at(f, none);
	skep_ir_set(f, id, I(UINT32_MAX));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return R(id);
}

static struct skep_value take_stack(struct skep_lower *l, const struct skep_type *type)
{
	bool user = type->kind == SKEP_T_USTACK;
	struct skep_value key = skep_lower_temp(l, type);
	uint32_t pid = user ? current_pid(l) : skep_ir_mov(l->f, I(0));

	if (user && type->stack_mode != SKEP_STACK_RAW && type->stack_mode != SKEP_STACK_BUILD_ID)
		l->program->names_code = true;
	struct skep_opnd id = user && skep_lower_unwinds(l) ? skep_lower_unwind(l, type->n)
							    : stack_id(l, user, type->n);
	skep_ir_store(l->f, 4, key.opnd, 0, id);
	skep_ir_store(l->f, 4, key.opnd, 4, R(pid));
	return key;
}

/* Of depth 0: none is taken, for a script that may be told to do without. */
struct skep_value skep_lower_stack(struct skep_lower *l, const struct skep_type *type)
{
	if (type->n)
		return take_stack(l, type);
	struct skep_value key = skep_lower_temp(l, type);
	skep_ir_store(l->f, 4, key.opnd, 0, I(UINT32_MAX));
	skep_ir_store(l->f, 4, key.opnd, 4, I(0));
	return key;
}

FN(kstack)
{
	return skep_lower_stack(l, call->type);
}
FN(ustack)
{
	return skep_lower_stack(l, call->type);
}

/* The type says how it is printed; what is kept is the same. */
FN(folded)
{
	return same_bits(l, call);
}
