/*
 * Operators: what can be combined with what, and what comes out.
 *
 * Integers are promoted to 64 bits as C promotes: unsigned if one side is an
 * unsigned 64-bit value, or both are unsigned; else signed, which holds every
 * smaller value. A literal that is not negative takes the other side's sign.
 */
#include "trace/types/typer.h"

#include "base/arena.h"

static bool is_comparison(enum skep_operator op)
{
	return op >= SKEP_OPR_EQ && op <= SKEP_OPR_GE;
}

static bool is_literal_like(const struct skep_expr *expr)
{
	return skep_is_const_int(expr) && expr->integer >= 0;
}

static bool is_u64(const struct skep_expr *expr)
{
	return !expr->type->is_signed && expr->type->size == 8;
}

static bool comes_out_unsigned(const struct skep_expr *left, const struct skep_expr *right)
{
	bool left_unsigned = !left->type->is_signed && !left->type->is_bool;
	bool right_unsigned = !right->type->is_signed && !right->type->is_bool;

	if (is_u64(left) || is_u64(right))
		return true;
	if (left_unsigned && right_unsigned)
		return true;
	return (left_unsigned && is_literal_like(right)) ||
	       (right_unsigned && is_literal_like(left));
}

/* A value that can be negative meets one that cannot, and loses its sign. */
static bool signs_clash(const struct skep_expr *left, const struct skep_expr *right)
{
	return (is_u64(left) && right->type->is_signed && !is_literal_like(right)) ||
	       (is_u64(right) && left->type->is_signed && !is_literal_like(left));
}

static void warn_of_division(struct skep_typer *t, enum skep_operator op,
			     const struct skep_expr *left, const struct skep_expr *right,
			     struct skep_span span)
{
	if (signs_clash(left, right))
		TYPE_WARN(t, span, DIV_SIGNS, op == SKEP_OPR_DIV ? "division" : "remainder");
}

static void warn_of_shift(struct skep_typer *t, const struct skep_expr *right)
{
	if (skep_is_const_int(right) && (right->integer < 0 || right->integer > 63))
		TYPE_WARN(t, right->span, SHIFT_RANGE, (long long)right->integer);
}

static const struct skep_type *type_ints(struct skep_typer *t, enum skep_operator op,
					 const struct skep_expr *left,
					 const struct skep_expr *right, struct skep_span span)
{
	if (op == SKEP_OPR_SHL || op == SKEP_OPR_SHR) {
		warn_of_shift(t, right);
		return skep_type_int(8, left->type->is_signed || left->type->is_bool);
	}
	if (op == SKEP_OPR_DIV || op == SKEP_OPR_MOD) {
		if (skep_is_const_int(right) && !right->integer)
			return TYPE_ERROR(t, right->span, DIV_ZERO);
		warn_of_division(t, op, left, right, span);
	}
	return skep_type_int(8, !comes_out_unsigned(left, right));
}

static const struct skep_type *bad_operands(struct skep_typer *t, enum skep_operator op,
					    const struct skep_expr *left,
					    const struct skep_expr *right, struct skep_span span)
{
	TYPE_ERROR(t, span, OPERANDS, skep_operator_name(op), skep_typer_name(t, left->type),
		   skep_typer_name(t, right->type));
	const struct skep_expr *text = left->type->kind == SKEP_T_STRING ? left : right;
	const struct skep_expr *other = text == left ? right : left;
	if (!t->diag || text->type->kind != SKEP_T_STRING)
		return NULL;
	if (text->kind == SKEP_E_PARAM)
		skep_diag_why(t->diag, "$%u is \"%s\", which is no number", text->param,
			      text->text);
	else if (other->type->kind == SKEP_T_PTR)
		skep_diag_try(t->diag, "read the text at the address: str(…)");
	return NULL;
}

/* p + n, n + p, p - n move by elements; p - q counts bytes as plain numbers do. */
static const struct skep_type *type_ptr_arith(struct skep_typer *t, enum skep_operator op,
					      const struct skep_expr *left,
					      const struct skep_expr *right, struct skep_span span)
{
	bool left_is_ptr = left->type->kind == SKEP_T_PTR;
	bool right_is_ptr = right->type->kind == SKEP_T_PTR;

	if (op == SKEP_OPR_ADD && left_is_ptr != right_is_ptr)
		return left_is_ptr ? left->type : right->type;
	if (op == SKEP_OPR_SUB && left_is_ptr && !right_is_ptr)
		return left->type;
	if (op == SKEP_OPR_SUB && left_is_ptr && right_is_ptr)
		return &skep_type_s64;
	if (op == SKEP_OPR_AND || op == SKEP_OPR_OR || op == SKEP_OPR_XOR || op == SKEP_OPR_MOD ||
	    op == SKEP_OPR_SHR)
		return &skep_type_u64; /* alignment tricks */
	return bad_operands(t, op, left, right, span);
}

static bool is_number(const struct skep_type *type)
{
	return type->kind == SKEP_T_INT || type->kind == SKEP_T_PTR;
}

static bool are_alike(struct skep_typer *t, const struct skep_type *a, const struct skep_type *b)
{
	if (a->kind == SKEP_T_ARRAY && b->kind == SKEP_T_ARRAY)
		return skep_type_same(a, b);
	return a->kind != SKEP_T_RECORD && skep_type_common(t, a, b);
}

static const struct skep_type *type_comparison(struct skep_typer *t, enum skep_operator op,
					       const struct skep_expr *left,
					       const struct skep_expr *right, struct skep_span span)
{
	bool both_ints = left->type->kind == SKEP_T_INT && right->type->kind == SKEP_T_INT;
	bool is_equality = op == SKEP_OPR_EQ || op == SKEP_OPR_NE;

	if (both_ints && !is_equality && signs_clash(left, right))
		TYPE_WARN(t, span, COMPARE_SIGNS);
	if (is_number(left->type) && is_number(right->type))
		return &skep_type_bool;
	bool left_is_scalar = skep_type_is_scalar(left->type);
	bool right_is_scalar = skep_type_is_scalar(right->type);
	if (is_equality && left_is_scalar && right_is_scalar)
		return &skep_type_bool; /* @sym == kaddr("…") */
	if (is_equality && are_alike(t, left->type, right->type))
		return &skep_type_bool;
	return bad_operands(t, op, left, right, span);
}

const struct skep_type *skep_type_operation(struct skep_typer *t, enum skep_operator op,
					    const struct skep_expr *left,
					    const struct skep_expr *right, struct skep_span span)
{
	if (is_comparison(op))
		return type_comparison(t, op, left, right, span);
	if (!is_number(left->type) || !is_number(right->type))
		return bad_operands(t, op, left, right, span);
	if (op == SKEP_OPR_LAND || op == SKEP_OPR_LOR)
		return &skep_type_bool;
	if (left->type->kind == SKEP_T_PTR || right->type->kind == SKEP_T_PTR)
		return type_ptr_arith(t, op, left, right, span);
	return type_ints(t, op, left, right, span);
}

const struct skep_type *skep_type_binary(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *left = skep_type_value(t, expr->left);
	const struct skep_type *right = skep_type_value(t, expr->right);

	if (!left || !right)
		return NULL;
	return skep_type_operation(t, expr->op, expr->left, expr->right, expr->span);
}

static const struct skep_type *type_deref(struct skep_typer *t, const struct skep_expr *expr)
{
	const struct skep_type *type = expr->right->type;

	if (type->kind == SKEP_T_INT)
		return &skep_type_u64; /* *kaddr("x"): a word at an address */
	if (type->kind != SKEP_T_PTR || type->elem->kind == SKEP_T_NONE)
		return TYPE_ERROR(t, expr->span, DEREF, skep_typer_name(t, type));
	return type->elem;
}

static bool has_address(const struct skep_expr *expr)
{
	switch (expr->kind) {
	case SKEP_E_VAR:
	case SKEP_E_MAP: return true;
	case SKEP_E_FIELD:
		return !expr->packet && !expr->member && !expr->field.bit_size &&
		       expr->type->kind != SKEP_T_NONE;
	case SKEP_E_INDEX: return true;
	default: return false;
	}
}

static const struct skep_type *type_address(struct skep_typer *t, const struct skep_expr *expr)
{
	const struct skep_expr *of = expr->right;
	enum skep_space space = SKEP_SPACE_BPF;

	if (!has_address(of))
		return TYPE_ERROR(t, expr->span, NO_ADDRESS);
	if (of->kind == SKEP_E_FIELD || of->kind == SKEP_E_INDEX) {
		const struct skep_type *base = of->left->type;
		space = base->space;
	}
	return skep_type_ptr(t->types, of->type, space);
}

static const struct skep_type *type_sign(struct skep_typer *t, const struct skep_expr *expr)
{
	const struct skep_type *type = expr->right->type;

	if (type->kind != SKEP_T_INT)
		return TYPE_ERROR(t, expr->span, OPERAND, skep_operator_name(expr->op),
				  skep_typer_name(t, type));
	return skep_type_int(8, type->is_signed || type->is_bool || expr->op == SKEP_OPR_NEG);
}

const struct skep_type *skep_type_unary(struct skep_typer *t, struct skep_expr *expr)
{
	const struct skep_type *type = skep_type_value(t, expr->right);

	if (!type)
		return NULL;
	switch (expr->op) {
	case SKEP_OPR_NOT:
		if (is_number(type))
			return &skep_type_bool;
		return TYPE_ERROR(t, expr->span, OPERAND, "!", skep_typer_name(t, type));
	case SKEP_OPR_DEREF: return type_deref(t, expr);
	case SKEP_OPR_ADDR: return type_address(t, expr);
	default: return type_sign(t, expr);
	}
}

static const struct skep_type *step_map(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_expr *target = expr->right;

	if (!skep_map_key(t, target))
		return NULL;
	target->map->is_read = target->map->is_used = true;
	const struct skep_type *held = target->map->value;
	bool is_ptr = held && held->kind == SKEP_T_PTR;
	skep_map_add_value(t, target, is_ptr ? held : &skep_type_s64, expr->span);
	held = target->map->value;
	return target->type = held && is_number(held) ? held : NULL;
}

static const struct skep_type *step_var(struct skep_typer *t, struct skep_expr *expr)
{
	struct skep_expr *target = expr->right;
	const struct skep_type *type = skep_type_value(t, target);

	if (type && skep_type_is_enum(type))
		skep_var_assign(t, target->var, skep_type_int(8, type->is_signed), NULL);
	if (!type || is_number(type))
		return type;
	return TYPE_ERROR(t, expr->span, OPERAND, skep_operator_name(expr->op),
			  skep_typer_name(t, type));
}

const struct skep_type *skep_type_incdec(struct skep_typer *t, struct skep_expr *expr)
{
	return expr->right->kind == SKEP_E_MAP ? step_map(t, expr) : step_var(t, expr);
}
