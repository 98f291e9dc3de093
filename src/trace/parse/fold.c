/*
 * Constant arithmetic for the parser: what an array length, an enumerator or
 * an #if needs. The language's own constants are types/'s business.
 */
#include "trace/parse/fold.h"

#define FOLD_DEPTH_MAX 200

static bool divide(enum skep_operator op, int64_t left, int64_t right, int64_t *ret)
{
	if (!right || (left == INT64_MIN && right == -1))
		return false;
	*ret = op == SKEP_OPR_DIV ? left / right : left % right;
	return true;
}

static bool shift(enum skep_operator op, int64_t left, int64_t right, int64_t *ret)
{
	if (right < 0 || right > 63)
		return false;
	*ret = op == SKEP_OPR_SHL ? (int64_t)((uint64_t)left << right) : left >> right;
	return true;
}

bool skep_fold_binary(enum skep_operator op, int64_t left, int64_t right, int64_t *ret)
{
	uint64_t a = left, b = right;

	switch (op) {
	case SKEP_OPR_ADD: *ret = (int64_t)(a + b); return true;
	case SKEP_OPR_SUB: *ret = (int64_t)(a - b); return true;
	case SKEP_OPR_MUL: *ret = (int64_t)(a * b); return true;
	case SKEP_OPR_DIV:
	case SKEP_OPR_MOD: return divide(op, left, right, ret);
	case SKEP_OPR_SHL:
	case SKEP_OPR_SHR: return shift(op, left, right, ret);
	case SKEP_OPR_AND: *ret = left & right; return true;
	case SKEP_OPR_OR: *ret = left | right; return true;
	case SKEP_OPR_XOR: *ret = left ^ right; return true;
	case SKEP_OPR_EQ: *ret = left == right; return true;
	case SKEP_OPR_NE: *ret = left != right; return true;
	case SKEP_OPR_LT: *ret = left < right; return true;
	case SKEP_OPR_LE: *ret = left <= right; return true;
	case SKEP_OPR_GT: *ret = left > right; return true;
	case SKEP_OPR_GE: *ret = left >= right; return true;
	case SKEP_OPR_LAND: *ret = left && right; return true;
	case SKEP_OPR_LOR: *ret = left || right; return true;
	default: return false;
	}
}

static bool fold_unary(enum skep_operator op, int64_t value, int64_t *ret)
{
	switch (op) {
	case SKEP_OPR_NEG: *ret = (int64_t)(0 - (uint64_t)value); return true;
	case SKEP_OPR_PLUS: *ret = value; return true;
	case SKEP_OPR_NOT: *ret = !value; return true;
	case SKEP_OPR_COMPL: *ret = ~value; return true;
	default: return false;
	}
}

static bool fold(const struct skep_expr *e, skep_fold_name_fn *find, void *arg, uint32_t depth,
		 int64_t *ret)
{
	int64_t left, right;

	if (depth == FOLD_DEPTH_MAX)
		return false;
	switch (e->kind) {
	case SKEP_E_INT: *ret = e->integer; return true;
	case SKEP_E_IDENT: return find(arg, e->text, ret);
	case SKEP_E_UNARY:
		return fold(e->right, find, arg, depth + 1, &right) &&
		       fold_unary(e->op, right, ret);
	case SKEP_E_BINARY:
		return fold(e->left, find, arg, depth + 1, &left) &&
		       fold(e->right, find, arg, depth + 1, &right) &&
		       skep_fold_binary(e->op, left, right, ret);
	case SKEP_E_TERNARY:
		return fold(e->cond, find, arg, depth + 1, &left) &&
		       fold(left ? e->left : e->right, find, arg, depth + 1, ret);
	default: return false;
	}
}

bool skep_fold_expr(const struct skep_expr *expr, skep_fold_name_fn *find, void *arg, int64_t *ret)
{
	return fold(expr, find, arg, 0, ret);
}
