/*
 * Expressions, recognised by their form. Real programs have few of them:
 *
 *	breg N off                           register N + off
 *	breg N off, deref [, plus_uconst k]  what lies there [+ k]: frames whose stack pointer
 *	                                     was aligned, and hand-written code (OpenSSL)
 *	breg sp 8, breg pc 0, lit15, and, lit11, ge, lit3, shl, plus
 *	                                     an entry of the procedure linkage table: 8 more
 *	                                     once the index is pushed
 */
#include "unwind/expression.h"

enum {
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S = 0x09,
	OP_CONST2U = 0x0a,
	OP_CONST2S = 0x0b,
	OP_CONST4U = 0x0c,
	OP_CONST4S = 0x0d,
	OP_CONSTU = 0x10,
	OP_CONSTS = 0x11,
	OP_AND = 0x1a,
	OP_MINUS = 0x1c,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_GE = 0x2a,
	OP_LIT0 = 0x30,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
	OP_BREGX = 0x92,
};

#define X86_64_PC 16
#define PLT_MASK  15
#define PLT_SHIFT 3

static bool take_op(struct skep_reader *r, uint8_t op)
{
	if (r->at == r->end || *r->at != op)
		return false;
	r->at++;
	return true;
}

/* breg N off */
static bool take_register(struct skep_reader *r, uint64_t *ret_reg, int64_t *ret_off)
{
	if (r->at == r->end)
		return false;
	uint8_t op = *r->at;
	if (op >= OP_BREG0 && op <= OP_BREG31)
		*ret_reg = op - OP_BREG0;
	else if (op != OP_BREGX)
		return false;
	r->at++;
	if (op == OP_BREGX)
		*ret_reg = skep_read_uleb(r);
	*ret_off = skep_read_sleb(r);
	return !r->is_bad;
}

/* A constant added to what was before: plus_uconst k, or k plus, or k minus. */
static bool take_sum(struct skep_reader *r, int64_t *ret)
{
	int64_t value;

	if (take_op(r, OP_PLUS_UCONST)) {
		*ret = (int64_t)skep_read_uleb(r);
		return !r->is_bad;
	}
	if (r->at == r->end)
		return false;
	uint8_t op = *r->at++;
	switch (op) {
	case OP_CONST1U: value = (int64_t)skep_read_fixed(r, 1); break;
	case OP_CONST1S: value = skep_read_signed(r, 1); break;
	case OP_CONST2U: value = (int64_t)skep_read_fixed(r, 2); break;
	case OP_CONST2S: value = skep_read_signed(r, 2); break;
	case OP_CONST4U: value = (int64_t)skep_read_fixed(r, 4); break;
	case OP_CONST4S: value = skep_read_signed(r, 4); break;
	case OP_CONSTU: value = (int64_t)skep_read_uleb(r); break;
	case OP_CONSTS: value = skep_read_sleb(r); break;
	default:
		if (op < OP_LIT0 || op >= OP_BREG0)
			return false;
		value = op < OP_LIT0 + 32 ? op - OP_LIT0 : 0;
	}
	if (take_op(r, OP_PLUS))
		*ret = value;
	else if (take_op(r, OP_MINUS) && value != INT64_MIN)
		*ret = -value;
	else
		return false;
	return !r->is_bad;
}

/* What follows "breg sp 8" of an entry of the procedure linkage table. */
static bool take_plt(struct skep_reader *r, int64_t *ret_least)
{
	uint64_t reg;
	int64_t off;

	if (!take_register(r, &reg, &off) || reg != X86_64_PC || off ||
	    !take_op(r, OP_LIT0 + PLT_MASK) || !take_op(r, OP_AND) || r->at == r->end)
		return false;
	*ret_least = *r->at++ - OP_LIT0;
	return *ret_least >= 0 && *ret_least <= PLT_MASK && take_op(r, OP_GE) &&
	       take_op(r, OP_LIT0 + PLT_SHIFT) && take_op(r, OP_SHL) && take_op(r, OP_PLUS) &&
	       r->at == r->end;
}

static bool fits(int64_t value)
{
	return value >= INT32_MIN && value <= INT32_MAX;
}

/* The kind that register @reg makes of @sp, which is the one for the stack pointer: the next two
 * are for the frame pointer, and any other register. */
static uint8_t kind_of(const struct skep_cfi_machine *machine, uint64_t reg, enum skep_cfa_kind sp)
{
	return (uint8_t)(reg == machine->sp ? sp : reg == machine->fp ? sp + 1 : sp + 2);
}

void skep_expression_cfa(const struct skep_cfi_machine *machine, struct skep_reader expression,
			 struct skep_cfi_row *ret)
{
	struct skep_reader r = expression;
	uint64_t reg = 0;
	int64_t off = 0, add = 0;

	ret->cfa = SKEP_CFA_OTHER;
	if (!take_register(&r, &reg, &off) || reg > UINT8_MAX || !fits(off))
		return;
	struct skep_reader plt = r;
	bool is_deref = take_op(&r, OP_DEREF), is_simple = r.at == r.end;
	if (!is_simple && (!take_sum(&r, &add) || r.at != r.end || !fits(add))) {
		if (reg != machine->sp || machine->ra_in_register || !take_plt(&plt, &add))
			return;
		ret->cfa = SKEP_CFA_PLT;
	} else if (is_deref) {
		ret->cfa = kind_of(machine, reg, SKEP_CFA_DEREF_SP);
	} else {
		ret->cfa = kind_of(machine, reg, SKEP_CFA_SP);
		off += add;
		add = 0;
	}
	if (!fits(off)) {
		ret->cfa = SKEP_CFA_OTHER;
		return;
	}
	ret->cfa_reg = (uint8_t)reg;
	ret->cfa_off = (int32_t)off;
	ret->cfa_add = (int32_t)add;
}

enum skep_cfi_place skep_expression_place(const struct skep_cfi_machine *machine,
					  struct skep_reader expression, int64_t *ret_off)
{
	struct skep_reader r = expression;
	uint64_t reg;
	int64_t off, add = 0;

	if (!take_register(&r, &reg, &off) || !fits(off) ||
	    (r.at != r.end && (!take_sum(&r, &add) || r.at != r.end || !fits(add))))
		return SKEP_CFI_OTHER;
	*ret_off = off + add;
	return reg == machine->fp   ? SKEP_CFI_AT_FP
	       : reg == machine->sp ? SKEP_CFI_AT_SP
				    : SKEP_CFI_OTHER;
}
