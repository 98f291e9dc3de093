/*
 * An assembler for aarch64: one function an instruction, destination first.
 * Every instruction is one word; its fixed bits are in asm.c.
 *
 * What the code holds at which time (AAPCS64, so that a BPF function is a C
 * function and the other way round):
 *
 *	r0   x7 (returned in x0)	r1-r5  x0 to x4		the run on entry: x5
 *	r6   x19	r7  x20		r8  x21		r9  x22		the run after: x23
 *	r10  x24	scratch: x9 to x12, x16
 */
#ifndef SKEP_JIT_AARCH64_ASM_H
#define SKEP_JIT_AARCH64_ASM_H

#include "jit/jit.h"

enum a_reg {
	X0,
	X1,
	X2,
	X3,
	X4,
	X5,
	X7 = 7,
	X9 = 9,
	X10,
	X11,
	X12,
	X16 = 16,
	X19 = 19,
	X20,
	X21,
	X22,
	X23,
	X24,
	X29 = 29,
	X30,
	XZR = 31,
	SP = 31,
};

enum a_width { W8, W16, W32, W64 };
enum a_cond {
	CC_EQ,
	CC_NE,
	CC_HS,
	CC_LO,
	CC_HI = 8,
	CC_LS,
	CC_GE,
	CC_LT,
	CC_GT,
	CC_LE,
	CC_ALWAYS,
};
enum a_alu { A_ADD, A_SUB, A_SUBS, A_AND, A_ORR, A_EOR, A_ANDS };
enum a_shift { A_LSL, A_LSR, A_ASR };
enum a_access { A_STORE, A_LOAD, A_LOAD_SIGNED };

static inline enum a_cond a_not(enum a_cond cc)
{
	return (enum a_cond)(cc ^ 1);
}

/* arithmetic, W32 or W64 */
void a_alu(struct jit_unit *u, enum a_alu op, enum a_width w, enum a_reg dst, enum a_reg a,
	   enum a_reg b);
bool a_fits_add(int64_t imm);
void a_add_imm(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg a, int64_t imm);
void a_cmp_imm(struct jit_unit *u, enum a_width w, enum a_reg a, int64_t imm);
void a_mov(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg src);
void a_mov_imm(struct jit_unit *u, enum a_reg dst, uint64_t value);   /* the shortest */
void a_mov_imm32(struct jit_unit *u, enum a_reg dst, uint32_t value); /* two words */
void a_mov_imm64(struct jit_unit *u, enum a_reg dst, uint64_t value); /* four words */
void a_mul(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg a, enum a_reg b);
/* dst = from - a * b */
void a_msub(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg a, enum a_reg b,
	    enum a_reg from);
void a_div(struct jit_unit *u, bool is_signed, enum a_width w, enum a_reg dst, enum a_reg a,
	   enum a_reg b);
void a_shift(struct jit_unit *u, enum a_shift op, enum a_width w, enum a_reg dst, enum a_reg a,
	     enum a_reg count);
void a_shift_imm(struct jit_unit *u, enum a_shift op, enum a_width w, enum a_reg dst, enum a_reg a,
		 int count);
void a_extend(struct jit_unit *u, bool is_signed, enum a_width from, enum a_width to,
	      enum a_reg dst, enum a_reg src);
void a_rev(struct jit_unit *u, enum a_width w, enum a_reg dst, enum a_reg src);
void a_csel(struct jit_unit *u, enum a_cond cc, enum a_reg dst, enum a_reg yes, enum a_reg no);

/* memory */
void a_access(struct jit_unit *u, enum a_access op, enum a_width w, enum a_reg reg, enum a_reg base,
	      int32_t off);
void a_access_index(struct jit_unit *u, enum a_access op, enum a_width w, enum a_reg reg,
		    enum a_reg base, enum a_reg index);
void a_load_acquire(struct jit_unit *u, enum a_width w, enum a_reg reg, enum a_reg at);
void a_store_release(struct jit_unit *u, enum a_width w, enum a_reg reg, enum a_reg at);
void a_load_exclusive(struct jit_unit *u, enum a_width w, enum a_reg reg, enum a_reg at);
void a_store_exclusive(struct jit_unit *u, enum a_width w, enum a_reg failed, enum a_reg reg,
		       enum a_reg at);
void a_barrier(struct jit_unit *u);
void a_push2(struct jit_unit *u, enum a_reg a, enum a_reg b);
void a_pop2(struct jit_unit *u, enum a_reg a, enum a_reg b);

/* control; targets are offsets in the code */
void a_jump(struct jit_unit *u, size_t to);
void a_jump_if(struct jit_unit *u, enum a_cond cc, size_t to); /* within 1 MiB */
void a_jump_nonzero(struct jit_unit *u, enum a_reg reg, size_t to);
size_t a_jump_ahead(struct jit_unit *u, enum a_cond cc);
void a_land(struct jit_unit *u, size_t jump);
void a_call(struct jit_unit *u, size_t to);
void a_call_c(struct jit_unit *u, uintptr_t function);
void a_ret(struct jit_unit *u);

#endif
