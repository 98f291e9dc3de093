/*
 * Truth: comparisons, && || and !, as jumps; no 0 or 1 is made on the way.
 *
 * Where `@start[tid]` is true the thread has an entry, and its address is known:
 * reading or deleting it there again costs no look-up. Such a proof holds in the
 * block that a condition leads to when true, and in what only that leads to.
 */
#include <limits.h>

#include "trace/lower/lower.h"

static const struct compare {
	enum skep_ir_cond of_unsigned, of_signed;
} compares[] = {
	[SKEP_OPR_EQ] = {SKEP_IR_EQ, SKEP_IR_EQ},   [SKEP_OPR_NE] = {SKEP_IR_NE, SKEP_IR_NE},
	[SKEP_OPR_LT] = {SKEP_IR_ULT, SKEP_IR_SLT}, [SKEP_OPR_LE] = {SKEP_IR_ULE, SKEP_IR_SLE},
	[SKEP_OPR_GT] = {SKEP_IR_UGT, SKEP_IR_SGT}, [SKEP_OPR_GE] = {SKEP_IR_UGE, SKEP_IR_SGE},
};

/* A value that is never negative and never too large for a signed register. */
static bool is_small(const struct skep_expr *expr)
{
	const struct skep_type *type = expr->type;

	return (type->kind == SKEP_T_INT && type->size < 8) ||
	       (expr->is_const && expr->integer >= 0);
}

/* Signed if one side is and the other is too, or holds nothing that looks negative then. */
static bool compares_signed(const struct skep_expr *a, const struct skep_expr *b)
{
	bool sa = a->type->is_signed, sb = b->type->is_signed;

	return (sa && sb) || (sa && is_small(b)) || (sb && is_small(a));
}

static void compare_bytes(struct skep_lower *l, const struct skep_expr *expr, uint32_t same,
			  uint32_t differ)
{
	struct skep_ir_func *f = l->f;
	struct skep_value a = skep_lower_expr(l, expr->left), b = skep_lower_expr(l, expr->right);
	uint32_t bytes = a.type->size < b.type->size ? a.type->size : b.type->size;

	if (a.type->kind == SKEP_T_TUPLE && a.type->size == b.type->size &&
	    !skep_type_same(a.type, b.type)) { /* named elements in another order */
		struct skep_value ordered = skep_lower_temp(l, a.type);
		skep_lower_store(l, &b, ordered.opnd, 0, a.type);
		b = ordered;
	}
	a = skep_lower_own(l, &a);
	b = skep_lower_own(l, &b);
	for (uint32_t at = 0, step; at < bytes; at += step) {
		uint32_t align_b = skep_lower_align(b.opnd, b.off + (int32_t)at);
		step = skep_lower_align(a.opnd, a.off + (int32_t)at);
		step = align_b < step ? align_b : step;
		while (step > bytes - at)
			step /= 2;
		uint32_t next = skep_ir_block(f);
		uint32_t x = skep_ir_load(f, step, a.opnd, a.off + (int32_t)at);
		uint32_t y = skep_ir_load(f, step, b.opnd, b.off + (int32_t)at);
		skep_ir_branch(f, SKEP_IR_EQ, R(x), R(y), next, differ);
		skep_ir_at(f, next);
	}
	skep_ir_jump(f, same);
}

static void compare(struct skep_lower *l, const struct skep_expr *expr, uint32_t then_block,
		    uint32_t else_block)
{
	const struct compare *row = &compares[expr->op];
	bool equal = expr->op == SKEP_OPR_EQ;

	if (expr->left->type->kind == SKEP_T_STRING && expr->right->type->kind == SKEP_T_STRING) {
		struct skep_opnd same = skep_lower_str_eq(l, expr->left, expr->right, UINT_MAX);
		skep_ir_branch(l->f, SKEP_IR_NE, same, I(0), equal ? then_block : else_block,
			       equal ? else_block : then_block);
		return;
	}
	if (!skep_type_is_scalar(expr->left->type) && !skep_type_is_scalar(expr->right->type)) {
		compare_bytes(l, expr, equal ? then_block : else_block,
			      equal ? else_block : then_block);
		return;
	}
	struct skep_opnd a = skep_lower_scalar(l, expr->left);
	struct skep_opnd b = skep_lower_scalar(l, expr->right);
	bool is_signed = compares_signed(expr->left, expr->right);
	skep_ir_branch(l->f, is_signed ? row->of_signed : row->of_unsigned, a, b, then_block,
		       else_block);
}

/* What the left side shows holds for the right side of &&, where it was true, and not of ||. */
static void both(struct skep_lower *l, const struct skep_expr *expr, uint32_t then_block,
		 uint32_t else_block)
{
	uint32_t second = skep_ir_block(l->f), n_proofs = l->n_proofs;

	if (expr->op == SKEP_OPR_LAND) {
		skep_lower_test(l, expr->left, second, else_block);
		skep_ir_at(l->f, second);
		skep_lower_test(l, expr->right, then_block, else_block);
		return;
	}
	skep_lower_test(l, expr->left, then_block, second);
	skep_ir_at(l->f, second);
	l->n_proofs = n_proofs;
	skep_lower_test(l, expr->right, then_block, else_block);
	l->n_proofs = n_proofs;
}

/* @x != 0 is no more than @x. */
static const struct skep_expr *without_zero(const struct skep_expr *expr)
{
	bool is_ne = expr->kind == SKEP_E_BINARY && expr->op == SKEP_OPR_NE && !expr->is_const;

	return is_ne && expr->left->kind == SKEP_E_MAP && expr->right->is_const &&
			       !expr->right->text && !expr->right->integer
		       ? expr->left
		       : expr;
}

/* What a truth that combines no others wants of the packet; it is false without. */
static uint32_t needs_of(const struct skep_expr *expr)
{
	if (expr->kind == SKEP_E_BINARY && expr->op >= SKEP_OPR_EQ && expr->op <= SKEP_OPR_GE)
		return skep_lower_packet_needs(expr->left) | skep_lower_packet_needs(expr->right);
	return skep_lower_packet_needs(expr);
}

static void test_value(struct skep_lower *l, const struct skep_expr *expr, uint32_t then_block,
		       uint32_t else_block)
{
	if (expr->type->kind == SKEP_T_STRING) { /* true unless empty */
		struct skep_value text = skep_lower_expr(l, expr);
		struct skep_opnd first = skep_lower_load(l, &text, 0, 1, false);
		skep_ir_branch(l->f, SKEP_IR_NE, first, I(0), then_block, else_block);
	} else if (!skep_lower_map_test(l, expr, then_block, else_block)) {
		skep_ir_branch(l->f, SKEP_IR_NE, skep_lower_scalar(l, expr), I(0), then_block,
			       else_block);
	}
}

void skep_lower_test(struct skep_lower *l, const struct skep_expr *given, uint32_t then_block,
		     uint32_t else_block)
{
	const struct skep_expr *expr = without_zero(given);
	bool binary = !expr->is_const && expr->kind == SKEP_E_BINARY;

	if (l->packet && !expr->is_const)
		skep_lower_packet_require(l, needs_of(expr), else_block);
	if (expr->is_const && !expr->text)
		skep_ir_jump(l->f, expr->integer ? then_block : else_block);
	else if (binary && (expr->op == SKEP_OPR_LAND || expr->op == SKEP_OPR_LOR))
		both(l, expr, then_block, else_block);
	else if (binary && expr->op >= SKEP_OPR_EQ && expr->op <= SKEP_OPR_GE)
		compare(l, expr, then_block, else_block);
	else if (!expr->is_const && expr->kind == SKEP_E_UNARY && expr->op == SKEP_OPR_NOT)
		skep_lower_cond(l, expr->right, else_block, then_block);
	else
		test_value(l, expr, then_block, else_block);
}

void skep_lower_cond(struct skep_lower *l, const struct skep_expr *expr, uint32_t then_block,
		     uint32_t else_block)
{
	uint32_t n_proofs = l->n_proofs;

	skep_lower_test(l, expr, then_block, else_block);
	l->n_proofs = n_proofs;
}
