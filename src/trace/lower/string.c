/*
 * Strings: reading them, literals, comparing.
 *
 * A string in our own memory is NUL-terminated and zero behind the NUL, so
 * that it can be (part of) a key. Comparing with a literal, by far the most
 * common case, is a few loads and compares with constants.
 */
#include <linux/bpf.h>
#include <string.h>

#include "trace/lower/lower.h"

static int32_t read_str_helper(enum skep_space space)
{
	if (space == SKEP_SPACE_USER)
		return BPF_FUNC_probe_read_user_str;
	return space == SKEP_SPACE_NONE ? BPF_FUNC_probe_read_str : BPF_FUNC_probe_read_kernel_str;
}

/* A string in an array no larger than the room for it cannot be cut. */
static bool may_be_cut(const struct skep_value *src, uint32_t size)
{
	const struct skep_type *type = src->type;
	bool bounded = type && (type->kind == SKEP_T_STRING || type->kind == SKEP_T_ARRAY);

	return !bounded || type->size > size;
}

/* The room is full to the byte. Did the string end there? Its last byte tells. */
static void count_cut(struct skep_lower *l, uint32_t size, const struct skep_value *src)
{
	struct skep_ir_func *f = l->f;
	uint32_t cut = skep_ir_block(f), on = skep_ir_block(f);
	struct skep_opnd last = skep_lower_load(l, src, (int32_t)size - 1, 1, false);

	skep_ir_branch(f, SKEP_IR_NE, last, I(0), cut, on);
	skep_ir_at(f, cut);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_STRING));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

/* The helper's result: the length with the NUL; an error is counted and becomes 0. */
static struct skep_opnd read_counted(struct skep_lower *l, const struct skep_value *to,
				     struct skep_opnd room, const struct skep_value *src)
{
	struct skep_ir_func *f = l->f;
	uint32_t failed = skep_ir_block(f), on = skep_ir_block(f), len = skep_ir_var(f);

	skep_ir_set(f, len,
		    R(skep_ir_calln(f, read_str_helper(src->space), skep_lower_address(l, to), room,
				    skep_lower_address(l, src))));
	skep_ir_branch_cold(f, SKEP_IR_SLT, R(len), I(0), failed);
	skep_ir_jump(f, on);
	skep_ir_at(f, failed);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_READ));
	skep_ir_set(f, len, I(0));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return R(len);
}

/* How much may be read: no more than was asked for, nor than there is room for (a map's key may
 * be shorter than what str() reads). */
static struct skep_opnd room_for(struct skep_lower *l, uint32_t size, const struct skep_value *src)
{
	struct skep_ir_func *f = l->f;
	uint32_t room = skep_ir_var(f), over = skep_ir_block(f), on = skep_ir_block(f);

	skep_ir_set(f, room, src->limit);
	skep_ir_branch_cold(f, SKEP_IR_UGT, R(room), I(size), over);
	skep_ir_jump(f, on);
	skep_ir_at(f, over);
	skep_ir_set(f, room, I(size));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return R(room);
}

/* A length that the script itself asked for cuts nothing that it wanted. */
struct skep_opnd skep_lower_read_str(struct skep_lower *l, struct skep_opnd dst, int32_t off,
				     uint32_t size, const struct skep_value *src)
{
	struct skep_ir_func *f = l->f;
	struct skep_value to = {.opnd = dst, .off = off};
	bool is_asked = src->limit.kind == SKEP_OPND_REG;
	struct skep_opnd len =
		read_counted(l, &to, is_asked ? room_for(l, size, src) : I(size), src);

	if ((src->is_limited && !is_asked) || !may_be_cut(src, size))
		return len;
	uint32_t full = skep_ir_block(f), on = skep_ir_block(f);
	skep_ir_branch_cold(f, SKEP_IR_EQ, len, I(size), full);
	skep_ir_jump(f, on);
	skep_ir_at(f, full);
	if (is_asked) {
		uint32_t longer = skep_ir_block(f);
		skep_ir_branch(f, SKEP_IR_UGT, src->limit, I(size), longer, on);
		skep_ir_at(f, longer);
	}
	count_cut(l, size, src);
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return len;
}

void skep_lower_literal(struct skep_lower *l, const char *text, uint32_t len, struct skep_opnd dst,
			int32_t off, uint32_t size)
{
	uint32_t at = 0;

	while (at < size) {
		uint32_t step = skep_lower_align(dst, off + (int32_t)at);
		while (step > size - at)
			step /= 2;
		if (at > len) { /* only zeroes are left */
			skep_lower_zero(l, dst, off + (int32_t)at, size - at);
			return;
		}
		uint64_t chunk = 0;
		for (uint32_t i = 0; i < step && at + i < len; i++)
			chunk |= (uint64_t)(unsigned char)text[at + i] << (8 * i);
		skep_ir_store(l->f, step, dst, off + (int32_t)at, I(chunk));
		at += step;
	}
}

/* Compare @bytes of @own with constants; jumps to @differ at the first difference. */
static void compare_literal(struct skep_lower *l, const struct skep_value *own, const char *text,
			    uint32_t bytes, uint32_t differ)
{
	uint32_t len = (uint32_t)strlen(text);

	for (uint32_t at = 0, step; at < bytes; at += step) {
		uint64_t chunk = 0;
		step = skep_lower_align(own->opnd, own->off + (int32_t)at);
		while (step > bytes - at)
			step /= 2;
		for (uint32_t i = 0; i < step && at + i < len; i++)
			chunk |= (uint64_t)(unsigned char)text[at + i] << (8 * i);
		uint32_t same = skep_ir_block(l->f);
		uint32_t got = skep_ir_load(l->f, step, own->opnd, own->off + (int32_t)at);
		skep_ir_branch(l->f, SKEP_IR_EQ, R(got), I(chunk), same, differ);
		skep_ir_at(l->f, same);
	}
}

/* Byte by byte up to @limit or the NUL; both in our own memory. */
static void compare_loop(struct skep_lower *l, const struct skep_value *a,
			 const struct skep_value *b, uint32_t limit, uint32_t differ)
{
	struct skep_ir_func *f = l->f;
	uint32_t head = skep_ir_block(f), body = skep_ir_block(f), same = skep_ir_block(f);
	uint32_t next = skep_ir_block(f), out = skep_ir_block(f);
	uint32_t at_a = skep_ir_addr(f, a->opnd, a->off), at_b = skep_ir_addr(f, b->opnd, b->off);
	uint32_t i = skep_ir_var(f);

	skep_ir_set(f, i, skep_lower_blur(l, I(0)));
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	skep_ir_loop_guard(f, out);
	skep_ir_branch(f, SKEP_IR_ULT, R(i), I(limit), body, out);
	skep_ir_at(f, body);
	uint32_t x = skep_ir_load(f, 1, R(skep_ir_alu(f, SKEP_IR_ADD, R(at_a), R(i))), 0);
	uint32_t y = skep_ir_load(f, 1, R(skep_ir_alu(f, SKEP_IR_ADD, R(at_b), R(i))), 0);
	skep_ir_branch(f, SKEP_IR_EQ, R(x), R(y), same, differ);
	skep_ir_at(f, same);
	skep_ir_branch(f, SKEP_IR_EQ, R(x), I(0), out, next);
	skep_ir_at(f, next);
	skep_ir_set(f, i, R(skep_ir_alu(f, SKEP_IR_ADD, R(i), I(1))));
	skep_ir_jump(f, head);
	skep_ir_at(f, out);
}

static bool is_literal(const struct skep_expr *expr)
{
	return expr->is_const && expr->text;
}

/* Two literals: known now. */
static bool literals_same(const struct skep_expr *a, const struct skep_expr *b, uint32_t limit)
{
	return strncmp(a->text, b->text, limit) == 0;
}

struct skep_opnd skep_lower_str_eq(struct skep_lower *l, const struct skep_expr *a,
				   const struct skep_expr *b, uint32_t limit)
{
	struct skep_ir_func *f = l->f;

	if (is_literal(a) && is_literal(b))
		return I(literals_same(a, b, limit));
	if (is_literal(a)) {
		const struct skep_expr *swap = a;
		a = b;
		b = swap;
	}
	uint32_t differ = skep_ir_block(f), done = skep_ir_block(f);
	uint32_t result = skep_ir_var(f);
	struct skep_value va = skep_lower_expr(l, a);
	va = skep_lower_own(l, &va);
	uint32_t bytes = va.type->size < limit ? va.type->size : limit;
	if (is_literal(b)) {
		uint32_t need = (uint32_t)strlen(b->text) + 1;
		if (need - 1 > va.type->size && limit > va.type->size)
			return I(0);
		need = need < va.type->size ? need : va.type->size; /* an array may lack the NUL */
		compare_literal(l, &va, b->text, need < limit ? need : limit, differ);
	} else {
		struct skep_value vb = skep_lower_expr(l, b);
		vb = skep_lower_own(l, &vb);
		compare_loop(l, &va, &vb, bytes < vb.type->size ? bytes : vb.type->size, differ);
	}
	skep_ir_set(f, result, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, differ);
	skep_ir_set(f, result, I(0));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return R(result);
}
