/*
 * Reading, storing and copying bytes, whichever space they are in.
 *
 * Our own memory (slots, map values, ring records) and the context are loaded
 * directly; the kernel's and the process's are read through a helper, and a
 * read that fails is counted and gives zeroes.
 */
#include <linux/bpf.h>

#include "trace/lower/lower.h"

/* Negated it is no pointer any more; twice, it is the same again. */
struct skep_opnd skep_lower_as_number(struct skep_lower *l, struct skep_opnd ptr)
{
	return R(skep_ir_neg(l->f, R(skep_ir_neg(l->f, ptr))));
}

uint32_t skep_loss_off(const struct skep_lower *l, enum skep_loss loss)
{
	return l->program->loss_off + 8 * (uint32_t)loss;
}

uint32_t skep_loss_map_off(const struct skep_lower *l, uint32_t map)
{
	return l->program->loss_off + 8 * (SKEP_LOSS_CNT + map);
}

/* Straight to the counter: no look-up that could fail, so no more paths for the verifier. */
void skep_lower_loss(struct skep_lower *l, uint32_t loss_off)
{
	uint32_t at = skep_ir_map_value(l->f, skep_lower_globals(l), loss_off);

	skep_ir_atomic_add(l->f, 8, R(at), 0, I(1));
}

/*
 * Slots of ours, ring records and map values all begin at multiples of 8, so
 * the offset alone tells how wide an access may be. (Only the stack is checked
 * for it: elsewhere an unaligned access is allowed, and rare.)
 */
uint32_t skep_lower_align(struct skep_opnd base, int32_t off)
{
	int64_t at = (base.kind == SKEP_OPND_SLOT ? base.imm : 0) + off;

	return at & 1 ? 1 : at & 2 ? 2 : at & 4 ? 4 : 8;
}

static uint32_t common_align(struct skep_opnd a, int32_t a_off, struct skep_opnd b, int32_t b_off)
{
	uint32_t x = skep_lower_align(a, a_off), y = skep_lower_align(b, b_off);

	return x < y ? x : y;
}

void skep_lower_zero(struct skep_lower *l, struct skep_opnd dst, int32_t off, uint32_t bytes)
{
	skep_ir_zero(l->f, dst, off, bytes, skep_lower_align(dst, off));
}

void skep_lower_copy(struct skep_lower *l, struct skep_opnd dst, int32_t off, struct skep_opnd src,
		     int32_t src_off, uint32_t bytes)
{
	skep_ir_copy(l->f, dst, off, src, src_off, bytes, common_align(dst, off, src, src_off));
}

struct skep_value skep_lower_temp(struct skep_lower *l, const struct skep_type *type)
{
	uint32_t align = skep_type_is_scalar(type) ? type->align : 8;
	uint32_t slot = skep_ir_slot(l->f, type->size, align);

	return (struct skep_value){.type = type, .opnd = S(slot, 0), .space = SKEP_SPACE_BPF};
}

static bool is_direct(enum skep_space space)
{
	return space == SKEP_SPACE_BPF || space == SKEP_SPACE_CTX;
}

static int32_t read_helper(enum skep_space space)
{
	if (space == SKEP_SPACE_USER)
		return BPF_FUNC_probe_read_user;
	return space == SKEP_SPACE_NONE ? BPF_FUNC_probe_read : BPF_FUNC_probe_read_kernel;
}

/* Count a loss if @cond holds; the counting is placed out of line. */
static void count_if(struct skep_lower *l, enum skep_ir_cond cond, struct skep_opnd a,
		     struct skep_opnd b, uint32_t loss_off)
{
	uint32_t cold = skep_ir_block(l->f), on = skep_ir_block(l->f);

	skep_ir_branch_cold(l->f, cond, a, b, cold);
	skep_ir_jump(l->f, on);
	skep_ir_at(l->f, cold);
	skep_lower_loss(l, loss_off);
	skep_ir_jump(l->f, on);
	skep_ir_at(l->f, on);
}

struct skep_opnd skep_lower_address(struct skep_lower *l, const struct skep_value *value)
{
	if (value->opnd.kind == SKEP_OPND_SLOT)
		return S(value->opnd.id, value->opnd.imm + value->off);
	if (!value->off)
		return value->opnd;
	return R(skep_ir_addr(l->f, value->opnd, value->off));
}

void skep_lower_read(struct skep_lower *l, struct skep_opnd dst, int32_t dst_off, uint32_t bytes,
		     const struct skep_value *src, int32_t off)
{
	struct skep_value at = *src;
	struct skep_value to = {.opnd = dst, .off = dst_off};

	at.off += off;
	if (src->space == SKEP_SPACE_BPF) {
		skep_lower_copy(l, dst, dst_off, src->opnd, at.off, bytes);
		return;
	}
	/* A helper's writing does not make the verifier forget what was there: a loop's rounds
	 * would differ by it. */
	if (l->loop && dst.kind == SKEP_OPND_SLOT && bytes <= 64)
		skep_lower_zero(l, dst, dst_off, bytes);
	/* The context may be passed as an address: helpers take any kernel address here. */
	uint32_t err = skep_ir_calln(
		l->f, read_helper(src->space == SKEP_SPACE_CTX ? SKEP_SPACE_KERNEL : src->space),
		skep_lower_address(l, &to), I(bytes), skep_lower_address(l, &at));
	count_if(l, SKEP_IR_NE, R(err), I(0), skep_loss_off(l, SKEP_LOSS_READ));
}

struct skep_opnd skep_lower_load(struct skep_lower *l, const struct skep_value *src, int32_t off,
				 uint32_t bytes, bool is_signed)
{
	uint32_t reg;

	if (is_direct(src->space)) {
		reg = skep_ir_load(l->f, bytes, src->opnd, src->off + off);
	} else {
		/* All loads share the place: each that some paths have written and others have
		 * not makes them differ for the verifier. */
		uint32_t mark = skep_ir_slot_mark(l->f), slot = skep_ir_slot(l->f, 8, 8);
		skep_lower_read(l, S(slot, 0), 0, bytes, src, off);
		reg = skep_ir_load(l->f, bytes, S(slot, 0), 0);
		skep_ir_slot_release(l->f, mark);
	}
	if (is_signed && bytes < 8)
		reg = skep_ir_extend(l->f, R(reg), bytes, true);
	return R(reg);
}

struct skep_value skep_lower_at(struct skep_lower *l, struct skep_opnd base, int32_t off,
				const struct skep_type *type, enum skep_space space)
{
	struct skep_value at = {.type = type, .opnd = base, .off = off, .space = space};

	if (!skep_type_is_scalar(type))
		return at;
	return skep_value_int(skep_lower_load(l, &at, 0, type->size, type->is_signed), type);
}

/*
 * An array of characters that may be full, without a NUL: it is read to where
 * there is room for one more. Never further than its end, whatever the room.
 */
static void store_array(struct skep_lower *l, const struct skep_value *value, struct skep_opnd dst,
			int32_t off, const struct skep_type *type)
{
	uint32_t bytes = value->type->size, mark = skep_ir_slot_mark(l->f);

	if (type->size > bytes) {
		skep_lower_zero(l, dst, off, type->size);
		skep_lower_read_str(l, dst, off, bytes + 1, value);
		return;
	}
	uint32_t slot = skep_ir_slot(l->f, bytes + 1, 8);
	skep_lower_zero(l, S(slot, 0), 0, bytes + 1);
	skep_lower_read_str(l, S(slot, 0), 0, bytes + 1, value);
	skep_lower_copy(l, dst, off, S(slot, 0), 0, bytes);
	skep_ir_slot_release(l->f, mark);
}

static void store_string(struct skep_lower *l, const struct skep_value *value, struct skep_opnd dst,
			 int32_t off, const struct skep_type *type)
{
	if (value->space == SKEP_SPACE_BPF && value->type->size <= type->size) {
		skep_lower_copy(l, dst, off, value->opnd, value->off, value->type->size);
		uint32_t rest = type->size - value->type->size;
		if (rest)
			skep_lower_zero(l, dst, off + (int32_t)value->type->size, rest);
		return;
	}
	if (value->space != SKEP_SPACE_BPF && !value->is_limited &&
	    value->type->size <= type->size) {
		store_array(l, value, dst, off, type);
		return;
	}
	skep_lower_zero(l, dst, off, type->size);
	skep_lower_read_str(l, dst, off, type->size, value);
}

static void store_tuple(struct skep_lower *l, const struct skep_value *value, struct skep_opnd dst,
			int32_t off, const struct skep_type *type)
{
	skep_lower_zero(l, dst, off, type->size);
	for (uint32_t i = 0; i < type->n && i < value->type->n; i++) {
		uint32_t place = skep_tuple_place(value->type, type->fields[i].name, i);
		const struct skep_tuple_field *from = &value->type->fields[place];
		struct skep_value field = skep_lower_at(
			l, value->opnd, value->off + (int32_t)from->off, from->type, value->space);
		skep_lower_store(l, &field, dst, off + (int32_t)type->fields[i].off,
				 type->fields[i].type);
	}
}

/* A buffer keeps its length in front; a larger one takes a smaller one's bytes. */
static void store_bytes(struct skep_lower *l, const struct skep_value *value, struct skep_opnd dst,
			int32_t off, const struct skep_type *type)
{
	uint32_t bytes = value->type->size < type->size ? value->type->size : type->size;

	skep_lower_read(l, dst, off, bytes, value, 0);
	if (bytes < type->size)
		skep_lower_zero(l, dst, off + (int32_t)bytes, type->size - bytes);
}

void skep_lower_store(struct skep_lower *l, const struct skep_value *value, struct skep_opnd dst,
		      int32_t off, const struct skep_type *type)
{
	if (skep_type_is_scalar(type))
		skep_ir_store(l->f, type->size, dst, off, value->opnd);
	else if (type->kind == SKEP_T_STRING)
		store_string(l, value, dst, off, type);
	else if (type->kind == SKEP_T_TUPLE && !skep_type_same(type, value->type))
		store_tuple(l, value, dst, off, type);
	else
		store_bytes(l, value, dst, off, type);
}

struct skep_value skep_lower_own(struct skep_lower *l, const struct skep_value *value)
{
	if (value->space == SKEP_SPACE_BPF && !skep_type_is_scalar(value->type))
		return *value;
	struct skep_value own = skep_lower_temp(l, value->type);
	skep_lower_store(l, value, own.opnd, own.off, own.type);
	return own;
}
