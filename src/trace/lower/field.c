/*
 * Members, elements, and what pointers point to.
 *
 * A pointer's target lies in the pointer's space; a member of a record in
 * memory lies in the record's. Only a scalar at the end of the chain is
 * loaded; every other step is address arithmetic.
 */
#include "trace/lower/lower.h"

static enum skep_space space_of(const struct skep_lower *l, const struct skep_type *ptr)
{
	if (ptr->space != SKEP_SPACE_NONE)
		return ptr->space;
	return l->probe->provider->space;
}

/* The memory an expression stands for: a record, or what a pointer to one points to. */
static struct skep_value place(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_value value = skep_lower_expr(l, expr);

	if (value.type->kind != SKEP_T_PTR)
		return value;
	return (struct skep_value){
		.type = value.type->elem, .opnd = value.opnd, .space = space_of(l, value.type)};
}

/* Bits of a member narrower than its type. As in bpftrace they are a number without a sign,
 * whatever C makes of `int x:1`: 1, not -1. */
static struct skep_value bit_field(struct skep_lower *l, const struct skep_value *at,
				   const struct skep_field *field)
{
	const struct skep_type *type = field->type;
	struct skep_opnd word = skep_lower_load(l, at, 0, type->size, false);
	uint32_t up = 64u - field->bit_off - field->bit_size, down = 64u - field->bit_size;
	uint32_t bits = skep_ir_alu(l->f, SKEP_IR_SHL, word, I(up));

	bits = skep_ir_alu(l->f, SKEP_IR_SHR, R(bits), I(down));
	return skep_value_int(R(bits), type);
}

/*
 * A tracepoint's dynamic array: the member holds its offset in the record (low
 * half) and length (high half). Tracepoint records are kernel memory, so what
 * follows is read as such: the context allows no load at a variable offset.
 * Nor does the verifier let a script count on from it, as it may on any number:
 * so the address is off - (-ctx), and negated the context is a number.
 */
static struct skep_value data_loc(struct skep_lower *l, const struct skep_value *at,
				  const struct skep_field *field)
{
	struct skep_opnd loc = skep_lower_load(l, at, 0, 4, false);
	uint32_t off = skep_ir_alu(l->f, SKEP_IR_AND, loc, I(0xffff));
	int32_t from = field->is_rel_loc ? (int32_t)field->off + 4 : 0;
	uint32_t addr = skep_ir_alu(l->f, SKEP_IR_SUB, R(off), R(skep_ir_neg(l->f, l->ctx)));

	if (from)
		addr = skep_ir_alu(l->f, SKEP_IR_ADD, R(addr), I(from));
	if (skep_type_is_scalar(field->type))
		return skep_value_int(R(addr), field->type);
	return (struct skep_value){
		.type = field->type, .opnd = R(addr), .space = SKEP_SPACE_KERNEL};
}

/* Arguments are in words of 8 bytes, and may only be read so; a member of a struct that is passed
 * by value may be in the middle of one. */
static struct skep_value slot_value(struct skep_lower *l, int32_t off, const struct skep_type *type)
{
	struct skep_opnd word = skep_lower_slot(l, (uint32_t)off / 8);

	if (off % 8)
		word = R(skep_ir_alu(l->f, SKEP_IR_SHR, word, I(off % 8 * 8)));
	return skep_value_int(skep_lower_fit(l, word, type), type);
}

struct skep_value skep_lower_field(struct skep_lower *l, const struct skep_expr *expr)
{
	const struct skep_field *field = &expr->field;
	struct skep_value at;

	if (skep_lower_typed_field(l, expr, &at))
		return at;
	at = place(l, expr->left);
	at.type = field->type;
	at.off += (int32_t)field->off;
	if (at.space == SKEP_SPACE_CTX && skep_lower_has_slots(l) &&
	    skep_type_is_scalar(field->type) && !field->bit_size)
		return slot_value(l, at.off, field->type);
	if (field->is_data_loc || field->is_rel_loc)
		return data_loc(l, &at, field);
	if (field->bit_size)
		return bit_field(l, &at, field);
	struct skep_value value = skep_lower_at(l, at.opnd, at.off, field->type, at.space);
	if (at.space == SKEP_SPACE_CTX && field->type->kind == SKEP_T_PTR &&
	    l->probe->provider->ctx == SKEP_CTX_ITER)
		value.opnd = skep_lower_as_number(l, value.opnd);
	return value;
}

/* An element of an array in our own memory must be proven to lie in it. */
static struct skep_opnd bounded(struct skep_lower *l, struct skep_opnd index, uint32_t n)
{
	struct skep_ir_func *f = l->f;
	uint32_t over = skep_ir_block(f), on = skep_ir_block(f);
	uint32_t i = skep_ir_var(f);

	skep_ir_set(f, i, index);
	skep_ir_branch_cold(f, SKEP_IR_UGE, R(i), I(n), over);
	skep_ir_jump(f, on);
	skep_ir_at(f, over);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_READ));
	skep_ir_set(f, i, I(0));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return R(i);
}

struct skep_value skep_lower_index(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_value at = skep_lower_expr(l, expr->left);
	bool is_ptr = at.type->kind == SKEP_T_PTR;
	const struct skep_type *elem = at.type->elem ? at.type->elem : expr->type;
	struct skep_opnd index = skep_lower_scalar(l, expr->right);
	struct skep_opnd base = is_ptr ? at.opnd : skep_lower_address(l, &at);
	enum skep_space space = is_ptr ? space_of(l, at.type) : at.space;

	if (index.kind == SKEP_OPND_IMM) {
		int32_t off = (int32_t)(index.imm * elem->size);
		return skep_lower_at(l, base, off, elem, space);
	}
	if (!is_ptr && space == SKEP_SPACE_BPF)
		index = bounded(l, index,
				at.type->kind == SKEP_T_STRING ? at.type->size : at.type->n);
	uint32_t step = skep_ir_alu(l->f, SKEP_IR_MUL, index, I(elem->size));
	uint32_t addr = skep_ir_alu(l->f, SKEP_IR_ADD, R(skep_ir_addr(l->f, base, 0)), R(step));
	return skep_lower_at(l, R(addr), 0, elem,
			     space == SKEP_SPACE_CTX ? SKEP_SPACE_KERNEL : space);
}

struct skep_value skep_lower_deref(struct skep_lower *l, const struct skep_expr *expr)
{
	struct skep_value ptr = skep_lower_expr(l, expr->right);

	return skep_lower_at(l, ptr.opnd, 0, expr->type, space_of(l, ptr.type));
}
