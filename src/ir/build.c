/*
 * Building: the functions by which front ends write the IR.
 *
 * Nothing is decided here, only recorded: one call, one instruction (copy and
 * zero aside, which unroll). What is built into a block that has ended goes
 * nowhere: its instruction is made but not linked.
 */
#include <linux/bpf.h>

#include <skep/isa.h>

#include "ir/ir.h"

/* A copy or zeroing of up to so many bytes is unrolled. */
#define UNROLL_BYTES 128

/* --- Modules and functions ----------------------------------------------------------- */

struct skep_ir *skep_ir_new(struct skep_arena *arena, struct skep_object *object,
			    const struct skep_ir_target *target)
{
	struct skep_ir *ir = skep_arena_new(arena, struct skep_ir);

	ir->arena = arena;
	ir->object = object;
	ir->target = *target;
	ir->last_next = &ir->first;
	ir->loss_map = IR_NONE;
	ir->scratch_map = IR_NONE;
	return ir;
}

void skep_ir_set_scratch_loss(struct skep_ir *ir, uint32_t map, uint32_t off)
{
	ir->loss_map = map;
	ir->loss_off = off;
}

static bool ended(const struct skep_ir_func *f)
{
	const struct inst *last = f->blocks[f->current]->last;

	return last && skep_ir_is(last, TERM);
}

static struct inst *build(struct skep_ir_func *f, enum op op)
{
	struct inst *inst = skep_ir_inst_new(f, op, f->span);

	if (!ended(f))
		skep_ir_append(f->blocks[f->current], inst);
	return inst;
}

static struct inst *build_value(struct skep_ir_func *f, enum op op)
{
	struct inst *inst = build(f, op);

	inst->dst = skep_ir_reg_new(f);
	return inst;
}

static struct skep_ir_func *func_new(struct skep_ir *ir, const char *name, uint32_t n_params)
{
	struct skep_ir_func *f = skep_arena_new(ir->arena, struct skep_ir_func);

	assert(n_params <= 5);
	f->ir = ir;
	f->name = skep_arena_strdup(ir->arena, name);
	f->n_params = n_params;
	f->top_slot = IR_NONE;
	f->frame_reg = IR_NONE;
	*ir->last_next = f;
	ir->last_next = &f->next;
	skep_ir_at(f, skep_ir_block(f));
	return f;
}

static void build_params(struct skep_ir_func *f)
{
	for (uint32_t i = 0; i < f->n_params; i++)
		build_value(f, OP_PARAM)->a = I(i);
}

struct skep_ir_func *skep_ir_prog(struct skep_ir *ir, const struct skep_ir_prog_desc *desc)
{
	struct skep_ir_func *f = func_new(ir, desc->name, 1);

	f->prog = f;
	f->desc = *desc;
	f->desc.name = f->name;
	f->span = desc->span;
	build_params(f);
	return f;
}

struct skep_ir_func *skep_ir_subprog(struct skep_ir_func *prog, const char *name, uint32_t n_params)
{
	struct skep_ir_func *f = func_new(prog->ir, name, n_params);

	f->prog = prog->prog;
	f->span = prog->span;
	build_params(f);
	return f;
}

uint32_t skep_ir_param(const struct skep_ir_func *f, uint32_t i)
{
	assert(i < f->n_params);
	return i; /* the first registers made */
}

void skep_ir_at_source(struct skep_ir_func *f, struct skep_span span)
{
	f->span = span;
}

/* --- Blocks -------------------------------------------------------------------------- */

uint32_t skep_ir_block(struct skep_ir_func *f)
{
	struct block *block = skep_arena_new(f->ir->arena, struct block);

	if (f->n_blocks == f->cap_blocks) {
		struct block **more;

		f->cap_blocks = f->cap_blocks ? f->cap_blocks * 2 : 8;
		more = skep_arena_array(f->ir->arena, struct block *, f->cap_blocks);
		if (f->n_blocks)
			memcpy(more, f->blocks, f->n_blocks * sizeof(*more));
		f->blocks = more;
	}
	block->id = f->n_blocks;
	f->blocks[f->n_blocks] = block;
	return f->n_blocks++;
}

void skep_ir_at(struct skep_ir_func *f, uint32_t block)
{
	assert(block < f->n_blocks);
	f->current = block;
	assert(!ended(f));
}

bool skep_ir_ended(const struct skep_ir_func *f)
{
	return ended(f);
}

static void check_opnd(const struct skep_ir_func *f, struct skep_opnd o)
{
	assert(!is_reg(o) || o.id < f->n_regs);
	assert(!is_slot(o) || o.id < f->n_slots);
}

void skep_ir_jump(struct skep_ir_func *f, uint32_t block)
{
	assert(block < f->n_blocks);
	build(f, OP_JUMP)->then_block = block;
}

void skep_ir_branch(struct skep_ir_func *f, enum skep_ir_cond cond, struct skep_opnd a,
		    struct skep_opnd b, uint32_t then_block, uint32_t else_block)
{
	struct inst *inst = build(f, OP_BRANCH);

	assert(then_block < f->n_blocks && else_block < f->n_blocks);
	check_opnd(f, a);
	check_opnd(f, b);
	inst->sub = cond;
	inst->a = a;
	inst->b = b;
	inst->then_block = then_block;
	inst->else_block = else_block;
}

void skep_ir_branch_cold(struct skep_ir_func *f, enum skep_ir_cond cond, struct skep_opnd a,
			 struct skep_opnd b, uint32_t cold)
{
	uint32_t next = skep_ir_block(f);

	skep_ir_branch(f, cond, a, b, cold, next);
	f->blocks[cold]->cold = true;
	skep_ir_at(f, next);
}

void skep_ir_exit(struct skep_ir_func *f, struct skep_opnd value)
{
	check_opnd(f, value);
	build(f, OP_EXIT)->a = value;
}

void skep_ir_loop_guard(struct skep_ir_func *f, uint32_t exhausted)
{
	uint32_t next = skep_ir_block(f);
	struct inst *inst = build(f, OP_GUARD);

	assert(exhausted < f->n_blocks);
	inst->then_block = next;
	inst->else_block = exhausted;
	f->blocks[exhausted]->cold = true;
	skep_ir_at(f, next);
}

/* --- Values -------------------------------------------------------------------------- */

uint32_t skep_ir_var(struct skep_ir_func *f)
{
	return skep_ir_reg_new(f);
}

void skep_ir_set(struct skep_ir_func *f, uint32_t reg, struct skep_opnd value)
{
	struct inst *inst = build(f, OP_MOV);

	assert(reg < f->n_regs);
	check_opnd(f, value);
	inst->dst = reg;
	inst->a = value;
}

static uint32_t build_unary(struct skep_ir_func *f, enum op op, struct skep_opnd a)
{
	struct inst *inst = build_value(f, op);

	check_opnd(f, a);
	inst->a = a;
	return inst->dst;
}

uint32_t skep_ir_mov(struct skep_ir_func *f, struct skep_opnd value)
{
	return build_unary(f, OP_MOV, value);
}

static uint32_t build_binary(struct skep_ir_func *f, enum op op, unsigned sub, struct skep_opnd a,
			     struct skep_opnd b)
{
	struct inst *inst = build_value(f, op);

	check_opnd(f, a);
	check_opnd(f, b);
	inst->sub = sub;
	inst->a = a;
	inst->b = b;
	return inst->dst;
}

uint32_t skep_ir_alu(struct skep_ir_func *f, enum skep_ir_alu op, struct skep_opnd a,
		     struct skep_opnd b)
{
	return build_binary(f, OP_ALU, op, a, b);
}

uint32_t skep_ir_neg(struct skep_ir_func *f, struct skep_opnd a)
{
	return build_unary(f, OP_NEG, a);
}

uint32_t skep_ir_cmp(struct skep_ir_func *f, enum skep_ir_cond cond, struct skep_opnd a,
		     struct skep_opnd b)
{
	return build_binary(f, OP_CMP, cond, a, b);
}

uint32_t skep_ir_extend(struct skep_ir_func *f, struct skep_opnd a, uint32_t bytes, bool is_signed)
{
	struct inst *inst = build_value(f, OP_EXT);

	assert(bytes == 1 || bytes == 2 || bytes == 4);
	check_opnd(f, a);
	inst->a = a;
	inst->bytes = bytes;
	inst->is_signed = is_signed;
	return inst->dst;
}

uint32_t skep_ir_bswap(struct skep_ir_func *f, struct skep_opnd a, uint32_t bytes)
{
	struct inst *inst = build_value(f, OP_BSWAP);

	assert(bytes == 2 || bytes == 4 || bytes == 8);
	check_opnd(f, a);
	inst->a = a;
	inst->bytes = bytes;
	return inst->dst;
}

/* --- Memory -------------------------------------------------------------------------- */

static struct inst *build_access(struct skep_ir_func *f, enum op op, uint32_t bytes,
				 struct skep_opnd base, int32_t off)
{
	struct inst *inst = build(f, op);

	assert(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
	assert(!is_imm(base));
	check_opnd(f, base);
	inst->bytes = bytes;
	inst->a = base;
	inst->off = off;
	return inst;
}

uint32_t skep_ir_load(struct skep_ir_func *f, uint32_t bytes, struct skep_opnd base, int32_t off)
{
	struct inst *inst = build_access(f, OP_LOAD, bytes, base, off);

	return inst->dst = skep_ir_reg_new(f);
}

uint32_t skep_ir_load_address(struct skep_ir_func *f, struct skep_opnd base, int32_t off)
{
	struct inst *inst = build_access(f, OP_LOAD, 8, base, off);

	inst->tracked = true;
	return inst->dst = skep_ir_reg_new(f);
}

/*
 * What is left of a slot, if it begins a word and is less than one. Such a store
 * writes the whole word, as the rest is nobody's: only that makes the verifier
 * forget what was there before, and find a loop's rounds alike.
 */
static bool ends_slot(const struct skep_ir_func *f, struct skep_opnd base, int64_t off,
		      uint32_t bytes)
{
	int64_t at = base.imm + off;

	return is_slot(base) && at >= 0 && at % 8 == 0 && bytes < 8 &&
	       at + bytes == f->slots[base.id].bytes;
}

void skep_ir_store(struct skep_ir_func *f, uint32_t bytes, struct skep_opnd base, int32_t off,
		   struct skep_opnd value)
{
	check_opnd(f, value);
	if (ends_slot(f, base, off, bytes))
		bytes = 8;
	build_access(f, OP_STORE, bytes, base, off)->b = value;
}

void skep_ir_atomic_add(struct skep_ir_func *f, uint32_t bytes, struct skep_opnd base, int32_t off,
			struct skep_opnd value)
{
	assert(bytes >= 4);
	check_opnd(f, value);
	build_access(f, OP_ATOMIC_ADD, bytes, base, off)->b = value;
}

uint32_t skep_ir_xchg(struct skep_ir_func *f, uint32_t bytes, struct skep_opnd base, int32_t off,
		      struct skep_opnd value)
{
	struct inst *inst = build_access(f, OP_XCHG, bytes, base, off);

	assert(bytes >= 4);
	check_opnd(f, value);
	inst->b = value;
	return inst->dst = skep_ir_reg_new(f);
}

uint32_t skep_ir_addr(struct skep_ir_func *f, struct skep_opnd base, int64_t off)
{
	if (is_reg(base))
		return skep_ir_alu(f, SKEP_IR_ADD, base, I(off));
	base.imm += off;
	return skep_ir_mov(f, base);
}

/* The widest access that keeps aligned at @at of @bytes: the tail gets narrower ones. */
static uint32_t piece(uint32_t at, uint32_t bytes, uint32_t align)
{
	uint32_t size = align >= 8 ? 8 : align;

	while (size > bytes - at)
		size /= 2;
	return size;
}

void skep_ir_copy(struct skep_ir_func *f, struct skep_opnd dst, int32_t dst_off,
		  struct skep_opnd src, int32_t src_off, uint32_t bytes, uint32_t align)
{
	assert(align && !(align & (align - 1)));
	if (bytes > UNROLL_BYTES) {
		uint32_t to = skep_ir_addr(f, dst, dst_off), from = skep_ir_addr(f, src, src_off);

		skep_ir_calln(f, BPF_FUNC_probe_read_kernel, R(to), I(bytes), R(from));
		return;
	}
	for (uint32_t at = 0, size; at < bytes; at += size) {
		size = piece(at, bytes, align);
		skep_ir_store(f, size, dst, dst_off + (int32_t)at,
			      R(skep_ir_load(f, size, src, src_off + (int32_t)at)));
	}
}

void skep_ir_zero(struct skep_ir_func *f, struct skep_opnd dst, int32_t off, uint32_t bytes,
		  uint32_t align)
{
	assert(align && !(align & (align - 1)));
	if (bytes > UNROLL_BYTES) {
		/* Address 0 cannot be read, and then the helper zeroes the destination. */
		skep_ir_calln(f, BPF_FUNC_probe_read_kernel, R(skep_ir_addr(f, dst, off)), I(bytes),
			      I(0));
		return;
	}
	for (uint32_t at = 0, size; at < bytes; at += size) {
		size = ends_slot(f, dst, off + (int32_t)at, bytes - at) ? bytes - at
									: piece(at, bytes, align);
		skep_ir_store(f, size, dst, off + (int32_t)at, I(0));
	}
}

uint32_t skep_ir_slot(struct skep_ir_func *f, uint32_t bytes, uint32_t align)
{
	struct slot slot = {.bytes = bytes, .align = align, .below = f->top_slot};

	assert(align && align <= 8 && !(align & (align - 1)));
	return f->top_slot = skep_ir_slot_add(f, &slot);
}

uint32_t skep_ir_slot_mark(const struct skep_ir_func *f)
{
	return f->top_slot;
}

void skep_ir_slot_release(struct skep_ir_func *f, uint32_t mark)
{
	f->top_slot = mark;
}

/* --- Maps and calls ------------------------------------------------------------------ */

uint32_t skep_ir_map(struct skep_ir_func *f, uint32_t map)
{
	return build_unary(f, OP_MAP, I(map));
}

uint32_t skep_ir_map_value(struct skep_ir_func *f, uint32_t map, uint32_t off)
{
	struct inst *inst = build_value(f, OP_MAP_VALUE);

	inst->a = I(map);
	inst->off = (int32_t)off;
	return inst->dst;
}

static struct inst *build_call(struct skep_ir_func *f, enum skep_call_kind kind, uint32_t n,
			       const struct skep_opnd *args)
{
	struct inst *inst = build_value(f, OP_CALL);

	assert(n <= 5);
	for (uint32_t i = 0; i < n; i++)
		check_opnd(f, args[i]);
	inst->sub = kind;
	inst->n_args = n;
	if (n)
		inst->args = skep_arena_dup(f->ir->arena, args, n * sizeof(*args));
	return inst;
}

uint32_t skep_ir_call(struct skep_ir_func *f, int32_t helper, uint32_t n,
		      const struct skep_opnd *args)
{
	struct inst *inst = build_call(f, SKEP_CALL_HELPER, n, args);

	inst->a = I(helper);
	return inst->dst;
}

uint32_t skep_ir_call_kfunc(struct skep_ir_func *f, int32_t btf_id, uint32_t n,
			    const struct skep_opnd *args)
{
	struct inst *inst = build_call(f, SKEP_CALL_KFUNC, n, args);

	inst->a = I(btf_id);
	return inst->dst;
}

uint32_t skep_ir_call_func(struct skep_ir_func *f, struct skep_ir_func *callee, uint32_t n,
			   const struct skep_opnd *args)
{
	struct inst *inst = build_call(f, SKEP_CALL_LOCAL, n, args);

	assert(callee->prog == f->prog && n == callee->n_params);
	inst->callee = callee;
	return inst->dst;
}

uint32_t skep_ir_func_addr(struct skep_ir_func *f, struct skep_ir_func *callee)
{
	struct inst *inst = build_value(f, OP_FUNC_ADDR);

	assert(callee->prog == f->prog);
	inst->callee = callee;
	return inst->dst;
}
