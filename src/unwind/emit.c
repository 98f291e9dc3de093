/* A few words that the walk is written in, see emit.h. */
#include "unwind/emit.h"

#include <linux/bpf.h>

struct emit_func skep_emit_begin(const struct emit *e, const char *name, uint32_t n_params)
{
	struct skep_ir_func *f = skep_ir_subprog(e->prog, name, n_params);

	return (struct emit_func){.e = e, .f = f, .w = skep_ir_param(f, 0)};
}

uint32_t skep_emit_alu(const struct emit_func *at, enum skep_ir_alu op, uint32_t a,
		       struct skep_opnd b)
{
	return skep_ir_alu(at->f, op, R(a), b);
}

uint32_t skep_emit_read(const struct emit_func *at, uint32_t to, uint32_t bytes, uint32_t from)
{
	return skep_ir_calln(at->f, BPF_FUNC_probe_read_user, R(to), I(bytes), R(from));
}

void skep_emit_end(const struct emit_func *at, enum skep_unwind_end why)
{
	PUT(at, stack.end, I(why));
	skep_ir_exit(at->f, I(1));
}

void skep_emit_end_if(const struct emit_func *at, enum skep_ir_cond cond, uint32_t a,
		      struct skep_opnd b, enum skep_unwind_end why)
{
	uint32_t over = skep_ir_block(at->f), on = skep_ir_block(at->f);

	skep_ir_branch_cold(at->f, cond, R(a), b, over);
	skep_ir_jump(at->f, on);
	skep_ir_at(at->f, over);
	skep_emit_end(at, why);
	skep_ir_at(at->f, on);
}

void skep_emit_go_if(const struct emit_func *at, enum skep_ir_cond cond, uint32_t a,
		     struct skep_opnd b, uint32_t out)
{
	uint32_t on = skep_ir_block(at->f);

	skep_ir_branch(at->f, cond, R(a), b, on, out);
	skep_ir_at(at->f, on);
}

void skep_emit_leave_if(const struct emit_func *at, uint32_t ended)
{
	uint32_t over = skep_ir_block(at->f), on = skep_ir_block(at->f);

	skep_ir_branch_cold(at->f, SKEP_IR_NE, R(ended), I(0), over);
	skep_ir_jump(at->f, on);
	skep_ir_at(at->f, over);
	skep_ir_exit(at->f, I(1));
	skep_ir_at(at->f, on);
}

uint32_t skep_emit_element(const struct emit_func *at, struct emit_array array, uint32_t index)
{
	uint32_t base = skep_ir_map_value(at->f, array.map, 0);
	uint32_t inside = skep_emit_alu(at, SKEP_IR_AND, index, I(array.cnt - 1));
	uint32_t off = skep_emit_alu(at, SKEP_IR_MUL, inside, I(array.element_bytes));

	return skep_emit_alu(at, SKEP_IR_ADD, base, R(off));
}
