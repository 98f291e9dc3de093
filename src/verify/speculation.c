/*
 * What a CPU that guesses could read by pointer arithmetic, and how it is kept from it.
 *
 * A CPU may guess that a bounds check passes and go on with a number that failed it. Programs
 * without privileges must not gain by that, so the kernel puts a mask on each number that is added
 * to a pointer: one that makes it 0 when it is beyond how far the pointer may go. For that the
 * instruction must have one direction and one limit, on all paths. And since under a wrong guess
 * the number is 0, that path is walked as well: the pointer did not move at all.
 *
 * Known numbers need no mask: the instruction gets the number itself. Programs with privileges are
 * trusted not to attack, and nothing of this is done.
 *
 * Source  behaviour of Linux 6.18, sanitize_ptr_alu(), sanitize_check_bounds()
 */
#include "verify/speculation.h"

#include <stdlib.h>

#include "verify/memory.h"

enum alu_state {
	ALU_MASKS_DST = 1 << 0, /* the number is in the destination */
	ALU_MASKS_SRC = 1 << 1,
	ALU_NEGATIVE = 1 << 2,
	ALU_KNOWN = 1 << 3,
};

static uint8_t op_of(const struct skep_insn *insn)
{
	return insn->code & 0xf0;
}

static const char *name_of(const struct skep_insn *insn)
{
	return op_of(insn) == SKEP_ADD ? "add" : "sub";
}

static bool is_needed(const struct verifier *v, const struct skep_insn *insn)
{
	return !v->privileged && insn->code & SKEP_X &&
	       (op_of(insn) == SKEP_ADD || op_of(insn) == SKEP_SUB);
}

/* --- The limit ------------------------------------------------------------------------------- */

/* How far @ptr is from where its memory begins. */
static int find_limit(struct verifier *v, const struct skep_insn *insn, const struct reg *ptr,
		      struct speculation *window)
{
	const struct skep_bounds *b = &ptr->value.full;
	uint32_t most;

	switch (ptr->kind) {
	case REG_STACK:
		most = SKEP_STACK_BYTES + window->to_left;
		window->limit = (uint32_t) - ((int64_t)ptr->value.bits.value + ptr->off);
		break;
	case REG_MAP_VALUE:
		most = ptr->map->value_size;
		window->limit = (uint32_t)((window->to_left ? (uint64_t)b->smin : b->umax) +
					   (uint64_t)(int64_t)ptr->off);
		break;
	default: return verify_refuse(v, SANITIZE_TYPE, window->off_in_dst ? insn->src : insn->dst);
	}
	if (window->limit >= most)
		return verify_refuse(v, SANITIZE_LIMIT, insn->dst, name_of(insn));
	return 0;
}

/* --- Before ---------------------------------------------------------------------------------- */

static uint32_t state_of(const struct speculation *window)
{
	uint32_t state = window->off_in_dst ? ALU_MASKS_DST : ALU_MASKS_SRC;

	if (window->off->value.full.smin < 0)
		state |= ALU_NEGATIVE;
	if (skep_tnum_is_const(window->off->value.bits))
		state |= ALU_KNOWN;
	return state;
}

static int find_direction(struct verifier *v, const struct skep_insn *insn,
			  struct speculation *window)
{
	const struct skep_bounds *b = &window->off->value.full;
	bool negative = b->smin < 0;

	if (!skep_tnum_is_const(window->off->value.bits) && negative != (b->smax < 0))
		return verify_refuse(v, SANITIZE_BOUNDS,
				     window->off_in_dst ? insn->dst : insn->src);
	window->to_left = op_of(insn) == SKEP_ADD ? negative : !negative;
	return 0;
}

/* The path on which the mask made the number 0. */
static int walk_unmoved(struct verifier *v)
{
	return verify_fork(v, v->at + 1, v->at, true) ? 0 : verify_no_fork(v, -EFAULT);
}

int verify_speculate_before(struct verifier *v, const struct skep_insn *insn, const struct reg *ptr,
			    struct speculation *window)
{
	int err;

	if (!is_needed(v, insn))
		return 0;
	if (!v->state->speculative) {
		err = find_direction(v, insn, window);
		if (!err)
			err = find_limit(v, insn, ptr, window);
		if (err)
			return err;
		window->state = state_of(window);
	}
	return skep_tnum_is_const(window->off->value.bits) ? 0 : walk_unmoved(v);
}

/* --- After ----------------------------------------------------------------------------------- */

/* The pointer must be where an access of one byte would be allowed. */
static int check_place(struct verifier *v, const struct skep_insn *insn, const struct reg *dst)
{
	struct mem_access at = {
		.regno = insn->dst, .off = dst->off, .bytes = 1, .value = -1, .by_call = true};
	int64_t off = dst->off + (int64_t)dst->value.bits.value;
	int err;

	if (dst->kind == REG_MAP_VALUE) {
		err = verify_map_value_region(v, &at, dst);
		return err ? verify_refuse(v, VALUE_RANGE_UNPRIV, insn->dst) : 0;
	}
	if (dst->kind != REG_STACK)
		return 0;
	if (!skep_tnum_is_const(dst->value.bits))
		return verify_refuse(v, STACK_VARIABLE_UNPRIV, insn->dst,
				     TNUM_TEXT(dst->value.bits), (int)off);
	if (off >= 0 || off < -SKEP_STACK_BYTES)
		return verify_refuse(v, STACK_RANGE_UNPRIV, insn->dst, (int)off);
	return 0;
}

/* One mask for the instruction, whichever way it is come to. */
static int keep_mask(struct verifier *v, const struct skep_insn *insn, uint32_t limit,
		     uint32_t state)
{
	struct insn_facts *facts = &v->facts[v->at];

	if (facts->alu_state && (facts->alu_state != state || facts->alu_limit != limit))
		return verify_refuse(v, SANITIZE_PATHS, insn->dst, name_of(insn));
	facts->alu_state = state;
	facts->alu_limit = limit;
	return 0;
}

int verify_speculate_after(struct verifier *v, const struct skep_insn *insn,
			   struct speculation *window)
{
	const struct reg *dst = verify_reg(v, insn->dst);
	uint32_t before = window->limit;
	int err;

	if (v->privileged)
		return 0;
	err = check_place(v, insn, dst);
	if (err || !is_needed(v, insn) || v->state->speculative)
		return err;
	err = find_limit(v, insn, dst, window);
	if (err)
		return err;
	return keep_mask(v, insn, (uint32_t)abs((int32_t)(before - window->limit)), window->state);
}
