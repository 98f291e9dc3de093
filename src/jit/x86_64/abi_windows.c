/*
 * Calling C on Windows. Code keeps to System V's convention everywhere, and C that belongs to the
 * JIT (jit.c, runtime.c) is compiled to it (JIT_ABI). Helpers and maps are not: their arguments
 * move to where Windows wants them.
 *
 *	here     rdi  rsi  rdx  rcx  r8        r9 (or r12: the run)
 *	there    rcx  rdx  r8   r9   [rsp+32]  [rsp+40]     [rsp, rsp+32): the callee's
 *
 * Registers that only Windows preserves (rdi, rsi, xmm6-15) are no concern: code takes all of them
 * for lost at a call, and C that calls code knows by its type that it does.
 */
#include "jit/x86_64/emit.h"

#define HOME_BYTES 32
#define CALL_BYTES (HOME_BYTES + 16)

void x_call_c(struct jit_unit *u, const void *function)
{
	x_alu_imm(u, X_SUB, W64, RSP, CALL_BYTES);
	x_store(u, W64, x_at(RSP, HOME_BYTES), R8);
	x_store(u, W64, x_at(RSP, HOME_BYTES + 8), X_RUN);
	x_mov(u, W64, R9, RCX);
	x_mov(u, W64, R8, RDX);
	x_mov(u, W64, RDX, RSI);
	x_mov(u, W64, RCX, RDI);
	x_call_abs(u, function);
	x_alu_imm(u, X_ADD, W64, RSP, CALL_BYTES);
}
