/*
 * The aarch64 emitter: the table of rules, and the walk over functions and
 * instructions.
 *
 * A function's frame, high addresses first; pairs of registers that are not
 * used are not there:
 *
 *	| x29 x30 | x19 … x24, two by two | BPF stack | may_goto counter |
 *	                            r10 ──┘                         sp ──┘
 */
#include "jit/aarch64/emit.h"
#include "jit/rules.h"

#define RULE(name, ...)                                                                            \
	{                                                                                          \
		.emit = skep_jit_a64_##name, __VA_ARGS__                                           \
	}

enum { QUOTIENT, REMAINDER };

static const struct a_rule rules[SKEP_OP_CNT] = {
	BOTH(ADD, add, A_ADD),
	BOTH(SUB, add, A_SUB),
	BOTH(OR, alu, A_ORR),
	BOTH(AND, alu, A_AND),
	BOTH(XOR, alu, A_EOR),
	BOTH(MUL, mul, 0),
	BOTH(LSH, shift, A_LSL),
	BOTH(RSH, shift, A_LSR),
	BOTH(ARSH, shift, A_ASR),
	BOTH(MOV, mov, 0),
	DIVIDE(DIV, QUOTIENT, false),
	DIVIDE(MOD, REMAINDER, false),
	DIVIDE(SDIV, QUOTIENT, true),
	DIVIDE(SMOD, REMAINDER, true),
	WORDS(NEG, neg, .op = A_SUB),
	[SKEP_OP_MOVSX64_8] = RULE(mov_signed, .op = W8, .w = W64),
	[SKEP_OP_MOVSX64_16] = RULE(mov_signed, .op = W16, .w = W64),
	[SKEP_OP_MOVSX64_32] = RULE(mov_signed, .op = W32, .w = W64),
	[SKEP_OP_MOVSX32_8] = RULE(mov_signed, .op = W8, .w = W32),
	[SKEP_OP_MOVSX32_16] = RULE(mov_signed, .op = W16, .w = W32),
	[SKEP_OP_ADDR_SPACE_CAST] = RULE(cast, .w = W64),
	[SKEP_OP_LE16] = RULE(narrow, .w = W16),
	[SKEP_OP_LE32] = RULE(narrow, .w = W32),
	[SKEP_OP_LE64] = RULE(narrow, .w = W64),
	[SKEP_OP_BE16] = RULE(swap, .w = W16),
	[SKEP_OP_BE32] = RULE(swap, .w = W32),
	[SKEP_OP_BE64] = RULE(swap, .w = W64),
	[SKEP_OP_BSWAP16] = RULE(swap, .w = W16),
	[SKEP_OP_BSWAP32] = RULE(swap, .w = W32),
	[SKEP_OP_BSWAP64] = RULE(swap, .w = W64),
	[SKEP_OP_LD64_IMM] = RULE(load_constant, .w = W64),

	[SKEP_OP_JA] = RULE(jump, .op = CC_ALWAYS),
	[SKEP_OP_JA32] = RULE(jump, .op = CC_ALWAYS),
	[SKEP_OP_MAY_GOTO] = RULE(may_goto, .op = 0),
	BOTH(JEQ, branch, CC_EQ),
	BOTH(JNE, branch, CC_NE),
	BOTH(JGT, branch, CC_HI),
	BOTH(JGE, branch, CC_HS),
	BOTH(JLT, branch, CC_LO),
	BOTH(JLE, branch, CC_LS),
	BOTH(JSGT, branch, CC_GT),
	BOTH(JSGE, branch, CC_GE),
	BOTH(JSLT, branch, CC_LT),
	BOTH(JSLE, branch, CC_LE),
	BOTH(JSET, branch, CC_NE),
	[SKEP_OP_CALL_HELPER] = RULE(call, .op = SKEP_CALL_HELPER),
	[SKEP_OP_CALL_KFUNC] = RULE(call, .op = SKEP_CALL_KFUNC),
	[SKEP_OP_CALL_LOCAL] = RULE(call_local, .op = 0),
	[SKEP_OP_EXIT] = RULE(exit, .op = 0),

	SIZES(LDX, access, .op = A_LOAD),
	[SKEP_OP_LDXS8] = RULE(access, .op = A_LOAD_SIGNED, .w = W8),
	[SKEP_OP_LDXS16] = RULE(access, .op = A_LOAD_SIGNED, .w = W16),
	[SKEP_OP_LDXS32] = RULE(access, .op = A_LOAD_SIGNED, .w = W32),
	SIZES(LOAD_ACQ, load_acquire, .op = 0),
	SIZES(ST, store_imm, .imm = true),
	SIZES(STX, access, .op = A_STORE),
	SIZES(STORE_REL, store_release, .op = 0),
	PACKET(LD_ABS, true),
	PACKET(LD_IND, false),
	WORDS(ATOMIC_ADD, atomic, .op = A_ADD),
	WORDS(ATOMIC_OR, atomic, .op = A_ORR),
	WORDS(ATOMIC_AND, atomic, .op = A_AND),
	WORDS(ATOMIC_XOR, atomic, .op = A_EOR),
	WORDS(FETCH_ADD, fetch, .op = A_ADD),
	WORDS(FETCH_OR, fetch, .op = A_ORR),
	WORDS(FETCH_AND, fetch, .op = A_AND),
	WORDS(FETCH_XOR, fetch, .op = A_EOR),
	WORDS(XCHG, fetch, .op = -1),
	WORDS(CMPXCHG, compare_exchange, .op = 0),
};

/* b.cond reaches 1 MiB; a jump may be preceded by its comparison. */
const int64_t skep_jit_near_bytes = (1 << 20) - 256;

bool skep_jit_knows(enum skep_op op)
{
	return op < SKEP_OP_CNT && rules[op].emit;
}

unsigned skep_jit_features(void)
{
	return 0;
}

enum a_reg a_of(int r)
{
	static const uint8_t map[SKEP_N_REGS] = {A_R0, X0, X1, X2, X3, X4, X19, X20, X21, X22, X24};
	return map[r < SKEP_N_REGS ? r : 0];
}

/* --- Frames ---------------------------------------------------------------------------------- */

/* Callee-saved registers to be kept, two by two. */
static int saved_regs(const struct jit_func *func, enum a_reg saved[8])
{
	int n = 0;
	if (func->uses_run)
		saved[n++] = A_RUN;
	if (func->uses_frame)
		saved[n++] = X24;
	for (int r = SKEP_R6; r <= SKEP_R9; r++)
		if (func->writes >> r & 1)
			saved[n++] = a_of(r);
	if (n % 2)
		saved[n++] = XZR;
	return n;
}

static int32_t frame_bytes(const struct jit_func *func)
{
	return (int32_t)func->stack_bytes + (func->has_may_goto ? 16 : 0);
}

static void prologue(struct jit_unit *u)
{
	enum a_reg saved[8];
	int n = saved_regs(u->func, saved);
	if (u->func->calls)
		a_push2(u, X29, X30);
	if (u->func->calls)
		a_add_imm(u, W64, X29, SP, 0);
	for (int i = 0; i < n; i += 2)
		a_push2(u, saved[i], saved[i + 1]);
	if (u->func->uses_frame)
		a_add_imm(u, W64, X24, SP, 0);
	if (frame_bytes(u->func))
		a_add_imm(u, W64, SP, SP, -frame_bytes(u->func));
	if (u->func->uses_run)
		a_mov(u, W64, A_RUN, A_RUN_ARG);
	if (u->func->has_may_goto) {
		a_mov_imm(u, X9, SKEP_MAY_GOTO_ROUNDS);
		a_access(u, A_STORE, W64, X9, SP, 8);
	}
}

void skep_jit_a64_epilogue(struct jit_unit *u)
{
	enum a_reg saved[8];
	int n = saved_regs(u->func, saved);
	if (frame_bytes(u->func))
		a_add_imm(u, W64, SP, SP, frame_bytes(u->func));
	for (int i = n - 2; i >= 0; i -= 2)
		a_pop2(u, saved[i], saved[i + 1]);
	if (u->func->calls)
		a_pop2(u, X29, X30);
	a_mov(u, W64, X0, A_R0);
	a_ret(u);
}

A_RULE(exit)
{
	skep_jit_a64_epilogue(u);
}

/* Ends that no exit of the program is: what jumps there is rare, so they lie behind it. */
static void early_ends(struct jit_unit *u)
{
	if (u->budget) {
		u->func->leave_budget = (uint32_t)u->len;
		a_mov_imm(u, X9, SKEP_STOP_BUDGET);
		a_access(u, A_STORE, W32, X9, a_run(stop));
	}
	u->func->leave_zero = (uint32_t)u->len;
	a_mov_imm(u, A_R0, 0);
	u->func->leave = (uint32_t)u->len;
	skep_jit_a64_epilogue(u);
}

/* --- The walk -------------------------------------------------------------------------------- */

void skep_jit_emit(struct jit_unit *u, const struct skep_image_func *func)
{
	const struct skep_image *image = u->image;
	u->func->entry = (uint32_t)u->len;
	prologue(u);
	for (uint32_t i = func->start; i < func->end && skep_jit_reserve(u, MOST_BYTES); i++) {
		u->at[i] = (uint32_t)u->len;
		u->slot = i;
		if (image->ops[i] != SKEP_OP_INVALID)
			rules[image->ops[i]].emit(u, &image->insns[i], &rules[image->ops[i]]);
	}
	if (u->func->uses_run)
		early_ends(u);
}
