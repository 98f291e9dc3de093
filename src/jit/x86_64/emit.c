/*
 * The x86-64 emitter: the table of rules, and the walk over functions and
 * instructions.
 *
 * A function's frame, high addresses first; parts that are not used are not
 * there:
 *
 *	| return address | rbp | BPF stack | may_goto counter | rbx r12 r13 r14 r15 |
 *	                 rbp = r10 ──┘                                        rsp ──┘
 */
#include <cpuid.h>

#include "jit/rules.h"
#include "jit/x86_64/emit.h"

#define JUMP_ALIGN 16
#define RULE(name, ...)                                                                            \
	{                                                                                          \
		.emit = skep_jit_x86_##name, __VA_ARGS__                                           \
	}

static const struct x_rule rules[SKEP_OP_CNT] = {
	BOTH(ADD, alu, X_ADD),
	BOTH(SUB, alu, X_SUB),
	BOTH(OR, alu, X_OR),
	BOTH(AND, alu, X_AND),
	BOTH(XOR, alu, X_XOR),
	BOTH(MUL, mul, 0),
	BOTH(LSH, shift, X_SHL),
	BOTH(RSH, shift, X_SHR),
	BOTH(ARSH, shift, X_SAR),
	BOTH(MOV, mov, 0),
	DIVIDE(DIV, RAX, false),
	DIVIDE(MOD, RDX, false),
	DIVIDE(SDIV, RAX, true),
	DIVIDE(SMOD, RDX, true),
	WORDS(NEG, neg, .op = X_NEG),
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
	BOTH(JEQ, branch, CC_E),
	BOTH(JNE, branch, CC_NE),
	BOTH(JGT, branch, CC_A),
	BOTH(JGE, branch, CC_AE),
	BOTH(JLT, branch, CC_B),
	BOTH(JLE, branch, CC_BE),
	BOTH(JSGT, branch, CC_G),
	BOTH(JSGE, branch, CC_GE),
	BOTH(JSLT, branch, CC_L),
	BOTH(JSLE, branch, CC_LE),
	BOTH(JSET, branch, CC_NE),
	[SKEP_OP_CALL_HELPER] = RULE(call, .op = SKEP_CALL_HELPER),
	[SKEP_OP_CALL_KFUNC] = RULE(call, .op = SKEP_CALL_KFUNC),
	[SKEP_OP_CALL_LOCAL] = RULE(call_local, .op = 0),
	[SKEP_OP_EXIT] = RULE(exit, .op = 0),

	SIZES(LDX, load, .op = 0),
	[SKEP_OP_LDXS8] = RULE(load, .w = W8, .is_signed = true),
	[SKEP_OP_LDXS16] = RULE(load, .w = W16, .is_signed = true),
	[SKEP_OP_LDXS32] = RULE(load, .w = W32, .is_signed = true),
	SIZES(LOAD_ACQ, load, .op = 0), /* loads are never taken before loads */
	SIZES(ST, store, .imm = true),
	SIZES(STX, store, .op = 0),
	SIZES(STORE_REL, store, .op = 0), /* stores never pass what was before */
	PACKET(LD_ABS, true),
	PACKET(LD_IND, false),
	WORDS(ATOMIC_ADD, atomic, .op = X_ADD),
	WORDS(ATOMIC_OR, atomic, .op = X_OR),
	WORDS(ATOMIC_AND, atomic, .op = X_AND),
	WORDS(ATOMIC_XOR, atomic, .op = X_XOR),
	WORDS(FETCH_ADD, fetch, .op = X_ADD),
	WORDS(FETCH_OR, fetch_loop, .op = X_OR),
	WORDS(FETCH_AND, fetch_loop, .op = X_AND),
	WORDS(FETCH_XOR, fetch_loop, .op = X_XOR),
	WORDS(XCHG, exchange, .op = 0),
	WORDS(CMPXCHG, compare_exchange, .op = 0),
};

/* Of 127: a jump may be preceded by its comparison. */
const int64_t skep_jit_near_bytes = 100;

bool skep_jit_knows(enum skep_op op)
{
	return op < SKEP_OP_CNT && rules[op].emit;
}

unsigned skep_jit_features(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_BMI2) ? SKEP_JIT_BMI2 : 0;
}

enum x_reg x_of(int r)
{
	static const uint8_t regs[SKEP_N_REGS] = {RAX, RDI, RSI, RDX, RCX, R8,
						  RBX, R13, R14, R15, RBP};
	return regs[r < SKEP_N_REGS ? r : 0];
}

/* --- Frames ---------------------------------------------------------------------------------- */

/* Callee-saved registers to be kept, in the order they are pushed. */
static int saved_regs(const struct jit_func *func, enum x_reg saved[5])
{
	int n = 0;
	if (func->uses_run)
		saved[n++] = X_RUN;
	for (int r = SKEP_R6; r <= SKEP_R9; r++)
		if (func->writes >> r & 1)
			saved[n++] = x_of(r);
	return n;
}

/* Bytes between rbp (or where it would be) and the pushed registers. */
static int32_t frame_bytes(const struct jit_func *func, int n_saved)
{
	int32_t bytes = (int32_t)func->stack_bytes + (func->has_may_goto ? 16 : 0);
	/* At a call rsp is a multiple of 16: return address, rbp, the frame, what is saved. */
	int words = 1 + func->uses_frame + n_saved;
	return bytes + (func->calls && words % 2 ? 8 : 0);
}

static void prologue(struct jit_unit *u)
{
	enum x_reg saved[5];
	int n = saved_regs(u->func, saved);
	int32_t bytes = frame_bytes(u->func, n);
	if (u->func->uses_frame) {
		x_push(u, RBP);
		x_mov(u, W64, RBP, RSP);
	}
	if (bytes)
		x_alu_imm(u, X_SUB, W64, RSP, bytes);
	for (int i = 0; i < n; i++)
		x_push(u, saved[i]);
	if (u->func->uses_run)
		x_mov(u, W64, X_RUN, X_RUN_ARG);
	if (u->func->has_may_goto)
		x_store_imm(u, W64, x_at(RBP, -(int32_t)u->func->stack_bytes - 8),
			    SKEP_MAY_GOTO_ROUNDS);
}

void skep_jit_x86_epilogue(struct jit_unit *u)
{
	enum x_reg saved[5];
	int n = saved_regs(u->func, saved);
	int32_t bytes = frame_bytes(u->func, n);
	for (int i = n - 1; i >= 0; i--)
		x_pop(u, saved[i]);
	if (u->func->uses_frame)
		x_leave(u);
	else if (bytes)
		x_alu_imm(u, X_ADD, W64, RSP, bytes);
	x_ret(u);
}

X_RULE(exit)
{
	skep_jit_x86_epilogue(u);
}

/* Ends that no exit of the program is: what jumps there is rare, so they lie behind it. */
static void early_ends(struct jit_unit *u)
{
	if (u->budget) {
		u->func->leave_budget = (uint32_t)u->len;
		x_store_imm(u, W32, x_run(stop), SKEP_STOP_BUDGET);
	}
	u->func->leave_zero = (uint32_t)u->len;
	x_zero(u, RAX);
	u->func->leave = (uint32_t)u->len;
	skep_jit_x86_epilogue(u);
}

/* --- The walk -------------------------------------------------------------------------------- */

const struct x_rule *skep_jit_x86_rule(const struct jit_unit *u, uint32_t slot)
{
	return &rules[u->image->ops[slot]];
}

void skep_jit_x86_one(struct jit_unit *u, uint32_t slot)
{
	const struct x_rule *rule = skep_jit_x86_rule(u, slot);
	u->slot = slot;
	rule->emit(u, jit_insn(u, slot), rule);
}

static uint32_t emit_slot(struct jit_unit *u, uint32_t slot)
{
	uint32_t fused = skep_jit_x86_fuse(u, slot);
	if (fused)
		return fused;
	skep_jit_x86_one(u, slot);
	return u->image->ops[slot] == SKEP_OP_LD64_IMM ? 2 : 1;
}

/* Does what is written for @slot alone never run into what comes behind? */
static bool never_falls(const struct jit_unit *u, uint32_t slot)
{
	enum skep_op op = u->image->ops[slot];
	bool jumps = op == SKEP_OP_JA || op == SKEP_OP_JA32;
	return op == SKEP_OP_EXIT || (jumps && skep_jit_target(u->image, slot) != slot + 1);
}

/*
 * Where loops begin is aligned, and what only jumps reach: compilers put a
 * loop's body behind the jump that enters it, and there filling up costs nobody
 * anything.
 */
void skep_jit_emit(struct jit_unit *u, const struct skep_image_func *func)
{
	x_align(u, JUMP_ALIGN);
	u->func->entry = (uint32_t)u->len;
	prologue(u);
	bool falls = true;
	for (uint32_t i = func->start; i < func->end && skep_jit_reserve(u, MOST_BYTES);) {
		if (u->marks[i] & JIT_LOOP || (u->marks[i] & JIT_TARGET && !falls))
			x_align(u, JUMP_ALIGN);
		u->at[i] = (uint32_t)u->len;
		u->slot = i;
		uint32_t slots = emit_slot(u, i);
		for (uint32_t k = 1; k < slots; k++)
			u->at[i + k] = u->at[i];
		falls = slots > 1 || !never_falls(u, i);
		i += slots;
	}
	if (u->func->uses_run)
		early_ends(u);
}
