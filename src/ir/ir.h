/*
 * The IR's own view of itself: what include/skep/ir.h keeps opaque, and the
 * passes in the order in which emit.c runs them.
 *
 * A function owns blocks, a block a doubly linked list of instructions whose
 * last one (and only that) is a terminator. Everything lives on the module's
 * arena; what a pass needs only for itself lives on the function's `work`
 * arena, which emit.c frees when the function is done.
 *
 * Read next: build.c (how it comes to be), emit.c (what happens to it).
 */
#ifndef SKEP_IR_PRIVATE_H
#define SKEP_IR_PRIVATE_H

#include <assert.h>

#include <skep/ir.h>

#include "base/arena.h"
#include "base/vec.h"

#define IR_NONE UINT32_MAX

enum op {
#define OP(name, ...) OP_##name,
#include "ir/ops.def"
#undef OP
	OP_CNT
};

enum op_flags { PURE = 1, MEM = 2, TERM = 4, LATE_A = 8, LATE_B = 16 };

/** What an operation is called and how it behaves: ops.def. */
struct op_info {
	const char *text;
	unsigned flags;
};
extern const struct op_info skep_ir_ops[OP_CNT];

struct inst {
	struct inst *prev, *next;
	uint8_t op;     /* enum op */
	uint8_t sub;    /* enum skep_ir_alu, skep_ir_cond or skep_call_kind */
	uint8_t bytes;  /* of memory accesses, extensions and swaps */
	uint8_t n_args; /* of calls */
	bool is_signed; /* EXT; LOAD: sign-extend */
	bool keeps_a;   /* ALU: the result starts as a copy of `a`, though the operation commutes */
	bool tracked;   /* the kernel must go on knowing the result: never into the scratch */
	int32_t off;
	uint32_t dst; /* register, or IR_NONE */
	uint32_t
		pos; /* set by live.c: operands are read at pos, the result is written at pos + 1 */
	struct skep_opnd a, b;
	struct skep_opnd *args;
	struct skep_ir_func *callee;
	uint32_t then_block, else_block;
	struct skep_span span;
};

struct block {
	struct inst *first, *last;
	uint32_t id;
	uint32_t depth;      /* loops it is in: order.c */
	uint32_t start, end; /* positions: live.c */
	uint32_t *preds;     /* cfg.c */
	uint32_t n_preds;
	uint32_t n_insts; /* as built; an estimate later */
	bool cold;
	bool reachable;
};

enum slot_place { SLOT_UNUSED, SLOT_STACK, SLOT_SCRATCH };

/** A memory object: of the front end, or the home of spilled registers. */
struct slot {
	uint32_t bytes, align;
	uint32_t below; /* the slot it was stacked upon when made, IR_NONE: none */
	int32_t off;    /* from r10 (negative) or from the scratch frame (positive): frame.c */
	enum slot_place place;
	bool is_spill;
	uint8_t kind; /* of spills: enum reg_kind */
	bool holds_pointer;
	bool needs_stack; /* as the kernel tracks pointers there only, or wants it there */
};

struct skep_ir_func {
	struct skep_ir *ir;
	struct skep_ir_func *prog; /* the program it belongs to; itself if it is one */
	struct skep_ir_func *next; /* of the module, in order of making */
	struct skep_ir_prog_desc desc;
	const char *name;
	uint32_t n_params;
	uint32_t n_regs;
	uint32_t current;      /* block being built */
	struct skep_span span; /* of what is built */

	struct block **blocks; /* arena; index = id */
	uint32_t n_blocks, cap_blocks;
	struct slot *slots;
	uint32_t n_slots, cap_slots;
	uint32_t top_slot; /* newest live slot, IR_NONE: none */

	/* From here on: while it is being emitted. */
	struct skep_arena *work;
	struct skep_ir_func **callees; /* what its live code refers to: emit.c */
	uint32_t n_callees;
	uint32_t *order; /* block ids in layout order: cfg.c (reverse post-order), order.c */
	uint32_t n_order;
	uint32_t frame_reg;    /* address of the claimed scratch level, IR_NONE: no scratch */
	uint32_t stack_budget; /* bytes this frame may take */
	uint32_t stack_bytes;  /* bytes this frame takes */
	uint32_t chain_bytes;  /* the same with the deepest chain of calls below */
	uint32_t insn;         /* first instruction within the program */
	bool has_guard;
	bool has_loop;                       /* or a callee has: enclose.c */
	bool collecting, collected, emitted; /* emit.c: being walked, walked, compiled */
	uint32_t level;                      /* of calls: 1 for a program */
	uint8_t *kinds;                      /* per register, enum reg_kind: kinds.c */
	uint8_t *phys;                       /* per register: the machine's, alloc.c */
};

struct skep_ir {
	struct skep_arena *arena;   /* borrowed */
	struct skep_object *object; /* borrowed */
	struct skep_ir_target target;
	struct skep_ir_func *first, **last_next;
	uint32_t loss_map, loss_off; /* loss_map IR_NONE: nothing is counted */
	uint32_t scratch_map;        /* IR_NONE: not needed so far */
	uint32_t scratch_bytes;      /* the largest frame so far, busy word included */
	uint32_t scratch_levels;
};

/* --- inst.c: instructions and operands ----------------------------------------------- */

#define IR_MAX_USES 5
/** Addresses of the operands that @inst reads (registers and slots, no constants). */
unsigned skep_ir_uses(struct inst *inst, struct skep_opnd *ret[IR_MAX_USES]);
/** The register that @opnd needs: itself, or the frame's for a slot in the scratch. */
uint32_t skep_ir_opnd_reg(const struct skep_ir_func *f, const struct skep_opnd *opnd);
struct inst *skep_ir_inst_new(struct skep_ir_func *f, enum op op, struct skep_span span);
void skep_ir_insert_before(struct block *block, struct inst *at, struct inst *inst);
void skep_ir_append(struct block *block, struct inst *inst);
void skep_ir_remove(struct block *block, struct inst *inst);
/** Turn @inst into a plain copy or a jump, whatever it was. */
void skep_ir_become_mov(struct inst *inst, struct skep_opnd value);
void skep_ir_become_jump(struct inst *inst, uint32_t target);
uint32_t skep_ir_reg_new(struct skep_ir_func *f);
uint32_t skep_ir_slot_add(struct skep_ir_func *f, const struct slot *slot);
/** Operands that a, b allow: */
bool skep_ir_commutes(enum skep_ir_alu op);
/** Must the right operand outlive the beginning of the result? */
bool skep_ir_late_b(const struct inst *inst);
static inline bool skep_ir_is(const struct inst *inst, unsigned flag)
{
	return skep_ir_ops[inst->op].flags & flag;
}
/** Successors of a block's end, 0 to 2. */
unsigned skep_ir_succs(const struct block *block, uint32_t ret[2]);
static inline bool is_imm(struct skep_opnd o)
{
	return o.kind == SKEP_OPND_IMM;
}
static inline bool is_imm_of(struct skep_opnd o, int64_t value)
{
	return o.kind == SKEP_OPND_IMM && o.imm == value;
}
static inline bool is_reg(struct skep_opnd o)
{
	return o.kind == SKEP_OPND_REG;
}
static inline bool is_slot(struct skep_opnd o)
{
	return o.kind == SKEP_OPND_SLOT;
}
static inline bool fits_s32(int64_t value)
{
	return value == (int32_t)value;
}
static inline bool fits_s16(int64_t value)
{
	return value == (int16_t)value;
}

/* --- eval.c: the arithmetic itself --------------------------------------------------- */

uint64_t skep_ir_eval_alu(enum skep_ir_alu op, uint64_t a, uint64_t b);
bool skep_ir_eval_cond(enum skep_ir_cond cond, uint64_t a, uint64_t b);
uint64_t skep_ir_eval_extend(uint64_t a, uint32_t bytes, bool is_signed);
uint64_t skep_ir_eval_bswap(uint64_t a, uint32_t bytes);
/** The condition with its operands swapped; the opposite (false: TEST has none). */
enum skep_ir_cond skep_ir_cond_swap(enum skep_ir_cond cond);
bool skep_ir_cond_not(enum skep_ir_cond cond, enum skep_ir_cond *ret);

/* --- The passes, in order ------------------------------------------------------------ */

void skep_ir_cfg(struct skep_ir_func *f);
void skep_ir_fold(struct skep_ir_func *f);
void skep_ir_thread(struct skep_ir_func *f);
void skep_ir_combine(struct skep_ir_func *f);
/** Is @mov a copy of what the instruction before it makes, and could that write to its place? */
bool skep_ir_merges(const struct inst *mov);
void skep_ir_dead(struct skep_ir_func *f);
/** When those of its callees are done. */
void skep_ir_enclose(struct skep_ir_func *f);
void skep_ir_lower(struct skep_ir_func *f);
void skep_ir_order(struct skep_ir_func *f);

/** What a register may hold, as far as the kernel's spill rules care: a number of any size, one
 *  that may be a pointer or must stay within bounds, or a pointer. */
enum reg_kind { KIND_SCALAR, KIND_TRACKED, KIND_POINTER };
/** One per register, on the work arena. */
uint8_t *skep_ir_kinds(struct skep_ir_func *f);

/** Return 0 | -ENOSPC (see @diag) */
int skep_ir_frame(struct skep_ir_func *f, struct skep_diag *diag);
void skep_ir_scratch_claim(struct skep_ir_func *f);

struct range {
	struct range *next;
	uint32_t start, end; /* positions, end exclusive */
};

/** Where a register is live and what that is worth: made by live.c for alloc.c and spill.c. */
struct live {
	struct range *ranges; /* unordered, may overlap */
	uint32_t start;       /* first position */
	uint32_t len;         /* sum of the ranges */
	uint32_t n_uses;      /* times it stands in the code, */
	float cost;           /* weighted by loops */
};
struct live *skep_ir_live(struct skep_ir_func *f, uint32_t *ret_n_pos);
/** Drop values that are overwritten before they are read: dead.c, which counts readers only,
 *  cannot see those. Return whether there were any; then @live is out of date. */
bool skep_ir_live_sweep(struct skep_ir_func *f, const struct live *live, uint32_t n_pos);

/**
 * Registers for everything, spilling until it fits.
 *
 * Return 0 | -ENOSPC (see @diag)
 */
int skep_ir_alloc(struct skep_ir_func *f, struct skep_diag *diag);
/** What spilling needs to know and remembers from round to round. */
struct spills {
	struct skep_ir_func *f;
	const struct live *live; /* of this round, */
	const bool *spilled;     /* and who found no register in it */
	uint32_t n_pos;
	SKEP_VEC(uint32_t) home; /* per register: its slot, IR_NONE: none so far */
	SKEP_VEC(bool) is_fixed; /* per register: lives for one instruction, must get a register */
	unsigned round;
};
/** Give the spilled registers homes in memory and rewrite their uses. */
void skep_ir_spill(struct spills *spills);

/* --- Bit calendars, shared by alloc.c and spill.c ------------------------------------ */

/** Is a position of [start, end) set? */
bool skep_ir_bits_busy(const uint64_t *bits, uint32_t start, uint32_t end);
void skep_ir_bits_set(uint64_t *bits, uint32_t start, uint32_t end);
bool skep_ir_ranges_busy(const uint64_t *bits, const struct range *ranges);
void skep_ir_ranges_set(uint64_t *bits, const struct range *ranges);

/* --- Emission ------------------------------------------------------------------------ */

/** A reference from the code to a function, to be resolved when all are placed. */
struct func_ref {
	uint32_t insn;
	const struct skep_ir_func *callee;
};

/** The code of one function; in the end that of a program. */
struct code {
	SKEP_VEC(struct skep_insn) insns;
	SKEP_VEC(struct skep_object_line) lines;
	SKEP_VEC(struct func_ref) refs;
};
/** Write @f's instructions to @code, which is empty. Return 0 | -E2BIG a jump is out of range (see
 * @diag) */
int skep_ir_encode(struct skep_ir_func *f, struct code *code, struct skep_diag *diag);

/** Set of moves between r0-r9 and constants that happen at once. */
struct moves {
	struct {
		uint8_t dst, src;
		bool pending;
	} reg[5];
	unsigned n;
};
/** Write the moves in an order that loses nothing; r0 is free to break cycles. */
void skep_ir_encode_moves(struct code *code, struct moves *moves);

/** BTF names and types of the functions of a program that has more than one. */
uint32_t skep_ir_btf_func(struct skep_ir *ir, const struct skep_ir_func *f);

#endif
