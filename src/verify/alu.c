/*
 * Arithmetic on registers: numbers by scalar_alu.c, pointers by pointer.c; here is which, and what
 * becomes of ids.
 *
 * Two numbers with the same id are the same number, so that what a later jump tells of one holds of
 * the other (branch.c). A plain move keeps that, adding a constant keeps how far apart they are,
 * everything else ends it.
 *
 * Source  behaviour of Linux 6.18, check_alu_op() and adjust_reg_min_max_vals()
 */
#include "verify/verifier.h"

#include <errno.h>

static unsigned width_of(const struct skep_insn *insn)
{
	return (insn->code & 7) == SKEP_ALU64 ? 64 : 32;
}

static uint8_t op_of(const struct skep_insn *insn)
{
	return insn->code & 0xf0;
}

static bool by_register(const struct skep_insn *insn)
{
	return insn->code & SKEP_X;
}

/* --- Moves ----------------------------------------------------------------------------------- */

/* It is no other's number any more. The distance goes too: with an id that it gets later, it would
 * be one again, and a wrong one. Source: clear_scalar_id() */
static void unlink_number(struct reg *reg)
{
	reg->id = 0;
	reg->off = 0;
}

void verify_name_number(struct verifier *v, struct reg *reg)
{
	if (reg->kind != REG_SCALAR)
		return;
	if (reg->id & ID_ADD)
		unlink_number(reg);
	if (!reg->id && !skep_tnum_is_const(reg->value.bits))
		reg->id = verify_new_id(v);
}

static bool fits_unsigned(const struct reg *reg, unsigned bits)
{
	return bits >= 64 || reg->value.full.umax < (uint64_t)1 << bits;
}

/* r1 = r2; with @off the sign of the lower 8, 16 or 32 bits is extended. */
static int move_64(struct verifier *v, const struct skep_insn *insn, struct reg *dst,
		   struct reg *src)
{
	bool same;

	if (!insn->off) {
		verify_name_number(v, src);
		*dst = *src;
		return 0;
	}
	if (src->kind != REG_SCALAR) {
		if (!v->privileged)
			return verify_refuse(v, SIGN_EXTENDS_POINTER, insn->src);
		verify_reg_unknown(v, dst);
		return 0;
	}
	same = fits_unsigned(src, (unsigned)insn->off - 1);
	if (same)
		verify_name_number(v, src);
	*dst = *src;
	if (!same)
		unlink_number(dst);
	/* Where nothing changes too: the bits are found anew from the bounds, as the kernel does.
	 */
	skep_scalar_sign_extend(&dst->value, (unsigned)insn->off / 8, 64);
	return 0;
}

static int move_32(struct verifier *v, const struct skep_insn *insn, struct reg *dst,
		   struct reg *src)
{
	bool same;

	if (reg_is_pointer(src)) {
		if (!v->privileged)
			return verify_refuse(v, PARTIAL_COPY, insn->src);
		verify_reg_unknown(v, dst);
		skep_scalar_zero_upper(&dst->value);
		return 0;
	}
	same = fits_unsigned(src, insn->off ? (unsigned)insn->off - 1 : 32);
	if (same)
		verify_name_number(v, src);
	*dst = *src;
	if (!same)
		unlink_number(dst);
	if (insn->off)
		skep_scalar_sign_extend(&dst->value, (unsigned)insn->off / 8, 32);
	skep_scalar_zero_upper(&dst->value);
	return 0;
}

/* A pointer into an arena changes its address space: what that gives is one again, or a number. */
static int cast_address(struct verifier *v, const struct skep_insn *insn, struct reg *dst,
			const struct reg *src)
{
	if (!v->image->arena)
		return verify_refuse(v, CAST_WITHOUT_ARENA);
	if (insn->imm == 1) {
		verify_reg_pointer(dst, REG_ARENA, 0);
		dst->value = skep_scalar_any;
	} else {
		verify_reg_unknown(v, dst);
	}
	(void)src;
	return 0;
}

static int move(struct verifier *v, const struct skep_insn *insn)
{
	struct reg *dst = verify_reg(v, insn->dst), *src = verify_reg(v, insn->src);
	bool wide = width_of(insn) == 64;
	int err = by_register(insn) ? verify_read_reg(v, insn->src) : 0;

	if (!err)
		err = verify_write_reg(v, insn->dst);
	if (err)
		return err;
	if (!by_register(insn)) {
		verify_reg_const(v, dst, wide ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm);
		return 0;
	}
	if (wide && insn->off == 1)
		return cast_address(v, insn, dst, src);
	return wide ? move_64(v, insn, dst, src) : move_32(v, insn, dst, src);
}

/* --- Numbers --------------------------------------------------------------------------------- */

/* By how much is @dst further on than what it was, if at all? Lower halves that were moved on are
 * known again only where the upper was nothing, as it is then. */
static bool distance_of(const struct skep_insn *insn, const struct reg *src, const struct reg *was,
			int32_t *ret)
{
	bool wide = width_of(insn) == 64, minus = op_of(insn) == SKEP_SUB;
	int64_t distance = (int64_t)src->value.bits.value;

	if ((!minus && op_of(insn) != SKEP_ADD) || (by_register(insn) && insn->dst == insn->src) ||
	    (wide ? src->value.bits.mask : (uint32_t)src->value.bits.mask))
		return false;
	if (wide ? distance != (int32_t)distance : was->value.full.umax > UINT32_MAX)
		return false;
	*ret = (int32_t)distance;
	if (minus && *ret == INT32_MIN)
		return false;
	*ret = minus ? -*ret : *ret;
	return true;
}

/* The number is another's, so much further on. */
static void keep_distance(struct reg *dst, const struct skep_insn *insn, const struct reg *src,
			  const struct reg *was)
{
	int32_t distance;

	if (!dst->id || dst->id & ID_ADD || !distance_of(insn, src, was, &distance)) {
		unlink_number(dst);
		return;
	}
	dst->id |= width_of(insn) == 64 ? ID_ADD64 : ID_ADD32;
	dst->off = distance;
}

static int two_numbers(struct verifier *v, const struct skep_insn *insn, struct reg *dst,
		       const struct reg *src)
{
	struct skep_scalar zero;
	struct state *other;
	struct reg was = *dst;

	if (skep_scalar_fork(&dst->value, &src->value, op_of(insn), &zero)) {
		*dst = was;
		other = verify_fork(v, v->at, v->at, false);
		if (!other)
			return verify_no_fork(v, -E2BIG);
		top_frame(other)->regs[insn->dst].value = zero;
		skep_scalar_fork(&dst->value, &src->value, op_of(insn), &zero);
	}
	skep_scalar_alu(&dst->value, &src->value, op_of(insn), width_of(insn));
	if (v->privileged)
		keep_distance(dst, insn, src, &was);
	else
		unlink_number(dst);
	return 0;
}

/* --- Pointers among the operands ------------------------------------------------------------- */

static const char *name_of(const struct skep_insn *insn)
{
	static const char *const names[] = {"+=",  "-=",  "*=", "/=", "|=", "&=",   "<<=",
					    ">>=", "neg", "%=", "^=", "=",  "s>>=", "endian"};

	return names[op_of(insn) >> 4];
}

static int two_pointers(struct verifier *v, const struct skep_insn *insn, struct reg *dst)
{
	if (op_of(insn) != SKEP_SUB || !v->privileged)
		return verify_refuse(v, POINTER_OP_POINTER, insn->dst, name_of(insn));
	verify_reg_unknown(v, dst);
	return 0;
}

static int with_pointer(struct verifier *v, const struct skep_insn *insn, struct reg *dst,
			const struct reg *src)
{
	struct reg pointer, number;
	bool dst_points = reg_is_pointer(dst);
	int err;

	if (dst_points && reg_is_pointer(src))
		return two_pointers(v, insn, dst);
	err = by_register(insn) || !dst_points
		      ? verify_mark_precise(v, dst_points ? insn->src : insn->dst)
		      : 0;
	if (err)
		return err;
	pointer = dst_points ? *dst : *src;
	number = dst_points ? *src : *dst;
	return verify_pointer_alu(v, insn, &pointer, &number);
}

static int with_operand(struct verifier *v, const struct skep_insn *insn, struct reg *dst,
			const struct reg *src)
{
	int err;

	if (dst->kind == REG_ARENA)
		return 0;
	if (reg_is_pointer(dst) || reg_is_pointer(src))
		return with_pointer(v, insn, dst, src);
	/* what a precise number is made of is precise too */
	if (dst->precise && by_register(insn)) {
		err = verify_mark_precise(v, insn->src);
		if (err)
			return err;
	}
	return two_numbers(v, insn, dst, src);
}

/* What is known beforehand to have no result. */
static int check_constant(struct verifier *v, const struct skep_insn *insn)
{
	uint8_t op = op_of(insn);

	if (by_register(insn))
		return 0;
	if ((op == SKEP_DIV || op == SKEP_MOD) && !insn->imm)
		return verify_refuse(v, DIVISION_BY_ZERO);
	if ((op == SKEP_LSH || op == SKEP_RSH || op == SKEP_ARSH) &&
	    (uint32_t)insn->imm >= width_of(insn))
		return verify_refuse(v, SHIFT_TOO_FAR, insn->imm);
	return 0;
}

static int binary(struct verifier *v, const struct skep_insn *insn)
{
	struct reg *dst = verify_reg(v, insn->dst), src;
	int err = by_register(insn) ? verify_read_reg(v, insn->src) : 0;

	if (!err)
		err = verify_read_reg(v, insn->dst);
	if (!err)
		err = check_constant(v, insn);
	if (!err)
		err = verify_write_reg(v, insn->dst);
	if (err)
		return err;
	if (by_register(insn))
		src = *verify_reg(v, insn->src);
	else
		src = (struct reg){.kind = REG_SCALAR,
				   .value = skep_scalar_const((uint64_t)(int64_t)insn->imm)};
	return with_operand(v, insn, dst, &src);
}

/* --- Operations on one register -------------------------------------------------------------- */

static uint64_t swapped(uint64_t value, int32_t bits)
{
	return __builtin_bswap64(value) >> (64 - bits);
}

/* le, be, bswap: bytes change places, and what is known of their bits with them; of the bounds
 * nothing is. le leaves them where they are (this is a little-endian machine's verifier). */
static void order_bytes(struct skep_scalar *value, const struct skep_insn *insn)
{
	bool swaps = width_of(insn) == 64 || by_register(insn);

	if (swaps) {
		struct skep_tnum bits = {swapped(value->bits.value, insn->imm),
					 swapped(value->bits.mask, insn->imm)};

		*value = skep_scalar_any;
		value->bits = bits;
		skep_scalar_sync(value);
	}
	if (insn->imm < 64)
		skep_scalar_zero_extend(value, (unsigned)insn->imm / 8);
}

static int unary(struct verifier *v, const struct skep_insn *insn)
{
	static const struct reg nothing = {.kind = REG_SCALAR};
	struct reg *dst = verify_reg(v, insn->dst);
	int err = verify_read_reg(v, insn->dst);

	if (!err && verify_leaks_pointer(v, insn->dst))
		return verify_refuse(v, POINTER_ARITHMETIC, insn->dst);
	if (!err)
		err = verify_write_reg(v, insn->dst);
	if (err)
		return err;
	if (reg_is_pointer(dst)) {
		verify_reg_unknown(v, dst);
		return 0;
	}
	if (op_of(insn) == SKEP_NEG)
		return two_numbers(v, insn, dst, &nothing);
	order_bytes(&dst->value, insn);
	unlink_number(dst);
	return 0;
}

int verify_alu(struct verifier *v, const struct skep_insn *insn)
{
	switch (op_of(insn)) {
	case SKEP_NEG:
	case SKEP_END: return unary(v, insn);
	case SKEP_MOV: return move(v, insn);
	default: return binary(v, insn);
	}
}
