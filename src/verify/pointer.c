/*
 * Numbers added to pointers, or taken from them.
 *
 *	known number      goes to the pointer's fixed offset; all else stays as it was
 *	unknown number    goes to its variable part: bits and bounds are added
 *
 * A packet pointer to which something unknown was added is a new pointer: how many bytes are there
 * has to be found out again, so it gets an id of its own, by which all its copies learn of it.
 *
 * Offsets stay within 2^29 either way, so that no sum of them overflows; what could be further away
 * is refused here and not where it is used.
 *
 * Source  behaviour of Linux 6.18, adjust_ptr_min_max_vals()
 */
#include "verify/memory.h"
#include "verify/speculation.h"

static uint8_t op_of(const struct skep_insn *insn)
{
	return insn->code & 0xf0;
}

/* --- May it be done at all? ------------------------------------------------------------------ */

/* A number that contradicts itself is on a path that nothing goes. */
static bool is_impossible(const struct reg *off)
{
	const struct skep_bounds *b = &off->value.full;
	bool known = skep_tnum_is_const(off->value.bits);

	return b->smin > b->smax || b->umin > b->umax ||
	       (known && (b->smin != b->smax || b->umin != b->umax));
}

/* Pointers that arithmetic leaves what they are. */
static bool is_movable(const struct reg *ptr, const struct reg *off, uint8_t op)
{
	bool known = skep_tnum_is_const(off->value.bits);

	switch (ptr->kind) {
	case REG_CTX:
	case REG_MAP_VALUE:
	case REG_MAP_KEY:
	case REG_STACK:
	case REG_PACKET_META:
	case REG_PACKET:
	case REG_TP_BUFFER:
	case REG_BTF_PTR:
	case REG_MEM:
	case REG_BUF:
	case REG_FUNC:
	case REG_DYNPTR: return true;
	case REG_FLOW_KEYS: return known;
	case REG_MAP_PTR: return known && !off->value.full.smin && op == SKEP_ADD;
	default: return false;
	}
}

static int check_kind(struct verifier *v, const struct skep_insn *insn, const struct reg *ptr,
		      const struct reg *off)
{
	if (ptr->flags & PTR_MAYBE_NULL)
		return verify_refuse(v, NULLABLE_ARITHMETIC, insn->dst, KIND_TEXT(ptr));
	if (!is_movable(ptr, off, op_of(insn)))
		return verify_refuse(v, FIXED_POINTER, insn->dst, KIND_TEXT(ptr));
	return 0;
}

static bool is_far(int64_t off)
{
	return off >= MOST_VARIABLE_OFF || off <= -MOST_VARIABLE_OFF;
}

/* Is @reg, the pointer or the number, near enough? The words name the pointer, @ptr. */
static int check_offset(struct verifier *v, const struct reg *reg, const struct reg *ptr)
{
	int64_t value = (int64_t)reg->value.bits.value, smin = reg->value.full.smin;

	if (skep_tnum_is_const(reg->value.bits) && is_far(value))
		return verify_refuse(v, OFFSET_CONST, KIND_TEXT(ptr), (long long)value);
	if (is_far(reg->off))
		return verify_refuse(v, OFFSET_FIXED, KIND_TEXT(ptr), reg->off);
	if (smin == INT64_MIN)
		return verify_refuse(v, OFFSET_UNBOUNDED, KIND_TEXT(ptr));
	if (is_far(smin))
		return verify_refuse(v, OFFSET_VALUE, (long long)smin, KIND_TEXT(ptr));
	return 0;
}

/* --- Plus and minus -------------------------------------------------------------------------- */

static bool fits_fixed(int64_t off)
{
	return off == (int32_t)off;
}

/* What is behind a packet pointer that went somewhere unknown. */
static void new_packet_base(struct verifier *v, struct reg *dst, bool keeps_range)
{
	if (!verify_reg_is_packet(dst))
		return;
	dst->id = verify_new_id(v);
	if (!keeps_range)
		dst->range = 0;
}

static void add_bounds(struct skep_bounds *dst, const struct skep_bounds *off)
{
	if (__builtin_add_overflow(dst->smin, off->smin, &dst->smin) ||
	    __builtin_add_overflow(dst->smax, off->smax, &dst->smax)) {
		dst->smin = INT64_MIN;
		dst->smax = INT64_MAX;
	}
	if (__builtin_add_overflow(dst->umin, off->umin, &dst->umin) ||
	    __builtin_add_overflow(dst->umax, off->umax, &dst->umax)) {
		dst->umin = 0;
		dst->umax = UINT64_MAX;
	}
}

static void add(struct verifier *v, struct reg *dst, const struct reg *off)
{
	int64_t smin = off->value.full.smin;

	if (skep_tnum_is_const(off->value.bits) && fits_fixed(dst->off + smin)) {
		dst->off += (int32_t)smin;
		return;
	}
	add_bounds(&dst->value.full, &off->value.full);
	dst->value.bits = skep_tnum_add(dst->value.bits, off->value.bits);
	new_packet_base(v, dst, false);
}

static void subtract_bounds(struct skep_bounds *dst, const struct skep_bounds *off)
{
	if (__builtin_sub_overflow(dst->smin, off->smax, &dst->smin) ||
	    __builtin_sub_overflow(dst->smax, off->smin, &dst->smax)) {
		dst->smin = INT64_MIN;
		dst->smax = INT64_MAX;
	}
	if (dst->umin < off->umax) {
		dst->umin = 0;
		dst->umax = UINT64_MAX;
	} else {
		dst->umin -= off->umax;
		dst->umax -= off->umin;
	}
}

/* What was shown to be there still is, if the pointer went back. */
static void subtract(struct verifier *v, struct reg *dst, const struct reg *off)
{
	int64_t smin = off->value.full.smin;

	if (skep_tnum_is_const(off->value.bits) && fits_fixed(dst->off - smin)) {
		dst->off -= (int32_t)smin;
		return;
	}
	subtract_bounds(&dst->value.full, &off->value.full);
	dst->value.bits = skep_tnum_sub(dst->value.bits, off->value.bits);
	new_packet_base(v, dst, smin >= 0);
}

static const char *name_of(const struct skep_insn *insn)
{
	static const char *const names[] = {"+=",  "-=",  "*=", "/=", "|=", "&=",   "<<=",
					    ">>=", "neg", "%=", "^=", "=",  "s>>=", "endian"};

	return names[op_of(insn) >> 4];
}

/* @dst is the pointer by now; @was_number: it held the number before. */
static int compute(struct verifier *v, const struct skep_insn *insn, const struct reg *off,
		   bool was_number)
{
	struct reg *dst = verify_reg(v, insn->dst);

	dst->value.low = skep_scalar_any.low;
	switch (op_of(insn)) {
	case SKEP_ADD: add(v, dst, off); return 0;
	case SKEP_SUB:
		if (was_number)
			return verify_refuse(v, POINTER_FROM_NUMBER, insn->dst);
		if (dst->kind == REG_STACK)
			return verify_refuse(v, STACK_SUBTRACTION, insn->dst);
		subtract(v, dst, off);
		return 0;
	case SKEP_AND:
	case SKEP_OR:
	case SKEP_XOR: return verify_refuse(v, POINTER_BITWISE, insn->dst, name_of(insn));
	default: return verify_refuse(v, POINTER_OPERATOR, insn->dst, name_of(insn));
	}
}

/* --- Together -------------------------------------------------------------------------------- */

static int in_32_bits(struct verifier *v, const struct skep_insn *insn)
{
	if (op_of(insn) != SKEP_SUB || !v->privileged)
		return verify_refuse(v, POINTER_32, insn->dst);
	verify_reg_unknown(v, verify_reg(v, insn->dst));
	return 0;
}

static int check_operands(struct verifier *v, const struct reg *ptr, const struct reg *off)
{
	int err = check_offset(v, off, ptr);

	return err ? err : check_offset(v, ptr, ptr);
}

static int move_pointer(struct verifier *v, const struct skep_insn *insn, const struct reg *ptr,
			const struct reg *off)
{
	struct reg *dst = verify_reg(v, insn->dst);
	bool was_number = !reg_is_pointer(dst);
	struct speculation window = {.off = off, .off_in_dst = was_number};
	int err;

	*dst = *ptr;
	err = check_operands(v, ptr, off);
	if (!err)
		err = verify_speculate_before(v, insn, ptr, &window);
	if (!err)
		err = compute(v, insn, off, was_number);
	if (!err)
		err = check_offset(v, dst, ptr);
	if (err)
		return err;
	skep_scalar_sync(&dst->value);
	return verify_speculate_after(v, insn, &window);
}

int verify_pointer_alu(struct verifier *v, const struct skep_insn *insn, const struct reg *ptr,
		       const struct reg *off)
{
	int err;

	if (is_impossible(off)) {
		verify_reg_unknown(v, verify_reg(v, insn->dst));
		return 0;
	}
	if ((insn->code & 7) != SKEP_ALU64)
		return in_32_bits(v, insn);
	/* where a pointer is read with faults caught, it does not matter where it points */
	if (!(ptr->flags & PTR_MAYBE_NULL) && ptr->kind == REG_MEM && ptr->flags & PTR_UNTRUSTED)
		return 0;
	err = check_kind(v, insn, ptr, off);
	return err ? err : move_pointer(v, insn, ptr, off);
}
