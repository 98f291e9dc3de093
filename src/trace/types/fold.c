/*
 * Constants: what is known while compiling. A folded node keeps its kind and
 * operands; is_const and `integer` say that they need not be looked at.
 *
 * Invariant: `integer` holds what the node's type holds, sign-extended or
 * zero-extended to 64 bits, so constants of one type compare with ==.
 */
#include <string.h>

#include "trace/types/typer.h"

bool skep_is_const_int(const struct skep_expr *expr)
{
	return expr->is_const && expr->type && expr->type->kind == SKEP_T_INT;
}

bool skep_is_const_string(const struct skep_expr *expr)
{
	return expr->is_const && expr->type && expr->type->kind == SKEP_T_STRING;
}

int64_t skep_fold_to(const struct skep_type *type, int64_t value)
{
	if (type->is_bool)
		return value != 0;
	/* Not by casts in a ?: of both signs: its type would be unsigned. */
	uint32_t unused = 8 * (8 - type->size);
	if (!unused)
		return value;
	uint64_t top = (uint64_t)value << unused;
	return type->is_signed ? (int64_t)top >> unused : (int64_t)(top >> unused);
}

/* Division as the machine does it: no trap, the smallest by -1 stays what it is. */
static uint64_t divide(const struct skep_expr *expr, uint64_t a, uint64_t b)
{
	bool is_div = expr->op == SKEP_OPR_DIV;

	if (!expr->type->is_signed)
		return is_div ? a / b : a % b;
	if (b == UINT64_MAX)
		return is_div ? -a : 0;
	return is_div ? (uint64_t)((int64_t)a / (int64_t)b) : (uint64_t)((int64_t)a % (int64_t)b);
}

static bool is_less(const struct skep_expr *left, const struct skep_expr *right, int64_t a,
		    int64_t b)
{
	bool as_unsigned = (!left->type->is_signed && left->type->size == 8) ||
			   (!right->type->is_signed && right->type->size == 8);

	return as_unsigned ? (uint64_t)a < (uint64_t)b : a < b;
}

static uint64_t shift(const struct skep_expr *expr, uint64_t a, uint64_t b)
{
	b &= 63;
	if (expr->op == SKEP_OPR_SHL)
		return a << b;
	return expr->type->is_signed ? (uint64_t)((int64_t)a >> b) : a >> b;
}

static uint64_t arithmetic(const struct skep_expr *expr, uint64_t a, uint64_t b)
{
	switch (expr->op) {
	case SKEP_OPR_ADD: return a + b;
	case SKEP_OPR_SUB: return a - b;
	case SKEP_OPR_MUL: return a * b;
	case SKEP_OPR_AND: return a & b;
	case SKEP_OPR_OR: return a | b;
	case SKEP_OPR_XOR: return a ^ b;
	case SKEP_OPR_SHL:
	case SKEP_OPR_SHR: return shift(expr, a, b);
	default: return divide(expr, a, b);
	}
}

static bool compare(const struct skep_expr *expr, int64_t a, int64_t b)
{
	const struct skep_expr *left = expr->left, *right = expr->right;

	switch (expr->op) {
	case SKEP_OPR_EQ: return a == b;
	case SKEP_OPR_NE: return a != b;
	case SKEP_OPR_LT: return is_less(left, right, a, b);
	case SKEP_OPR_GT: return is_less(right, left, b, a);
	case SKEP_OPR_LE: return !is_less(right, left, b, a);
	case SKEP_OPR_GE: return !is_less(left, right, a, b);
	case SKEP_OPR_LAND: return a && b;
	default: return a || b;
	}
}

/* What is left of && or || decides alone: its right side is never looked at. */
static bool decides(const struct skep_expr *expr)
{
	bool is_and = expr->op == SKEP_OPR_LAND;

	return (is_and || expr->op == SKEP_OPR_LOR) && skep_is_const_int(expr->left) &&
	       !expr->left->integer == is_and;
}

/* Of texts only whether they are the same is known; others have been reported. */
static void fold_texts(struct skep_expr *expr)
{
	const struct skep_expr *left = expr->left, *right = expr->right;
	bool is_same = left->text_len == right->text_len &&
		       !memcmp(left->text, right->text, left->text_len);

	if (expr->op != SKEP_OPR_EQ && expr->op != SKEP_OPR_NE)
		return;
	expr->is_const = true;
	expr->integer = is_same == (expr->op == SKEP_OPR_EQ);
}

static void fold_binary(struct skep_expr *expr)
{
	const struct skep_expr *left = expr->left, *right = expr->right;

	if (decides(expr)) {
		expr->is_const = true;
		expr->integer = expr->op == SKEP_OPR_LOR;
		return;
	}
	if (skep_is_const_string(left) && skep_is_const_string(right)) {
		fold_texts(expr);
		return;
	}
	if (!skep_is_const_int(left) || !skep_is_const_int(right))
		return;
	if ((expr->op == SKEP_OPR_DIV || expr->op == SKEP_OPR_MOD) && !right->integer)
		return;
	expr->is_const = true;
	if (expr->op >= SKEP_OPR_EQ)
		expr->integer = compare(expr, left->integer, right->integer);
	else
		expr->integer = (int64_t)arithmetic(expr, (uint64_t)left->integer,
						    (uint64_t)right->integer);
}

static void fold_unary(struct skep_expr *expr)
{
	int64_t value = expr->right->integer;

	if (!skep_is_const_int(expr->right))
		return;
	expr->is_const = true;
	switch (expr->op) {
	case SKEP_OPR_NOT: expr->integer = !value; break;
	case SKEP_OPR_COMPL: expr->integer = ~value; break;
	case SKEP_OPR_NEG: expr->integer = (int64_t) - (uint64_t)value; break;
	case SKEP_OPR_PLUS: expr->integer = value; break;
	default: expr->is_const = false; break;
	}
}

/* Only integers: a string chosen by a constant has another size than the type says. */
static void fold_ternary(struct skep_expr *expr)
{
	const struct skep_expr *chosen = expr->cond->integer ? expr->left : expr->right;

	if (!skep_is_const_int(expr->cond) || !skep_is_const_int(chosen))
		return;
	expr->is_const = true;
	expr->integer = skep_fold_to(expr->type, chosen->integer);
}

static void fold_cast(struct skep_expr *expr)
{
	if (!skep_is_const_int(expr->right))
		return;
	expr->is_const = true;
	expr->integer = skep_fold_to(expr->type, expr->right->integer);
}

void skep_fold(struct skep_expr *expr)
{
	if (!expr->type || expr->type->kind != SKEP_T_INT)
		return;
	switch (expr->kind) {
	case SKEP_E_UNARY: fold_unary(expr); break;
	case SKEP_E_BINARY: fold_binary(expr); break;
	case SKEP_E_TERNARY: fold_ternary(expr); break;
	case SKEP_E_CAST: fold_cast(expr); break;
	default: break;
	}
}
