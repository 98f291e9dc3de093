/*
 * Expressions. skep_lower_expr() is a table of one function for each kind of
 * node; what has a known value never gets that far.
 */
#include <assert.h>
#include <string.h>

#include "trace/lower/lower.h"

struct skep_value skep_value_int(struct skep_opnd opnd, const struct skep_type *type)
{
	return (struct skep_value){.type = type, .opnd = opnd};
}

struct skep_opnd skep_lower_fit(struct skep_lower *l, struct skep_opnd value,
				const struct skep_type *type)
{
	if (type->kind != SKEP_T_INT || type->size >= 8)
		return value;
	if (type->is_bool)
		return R(skep_ir_cmp(l->f, SKEP_IR_NE, value, I(0)));
	return R(skep_ir_extend(l->f, value, type->size, type->is_signed));
}

struct skep_opnd skep_lower_scalar(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_value value = skep_lower_expr(l, expr);

	if (skep_type_is_scalar(value.type))
		return value.opnd;
	/* A small array or record taken as a number: its bytes. */
	uint32_t bytes = value.type->size;
	if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8)
		return skep_lower_load(l, &value, 0, bytes, false);
	return skep_lower_address(l, &value);
}

/* --- Arithmetic ------------------------------------------------------------------------- */

static const struct arith {
	enum skep_ir_alu of_unsigned, of_signed;
} ariths[] = {
	[SKEP_OPR_ADD] = {SKEP_IR_ADD, SKEP_IR_ADD},
	[SKEP_OPR_SUB] = {SKEP_IR_SUB, SKEP_IR_SUB},
	[SKEP_OPR_MUL] = {SKEP_IR_MUL, SKEP_IR_MUL},
	[SKEP_OPR_DIV] = {SKEP_IR_UDIV, SKEP_IR_SDIV},
	[SKEP_OPR_MOD] = {SKEP_IR_UMOD, SKEP_IR_SMOD},
	[SKEP_OPR_AND] = {SKEP_IR_AND, SKEP_IR_AND},
	[SKEP_OPR_OR] = {SKEP_IR_OR, SKEP_IR_OR},
	[SKEP_OPR_XOR] = {SKEP_IR_XOR, SKEP_IR_XOR},
	[SKEP_OPR_SHL] = {SKEP_IR_SHL, SKEP_IR_SHL},
	[SKEP_OPR_SHR] = {SKEP_IR_SHR, SKEP_IR_SAR},
};

static uint32_t elem_size(const struct skep_type *ptr)
{
	return ptr->kind == SKEP_T_PTR && ptr->elem && ptr->elem->size ? ptr->elem->size : 1;
}

static bool is_ptr(const struct skep_expr *expr)
{
	return expr->type->kind == SKEP_T_PTR;
}

struct skep_opnd skep_lower_steps(struct skep_lower *l, struct skep_opnd n,
				  const struct skep_type *ptr)
{
	uint32_t size = elem_size(ptr);

	return size == 1 ? n : R(skep_ir_alu(l->f, SKEP_IR_MUL, n, I(size)));
}

/* ptr + n, n + ptr, ptr - n step by whole elements, as in C. */
static struct skep_opnd pointer_step(struct skep_lower *l, const struct skep_expr *expr,
				     struct skep_opnd a, struct skep_opnd b)
{
	enum skep_ir_alu op = ariths[expr->op].of_unsigned;

	if (is_ptr(expr->left))
		return R(skep_ir_alu(l->f, op, a, skep_lower_steps(l, b, expr->left->type)));
	return R(skep_ir_alu(l->f, op, skep_lower_steps(l, a, expr->right->type), b));
}

static struct skep_value lower_arith(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_opnd a = skep_lower_scalar(l, expr->left);
	struct skep_opnd b = skep_lower_scalar(l, expr->right);
	bool step = expr->op == SKEP_OPR_ADD || expr->op == SKEP_OPR_SUB;

	if (step && is_ptr(expr->left) != is_ptr(expr->right))
		return skep_value_int(pointer_step(l, expr, a, b), expr->type);
	const struct arith *arith = &ariths[expr->op];
	/* The shifted value decides between arithmetic and logical, both sides do for a division.
	 */
	bool is_signed =
		expr->op == SKEP_OPR_SHR ? expr->left->type->is_signed : expr->type->is_signed;
	uint32_t result =
		skep_ir_alu(l->f, is_signed ? arith->of_signed : arith->of_unsigned, a, b);
	return skep_value_int(skep_lower_fit(l, R(result), expr->type), expr->type);
}

/* A condition as a number: 1 or 0 by the way it was reached. */
static struct skep_value lower_truth(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_ir_func *f = l->f;
	uint32_t yes = skep_ir_block(f), no = skep_ir_block(f), done = skep_ir_block(f);
	uint32_t result = skep_ir_var(f);

	skep_lower_cond(l, expr, yes, no);
	skep_ir_at(f, yes);
	skep_ir_set(f, result, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, no);
	skep_ir_set(f, result, I(0));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return skep_value_int(R(result), expr->type);
}

static struct skep_value lower_binary(struct skep_lower *l, const struct skep_expr *expr)
{
	return expr->op >= SKEP_OPR_EQ ? lower_truth(l, expr) : lower_arith(l, expr);
}

static struct skep_value lower_unary(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_opnd value;

	switch (expr->op) {
	case SKEP_OPR_NOT: return lower_truth(l, expr);
	case SKEP_OPR_DEREF: return skep_lower_deref(l, expr);
	case SKEP_OPR_ADDR: {
		struct skep_value at = skep_lower_expr(l, expr->right);
		if (skep_type_is_scalar(at.type)) {
			struct skep_value own = skep_lower_own(l, &at);
			return skep_value_int(R(skep_ir_addr(l->f, own.opnd, own.off)), expr->type);
		}
		return skep_value_int(R(skep_ir_addr(l->f, at.opnd, at.off)), expr->type);
	}
	case SKEP_OPR_NEG: value = R(skep_ir_neg(l->f, skep_lower_scalar(l, expr->right))); break;
	case SKEP_OPR_COMPL:
		value = R(skep_ir_alu(l->f, SKEP_IR_XOR, skep_lower_scalar(l, expr->right), I(-1)));
		break;
	default: value = skep_lower_scalar(l, expr->right); break;
	}
	return skep_value_int(skep_lower_fit(l, value, expr->type), expr->type);
}

static struct skep_value lower_incdec(struct skep_lower *l, const struct skep_expr *expr)
{
	const struct skep_expr *target = expr->right;
	enum skep_operator op = expr->op == SKEP_OPR_INC ? SKEP_OPR_ADD : SKEP_OPR_SUB;
	struct skep_opnd step = I(target->type ? elem_size(target->type) : 1);

	if (target->kind == SKEP_E_MAP)
		return skep_value_int(skep_lower_map_update(l, target, op, step, expr->is_postfix),
				      expr->type);
	struct skep_value old = skep_lower_var(l, target->var);
	uint32_t before = skep_ir_mov(l->f, old.opnd);
	struct skep_opnd after = R(skep_ir_alu(l->f, ariths[op].of_unsigned, R(before), step));
	struct skep_value now = skep_value_int(
		skep_lower_step(l, skep_lower_fit(l, after, old.type), old.type), old.type);
	skep_lower_set_var(l, target->var, &now);
	return expr->is_postfix ? skep_value_int(R(before), expr->type) : now;
}

/* --- Choice and conversion ------------------------------------------------------------------ */

/* Each arm's bytes straight to where they are wanted. */
static void ternary_into(struct skep_lower *l, const struct skep_expr *expr, struct skep_opnd dst,
			 int32_t off, const struct skep_type *type)
{
	struct skep_ir_func *f = l->f;
	uint32_t sides[2] = {skep_ir_block(f), skep_ir_block(f)}, done = skep_ir_block(f);
	const struct skep_expr *arms[2] = {expr->left, expr->right};

	skep_lower_cond(l, expr->cond, sides[0], sides[1]);
	for (int i = 0; i < 2; i++) {
		skep_ir_at(f, sides[i]);
		skep_lower_into(l, arms[i], dst, off, type);
		if (!skep_ir_ended(f))
			skep_ir_jump(f, done);
	}
	skep_ir_at(f, done);
}

static struct skep_value lower_ternary(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_ir_func *f = l->f;
	bool scalar = skep_type_is_scalar(expr->type);

	if (!scalar && expr->type->kind != SKEP_T_NONE) {
		struct skep_value result = skep_lower_temp(l, expr->type);
		ternary_into(l, expr, result.opnd, 0, expr->type);
		return result;
	}
	uint32_t sides[2] = {skep_ir_block(f), skep_ir_block(f)}, done = skep_ir_block(f);
	const struct skep_expr *arms[2] = {expr->left, expr->right};
	struct skep_opnd result = scalar ? R(skep_ir_var(f)) : I(0);
	skep_lower_cond(l, expr->cond, sides[0], sides[1]);
	for (int i = 0; i < 2; i++) {
		skep_ir_at(f, sides[i]);
		if (scalar)
			skep_ir_set(f, result.id, skep_lower_scalar(l, arms[i]));
		else
			skep_lower_expr(l, arms[i]);
		if (!skep_ir_ended(f))
			skep_ir_jump(f, done);
	}
	skep_ir_at(f, done);
	return skep_value_int(result, expr->type);
}

static struct skep_value lower_cast(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_value value = skep_lower_expr(l, expr->right);
	bool from_scalar = skep_type_is_scalar(value.type),
	     to_scalar = skep_type_is_scalar(expr->type);

	if (to_scalar && from_scalar)
		return skep_value_int(skep_lower_fit(l, value.opnd, expr->type), expr->type);
	if (to_scalar) {
		struct skep_opnd bits = skep_lower_scalar(l, expr->right);
		return skep_value_int(skep_lower_fit(l, bits, expr->type), expr->type);
	}
	if (from_scalar) { /* an integer's bytes as an array */
		struct skep_value temp = skep_lower_temp(l, expr->type);
		skep_ir_store(l->f, expr->type->size, temp.opnd, 0, value.opnd);
		return temp;
	}
	if (value.type->size >= expr->type->size && expr->type->kind != SKEP_T_STRING) {
		value.type = expr->type; /* the same bytes, seen as another type */
		return value;
	}
	struct skep_value temp = skep_lower_temp(l, expr->type);
	skep_lower_store(l, &value, temp.opnd, 0, expr->type);
	return temp;
}

/* Padding must compare equal in keys. */
static void zero_padding(struct skep_lower *l, struct skep_opnd dst, int32_t off,
			 const struct skep_type *type)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i <= type->n; i++) {
		uint32_t next = i < type->n ? type->fields[i].off : type->size;
		if (next > used)
			skep_lower_zero(l, dst, off + (int32_t)used, next - used);
		used = i < type->n ? next + type->fields[i].type->size : next;
	}
}

/* The elements come in the order in which they are written; named ones find their place. */
static void tuple_into(struct skep_lower *l, const struct skep_expr *expr, struct skep_opnd dst,
		       int32_t off, const struct skep_type *type)
{
	const struct skep_expr *arg = expr->args;

	zero_padding(l, dst, off, type);
	for (uint32_t i = 0; i < type->n && arg; i++, arg = arg->next) {
		uint32_t place = skep_tuple_place(type, arg->elem_name, i);
		const struct skep_tuple_field *field = &type->fields[place];
		skep_lower_into(l, arg, dst, off + (int32_t)field->off, field->type);
	}
}

static struct skep_value lower_tuple(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_value temp = skep_lower_temp(l, expr->type);

	tuple_into(l, expr, temp.opnd, 0, expr->type);
	return temp;
}

static struct skep_value tuple_field(struct skep_lower *l, const struct skep_value *tuple,
				     uint32_t i)
{
	const struct skep_tuple_field *field = &tuple->type->fields[i];

	return skep_lower_at(l, tuple->opnd, tuple->off + (int32_t)field->off, field->type,
			     tuple->space);
}

static struct skep_value lower_tuple_at(struct skep_lower *l, const struct skep_expr *expr)
{
	const struct skep_expr *left = expr->left;

	if (left->kind == SKEP_E_MAP && !left->is_const)
		return skep_lower_map_element(l, left, (uint32_t)expr->integer);
	struct skep_value tuple = skep_lower_expr(l, left);

	return tuple_field(l, &tuple, (uint32_t)expr->integer);
}

static struct skep_value lower_field(struct skep_lower *l, const struct skep_expr *expr)
{
	const struct skep_type *type = expr->left->type;

	if (expr->packet)
		return skep_lower_packet(l, expr);
	if (expr->member)
		return skep_lower_member(l, expr);
	if (type->kind != SKEP_T_TUPLE)
		return skep_lower_field(l, expr);
	struct skep_value tuple = skep_lower_expr(l, expr->left);
	for (uint32_t i = 0; i < type->n; i++) {
		if (type->fields[i].name && !strcmp(type->fields[i].name, expr->text))
			return tuple_field(l, &tuple, i);
	}
	assert(!"types/ let a field through that the tuple does not have");
	return skep_value_int(I(0), expr->type);
}

static struct skep_value lower_block(struct skep_lower *l, const struct skep_expr *expr)
{
	skep_lower_stmts(l, expr->body);
	return expr->right ? skep_lower_expr(l, expr->right) : skep_value_int(I(0), expr->type);
}

static struct skep_value lower_var_expr(struct skep_lower *l, const struct skep_expr *expr)
{
	return skep_lower_var(l, expr->var);
}

static struct skep_value (*const lowerers[SKEP_E_N_KINDS])(struct skep_lower *,
							   const struct skep_expr *) = {
	[SKEP_E_IDENT] = skep_lower_builtin, [SKEP_E_VAR] = lower_var_expr,
	[SKEP_E_MAP] = skep_lower_map_read,  [SKEP_E_CALL] = skep_lower_call,
	[SKEP_E_FIELD] = lower_field,        [SKEP_E_TUPLE_AT] = lower_tuple_at,
	[SKEP_E_INDEX] = skep_lower_index,   [SKEP_E_UNARY] = lower_unary,
	[SKEP_E_INCDEC] = lower_incdec,      [SKEP_E_BINARY] = lower_binary,
	[SKEP_E_TERNARY] = lower_ternary,    [SKEP_E_CAST] = lower_cast,
	[SKEP_E_TUPLE] = lower_tuple,        [SKEP_E_BLOCK] = lower_block,
};

static struct skep_value lower_const(struct skep_lower *l, const struct skep_expr *expr)
{
	if (skep_type_is_scalar(expr->type))
		return skep_value_int(I(expr->integer), expr->type);
	struct skep_value temp = skep_lower_temp(l, expr->type);
	skep_lower_into(l, expr, temp.opnd, 0, expr->type);
	return temp;
}

struct skep_value skep_lower_expr(struct skep_lower *l, const struct skep_expr *expr)
{
	if (expr->is_const)
		return lower_const(l, expr);
	if (!lowerers[expr->kind]) {
		skep_lower_cannot(l, expr->span,
				  "this expression has no value when the probe runs");
		return skep_value_int(I(0), &skep_type_u64);
	}
	return lowerers[expr->kind](l, expr);
}

/* What comes to one of several expressions, or follows statements. */
static bool chosen_into(struct skep_lower *l, const struct skep_expr *expr, struct skep_opnd dst,
			int32_t off, const struct skep_type *type)
{
	if (skep_type_is_scalar(type))
		return false;
	if (expr->kind == SKEP_E_TERNARY) {
		ternary_into(l, expr, dst, off, type);
		return true;
	}
	if (expr->kind != SKEP_E_BLOCK || !expr->right)
		return false;
	skep_lower_stmts(l, expr->body);
	skep_lower_into(l, expr->right, dst, off, type);
	return true;
}

void skep_lower_into(struct skep_lower *l, const struct skep_expr *expr, struct skep_opnd dst,
		     int32_t off, const struct skep_type *type)
{
	if (expr->is_const && type->kind == SKEP_T_STRING && expr->text) {
		uint32_t len = expr->text_len < type->size ? expr->text_len : type->size - 1;
		skep_lower_literal(l, expr->text, len, dst, off, type->size);
		return;
	}
	if (expr->kind == SKEP_E_TUPLE && type->kind == SKEP_T_TUPLE) {
		tuple_into(l, expr, dst, off, type);
		return;
	}
	if (!expr->is_const && chosen_into(l, expr, dst, off, type))
		return;
	if (!expr->is_const && skep_lower_special_into(l, expr, dst, off, type))
		return;
	uint32_t mark = skep_ir_slot_mark(l->f);
	struct skep_value value = skep_lower_expr(l, expr);
	skep_lower_store(l, &value, dst, off, type);
	skep_ir_slot_release(l->f, mark);
}
