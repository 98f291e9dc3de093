/*
 * Functions of the program: how they begin, and how they are called.
 *
 *	static   gone into at every call, with what the registers hold: as if it were written there
 *	global   believed by its types: arguments are held to them, the result is any number; it is
 *	         verified on its own, once, for whatever arguments its types allow
 *
 * A function on its own begins with registers made up from its types, main with the context in r1.
 *
 * Source  behaviour of Linux 6.18, check_func_call(), btf_check_func_arg_match(),
 *         do_check_common()
 */
#include "verify/call.h"

#include <string.h>

/* --- Arguments held to types ----------------------------------------------------------------- */

/* Memory to be read and written, or NULL. Source: check_mem_reg(); which does not ask that the NULL
 * is one on all paths that meet here, and so takes any number for a pointer. */
int verify_memory_argument(struct verifier *v, unsigned regno, uint32_t bytes)
{
	struct reg *reg = verify_reg(v, regno), saved = *reg;
	int err;

	if (verify_reg_is_null(reg))
		return verify_mark_precise(v, regno);
	if (reg->flags & PTR_MAYBE_NULL)
		verify_not_null(reg);
	err = verify_call_memory(v, regno, bytes, ACCESS_READ, true, NULL);
	if (!err)
		err = verify_call_memory(v, regno, bytes, ACCESS_WRITE, true, NULL);
	*verify_reg(v, regno) = saved;
	return err;
}

static int match_memory(struct verifier *v, unsigned regno, const struct func_argument *arg)
{
	const struct reg *reg = verify_reg(v, regno);
	int err = verify_argument_offset(v, regno, SKEP_ARG_NONE);

	if (err)
		return err;
	if (verify_memory_argument(v, regno, arg->mem_bytes))
		return -EINVAL;
	if (!(arg->flags & PTR_MAYBE_NULL) && reg->flags & PTR_MAYBE_NULL)
		return verify_refuse(v, FUNC_ARG_NULL, regno - 1);
	return 0;
}

static int match_object(struct verifier *v, unsigned regno, const struct func_argument *arg)
{
	struct call call = {.callback = NOWHERE};
	uint32_t kind = SKEP_ARG_BTF_ID | (arg->flags & PTR_MAYBE_NULL ? SKEP_ARG_MAYBE_NULL : 0);
	int err;

	if (verify_reg_is_null(verify_reg(v, regno)) && arg->flags & PTR_MAYBE_NULL)
		return verify_mark_precise(v, regno);
	err = verify_argument_kind(v, &call, regno, kind, arg->btf_id);
	return err ? err : verify_argument_offset(v, regno, kind);
}

static int match_ctx(struct verifier *v, unsigned regno, const struct func_argument *arg)
{
	int err = verify_argument_offset(v, regno, SKEP_ARG_NONE);

	if (err || verify_reg(v, regno)->kind == REG_CTX)
		return err;
	return verify_refuse(v, FUNC_ARG_NO_CTX, regno - 1);
}

static int match_scalar(struct verifier *v, unsigned regno, const struct func_argument *arg)
{
	return verify_reg(v, regno)->kind == REG_SCALAR
		       ? 0
		       : verify_refuse(v, FUNC_ARG_NO_SCALAR, regno);
}

static int match_arena(struct verifier *v, unsigned regno, const struct func_argument *arg)
{
	unsigned kind = verify_reg(v, regno)->kind;

	return kind == REG_ARENA || kind == REG_SCALAR ? 0
						       : verify_refuse(v, FUNC_ARG_NO_ARENA, regno);
}

static int match_dynptr(struct verifier *v, unsigned regno, const struct func_argument *arg)
{
	struct call call = {.callback = NOWHERE};
	int err = verify_argument_offset(v, regno, SKEP_ARG_DYNPTR);

	return err ? err
		   : verify_dynptr_argument(v, &call, regno, SKEP_ARG_DYNPTR | SKEP_ARG_RDONLY);
}

static int match_arguments(struct verifier *v, uint32_t func)
{
	static int (*const match[])(struct verifier * v, unsigned regno,
				    const struct func_argument *arg) = {
		[FUNC_ARG_SCALAR] = match_scalar, [FUNC_ARG_CTX] = match_ctx,
		[FUNC_ARG_DYNPTR] = match_dynptr, [FUNC_ARG_MEM] = match_memory,
		[FUNC_ARG_OBJECT] = match_object, [FUNC_ARG_ARENA] = match_arena,
	};
	const struct func_facts *facts = &v->funcs[func];

	for (uint32_t i = 0; i < facts->n_args; i++) {
		const struct func_argument *arg = &facts->args[i];
		int err = arg->flags & PTR_UNTRUSTED ? 0 : match[arg->kind](v, i + 1, arg);

		if (err)
			return err;
	}
	return 0;
}

/* What was said of a function's BTF is not why the program would be refused. */
static int forget_refusal(struct verifier *v)
{
	v->refusal = REFUSE_NONE;
	v->refused_at = NOWHERE;
	return 0;
}

/* Source: btf_check_subprog_call() */
static int check_arguments(struct verifier *v, uint32_t func)
{
	struct func_facts *facts = &v->funcs[func];
	int err;

	if (facts->unreliable)
		return -EINVAL;
	err = verify_function_types(v, func);
	if (!err)
		err = match_arguments(v, func);
	facts->unreliable = err;
	if (err && !facts->is_global)
		forget_refusal(v);
	return err;
}

void verify_callback_types(struct verifier *v, uint32_t func)
{
	if (check_arguments(v, func))
		forget_refusal(v);
}

/* --- Calls ----------------------------------------------------------------------------------- */

/* Functions are in the order of where they start. */
static uint32_t function_at(const struct verifier *v, uint32_t start)
{
	uint32_t low = 0, high = v->n_funcs;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (v->funcs[mid].start <= start)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static bool is_atomic(const struct verifier *v)
{
	const struct state *state = v->state;

	return state->rcu_locked || state->preempt_off || state->irq_id || !verify_may_sleep(v);
}

static int call_global(struct verifier *v, uint32_t func, int arguments)
{
	struct func_facts *facts = &v->funcs[func];

	if (v->state->n_locks)
		return verify_refuse(v, GLOBAL_CALL_UNDER_LOCK);
	if (facts->might_sleep && is_atomic(v))
		return verify_refuse(v, GLOBAL_CALL_SLEEPS);
	if (arguments) {
		verify_refuse(v, GLOBAL_CALL_ARGUMENTS, func, facts->name);
		return arguments;
	}
	verify_log(v, "Func#%u ('%s') is global and assumed valid.\n", func, facts->name);
	if (facts->changes_packet)
		verify_packet_changed(v);
	facts->called = true;
	verify_clobber(v);
	verify_reg_unknown(v, verify_reg(v, SKEP_R0));
	return 0;
}

static void log_call(struct verifier *v, const struct frame *from, const struct frame *to)
{
	verify_log(v, "caller:\n");
	verify_log_frame(v, v->state, from, true);
	verify_log(v, "callee:\n");
	verify_log_frame(v, v->state, to, true);
}

static int call_static(struct verifier *v, uint32_t func)
{
	struct frame *from = top_frame(v->state), *to;
	struct reg args[SKEP_R5 + 1];
	int err;

	memcpy(args, from->regs, sizeof(args));
	verify_clobber(v);
	err = verify_frame_push(v, v->state, func, v->at);
	if (err)
		return err;
	to = top_frame(v->state);
	memcpy(&to->regs[SKEP_R1], &args[SKEP_R1], sizeof(args) - sizeof(*args));
	v->next = v->funcs[func].start;
	if (verify_logs_steps(v))
		log_call(v, from, to);
	return 0;
}

int verify_call_local(struct verifier *v, const struct skep_insn *insn)
{
	uint32_t func = function_at(v, (uint32_t)((int64_t)v->at + 1 + insn->imm));
	int arguments = check_arguments(v, func);

	if (v->funcs[func].is_global)
		return call_global(v, func, arguments);
	return call_static(v, func);
}

/* --- Beginnings ------------------------------------------------------------------------------ */

static void begin_object(struct verifier *v, struct reg *reg, const struct func_argument *arg)
{
	verify_reg_pointer(reg, REG_BTF_PTR, arg->flags);
	reg->btf = v->program->kernel_btf;
	reg->btf_id = arg->btf_id;
	reg->id = verify_new_id(v);
}

static void begin_memory(struct verifier *v, struct reg *reg, const struct func_argument *arg)
{
	verify_reg_pointer(reg, REG_MEM, arg->flags);
	reg->mem_bytes = arg->mem_bytes;
	if (arg->flags & PTR_MAYBE_NULL)
		reg->id = verify_new_id(v);
}

void verify_reg_dynptr(struct verifier *v, struct reg *reg, enum dynptr_kind kind)
{
	verify_reg_pointer(reg, REG_DYNPTR, 0);
	reg->id = verify_new_id(v);
	reg->dynptr = (uint8_t)kind;
	reg->first_slot = true;
}

static void begin_argument(struct verifier *v, struct reg *reg, const struct func_argument *arg)
{
	switch (arg->kind) {
	case FUNC_ARG_SCALAR:
	case FUNC_ARG_ARENA: verify_reg_unknown(v, reg); break;
	case FUNC_ARG_CTX: verify_reg_pointer(reg, REG_CTX, 0); break;
	case FUNC_ARG_DYNPTR: verify_reg_dynptr(v, reg, DYNPTR_LOCAL); break;
	case FUNC_ARG_MEM: begin_memory(v, reg, arg); break;
	case FUNC_ARG_OBJECT: begin_object(v, reg, arg); break;
	}
}

static int begin_function(struct verifier *v)
{
	struct func_facts *facts = &v->funcs[v->func];
	int err;

	verify_log(v, "Validating %s() func#%u...\n", facts->name, v->func);
	err = verify_function_types(v, v->func);
	if (err)
		return err;
	if (facts->is_exception_callback) {
		top_frame(v->state)->in_exception_callback = true;
		if (facts->n_args != 1 || facts->args[0].kind != FUNC_ARG_SCALAR)
			return verify_refuse(v, EXCEPTION_CALLBACK_ARGUMENTS);
	}
	for (uint32_t i = 0; i < facts->n_args; i++)
		begin_argument(v, verify_reg(v, i + 1), &facts->args[i]);
	return 0;
}

/* Its BTF may say what it likes; then nothing that goes by it is done. */
static void begin_main(struct verifier *v)
{
	struct func_facts *facts = &v->funcs[0];

	if (v->program->n_funcs) {
		facts->unreliable = verify_function_types(v, 0) || facts->n_args != 1 ||
				    facts->args[0].kind != FUNC_ARG_CTX;
		forget_refusal(v);
	}
	verify_reg_pointer(verify_reg(v, SKEP_R1), REG_CTX, 0);
	verify_take_arguments(v);
}

int verify_first_state(struct verifier *v)
{
	if (v->func || v->image->type == PROG_TYPE_EXT)
		return begin_function(v);
	begin_main(v);
	return 0;
}
