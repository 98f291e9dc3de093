/*
 * The 64-bit BPF instruction set (RFC 9669 and Linux 6.18's additions):
 * encode, decode, assemble, disassemble. All of it comes from one table,
 * include/skep/isa.def.
 *
 *	 byte 0     byte 1        bytes 2-3   bytes 4-7
 *	+--------+-----+-----+---------------+------------------------------+
 *	| code   | dst | src |    off (s16)  |          imm (s32)           |
 *	+--------+-----+-----+---------------+------------------------------+
 */
#ifndef SKEP_ISA_H
#define SKEP_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/begin.h>

struct skep_buf;
struct skep_diag;

/** One 8-byte slot; the same layout as Linux's struct bpf_insn. */
struct skep_insn {
	uint8_t code;
	uint8_t dst : 4;
	uint8_t src : 4;
	int16_t off;
	int32_t imm;
};

/* code, low three bits: the class */
enum skep_class {
	SKEP_LD = 0,
	SKEP_LDX,
	SKEP_ST,
	SKEP_STX,
	SKEP_ALU,
	SKEP_JMP,
	SKEP_JMP32,
	SKEP_ALU64,
};
/* loads and stores: size (bits 3-4) and mode (bits 5-7) */
enum skep_size { SKEP_W = 0x00, SKEP_H = 0x08, SKEP_B = 0x10, SKEP_DW = 0x18 };
enum skep_mode {
	SKEP_IMM = 0x00,
	SKEP_ABS = 0x20,
	SKEP_IND = 0x40,
	SKEP_MEM = 0x60,
	SKEP_MEMSX = 0x80,
	SKEP_ATOMIC = 0xc0,
};
/* arithmetic and jumps: source (bit 3) */
enum skep_src { SKEP_K = 0x00, SKEP_X = 0x08 };
enum skep_alu_op {
	SKEP_ADD = 0x00,
	SKEP_SUB = 0x10,
	SKEP_MUL = 0x20,
	SKEP_DIV = 0x30,
	SKEP_OR = 0x40,
	SKEP_AND = 0x50,
	SKEP_LSH = 0x60,
	SKEP_RSH = 0x70,
	SKEP_NEG = 0x80,
	SKEP_MOD = 0x90,
	SKEP_XOR = 0xa0,
	SKEP_MOV = 0xb0,
	SKEP_ARSH = 0xc0,
	SKEP_END = 0xd0,
};
enum skep_jmp_op {
	SKEP_JA = 0x00,
	SKEP_JEQ = 0x10,
	SKEP_JGT = 0x20,
	SKEP_JGE = 0x30,
	SKEP_JSET = 0x40,
	SKEP_JNE = 0x50,
	SKEP_JSGT = 0x60,
	SKEP_JSGE = 0x70,
	SKEP_CALL = 0x80,
	SKEP_EXIT = 0x90,
	SKEP_JLT = 0xa0,
	SKEP_JLE = 0xb0,
	SKEP_JSLT = 0xc0,
	SKEP_JSLE = 0xd0,
	SKEP_JCOND = 0xe0,
};
/* imm of an atomic; OR-ed with an ALU op (ADD, OR, AND, XOR) */
enum skep_atomic {
	SKEP_FETCH = 0x01,
	SKEP_XCHG = 0xe1,
	SKEP_CMPXCHG = 0xf1,
	SKEP_LOAD_ACQ = 0x100,
	SKEP_STORE_REL = 0x110,
};
/* src of a 64-bit immediate load: what its value means */
enum skep_pseudo {
	SKEP_PSEUDO_MAP_FD = 1,
	SKEP_PSEUDO_MAP_VALUE = 2,
	SKEP_PSEUDO_BTF_ID = 3,
	SKEP_PSEUDO_FUNC = 4,
	SKEP_PSEUDO_MAP_IDX = 5,
	SKEP_PSEUDO_MAP_IDX_VALUE = 6,
};
/* src of a call */
enum skep_call_kind { SKEP_CALL_HELPER = 0, SKEP_CALL_LOCAL = 1, SKEP_CALL_KFUNC = 2 };
enum {
	SKEP_R0,
	SKEP_R1,
	SKEP_R2,
	SKEP_R3,
	SKEP_R4,
	SKEP_R5,
	SKEP_R6,
	SKEP_R7,
	SKEP_R8,
	SKEP_R9,
	SKEP_R10,
	SKEP_N_REGS,
};

/* Encoders. The names follow the kernel's macros in lower case. */
static inline struct skep_insn skep_insn_raw(int code, int dst, int src, int off, int32_t imm)
{
	struct skep_insn insn;

	insn.code = (uint8_t)code;
	insn.dst = (uint8_t)(dst & 15);
	insn.src = (uint8_t)(src & 15);
	insn.off = (int16_t)off;
	insn.imm = imm;
	return insn;
}
static inline struct skep_insn skep_alu64_reg(int op, int dst, int src)
{
	return skep_insn_raw(SKEP_ALU64 | op | SKEP_X, dst, src, 0, 0);
}
static inline struct skep_insn skep_alu64_imm(int op, int dst, int32_t imm)
{
	return skep_insn_raw(SKEP_ALU64 | op | SKEP_K, dst, 0, 0, imm);
}
static inline struct skep_insn skep_alu32_reg(int op, int dst, int src)
{
	return skep_insn_raw(SKEP_ALU | op | SKEP_X, dst, src, 0, 0);
}
static inline struct skep_insn skep_alu32_imm(int op, int dst, int32_t imm)
{
	return skep_insn_raw(SKEP_ALU | op | SKEP_K, dst, 0, 0, imm);
}
static inline struct skep_insn skep_ldx_mem(int size, int dst, int src, int off)
{
	return skep_insn_raw(SKEP_LDX | SKEP_MEM | size, dst, src, off, 0);
}
static inline struct skep_insn skep_stx_mem(int size, int dst, int src, int off)
{
	return skep_insn_raw(SKEP_STX | SKEP_MEM | size, dst, src, off, 0);
}
static inline struct skep_insn skep_st_mem(int size, int dst, int off, int32_t imm)
{
	return skep_insn_raw(SKEP_ST | SKEP_MEM | size, dst, 0, off, imm);
}
static inline struct skep_insn skep_atomic_op(int size, int op, int dst, int src, int off)
{
	return skep_insn_raw(SKEP_STX | SKEP_ATOMIC | size, dst, src, off, op);
}
static inline struct skep_insn skep_jmp_reg(int op, int dst, int src, int off)
{
	return skep_insn_raw(SKEP_JMP | op | SKEP_X, dst, src, off, 0);
}
static inline struct skep_insn skep_jmp_imm(int op, int dst, int32_t imm, int off)
{
	return skep_insn_raw(SKEP_JMP | op | SKEP_K, dst, 0, off, imm);
}
static inline struct skep_insn skep_ja(int off)
{
	return skep_insn_raw(SKEP_JMP | SKEP_JA, 0, 0, off, 0);
}
static inline struct skep_insn skep_call(int32_t helper)
{
	return skep_insn_raw(SKEP_JMP | SKEP_CALL, 0, SKEP_CALL_HELPER, 0, helper);
}
static inline struct skep_insn skep_exit(void)
{
	return skep_insn_raw(SKEP_JMP | SKEP_EXIT, 0, 0, 0, 0);
}
/** Both slots of a 64-bit immediate load; @pseudo 0 for a plain constant. */
static inline void skep_ld_imm64(struct skep_insn out[2], int dst, int pseudo, uint64_t value)
{
	out[0] = skep_insn_raw(SKEP_LD | SKEP_DW | SKEP_IMM, dst, pseudo, 0, (int32_t)value);
	out[1] = skep_insn_raw(0, 0, 0, 0, (int32_t)(value >> 32));
}

/* --- Decode ------------------------------------------------------------------------- */

/** One row of isa.def: SKEP_OP_ADD64_REG and so on. */
enum skep_op {
	SKEP_OP_INVALID,
#define INSN(name, ...) SKEP_OP_##name,
#include "isa.def"
#undef INSN
	SKEP_OP_CNT
};

/**
 * Which instruction is @insns[0]?
 *
 * Strict: fields that the instruction does not use must be zero, a 64-bit
 * immediate load needs its second slot within @n.
 * @ret    the row and the number of slots it takes (1 or 2); untouched on error
 * Return  0 | -EINVAL not an instruction (see @diag)
 * Thread  safe.   Cost O(rows that share the code), at most 10
 * Source  RFC 9669; Linux 6.18's resolve_pseudo_ldimm64() and check_and_resolve_insns()
 */
int skep_isa_decode(const struct skep_insn *insns, size_t n, enum skep_op *ret_op,
		    unsigned *ret_slots, struct skep_diag *diag);

/** "ADD64_REG", … ; NULL for an unknown op. */
const char *skep_isa_op_name(enum skep_op op);
/** The row's text with its operands in braces ("{rd} += {rs}"); NULL for an unknown op. */
const char *skep_isa_op_text(enum skep_op op);

/* --- Text: the form the kernel prints (bpftool prog dump xlated; the verifier's log) ------- */

/**
 * How calls and map loads get names. Every callback may be NULL or return NULL:
 * a helper then has the name of helpers.def, a kernel function is
 * "kernel-function", an immediate is printed as it stands.
 */
struct skep_disasm_names {
	const char *(*helper)(void *ctx, int32_t id); /* with its "bpf_" */
	const char *(*imm64)(void *ctx, size_t insn_idx, const struct skep_insn *insn);
	void *ctx;
	const char *(*kfunc)(void *ctx, const struct skep_insn *insn);
};

/**
 * Append one instruction's text, without newline, and without the "(xx) " before it.
 *
 * Like the kernel's printer this one is lenient: a field that should be zero
 * is passed over, r11 is printed. What skep_isa_decode() accepts is printed so
 * that skep_asm() gives back the same bytes (unless @names says otherwise).
 * Bytes that are near no instruction print as "BUG_xx" with their code.
 *
 * The kernel has no text for unresolved loads; ours are map[idx:N], map[idx:N]+OFF,
 * subprog[+N], btf[id:N][fd:M], and map[id:FD] for a map's descriptor. A kernel
 * function of a module has a last word that the kernel leaves out: "fd[OFF]".
 */
void skep_disasm_insn(const struct skep_insn *insns, size_t n, size_t at,
		      const struct skep_disasm_names *names, struct skep_buf *out);
/** All of it, "%4zu: (xx) text" a line. */
void skep_disasm(const struct skep_insn *insns, size_t n, const struct skep_disasm_names *names,
		 struct skep_buf *out);

/**
 * Assemble text in the same form; lines may start with "N:" and "(xx)", and
 * may carry labels ("again:", "goto again") and comments ("//", ";").
 *
 * "r1 = 5" is a MOV, "r1 = 0x5" and "r1 = 5 ll" load 64 bits: so the kernel
 * prints them. A number after "(" must be the code of what follows. A call
 * goes by name: "call bpf_ktime_get_ns" needs no number, "call label" is local,
 * "call name#N" with another name is a kernel function.
 *
 * @ret    heap array, owned by the caller: free(); untouched on error
 * Return  0 | -EINVAL (see @diag, spans into @text) | -E2BIG over SKEP_ASM_MAX_INSNS
 * Cost    O(lines × rows of isa.def)
 */
#define SKEP_ASM_MAX_INSNS 1000000
int skep_asm(const char *text, size_t len, struct skep_insn **ret_insns, size_t *ret_n,
	     struct skep_diag *diag);

/** A helper's name ("map_lookup_elem") or NULL; its number by name (with or without "bpf_")
 *  or -1. Cost of the second: O(helpers). */
const char *skep_helper_name(int32_t id);
int32_t skep_helper_id(const char *name, size_t len);

#include <skep/end.h>

#endif
