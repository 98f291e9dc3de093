/*
 * strjoin(): the strings that an array of pointers points to, as one.
 *
 * Each is read to the end of what is there so far. The verifier is to see that
 * it has room whatever the lengths were, so there is room for the longest
 * string behind the last byte that may be used; what reaches over is cut.
 */
#include <string.h>

#include "trace/lower/lower.h"
#include "trace/types/types.h"

struct joined {
	uint32_t slot, end; /* slot; register: bytes so far */
	uint32_t room;      /* of the result, with its NUL */
	const char *between;
	struct skep_value array;
};

/* Where the next byte belongs. */
static struct skep_opnd at_end(struct skep_lower *l, const struct joined *to)
{
	uint32_t start = skep_ir_addr(l->f, S(to->slot, 0), 0);

	return R(skep_ir_alu(l->f, SKEP_IR_ADD, R(start), R(to->end)));
}

static void add_text(struct skep_lower *l, const struct joined *to, const char *text)
{
	struct skep_opnd at = at_end(l, to);
	uint32_t len = (uint32_t)strlen(text);

	for (uint32_t i = 0; i < len; i++)
		skep_ir_store(l->f, 1, at, (int32_t)i, I((unsigned char)text[i]));
	skep_lower_advance(l, to->end, I(len), to->room - 1);
}

/* The @i-th string, or control goes to @done if there is none. */
static void add_string(struct skep_lower *l, const struct joined *to, uint32_t i, uint32_t done)
{
	struct skep_ir_func *f = l->f;
	uint32_t some = skep_ir_block(f), read = skep_ir_block(f), on = skep_ir_block(f);
	struct skep_opnd ptr = skep_lower_load(l, &to->array, (int32_t)(8 * i), 8, false);
	struct skep_value text = {.opnd = ptr, .space = to->array.space};
	uint32_t mark = skep_ir_slot_mark(f);

	skep_ir_branch(f, SKEP_IR_NE, ptr, I(0), some, done);
	skep_ir_at(f, some);
	if (i)
		add_text(l, to, to->between);
	struct skep_opnd len = skep_lower_read_str(l, at_end(l, to), 0, to->room, &text);
	skep_ir_branch(f, SKEP_IR_NE, len, I(0), read, on);
	skep_ir_at(f, read);
	skep_lower_advance(l, to->end, R(skep_ir_alu(f, SKEP_IR_SUB, len, I(1))), to->room - 1);
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	skep_ir_slot_release(f, mark);
}

/* More strings than were asked for: that there were more is seen. */
static void add_rest(struct skep_lower *l, const struct joined *to, uint32_t n, uint32_t done)
{
	struct skep_ir_func *f = l->f;
	uint32_t some = skep_ir_block(f);
	struct skep_opnd ptr = skep_lower_load(l, &to->array, (int32_t)(8 * n), 8, false);

	skep_ir_branch(f, SKEP_IR_NE, ptr, I(0), some, done);
	skep_ir_at(f, some);
	add_text(l, to, to->between);
	add_text(l, to, "...");
	skep_ir_jump(f, done);
}

/* Behind the text are zeroes only, as in any string. What reached over its end is lost. */
static void cut(struct skep_lower *l, const struct joined *to)
{
	struct skep_ir_func *f = l->f;
	uint32_t full = skep_ir_block(f), on = skep_ir_block(f);
	struct skep_opnd last = R(skep_ir_load(f, 1, S(to->slot, 0), (int32_t)to->room - 1));

	skep_ir_branch_cold(f, SKEP_IR_NE, last, I(0), full);
	skep_ir_jump(f, on);
	skep_ir_at(f, full);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_STRING));
	skep_ir_store(f, 1, S(to->slot, 0), (int32_t)to->room - 1, I(0));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

struct skep_value skep_fn_strjoin(struct skep_lower *l, const struct skep_expr *call)
{
	struct skep_ir_func *f = l->f;
	const struct skep_expr *between = call->args->next;
	const struct skep_expr *most = between ? between->next : NULL;
	uint32_t n = most ? (uint32_t)most->integer : SKEP_STRJOIN_USUAL;
	enum skep_space space = call->args->type->space;
	struct joined to = {.room = call->type->size, .between = between ? between->text : " "};
	uint32_t done = skep_ir_block(f);

	to.array.opnd = skep_lower_scalar(l, call->args);
	to.array.space = space == SKEP_SPACE_NONE ? l->probe->provider->space : space;
	to.slot = skep_ir_slot(f, 2 * to.room + (uint32_t)strlen(to.between) + 8, 8);
	to.end = skep_ir_var(f);
	skep_lower_zero(l, S(to.slot, 0), 0, to.room);
	skep_ir_set(f, to.end, I(0));
	for (uint32_t i = 0; i < n; i++)
		add_string(l, &to, i, done);
	add_rest(l, &to, n, done);
	skep_ir_at(f, done);
	cut(l, &to);
	return (struct skep_value){
		.type = call->type, .opnd = S(to.slot, 0), .space = SKEP_SPACE_BPF};
}
