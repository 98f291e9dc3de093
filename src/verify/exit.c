/*
 * Where a function ends: the program with a result of its type, a function back where it was
 * called, a callback back to the call that will call it again.
 *
 *	main, or verified on its own   nothing is held; the result is in the range of the type; the
 *	                               path is at its end
 *	called                         r0 goes to the caller, its frame is gone
 *	called back                    r0 says whether to go on (0 or 1); the path goes on at the
 *	                               call itself, which calls back once more or goes past: if
 *	                               nothing has changed since the last time, states.c ends it
 *	thrown (bpf_throw)             as main, from whatever function
 *
 * Source  behaviour of Linux 6.18, process_bpf_exit_full(), prepare_func_exit(),
 *         check_return_code()
 */
#include "verify/call.h"

/* --- Ranges of results ----------------------------------------------------------------------- */

static bool is_within(const struct skep_scalar *value, struct range32 range, bool low)
{
	const struct skep_bounds *bounds = low ? &value->low : &value->full;

	return range.min <= bounds->smin && bounds->smax <= range.max;
}

static int refuse_range(struct verifier *v, const struct reg *reg, struct range32 range,
			const char *when, const char *name)
{
	const struct skep_bounds *bounds = &reg->value.full;

	verify_log(v, "%s the register %s has", when, name);
	if (bounds->smin > INT64_MIN)
		verify_log(v, " smin=%lld", (long long)bounds->smin);
	if (bounds->smax < INT64_MAX)
		verify_log(v, " smax=%lld", (long long)bounds->smax);
	if (bounds->smin == INT64_MIN && bounds->smax == INT64_MAX)
		verify_log(v, " unknown scalar value");
	return verify_refuse(v, RETURN_RANGE, range.min, range.max);
}

/* --- What the program is to return ----------------------------------------------------------- */

static uint32_t attached_proto(const struct verifier *v)
{
	const struct skep_btf *btf = v->program->attach_btf;
	uint32_t id = v->program->attach_btf_id;
	struct skep_btf_member member;

	if (!btf || !id)
		return 0;
	if (v->image->type != PROG_TYPE_STRUCT_OPS)
		return skep_btf_target(btf, id);
	if (skep_btf_member(btf, id, v->program->attach_type, &member))
		return 0;
	return skep_btf_strip(btf, skep_btf_target(btf, skep_btf_strip(btf, member.type)));
}

/* Security hooks and functions of struct_ops may have no result at all. */
static bool returns_nothing(const struct verifier *v)
{
	enum { LSM_CGROUP = 43 };
	const struct frame *frame = v->state->frames[0];
	uint32_t type = verify_type(v), proto;

	if (frame->func && !frame->in_exception_callback)
		return false;
	if (type == PROG_TYPE_LSM ? v->program->attach_type == LSM_CGROUP
				  : type != PROG_TYPE_STRUCT_OPS)
		return false;
	proto = attached_proto(v);
	return proto && !skep_btf_target(v->program->attach_btf, proto);
}

/* struct_ops: the object that the function promises, as it was acquired. */
static bool returns_object(const struct verifier *v, const struct reg *reg)
{
	const struct skep_btf *btf = v->program->attach_btf;
	uint32_t proto, ret;

	if (v->image->type != PROG_TYPE_STRUCT_OPS || reg->kind != REG_BTF_PTR || !reg->ref_id ||
	    v->state->frames[0]->in_exception_callback)
		return false;
	proto = attached_proto(v);
	ret = proto ? skep_btf_strip(btf, skep_btf_target(btf, proto)) : 0;
	if (!ret || skep_btf_kind(btf, ret) != SKEP_BTF_PTR)
		return false;
	return reg->btf == btf && skep_btf_strip(btf, skep_btf_target(btf, ret)) == reg->btf_id;
}

static int check_range(struct verifier *v, unsigned regno, const char *name, struct range32 range,
		       bool async)
{
	enum { LSM_CGROUP = 43 };
	const char *when = async ? "At async callback return" : "At program exit";
	const struct reg *reg = verify_reg(v, regno);
	bool low = verify_type(v) == PROG_TYPE_LSM && v->program->attach_type != LSM_CGROUP;
	int err;

	if (reg->kind != REG_SCALAR)
		return verify_refuse(v, RETURN_UNKNOWN, when, regno, KIND_TEXT(reg));
	err = verify_mark_precise(v, regno);
	if (err)
		return err;
	return is_within(&reg->value, range, low && !async)
		       ? 0
		       : refuse_range(v, reg, range, when, name);
}

int verify_return_code(struct verifier *v, unsigned regno, const char *name)
{
	const struct frame *frame = v->state->frames[0];
	const struct reg *reg = verify_reg(v, regno);
	struct range32 range;
	int err;

	if (returns_nothing(v))
		return 0;
	err = verify_read_reg(v, regno);
	if (err)
		return err;
	if (verify_leaks_pointer(v, regno))
		return verify_refuse(v, RETURN_LEAKS_POINTER, regno);
	if (frame->in_async_callback)
		return check_range(v, regno, name, frame->callback_ret, true);
	if (frame->func && !frame->in_exception_callback)
		return reg->kind == REG_SCALAR
			       ? 0
			       : verify_refuse(v, FUNCTION_RETURNS_POINTER, regno, KIND_TEXT(reg));
	if (returns_object(v, reg) || !verify_return_range(v, &range))
		return 0;
	return check_range(v, regno, name, range, false);
}

/* --- Back from a function -------------------------------------------------------------------- */

static int check_callback_result(struct verifier *v, const struct frame *frame)
{
	const struct reg *r0 = &frame->regs[SKEP_R0];
	int err;

	if (r0->kind != REG_SCALAR)
		return verify_refuse(v, CALLBACK_RETURNS_POINTER);
	err = verify_mark_precise(v, SKEP_R0);
	if (err)
		return err;
	return is_within(&r0->value, frame->callback_ret, false)
		       ? 0
		       : refuse_range(v, r0, frame->callback_ret, "At callback return", "R0");
}

static void log_return(struct verifier *v, const struct frame *from, const struct frame *to)
{
	verify_log(v, "returning from callee:\n");
	verify_log_frame(v, v->state, from, true);
	verify_log(v, "to caller at %u:\n", v->next);
	verify_log_frame(v, v->state, to, true);
}

/* A number that each round of a callback changes, and nobody asks about, may be anything from the
 * second round on: so rounds become alike, and end. */
static void widen(struct verifier *v)
{
	struct state *last = verify_last_round(v, v->state, v->next);

	if (last)
		verify_widen(v, last, v->state);
}

int verify_return(struct verifier *v)
{
	struct state *state = v->state;
	struct frame *from = top_frame(state), *to = state->frames[state->n_frames - 2];
	bool callback = from->in_callback;
	int err;

	verify_live_stack_update(v);
	if (from->regs[SKEP_R0].kind == REG_STACK)
		return verify_refuse(v, RETURNS_STACK);
	if (callback) {
		err = check_callback_result(v, from);
		if (err)
			return err;
	} else {
		to->regs[SKEP_R0] = from->regs[SKEP_R0];
	}
	v->next = callback ? from->call_at : from->call_at + 1;
	if (verify_logs_steps(v))
		log_return(v, from, to);
	verify_frame_pop(v, state);
	v->state_shown = false;
	if (callback)
		widen(v);
	return 0;
}

/* --- The end --------------------------------------------------------------------------------- */

int verify_throw(struct verifier *v)
{
	int err = verify_nothing_held(v, true, true, "bpf_throw");

	return err ? err : PATH_END;
}

int verify_exit(struct verifier *v)
{
	bool called = v->state->n_frames > 1;
	int err = verify_nothing_held(v, false, !called, "BPF_EXIT instruction in main prog");

	if (err)
		return err;
	if (called)
		return verify_return(v);
	err = verify_return_code(v, SKEP_R0, "R0");
	return err ? err : PATH_END;
}
