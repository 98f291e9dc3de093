/*
 * An assembler for x86-64: one function an instruction, named as in its manual,
 * destination first. All numbers of the encoding are in this file and asm.c.
 *
 *	| prefix | REX 0100WRXB | escape | opcode | ModRM mod:2 reg:3 rm:3 | SIB | disp | imm |
 *
 * What the code holds at which time (System V's calling convention, so that a
 * BPF function is a C function and the other way round):
 *
 *	r0  rax		r1-r5  rdi rsi rdx rcx r8	the run on entry: r9
 *	r6  rbx		r7-r9  r13 r14 r15		the run after: r12
 *	r10 rbp		scratch: r9 r10 r11
 */
#ifndef SKEP_JIT_X86_64_ASM_H
#define SKEP_JIT_X86_64_ASM_H

#include "jit/jit.h"

enum x_reg {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
	NO_REG,
};

enum x_width { W8, W16, W32, W64 };

/* [base + index << scale + disp] */
struct x_mem {
	enum x_reg base, index;
	int scale;
	int32_t disp;
};

/* Two-operand arithmetic: the number is in the opcode (r, r/m) and in ModRM (immediate forms). */
enum x_alu { X_ADD, X_OR, X_ADC, X_SBB, X_AND, X_SUB, X_XOR, X_CMP };
enum x_shift { X_ROL = 0, X_ROR = 1, X_SHL = 4, X_SHR = 5, X_SAR = 7 };
/* One operand, group 3 */
enum x_unary { X_NOT = 2, X_NEG = 3, X_MUL = 4, X_DIV = 6, X_IDIV = 7 };
enum x_cond {
	CC_B = 2,
	CC_AE,
	CC_E,
	CC_NE,
	CC_BE,
	CC_A,
	CC_L = 12,
	CC_GE,
	CC_LE,
	CC_G,
	CC_ALWAYS,
};

static inline enum x_cond x_not(enum x_cond cc)
{
	return (enum x_cond)(cc ^ 1);
}
static inline struct x_mem x_at(enum x_reg base, int32_t disp)
{
	return (struct x_mem){base, NO_REG, 0, disp};
}
static inline struct x_mem x_sum(enum x_reg base, enum x_reg index)
{
	return (struct x_mem){base, index, 0, 0};
}

/* moves */
void x_mov(struct jit_unit *u, enum x_width w, enum x_reg dst, enum x_reg src);
void x_mov_imm(struct jit_unit *u, enum x_reg dst, uint64_t value); /* the shortest; sets flags */
void x_mov_imm32(struct jit_unit *u, enum x_reg dst, uint32_t value);
void x_mov_imm64(struct jit_unit *u, enum x_reg dst, uint64_t value);
void x_zero(struct jit_unit *u, enum x_reg dst);
void x_movzx(struct jit_unit *u, enum x_width from, enum x_reg dst, enum x_reg src);
void x_movsx(struct jit_unit *u, enum x_width from, enum x_width to, enum x_reg dst,
	     enum x_reg src);
void x_cmov(struct jit_unit *u, enum x_cond cc, enum x_reg dst, enum x_reg src); /* 64 bits */
void x_setcc(struct jit_unit *u, enum x_cond cc, enum x_reg dst); /* its lowest byte */
void x_lea(struct jit_unit *u, enum x_width w, enum x_reg dst, struct x_mem mem);
void x_push(struct jit_unit *u, enum x_reg reg);
void x_pop(struct jit_unit *u, enum x_reg reg);

/* memory; loads are to 64 bits */
void x_load(struct jit_unit *u, enum x_width w, enum x_reg dst, struct x_mem mem);
void x_load_signed(struct jit_unit *u, enum x_width w, enum x_reg dst, struct x_mem mem);
void x_store(struct jit_unit *u, enum x_width w, struct x_mem mem, enum x_reg src);
void x_store_imm(struct jit_unit *u, enum x_width w, struct x_mem mem, int32_t imm);
void x_alu_mem_imm(struct jit_unit *u, enum x_alu op, enum x_width w, struct x_mem mem,
		   int32_t imm);
void x_lock_alu(struct jit_unit *u, enum x_alu op, enum x_width w, struct x_mem mem,
		enum x_reg src);
void x_lock_xadd(struct jit_unit *u, enum x_width w, struct x_mem mem, enum x_reg src);
void x_lock_cmpxchg(struct jit_unit *u, enum x_width w, struct x_mem mem, enum x_reg src);
void x_xchg(struct jit_unit *u, enum x_width w, struct x_mem mem, enum x_reg src);

/* arithmetic, W32 or W64 */
void x_alu(struct jit_unit *u, enum x_alu op, enum x_width w, enum x_reg dst, enum x_reg src);
void x_alu_imm(struct jit_unit *u, enum x_alu op, enum x_width w, enum x_reg dst, int32_t imm);
void x_test(struct jit_unit *u, enum x_width w, enum x_reg a, enum x_reg b);
void x_test_imm(struct jit_unit *u, enum x_width w, enum x_reg reg, int32_t imm);
void x_unary(struct jit_unit *u, enum x_unary op, enum x_width w, enum x_reg reg);
void x_imul(struct jit_unit *u, enum x_width w, enum x_reg dst, enum x_reg src);
void x_imul_imm(struct jit_unit *u, enum x_width w, enum x_reg dst, enum x_reg src, int32_t imm);
void x_sign_into_rdx(struct jit_unit *u, enum x_width w); /* cdq, cqo */
void x_shift_imm(struct jit_unit *u, enum x_shift op, enum x_width w, enum x_reg reg, int count);
void x_shift_cl(struct jit_unit *u, enum x_shift op, enum x_width w, enum x_reg reg);
/* BMI2's shlx, shrx, sarx: dst = src shifted by count */
void x_shift_by(struct jit_unit *u, enum x_shift op, enum x_width w, enum x_reg dst, enum x_reg src,
		enum x_reg count);
void x_bswap(struct jit_unit *u, enum x_width w, enum x_reg reg);

/* control */
size_t x_jump_ahead(struct jit_unit *u, enum x_cond cc); /* short; to be ended by … */
void x_land(struct jit_unit *u, size_t jump);            /* … this, where it goes */
void x_jump_back(struct jit_unit *u, enum x_cond cc, size_t to);
void x_jump_far(struct jit_unit *u, enum x_cond cc, size_t to); /* to an offset, 32 bits */
void x_jump_near(struct jit_unit *u, enum x_cond cc, size_t to);
void x_call(struct jit_unit *u, size_t to); /* an offset in the code */
void x_call_abs(struct jit_unit *u, const void *function);
/* A function with C's convention, of up to 5 arguments and the run: abi_sysv.c, abi_windows.c. */
void x_call_c(struct jit_unit *u, const void *function);
void x_leave(struct jit_unit *u);
void x_ret(struct jit_unit *u);
void x_align(struct jit_unit *u, size_t to);

#endif
