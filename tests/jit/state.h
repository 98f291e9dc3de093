/*
 * Programs whose whole state can be seen: r0 to r9 come from memory, some
 * instructions follow, and all registers and 64 bytes of stack go back to
 * memory. What two engines leave there is compared.
 *
 *	struct state in, out		r1 = &in on entry; out lies behind it
 */
#ifndef TESTS_JIT_STATE_H
#define TESTS_JIT_STATE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <skep/image.h>
#include <skep/jit.h>

#define N_SEEN      10 /* registers */
#define STACK_WORDS 8  /* of the stack, from r10 - 64 on */
#define KEPT_STATE  (-72)
#define KEPT_R9     (-80)
#define MOST_SLOTS  600

struct state {
	uint64_t regs[N_SEEN];
	uint64_t stack[STACK_WORDS];
};

struct frame {
	struct state in, out;
};

struct code {
	struct skep_insn insns[MOST_SLOTS];
	uint32_t n;
};

static inline void put(struct code *code, struct skep_insn insn)
{
	if (code->n < MOST_SLOTS)
		code->insns[code->n++] = insn;
}

static inline void put_prologue(struct code *code)
{
	put(code, skep_stx_mem(SKEP_DW, SKEP_R10, SKEP_R1, KEPT_STATE));
	for (int i = 0; i < STACK_WORDS; i++) {
		put(code, skep_ldx_mem(SKEP_DW, SKEP_R0, SKEP_R1, (N_SEEN + i) * 8));
		put(code, skep_stx_mem(SKEP_DW, SKEP_R10, SKEP_R0, -64 + i * 8));
	}
	for (int r = 0; r < N_SEEN; r++)
		if (r != SKEP_R1)
			put(code, skep_ldx_mem(SKEP_DW, r, SKEP_R1, r * 8));
	put(code, skep_ldx_mem(SKEP_DW, SKEP_R1, SKEP_R1, SKEP_R1 * 8));
}

static inline void put_epilogue(struct code *code)
{
	int out = (int)sizeof(struct state);
	put(code, skep_stx_mem(SKEP_DW, SKEP_R10, SKEP_R9, KEPT_R9));
	put(code, skep_ldx_mem(SKEP_DW, SKEP_R9, SKEP_R10, KEPT_STATE));
	for (int r = 0; r < N_SEEN - 1; r++)
		put(code, skep_stx_mem(SKEP_DW, SKEP_R9, r, out + r * 8));
	put(code, skep_ldx_mem(SKEP_DW, SKEP_R0, SKEP_R10, KEPT_R9));
	put(code, skep_stx_mem(SKEP_DW, SKEP_R9, SKEP_R0, out + 9 * 8));
	for (int i = 0; i < STACK_WORDS; i++) {
		put(code, skep_ldx_mem(SKEP_DW, SKEP_R0, SKEP_R10, -64 + i * 8));
		put(code, skep_stx_mem(SKEP_DW, SKEP_R9, SKEP_R0, out + (N_SEEN + i) * 8));
	}
	put(code, skep_ldx_mem(SKEP_DW, SKEP_R0, SKEP_R9, out));
	put(code, skep_exit());
}

/* One program, made ready for an engine. */
struct ready {
	struct skep_program program;
};

static inline int make_ready(const struct skep_image *image, const struct skep_exec *exec,
			     struct skep_code *code, struct ready *ret)
{
	*ret = (struct ready){{image, exec, code}};
	return 0;
}

static inline uint64_t run_state(const struct ready *ready, const struct state *in,
				 struct frame *frame)
{
	const uint64_t args[5] = {(uintptr_t)frame};
	struct skep_run run = {.program = &ready->program, .budget = UINT64_MAX, .depth = 1};
	frame->in = *in;
	memset(&frame->out, 0, sizeof(frame->out));
	return ready->program.exec->call(&ready->program, 0, args, &run);
}

/* --- Rows of isa.def as test data ------------------------------------------------------------ */

struct row {
	const char *name, *text;
	uint8_t code;
	int src, off, imm;
};

static const struct row rows[SKEP_OP_CNT] = {
#define INSN(name, class, op, source, src, off, imm, text)                                         \
	[SKEP_OP_##name] = {#name, text, SKEP_##class | SKEP_##op | SKEP_##source, src, off, imm},
#include <skep/isa.def>
#undef INSN
};

static inline bool row_has(const struct row *row, const char *operand)
{
	return strstr(row->text, operand) != NULL;
}

/* An instruction of @row; fields that it does not use are as it wants them. */
static inline struct skep_insn row_insn(const struct row *row, int dst, int src, int off,
					int32_t imm)
{
	bool uses_dst = row_has(row, "{rd}") || row_has(row, "{wd}");
	bool uses_src = row_has(row, "{rs}") || row_has(row, "{ws}");
	bool uses_off = row_has(row, "{off}") || row_has(row, "{pc}");
	bool uses_imm = row_has(row, "{imm}") || row_has(row, "{hex}") || row_has(row, "{pcimm}") ||
			row_has(row, "{imm64}");
	return skep_insn_raw(row->code, uses_dst ? dst : 0, uses_src ? src : row->src,
			     uses_off ? off : row->off, uses_imm ? imm : row->imm);
}

#endif
