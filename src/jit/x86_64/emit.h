/*
 * Rules of the x86-64 emitter: one for each instruction of isa.def, in the
 * table of emit.c; the functions here write its code.
 */
#ifndef SKEP_JIT_X86_64_EMIT_H
#define SKEP_JIT_X86_64_EMIT_H

#include <stddef.h>

#include "jit/x86_64/asm.h"

#define X_RUN        R12
#define X_RUN_ARG    R9
#define x_run(field) x_at(X_RUN, (int32_t)offsetof(struct skep_run, field))

struct x_rule {
	void (*emit)(struct jit_unit *u, const struct skep_insn *insn, const struct x_rule *rule);
	int op;         /* enum x_alu, x_shift, x_cond, … as the function wants it */
	enum x_width w; /* of the operation */
	bool imm;       /* the second operand is the immediate */
	bool is_signed;
};

/** The register that holds BPF register @r. */
enum x_reg x_of(int r);

#define X_RULE(name)                                                                               \
	void skep_jit_x86_##name(struct jit_unit *u, const struct skep_insn *insn,                 \
				 const struct x_rule *rule)
X_RULE(alu);
X_RULE(mov);
X_RULE(mov_signed);
X_RULE(mul);
X_RULE(shift);
X_RULE(neg);
X_RULE(swap);
X_RULE(narrow);
X_RULE(load_constant);
X_RULE(cast);
X_RULE(divide);
X_RULE(load);
X_RULE(store);
X_RULE(atomic);
X_RULE(fetch);
X_RULE(fetch_loop);
X_RULE(exchange);
X_RULE(compare_exchange);
X_RULE(jump);
X_RULE(branch);
X_RULE(may_goto);
X_RULE(call);
X_RULE(call_local);
X_RULE(packet_load);
X_RULE(exit);

/** @imm in a register without its bits standing in the code. */
void skep_jit_x86_hidden(struct jit_unit *u, enum x_reg to, int32_t imm, enum x_width w);
/** dst = @value, hidden if constants are to be. */
void skep_jit_x86_constant(struct jit_unit *u, enum x_reg dst, uint64_t value);
/** Flags by which @insn, a branch, is decided; returns the condition under which it is taken. */
enum x_cond skep_jit_x86_compare(struct jit_unit *u, const struct skep_insn *insn);
/** The jump of slot @slot, taken on @cc. */
void skep_jit_x86_jump_to(struct jit_unit *u, uint32_t slot, enum x_cond cc);
/** Take @price off the run's budget; the run ends if there was none. */
void skep_jit_x86_pay(struct jit_unit *u, uint32_t price);
/** Restore what the caller had and return. */
void skep_jit_x86_epilogue(struct jit_unit *u);
/** The rule of the instruction at @slot. */
const struct x_rule *skep_jit_x86_rule(const struct jit_unit *u, uint32_t slot);
/** The load or store at @slot, with @base in the place of its address register. */
void skep_jit_x86_access(struct jit_unit *u, uint32_t slot, struct x_mem base);
/** The instruction at @slot by itself. */
void skep_jit_x86_one(struct jit_unit *u, uint32_t slot);
/** Several instructions in one? Returns how many slots of the program were written, 0: none. */
uint32_t skep_jit_x86_fuse(struct jit_unit *u, uint32_t slot);

static inline bool x_is_narrow(const struct jit_unit *u, uint32_t slot, int r)
{
	return u->narrow[slot] >> r & 1;
}

#endif
