/*
 * The typed-by-size, register-based intermediate form that every front end
 * writes and that becomes eBPF.
 *
 * A module (skep_ir) becomes one object; it has programs (entry functions) and
 * their subprograms. A function is a graph of basic blocks of three-address
 * instructions over an unlimited number of 64-bit registers. Registers may be
 * set more than once (not SSA), so front ends need no phi nodes.
 *
 *	struct skep_ir_func *f = skep_ir_prog(ir, &desc);
 *	uint32_t pid = skep_ir_call(f, BPF_FUNC_get_current_pid_tgid, 0, NULL);
 *	pid = skep_ir_alu(f, SKEP_IR_SHR, R(pid), I(32));
 *	skep_ir_branch(f, SKEP_IR_NE, R(pid), I(42), out, body);
 *
 * The emitter folds constants, removes dead code, allocates r0-r9 with
 * spilling, places memory objects (slots) on the 512-byte stack or, past the
 * budget, in a per-CPU scratch that is safe under nesting, and records the
 * source line of every instruction. A front end cannot exceed the stack.
 *
 * Misuse (a bad block, register or operand kind) is a bug of the front end and
 * asserts.
 */
#ifndef SKEP_IR_H
#define SKEP_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/diag.h>
#include <skep/object.h>

#include <skep/begin.h>

struct skep_arena;
struct skep_buf;
struct skep_ir;
struct skep_ir_func;

enum skep_opnd_kind { SKEP_OPND_IMM, SKEP_OPND_REG, SKEP_OPND_SLOT };

/** An operand: a constant, a register, or the address of a slot plus a constant. */
struct skep_opnd {
	enum skep_opnd_kind kind;
	uint32_t id; /* register or slot */
	int64_t imm; /* constant, or offset into the slot */
};
/* C only. Front ends are full of these, so there are names of one letter for them, for those who
 * ask (by defining SKEP_IR_SHORT_NAMES). */
#define SKEP_OPND_R(reg)     ((struct skep_opnd){.kind = SKEP_OPND_REG, .id = (reg)})
#define SKEP_OPND_I(val)     ((struct skep_opnd){.kind = SKEP_OPND_IMM, .imm = (int64_t)(val)})
#define SKEP_OPND_S(slot, o) ((struct skep_opnd){.kind = SKEP_OPND_SLOT, .id = (slot), .imm = (o)})
#ifdef SKEP_IR_SHORT_NAMES
#define R(reg)     SKEP_OPND_R(reg)
#define I(val)     SKEP_OPND_I(val)
#define S(slot, o) SKEP_OPND_S(slot, o)
#endif

/** 64-bit arithmetic; division and modulo by zero as RFC 9669 (0, and the dividend). */
enum skep_ir_alu {
	SKEP_IR_ADD,
	SKEP_IR_SUB,
	SKEP_IR_MUL,
	SKEP_IR_UDIV,
	SKEP_IR_SDIV,
	SKEP_IR_UMOD,
	SKEP_IR_SMOD,
	SKEP_IR_AND,
	SKEP_IR_OR,
	SKEP_IR_XOR,
	SKEP_IR_SHL,
	SKEP_IR_SHR,
	SKEP_IR_SAR,
};
enum skep_ir_cond {
	SKEP_IR_EQ,
	SKEP_IR_NE,
	SKEP_IR_ULT,
	SKEP_IR_ULE,
	SKEP_IR_UGT,
	SKEP_IR_UGE,
	SKEP_IR_SLT,
	SKEP_IR_SLE,
	SKEP_IR_SGT,
	SKEP_IR_SGE,
	SKEP_IR_TEST, /* a & b != 0 */
};

/** What the target can do: found by probing the kernel, never from its version. */
struct skep_ir_target {
	bool may_goto; /* else loop guards count in a register, up to loop_limit */
	bool isa_v4;   /* movsx, ldsx, signed division, 32-bit jumps with v4 encodings */
	bool no_fetch; /* no atomic that gives the old value: before 5.12, where none is preempted */
	uint32_t loop_limit;
};

struct skep_ir_prog_desc {
	const char *name;              /* at most 15 characters reach the kernel */
	uint32_t type;                 /* enum bpf_prog_type */
	uint32_t expected_attach_type; /* enum bpf_attach_type */
	uint32_t attach_btf_id;
	int attach_fd; /* whose BTF that is of; 0: the kernel's; borrowed */
	uint32_t flags;
	int32_t unrun;         /* what it returns where it could not run */
	const char *section;   /* ELF section name */
	struct skep_span span; /* of the probe, for code that belongs to no statement */
};

/** A module on @arena; maps and BTF go straight into @object (borrowed, initialised). */
struct skep_ir *skep_ir_new(struct skep_arena *arena, struct skep_object *object,
			    const struct skep_ir_target *target);

/**
 * Where a program counts that it could not run: all scratch levels of its CPU
 * were taken. A 64-bit counter at @off in the value of array map @map
 * (BPF_MAP_TYPE_ARRAY of one element).
 */
void skep_ir_set_scratch_loss(struct skep_ir *ir, uint32_t map, uint32_t off);

/** A new program; its only parameter is the context pointer. Current block: its entry. */
struct skep_ir_func *skep_ir_prog(struct skep_ir *ir, const struct skep_ir_prog_desc *desc);
/**
 * A static subprogram of @prog, callable or usable as a helper's callback; up to 5 parameters.
 * Emitted only if live code refers to it. One that finds no free scratch level returns 0.
 */
struct skep_ir_func *skep_ir_subprog(struct skep_ir_func *prog, const char *name,
				     uint32_t n_params);
/** The register that holds parameter @i (0: the context, in programs). */
uint32_t skep_ir_param(const struct skep_ir_func *f, uint32_t i);

/* Source location of what is built from now on. */
void skep_ir_at_source(struct skep_ir_func *f, struct skep_span span);

/* --- Blocks --------------------------------------------------------------------------- */

uint32_t skep_ir_block(struct skep_ir_func *f);
/** Continue building at the end of @block, which must not be ended yet. */
void skep_ir_at(struct skep_ir_func *f, uint32_t block);
/** Has the current block been ended by a jump, branch or exit? What is built after that is
 *  unreachable and dropped. */
bool skep_ir_ended(const struct skep_ir_func *f);
void skep_ir_jump(struct skep_ir_func *f, uint32_t block);
void skep_ir_branch(struct skep_ir_func *f, enum skep_ir_cond cond, struct skep_opnd a,
		    struct skep_opnd b, uint32_t then_block, uint32_t else_block);
/** Branch for code that is rarely run (errors): @cold is placed out of line. */
void skep_ir_branch_cold(struct skep_ir_func *f, enum skep_ir_cond cond, struct skep_opnd a,
			 struct skep_opnd b, uint32_t cold);
void skep_ir_exit(struct skep_ir_func *f, struct skep_opnd value);
/**
 * Bound a loop: put into the loop's header. Building goes on in a new block;
 * when the budget of iterations is used up, control goes to @exhausted.
 */
void skep_ir_loop_guard(struct skep_ir_func *f, uint32_t exhausted);

/* --- Values: each returns a fresh register ------------------------------------------------ */

/** A register to be set by skep_ir_set() on every path before it is read. */
uint32_t skep_ir_var(struct skep_ir_func *f);
void skep_ir_set(struct skep_ir_func *f, uint32_t reg, struct skep_opnd value);
uint32_t skep_ir_mov(struct skep_ir_func *f, struct skep_opnd value);
uint32_t skep_ir_alu(struct skep_ir_func *f, enum skep_ir_alu op, struct skep_opnd a,
		     struct skep_opnd b);
uint32_t skep_ir_neg(struct skep_ir_func *f, struct skep_opnd a);
/** 0 or 1. */
uint32_t skep_ir_cmp(struct skep_ir_func *f, enum skep_ir_cond cond, struct skep_opnd a,
		     struct skep_opnd b);
/** The low @bytes (1, 2, 4) of @a, sign- or zero-extended to 64 bits. */
uint32_t skep_ir_extend(struct skep_ir_func *f, struct skep_opnd a, uint32_t bytes, bool is_signed);
/** Bytes of the low @bytes (2, 4, 8) of @a reversed; the rest zero. */
uint32_t skep_ir_bswap(struct skep_ir_func *f, struct skep_opnd a, uint32_t bytes);

/* --- Memory. @base is a register holding a pointer, or a slot ------------------------------- */

/** Zero-extended load of @bytes (1, 2, 4, 8). Dropped if its result is not used. */
uint32_t skep_ir_load(struct skep_ir_func *f, uint32_t bytes, struct skep_opnd base, int32_t off);
/** A load of an address: the verifier goes on knowing what lies there. */
uint32_t skep_ir_load_address(struct skep_ir_func *f, struct skep_opnd base, int32_t off);
void skep_ir_store(struct skep_ir_func *f, uint32_t bytes, struct skep_opnd base, int32_t off,
		   struct skep_opnd value);
/** @bytes is 4 or 8. On a slot plain code, as a slot is private to the activation; so is xchg. */
void skep_ir_atomic_add(struct skep_ir_func *f, uint32_t bytes, struct skep_opnd base, int32_t off,
			struct skep_opnd value);
/** Returns the old value. */
uint32_t skep_ir_xchg(struct skep_ir_func *f, uint32_t bytes, struct skep_opnd base, int32_t off,
		      struct skep_opnd value);
/** The address as a register. */
uint32_t skep_ir_addr(struct skep_ir_func *f, struct skep_opnd base, int64_t off);
/**
 * Copy or zero @bytes of constant length. Unrolled up to 128 bytes at the best
 * alignment that @align (of both addresses) allows; beyond that one call of
 * bpf_probe_read_kernel (which zeroes what it cannot read).
 */
void skep_ir_copy(struct skep_ir_func *f, struct skep_opnd dst, int32_t dst_off,
		  struct skep_opnd src, int32_t src_off, uint32_t bytes, uint32_t align);
void skep_ir_zero(struct skep_ir_func *f, struct skep_opnd dst, int32_t off, uint32_t bytes,
		  uint32_t align);

/**
 * A memory object of the function: @bytes long, contents undefined until
 * stored. On the stack while it fits, otherwise in the per-CPU scratch; always
 * on the stack if a pointer is stored into it, or it is given to a kernel
 * function or as the context of a callback. @align is 1, 2, 4 or 8.
 * Private to this activation also when a program interrupts a program.
 */
uint32_t skep_ir_slot(struct skep_ir_func *f, uint32_t bytes, uint32_t align);
/** Slots made since the mark may share memory with slots made after the release. */
uint32_t skep_ir_slot_mark(const struct skep_ir_func *f);
void skep_ir_slot_release(struct skep_ir_func *f, uint32_t mark);

/* --- Maps and calls -------------------------------------------------------------------------- */

/** The map itself, for a helper's argument. */
uint32_t skep_ir_map(struct skep_ir_func *f, uint32_t map);
/** The address of byte @off of an array map's first value. */
uint32_t skep_ir_map_value(struct skep_ir_func *f, uint32_t map, uint32_t off);
/** Call helper number @helper with @n (0-5) arguments; returns r0's register. */
uint32_t skep_ir_call(struct skep_ir_func *f, int32_t helper, uint32_t n,
		      const struct skep_opnd *args);
#define skep_ir_calln(f, helper, ...)                                                              \
	skep_ir_call((f), (helper),                                                                \
		     sizeof((struct skep_opnd[]){__VA_ARGS__}) / sizeof(struct skep_opnd),         \
		     (struct skep_opnd[]){__VA_ARGS__})
/** Call a kernel function by its id in vmlinux BTF. */
uint32_t skep_ir_call_kfunc(struct skep_ir_func *f, int32_t btf_id, uint32_t n,
			    const struct skep_opnd *args);
uint32_t skep_ir_call_func(struct skep_ir_func *f, struct skep_ir_func *callee, uint32_t n,
			   const struct skep_opnd *args);
/** The address of a subprogram, for bpf_loop and bpf_for_each_map_elem. */
uint32_t skep_ir_func_addr(struct skep_ir_func *f, struct skep_ir_func *callee);

/* --- Finishing ------------------------------------------------------------------------------- */

/**
 * Emit every program of the module into its object.
 *
 * Once per module. On failure the object has no new programs, but may have the
 * scratch's map.
 * Return 0 | -E2BIG more than a million instructions or a jump out of range |
 *        -ENOSPC the scratch would exceed 32 KiB a level, or more pointers than the
 *        stack holds are alive at once | -ELOOP recursion (see @diag)
 */
int skep_ir_emit(struct skep_ir *ir, struct skep_diag *diag);
/** The module as text, as built or (after emit) as optimised. */
void skep_ir_print(const struct skep_ir *ir, struct skep_buf *out);

#include <skep/end.h>

#endif
