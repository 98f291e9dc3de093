/*
 * Names of numbers from a table that goes with the program: rows of one size in
 * a frozen array map, the last one for numbers that have no name. So the name
 * is a string of the program's own, which can be compared and be a key.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "trace/lower/lower.h"
#include "trace/parse.h"
#include "trace/types/types.h"

#define MAP_NAME "skep.syscalls"

static char *make_rows(struct skep_lower *l, uint32_t end)
{
	char *rows = skep_arena_array(l->arena, char, (size_t)(end + 1) * SKEP_SYSCALL_BYTES);

	for (uint32_t i = 0; i <= end; i++) {
		const char *name = i < end ? skep_syscall_name(i) : NULL;
		snprintf(rows + (size_t)i * SKEP_SYSCALL_BYTES, SKEP_SYSCALL_BYTES, "%s",
			 name ? name : SKEP_SYSCALL_UNKNOWN);
	}
	return rows;
}

static uint32_t table(struct skep_lower *l, uint32_t end)
{
	for (size_t i = 0; i < l->object->n_maps; i++) {
		if (!strcmp(l->object->maps[i].name, MAP_NAME))
			return (uint32_t)i;
	}
	struct skep_object_map map = {
		.name = MAP_NAME,
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = (end + 1) * SKEP_SYSCALL_BYTES,
		.max_entries = 1,
		.flags = BPF_F_RDONLY_PROG,
		.init = make_rows(l, end),
		.freeze = true,
	};
	return skep_object_add_map(l->object, &map);
}

struct skep_opnd skep_lower_syscall_row(struct skep_lower *l, const struct skep_expr *given)
{
	struct skep_ir_func *f = l->f;
	uint32_t end = skep_syscall_end();
	uint32_t number = skep_ir_var(f), outside = skep_ir_block(f), on = skep_ir_block(f);

	skep_ir_set(f, number, skep_lower_scalar(l, given));
	skep_ir_branch_cold(f, SKEP_IR_UGE, R(number), I(end), outside);
	skep_ir_jump(f, on);
	skep_ir_at(f, outside);
	skep_ir_set(f, number, I(end));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	return R(number);
}

struct skep_value skep_fn_syscall_name(struct skep_lower *l, const struct skep_expr *call)
{
	struct skep_ir_func *f = l->f;
	uint32_t map = table(l, skep_syscall_end());
	struct skep_opnd number = skep_lower_syscall_row(l, call->args);
	uint32_t off = skep_ir_alu(f, SKEP_IR_MUL, number, I(SKEP_SYSCALL_BYTES));
	uint32_t at = skep_ir_alu(f, SKEP_IR_ADD, R(skep_ir_map_value(f, map, 0)), R(off));
	return (struct skep_value){.type = call->type, .opnd = R(at), .space = SKEP_SPACE_BPF};
}
