/*
 * LD | ABS and LD | IND: loads from a packet as classic BPF had them.
 *
 * They are calls in disguise: r6 must be the packet's context, r0 gets the value in host order, r1
 * to r5 are gone. Where the packet is too short the function ends there and then, returning 0; so
 * nothing may be held that would have to be given back, and of a function that was called there is
 * a second way to go on: in its caller.
 *
 * Source  behaviour of Linux 6.18, check_ld_abs()
 */
#include "verify/call.h"
#include "verify/memory.h"

static bool has_packet(const struct verifier *v)
{
	switch (verify_type(v)) {
	case PROG_TYPE_SOCKET_FILTER:
	case PROG_TYPE_SCHED_CLS:
	case PROG_TYPE_SCHED_ACT: return true;
	default: return false;
	}
}

static bool in_callback(const struct verifier *v)
{
	for (uint32_t f = 1; f < v->state->n_frames; f++)
		if (v->state->frames[f]->in_callback)
			return true;
	return false;
}

static int check_place(struct verifier *v)
{
	if (!has_packet(v))
		return verify_refuse(v, LD_ABS_TYPE);
	if (in_callback(v))
		return verify_refuse(v, LD_ABS_IN_CALLBACK);
	return 0;
}

static int check_fields(struct verifier *v, const struct skep_insn *insn)
{
	bool by_register = (insn->code & 0xe0) == SKEP_IND;

	if (insn->dst != SKEP_R0 || insn->off || (insn->code & 0x18) == SKEP_DW ||
	    (!by_register && insn->src != SKEP_R0))
		return verify_refuse(v, LD_ABS_FIELDS);
	return 0;
}

static int check_operands(struct verifier *v, const struct skep_insn *insn)
{
	const struct reg *ctx = verify_reg(v, SKEP_R6);
	int err = verify_read_reg(v, SKEP_R6);

	if (!err)
		err = verify_nothing_held(v, false, true, "BPF_LD_[ABS|IND]");
	if (!err && (ctx->kind != REG_CTX || ctx->flags))
		return verify_refuse(v, LD_ABS_CTX);
	if (!err && (insn->code & 0xe0) == SKEP_IND)
		err = verify_read_reg(v, insn->src);
	return err ? err : verify_unmodified(v, ctx, SKEP_R6, false);
}

/* The packet was too short: back in the caller with 0. The load's own way waits. */
static int fork_return(struct verifier *v)
{
	if (v->state->n_frames == 1)
		return 0;
	if (!verify_fork(v, v->at + 1, v->at, false))
		return verify_no_fork(v, -E2BIG);
	verify_reg_const(v, verify_reg(v, SKEP_R0), 0);
	return verify_return(v);
}

int verify_ld_abs(struct verifier *v, const struct skep_insn *insn)
{
	int err = check_place(v);

	if (!err)
		err = check_fields(v, insn);
	if (!err)
		err = check_operands(v, insn);
	if (err)
		return err;
	verify_clobber(v);
	err = verify_write_reg(v, SKEP_R0);
	if (err)
		return err;
	verify_reg_unknown(v, verify_reg(v, SKEP_R0));
	return fork_return(v);
}
