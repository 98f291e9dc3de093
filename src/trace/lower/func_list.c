/*
 * in_list(): a comparison for each range or name. network_of(): comparisons of an
 * address's words for each network give the number of a row in a table of their
 * texts, which goes with the program; the last row is "".
 */
#include <limits.h>
#include <linux/bpf.h>
#include <string.h>

#include "trace/list.h"
#include "trace/lower/lower.h"

/* One comparison with a literal after the other. */
static struct skep_value in_names(struct skep_lower *l, const struct skep_expr *call)
{
	struct skep_ir_func *f = l->f;
	uint32_t found = skep_ir_var(f), done = skep_ir_block(f), len;
	const char *at = call->args->next->text, *name;

	skep_ir_set(f, found, I(1));
	while (skep_list_next_name(&at, &name, &len) > 0) {
		struct skep_expr literal = *call->args->next;
		uint32_t next = skep_ir_block(f);
		literal.text = skep_arena_dup(l->arena, name, len);
		literal.text_len = len;
		struct skep_opnd same = skep_lower_str_eq(l, call->args, &literal, UINT_MAX);
		skep_ir_branch(f, SKEP_IR_NE, same, I(0), done, next);
		skep_ir_at(f, next);
	}
	skep_ir_set(f, found, I(0));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return skep_value_int(R(found), call->type);
}

struct skep_value skep_fn_in_list(struct skep_lower *l, const struct skep_expr *call)
{
	struct skep_ir_func *f = l->f;

	if (call->args->type->kind == SKEP_T_STRING)
		return in_names(l, call);
	struct skep_opnd number = skep_lower_scalar(l, call->args);
	uint32_t found = skep_ir_var(f), done = skep_ir_block(f);
	const char *at = call->args->next->text;
	struct skep_range range;

	skep_ir_set(f, found, I(1));
	while (skep_list_next(&at, &range) > 0) {
		uint32_t next = skep_ir_block(f);
		uint32_t above = skep_ir_alu(f, SKEP_IR_SUB, number, I(range.first));
		skep_ir_branch(f, SKEP_IR_ULE, R(above), I(range.last - range.first), done, next);
		skep_ir_at(f, next);
	}
	skep_ir_set(f, found, I(0));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return skep_value_int(R(found), call->type);
}

static uint32_t add_texts(struct skep_lower *l, const char *list, uint32_t *ret_n)
{
	struct skep_network net;
	uint32_t n = 0;

	for (const char *at = list; skep_network_next(&at, &net) > 0;)
		n++;
	char *rows = skep_arena_array(l->arena, char, (size_t)(n + 1) * SKEP_NETWORK_BYTES);
	for (uint32_t i = 0; skep_network_next(&list, &net) > 0; i++)
		memcpy(rows + (size_t)i * SKEP_NETWORK_BYTES, net.text, SKEP_NETWORK_BYTES);
	memset(rows + (size_t)n * SKEP_NETWORK_BYTES, 0, SKEP_NETWORK_BYTES);
	struct skep_object_map map = {
		.name = "skep.networks",
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = (n + 1) * SKEP_NETWORK_BYTES,
		.max_entries = 1,
		.flags = BPF_F_RDONLY_PROG,
		.init = rows,
		.freeze = true,
	};
	*ret_n = n;
	return skep_object_add_map(l->object, &map);
}

/* On to the next block of code only if the @bytes at @off of @inet, masked, are @wanted. */
static void want(struct skep_ir_func *f, struct skep_opnd inet, int32_t off, uint32_t mask,
		 uint32_t wanted, uint32_t other)
{
	uint32_t word = skep_ir_load(f, 4, inet, off), equal = skep_ir_block(f);

	if (mask != UINT32_MAX)
		word = skep_ir_alu(f, SKEP_IR_AND, R(word), I(mask));
	skep_ir_branch(f, SKEP_IR_EQ, R(word), I(wanted), equal, other);
	skep_ir_at(f, equal);
}

struct skep_value skep_fn_network_of(struct skep_lower *l, const struct skep_expr *call)
{
	struct skep_ir_func *f = l->f;
	struct skep_value value = skep_lower_expr(l, call->args);
	struct skep_opnd inet = skep_lower_own(l, &value).opnd;
	const char *list = call->args->next->text;
	uint32_t n, map = add_texts(l, list, &n);
	uint32_t row = skep_ir_var(f), done = skep_ir_block(f);
	struct skep_network net;

	for (uint32_t i = 0; skep_network_next(&list, &net) > 0; i++) {
		uint32_t next = skep_ir_block(f);
		skep_ir_set(f, row, I(i));
		want(f, inet, 0, UINT32_MAX, (uint32_t)net.family, next);
		for (uint32_t w = 0; w < net.words; w++) {
			if (net.mask[w])
				want(f, inet, 4 + 4 * (int32_t)w, net.mask[w], net.address[w],
				     next);
		}
		skep_ir_jump(f, done);
		skep_ir_at(f, next);
	}
	skep_ir_set(f, row, I(n));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	uint32_t off = skep_ir_alu(f, SKEP_IR_MUL, R(row), I(SKEP_NETWORK_BYTES));
	uint32_t at = skep_ir_alu(f, SKEP_IR_ADD, R(skep_ir_map_value(f, map, 0)), R(off));
	return (struct skep_value){.type = call->type, .opnd = R(at), .space = SKEP_SPACE_BPF};
}
