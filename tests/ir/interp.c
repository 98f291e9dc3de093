/* See interp.h. Arithmetic is written out again here, so as not to test eval.c with itself. */
#include "interp.h"

#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include <skep/isa.h>

struct activation {
	struct interp *in;
	const struct skep_ir_func *f;
	const uint64_t *args;
	uint64_t *regs;
	uint8_t **slots;
	uint32_t *guards; /* per block: times its guard was passed */
};

static uint64_t value(const struct activation *a, struct skep_opnd o)
{
	switch (o.kind) {
	case SKEP_OPND_IMM: return (uint64_t)o.imm;
	case SKEP_OPND_REG: return a->regs[o.id];
	default: return (uint64_t)(uintptr_t)(a->slots[o.id] + o.imm);
	}
}

static uint64_t alu(enum skep_ir_alu op, uint64_t x, uint64_t y)
{
	bool overflow = x == 1ull << 63 && y == ~0ull;

	switch (op) {
	case SKEP_IR_ADD: return x + y;
	case SKEP_IR_SUB: return x - y;
	case SKEP_IR_MUL: return x * y;
	case SKEP_IR_UDIV: return y == 0 ? 0 : x / y;
	case SKEP_IR_UMOD: return y == 0 ? x : x % y;
	case SKEP_IR_SDIV: return y == 0 ? 0 : overflow ? x : (uint64_t)((int64_t)x / (int64_t)y);
	case SKEP_IR_SMOD: return y == 0 ? x : overflow ? 0 : (uint64_t)((int64_t)x % (int64_t)y);
	case SKEP_IR_AND: return x & y;
	case SKEP_IR_OR: return x | y;
	case SKEP_IR_XOR: return x ^ y;
	case SKEP_IR_SHL: return x << (y & 63);
	case SKEP_IR_SHR: return x >> (y & 63);
	case SKEP_IR_SAR: return (uint64_t)((int64_t)x >> (y & 63));
	}
	abort();
}

static bool holds(enum skep_ir_cond cond, uint64_t x, uint64_t y)
{
	int64_t sx = (int64_t)x, sy = (int64_t)y;

	switch (cond) {
	case SKEP_IR_EQ: return x == y;
	case SKEP_IR_NE: return x != y;
	case SKEP_IR_ULT: return x < y;
	case SKEP_IR_ULE: return x <= y;
	case SKEP_IR_UGT: return x > y;
	case SKEP_IR_UGE: return x >= y;
	case SKEP_IR_SLT: return sx < sy;
	case SKEP_IR_SLE: return sx <= sy;
	case SKEP_IR_SGT: return sx > sy;
	case SKEP_IR_SGE: return sx >= sy;
	case SKEP_IR_TEST: return (x & y) != 0;
	}
	abort();
}

static uint64_t extend(uint64_t x, uint32_t bytes, bool is_signed)
{
	if (bytes == 1)
		return is_signed ? (uint64_t)(int8_t)x : (uint8_t)x;
	if (bytes == 2)
		return is_signed ? (uint64_t)(int16_t)x : (uint16_t)x;
	return is_signed ? (uint64_t)(int32_t)x : (uint32_t)x;
}

static uint64_t swap(uint64_t x, uint32_t bytes)
{
	uint64_t y = 0;

	for (uint32_t i = 0; i < bytes; i++)
		y = y << 8 | (x >> (8 * i) & 0xff);
	return y;
}

static uint64_t load(uint64_t at, uint32_t bytes)
{
	uint64_t x = 0;

	memcpy(&x, (void *)(uintptr_t)at, bytes);
	return x;
}

static void store(uint64_t at, uint32_t bytes, uint64_t x)
{
	memcpy((void *)(uintptr_t)at, &x, bytes);
}

static uint64_t lookup(struct interp *in, uint64_t map, uint64_t key)
{
	uint32_t index = (uint32_t)load(key, 4);

	if (index >= in->n_entries[map])
		return 0;
	return (uint64_t)(uintptr_t)in->maps[map] + (uint64_t)index * in->value_size[map];
}

static uint64_t helper(struct activation *a, int64_t number, const uint64_t *args)
{
	switch (number) {
	case BPF_FUNC_map_lookup_elem: return lookup(a->in, args[0], args[1]);
	case BPF_FUNC_probe_read_kernel:
		if (args[2])
			memmove((void *)(uintptr_t)args[0], (void *)(uintptr_t)args[2], args[1]);
		else
			memset((void *)(uintptr_t)args[0], 0, args[1]);
		return 0;
	case BPF_FUNC_loop:
		for (uint64_t i = 0; i < args[0]; i++) {
			const uint64_t params[] = {i, args[2]};

			if (interp_run(a->in, (void *)(uintptr_t)args[1], params))
				return i + 1;
		}
		return args[0];
	default: return 12345; /* the time, the CPU: programs must not depend on it */
	}
}

static uint64_t call(struct activation *a, const struct inst *inst)
{
	uint64_t args[5] = {0};

	for (unsigned i = 0; i < inst->n_args; i++)
		args[i] = value(a, inst->args[i]);
	if (inst->callee)
		return interp_run(a->in, inst->callee, args);
	return helper(a, inst->a.imm, args);
}

static void step(struct activation *a, const struct inst *inst)
{
	uint64_t x = value(a, inst->a), y = value(a, inst->b), result = 0;

	switch (inst->op) {
	case OP_PARAM: result = a->args[inst->a.imm]; break;
	case OP_MOV: result = x; break;
	case OP_ALU: result = alu(inst->sub, x, y); break;
	case OP_NEG: result = 0 - x; break;
	case OP_CMP: result = holds(inst->sub, x, y); break;
	case OP_EXT: result = extend(x, inst->bytes, inst->is_signed); break;
	case OP_BSWAP: result = swap(x, inst->bytes); break;
	case OP_LOAD: result = load(x + (uint64_t)inst->off, inst->bytes); break;
	case OP_STORE: store(x + (uint64_t)inst->off, inst->bytes, y); break;
	case OP_XCHG:
	case OP_ATOMIC_ADD:
		x += (uint64_t)inst->off;
		result = load(x, inst->bytes);
		store(x, inst->bytes, inst->op == OP_XCHG ? y : result + y);
		break;
	case OP_MAP: result = x; break;
	case OP_MAP_VALUE:
		result = (uint64_t)(uintptr_t)a->in->maps[x] + (uint64_t)inst->off;
		break;
	case OP_FUNC_ADDR: result = (uint64_t)(uintptr_t)inst->callee; break;
	case OP_CALL: result = call(a, inst); break;
	}
	if (inst->dst != IR_NONE)
		a->regs[inst->dst] = result;
}

static uint64_t run(struct activation *a)
{
	uint32_t at = 0;

	for (;;) {
		const struct inst *inst = a->f->blocks[at]->first;

		for (; !skep_ir_is(inst, TERM); inst = inst->next, a->in->n_steps++)
			step(a, inst);
		switch (inst->op) {
		case OP_JUMP: at = inst->then_block; break;
		case OP_BRANCH:
			at = holds(inst->sub, value(a, inst->a), value(a, inst->b))
				     ? inst->then_block
				     : inst->else_block;
			break;
		case OP_GUARD:
			at = ++a->guards[at] > a->f->ir->target.loop_limit ? inst->else_block
									   : inst->then_block;
			break;
		case OP_EXIT: return value(a, inst->a);
		}
	}
}

uint64_t interp_run(struct interp *in, const struct skep_ir_func *f, const uint64_t *args)
{
	struct activation a = {in,
			       f,
			       args,
			       calloc(f->n_regs + 1, 8),
			       calloc(f->n_slots + 1, sizeof(void *)),
			       calloc(f->n_blocks, sizeof(uint32_t))};
	uint64_t result;

	for (uint32_t i = 0; i < f->n_slots; i++)
		a.slots[i] = calloc(1, f->slots[i].bytes + 8);
	result = run(&a);
	for (uint32_t i = 0; i < f->n_slots; i++)
		free(a.slots[i]);
	free(a.slots);
	free(a.regs);
	free(a.guards);
	return result;
}
