/*
 * The arithmetic of the IR on constants: what the eBPF machine would compute.
 *
 * Source  RFC 9669 sections 4.1 and 4.3: division by zero gives 0, modulo by
 *         zero the dividend, the smallest number divided by -1 is itself,
 *         shifts take the low six bits of their amount.
 */
#include "ir/ir.h"

static uint64_t signed_div(int64_t a, int64_t b)
{
	if (b == 0)
		return 0;
	return b == -1 ? 0 - (uint64_t)a : (uint64_t)(a / b);
}

static uint64_t signed_mod(int64_t a, int64_t b)
{
	if (b == 0)
		return a;
	return b == -1 ? 0 : (uint64_t)(a % b);
}

uint64_t skep_ir_eval_alu(enum skep_ir_alu op, uint64_t a, uint64_t b)
{
	switch (op) {
	case SKEP_IR_ADD: return a + b;
	case SKEP_IR_SUB: return a - b;
	case SKEP_IR_MUL: return a * b;
	case SKEP_IR_UDIV: return b ? a / b : 0;
	case SKEP_IR_SDIV: return signed_div(a, b);
	case SKEP_IR_UMOD: return b ? a % b : a;
	case SKEP_IR_SMOD: return signed_mod(a, b);
	case SKEP_IR_AND: return a & b;
	case SKEP_IR_OR: return a | b;
	case SKEP_IR_XOR: return a ^ b;
	case SKEP_IR_SHL: return a << (b & 63);
	case SKEP_IR_SHR: return a >> (b & 63);
	case SKEP_IR_SAR: return (int64_t)a >> (b & 63);
	}
	return 0;
}

bool skep_ir_eval_cond(enum skep_ir_cond cond, uint64_t a, uint64_t b)
{
	switch (cond) {
	case SKEP_IR_EQ: return a == b;
	case SKEP_IR_NE: return a != b;
	case SKEP_IR_ULT: return a < b;
	case SKEP_IR_ULE: return a <= b;
	case SKEP_IR_UGT: return a > b;
	case SKEP_IR_UGE: return a >= b;
	case SKEP_IR_SLT: return (int64_t)a < (int64_t)b;
	case SKEP_IR_SLE: return (int64_t)a <= (int64_t)b;
	case SKEP_IR_SGT: return (int64_t)a > (int64_t)b;
	case SKEP_IR_SGE: return (int64_t)a >= (int64_t)b;
	case SKEP_IR_TEST: return a & b;
	}
	return false;
}

uint64_t skep_ir_eval_extend(uint64_t a, uint32_t bytes, bool is_signed)
{
	unsigned unused = 64 - bytes * 8;

	return is_signed ? (uint64_t)((int64_t)(a << unused) >> unused) : a << unused >> unused;
}

uint64_t skep_ir_eval_bswap(uint64_t a, uint32_t bytes)
{
	return __builtin_bswap64(a) >> (64 - bytes * 8);
}

enum skep_ir_cond skep_ir_cond_swap(enum skep_ir_cond cond)
{
	static const uint8_t swapped[] = {
		[SKEP_IR_EQ] = SKEP_IR_EQ,     [SKEP_IR_NE] = SKEP_IR_NE,
		[SKEP_IR_ULT] = SKEP_IR_UGT,   [SKEP_IR_ULE] = SKEP_IR_UGE,
		[SKEP_IR_UGT] = SKEP_IR_ULT,   [SKEP_IR_UGE] = SKEP_IR_ULE,
		[SKEP_IR_SLT] = SKEP_IR_SGT,   [SKEP_IR_SLE] = SKEP_IR_SGE,
		[SKEP_IR_SGT] = SKEP_IR_SLT,   [SKEP_IR_SGE] = SKEP_IR_SLE,
		[SKEP_IR_TEST] = SKEP_IR_TEST,
	};

	return swapped[cond];
}

bool skep_ir_cond_not(enum skep_ir_cond cond, enum skep_ir_cond *ret)
{
	static const uint8_t opposite[] = {
		[SKEP_IR_EQ] = SKEP_IR_NE,   [SKEP_IR_NE] = SKEP_IR_EQ,
		[SKEP_IR_ULT] = SKEP_IR_UGE, [SKEP_IR_ULE] = SKEP_IR_UGT,
		[SKEP_IR_UGT] = SKEP_IR_ULE, [SKEP_IR_UGE] = SKEP_IR_ULT,
		[SKEP_IR_SLT] = SKEP_IR_SGE, [SKEP_IR_SLE] = SKEP_IR_SGT,
		[SKEP_IR_SGT] = SKEP_IR_SLE, [SKEP_IR_SGE] = SKEP_IR_SLT,
	};

	if (cond == SKEP_IR_TEST)
		return false;
	*ret = opposite[cond];
	return true;
}
