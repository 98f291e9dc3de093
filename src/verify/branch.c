/*
 * Jumps: which ways a path goes, and what is known on each.
 *
 *	both operands are numbers       their bounds may decide; if not, either way tells more of
 *	                                both, and of every number that is one of them (linked.c)
 *	a pointer, and a constant       0 decides where a pointer is never NULL; where it may be,
 *	                                one way it is, and the other it is not (nullness.c)
 *	two pointers                    into a packet and to its end: how many bytes are there
 *	                                (packet_range.c); else equal ones are both NULL, or neither
 *
 * Where both ways can be gone, the path goes on behind the jump, and the target waits. Where the
 * numbers decide, only one way is gone: then the decision rests on them, and states are alike only
 * if theirs decide so too (precision.c).
 *
 * Without privileges the way that is not gone is walked as well, since a CPU may guess wrong and go
 * it for a while: what it could leak there must be found. Nothing is known of the operands then.
 *
 * Source  behaviour of Linux 6.18, check_cond_jmp_op()
 */
#include "verify/branch.h"

struct jump {
	const struct skep_insn *insn;
	uint8_t op;
	unsigned width;
	bool by_register;
	uint32_t target;
	struct reg *dst, *src; /* src: the other register, or .constant */
	struct reg constant;
};

/* --- Which way ------------------------------------------------------------------------------- */

static uint32_t target_of(const struct verifier *v, const struct skep_insn *insn)
{
	bool wide = insn->code == (SKEP_JMP32 | SKEP_JA);

	return (uint32_t)((int64_t)v->at + 1 + (wide ? insn->imm : insn->off));
}

static bool is_of_packet(const struct reg *reg)
{
	return verify_reg_is_packet(reg) || reg->kind == REG_PACKET_END;
}

static int read_source(struct verifier *v, struct jump *jump)
{
	unsigned regno = jump->insn->src;
	int err = verify_read_reg(v, regno);

	if (err)
		return err;
	jump->src = verify_reg(v, regno);
	if (verify_leaks_pointer(v, regno) && !(is_of_packet(jump->dst) && is_of_packet(jump->src)))
		return verify_refuse(v, POINTER_COMPARISON, regno);
	return 0;
}

/* A pointer to the stack is none that the way back is to follow. */
static int note_stack_pointers(struct verifier *v, const struct jump *jump)
{
	uint32_t flags = (jump->dst->kind == REG_STACK ? STEP_DST_SPILL : 0) |
			 (jump->src->kind == REG_STACK ? STEP_SRC_SPILL : 0);

	return flags ? verify_push_step(v, flags, 0) : 0;
}

static int read_operands(struct verifier *v, struct jump *jump)
{
	const struct skep_insn *insn = jump->insn;
	int err = verify_read_reg(v, insn->dst);

	if (err)
		return err;
	jump->dst = verify_reg(v, insn->dst);
	jump->constant = (struct reg){.kind = REG_SCALAR,
				      .value = skep_scalar_const((uint64_t)(int64_t)insn->imm)};
	jump->src = &jump->constant;
	err = jump->by_register ? read_source(v, jump) : 0;
	return err ? err : note_stack_pointers(v, jump);
}

static bool is_number(const struct reg *reg, uint64_t value)
{
	return verify_reg_is_const(reg) && reg->value.bits.value == value;
}

/* A pointer that is never NULL is not 0; its lower half may be. */
static enum skep_branch pointer_way(const struct jump *jump)
{
	const struct reg *pointer = jump->dst, *number = jump->src;

	if (!verify_reg_is_const(number)) {
		pointer = jump->src;
		number = jump->dst;
	}
	if (jump->width != 64 || !is_number(number, 0) || !verify_reg_not_null(pointer))
		return SKEP_BRANCH_EITHER;
	if (jump->op == SKEP_JEQ)
		return SKEP_BRANCH_NEVER;
	return jump->op == SKEP_JNE ? SKEP_BRANCH_ALWAYS : SKEP_BRANCH_EITHER;
}

static enum skep_branch which_way(const struct jump *jump)
{
	const struct reg *dst = jump->dst, *src = jump->src;

	if (is_of_packet(dst) && is_of_packet(src) && jump->width == 64)
		return verify_packet_branch(dst, src, jump->op);
	if (reg_is_pointer(dst) || reg_is_pointer(src))
		return pointer_way(jump);
	return skep_scalar_branch(&dst->value, &src->value, jump->op, jump->width);
}

/* --- One way --------------------------------------------------------------------------------- */

/* The way that only a guessing CPU goes. */
static int guess(struct verifier *v, const struct jump *jump, uint32_t at)
{
	struct state *other;

	if (v->privileged)
		return 0;
	other = verify_fork(v, at, v->at, true);
	if (!other)
		return verify_no_fork(v, -EFAULT);
	verify_reg_unknown(v, &top_frame(other)->regs[jump->insn->dst]);
	if (jump->by_register)
		verify_reg_unknown(v, &top_frame(other)->regs[jump->insn->src]);
	return 0;
}

static int one_way(struct verifier *v, const struct jump *jump, bool taken)
{
	int err = 0;

	if (!reg_is_pointer(jump->dst))
		err = verify_mark_precise(v, jump->insn->dst);
	if (!err && jump->by_register && !reg_is_pointer(jump->src))
		err = verify_mark_precise(v, jump->insn->src);
	if (!err)
		err = guess(v, jump, taken ? v->at + 1 : jump->target);
	if (err)
		return err;
	verify_log_changes(v, v->state);
	if (taken)
		v->next = jump->target;
	return 0;
}

/* --- Both ways ------------------------------------------------------------------------------- */

static struct reg *reg_of(struct state *state, unsigned regno)
{
	return &top_frame(state)->regs[regno];
}

static void learn_numbers(struct jump *jump, struct state *other)
{
	struct skep_scalar constant = jump->constant.value, *other_src;

	if (jump->dst->kind != REG_SCALAR || jump->src->kind != REG_SCALAR)
		return;
	other_src = jump->by_register ? &reg_of(other, jump->insn->src)->value : &constant;
	skep_scalar_assume(&reg_of(other, jump->insn->dst)->value, other_src, jump->op, jump->width,
			   true);
	skep_scalar_assume(&jump->dst->value, &jump->src->value, jump->op, jump->width, false);
}

/* What was learned of @regno is true of all that are the same number. */
static void tell_linked(struct verifier *v, struct state *other, unsigned regno,
			const struct linked *linked)
{
	const struct reg *reg = verify_reg(v, regno);

	if (reg->kind != REG_SCALAR || !reg->id)
		return;
	verify_linked_tell(v->state, reg, linked);
	verify_linked_tell(other, reg_of(other, regno), linked);
}

/* Equal to a pointer that is not NULL is not NULL. Pointers to kernel structures may be, though
 * they are not said to be. */
static void learn_equal(const struct jump *jump, struct state *equal)
{
	const struct reg *dst = jump->dst, *src = jump->src;

	if (!reg_is_pointer(dst) || !reg_is_pointer(src) || dst->kind == REG_BTF_PTR ||
	    src->kind == REG_BTF_PTR)
		return;
	if (verify_reg_not_null(dst) && src->flags & PTR_MAYBE_NULL)
		verify_not_null(reg_of(equal, jump->insn->src));
	else if (verify_reg_not_null(src) && dst->flags & PTR_MAYBE_NULL)
		verify_not_null(reg_of(equal, jump->insn->dst));
}

static int learn_pointers(struct verifier *v, const struct jump *jump, struct state *other)
{
	bool equality = jump->op == SKEP_JEQ || jump->op == SKEP_JNE, taken = jump->op == SKEP_JEQ;
	unsigned dst = jump->insn->dst;
	bool wide = jump->width == 64;

	if (wide && jump->by_register && equality)
		learn_equal(jump, taken ? other : v->state);
	if (wide && !jump->by_register && !jump->insn->imm && equality &&
	    jump->dst->flags & PTR_MAYBE_NULL) {
		verify_mark_null(v, v->state, dst, !taken);
		verify_mark_null(v, other, dst, taken);
		return 0;
	}
	if (wide && jump->by_register && verify_packet_compared(v->state, other, jump->insn))
		return 0;
	if (verify_leaks_pointer(v, dst))
		return verify_refuse(v, POINTER_COMPARISON, dst);
	return 0;
}

static int both_ways(struct verifier *v, struct jump *jump)
{
	struct linked linked = {0};
	struct state *other;
	int err = 0;

	if (jump->by_register)
		verify_linked_collect(v, v->state, jump->src, &linked);
	verify_linked_collect(v, v->state, jump->dst, &linked);
	if (linked.n > 1)
		err = verify_push_step(v, 0, verify_linked_pack(&linked));
	if (err)
		return err;
	other = verify_fork(v, jump->target, v->at, false);
	if (!other)
		return verify_no_fork(v, -EFAULT);
	learn_numbers(jump, other);
	if (jump->by_register)
		tell_linked(v, other, jump->insn->src, &linked);
	tell_linked(v, other, jump->insn->dst, &linked);
	err = learn_pointers(v, jump, other);
	if (!err)
		verify_log_changes(v, v->state);
	return err;
}

/* --- The instruction ------------------------------------------------------------------------- */

static int conditional(struct verifier *v, const struct skep_insn *insn)
{
	struct jump jump = {
		.insn = insn,
		.op = insn->code & 0xf0,
		.width = (insn->code & 7) == SKEP_JMP32 ? 32 : 64,
		.by_register = insn->code & SKEP_X,
		.target = target_of(v, insn),
	};
	enum skep_branch way;
	int err = read_operands(v, &jump);

	if (err)
		return err;
	way = which_way(&jump);
	if (way == SKEP_BRANCH_EITHER)
		return both_ways(v, &jump);
	return one_way(v, &jump, way == SKEP_BRANCH_ALWAYS);
}

/* Goes on until the kernel has enough of it: the way out waits, with numbers as wide as rounds make
 * them. */
static int may_goto(struct verifier *v, const struct skep_insn *insn)
{
	struct state *last = verify_last_round(v, v->state->parent, v->at), *out;

	out = verify_fork(v, v->at + 1, v->at, false);
	if (!out)
		return verify_no_fork(v, -ENOMEM);
	out->may_goto_depth++;
	if (last)
		verify_widen(v, last, out);
	v->next = target_of(v, insn);
	return 0;
}

int verify_jump(struct verifier *v, const struct skep_insn *insn)
{
	switch (insn->code & 0xf0) {
	case SKEP_JA: v->next = target_of(v, insn); return 0;
	case SKEP_JCOND: return may_goto(v, insn);
	default: return conditional(v, insn);
	}
}
