/*
 * The IR as text, for people and tests:
 *
 *	prog sys_enter_openat
 *	b0:
 *		%1 = call 14
 *		%2 = shr %1, 32
 *		branch ne %2, 42 b1 else b2
 *
 * Registers are %N, slots $N (or $N+offset), blocks bN. After emit the blocks
 * come in layout order, and only those that are left.
 */
#include <inttypes.h>

#include <skep/isa.h>

#include "base/buf.h"
#include "ir/ir.h"

static const char *const alu_names[] = {
	[SKEP_IR_ADD] = "add",   [SKEP_IR_SUB] = "sub",   [SKEP_IR_MUL] = "mul",
	[SKEP_IR_UDIV] = "udiv", [SKEP_IR_SDIV] = "sdiv", [SKEP_IR_UMOD] = "umod",
	[SKEP_IR_SMOD] = "smod", [SKEP_IR_AND] = "and",   [SKEP_IR_OR] = "or",
	[SKEP_IR_XOR] = "xor",   [SKEP_IR_SHL] = "shl",   [SKEP_IR_SHR] = "shr",
	[SKEP_IR_SAR] = "sar",
};
static const char *const cond_names[] = {
	[SKEP_IR_EQ] = "eq",   [SKEP_IR_NE] = "ne",     [SKEP_IR_ULT] = "ult",
	[SKEP_IR_ULE] = "ule", [SKEP_IR_UGT] = "ugt",   [SKEP_IR_UGE] = "uge",
	[SKEP_IR_SLT] = "slt", [SKEP_IR_SLE] = "sle",   [SKEP_IR_SGT] = "sgt",
	[SKEP_IR_SGE] = "sge", [SKEP_IR_TEST] = "test",
};

static void print_opnd(struct skep_buf *out, struct skep_opnd o)
{
	if (is_reg(o))
		skep_buf_printf(out, "%%%u", o.id);
	else if (is_imm(o))
		skep_buf_printf(out, "%" PRId64, o.imm);
	else if (o.imm)
		skep_buf_printf(out, "$%u%+" PRId64, o.id, o.imm);
	else
		skep_buf_printf(out, "$%u", o.id);
}

static void print_access(struct skep_buf *out, const struct inst *inst)
{
	skep_buf_printf(out, "%s%u [", inst->is_signed ? "s" : "u", inst->bytes * 8u);
	print_opnd(out, inst->a);
	if (inst->off)
		skep_buf_printf(out, "%+d", inst->off);
	skep_buf_addc(out, ']');
	if (inst->op == OP_LOAD)
		return;
	skep_buf_puts(out, ", ");
	print_opnd(out, inst->b);
}

static void print_call(struct skep_buf *out, const struct inst *inst)
{
	static const char *const kinds[] = {
		[SKEP_CALL_HELPER] = "", [SKEP_CALL_LOCAL] = "", [SKEP_CALL_KFUNC] = "kfunc "};

	skep_buf_puts(out, kinds[inst->sub]);
	if (inst->callee)
		skep_buf_puts(out, inst->callee->name);
	else
		skep_buf_printf(out, "%" PRId64, inst->a.imm);
	for (unsigned i = 0; i < inst->n_args; i++) {
		skep_buf_puts(out, i ? ", " : " ");
		print_opnd(out, inst->args[i]);
	}
}

static void print_term(struct skep_buf *out, const struct inst *inst)
{
	switch (inst->op) {
	case OP_EXIT: print_opnd(out, inst->a); return;
	case OP_BRANCH:
		skep_buf_printf(out, "%s ", cond_names[inst->sub]);
		print_opnd(out, inst->a);
		skep_buf_puts(out, ", ");
		print_opnd(out, inst->b);
		skep_buf_addc(out, ' ');
		break;
	}
	skep_buf_printf(out, "b%u", inst->then_block);
	if (inst->op != OP_JUMP)
		skep_buf_printf(out, " else b%u", inst->else_block);
}

static void print_value(struct skep_buf *out, const struct inst *inst)
{
	switch (inst->op) {
	case OP_EXT:
		skep_buf_printf(out, "%s%u ", inst->is_signed ? "s" : "u", inst->bytes * 8u);
		break;
	case OP_BSWAP: skep_buf_printf(out, "%u ", inst->bytes * 8u); break;
	case OP_FUNC_ADDR: skep_buf_puts(out, inst->callee->name); return;
	}
	print_opnd(out, inst->a);
	if (inst->op == OP_ALU || inst->op == OP_CMP) {
		skep_buf_puts(out, ", ");
		print_opnd(out, inst->b);
	} else if (inst->op == OP_MAP_VALUE) {
		skep_buf_printf(out, "%+d", inst->off);
	}
}

static void print_inst(struct skep_buf *out, const struct inst *inst)
{
	skep_buf_addc(out, '\t');
	if (inst->dst != IR_NONE)
		skep_buf_printf(out, "%%%u = ", inst->dst);
	if (inst->op == OP_ALU)
		skep_buf_puts(out, alu_names[inst->sub]);
	else
		skep_buf_puts(out, skep_ir_ops[inst->op].text);
	if (inst->op == OP_CMP)
		skep_buf_printf(out, " %s", cond_names[inst->sub]);
	skep_buf_addc(out, ' ');
	if (skep_ir_is(inst, MEM))
		print_access(out, inst);
	else if (inst->op == OP_CALL)
		print_call(out, inst);
	else if (skep_ir_is(inst, TERM))
		print_term(out, inst);
	else
		print_value(out, inst);
	skep_buf_addc(out, '\n');
}

static void print_block(struct skep_buf *out, const struct block *block)
{
	skep_buf_printf(out, "b%u:%s\n", block->id, block->cold ? " cold" : "");
	for (const struct inst *inst = block->first; inst; inst = inst->next)
		print_inst(out, inst);
}

static void print_slots(struct skep_buf *out, const struct skep_ir_func *f)
{
	static const char *const places[] = {"", " stack", " scratch"};

	for (uint32_t i = 0; i < f->n_slots; i++) {
		const struct slot *slot = &f->slots[i];

		skep_buf_printf(out, "\t$%u: %u bytes%s", i, slot->bytes, places[slot->place]);
		if (slot->place != SLOT_UNUSED)
			skep_buf_printf(out, " %+d", slot->off);
		skep_buf_puts(out, slot->is_spill ? " spill\n" : "\n");
	}
}

static void print_func(struct skep_buf *out, const struct skep_ir_func *f)
{
	skep_buf_printf(out, "%s %s\n", f->prog == f ? "prog" : "subprog", f->name);
	print_slots(out, f);
	for (uint32_t i = 0; i < (f->emitted ? f->n_order : f->n_blocks); i++)
		print_block(out, f->blocks[f->emitted ? f->order[i] : i]);
}

void skep_ir_print(const struct skep_ir *ir, struct skep_buf *out)
{
	for (const struct skep_ir_func *f = ir->first; f; f = f->next)
		print_func(out, f);
}
