/*
 * Rules of the aarch64 emitter: one for each instruction of isa.def, in the
 * table of emit.c; the functions here write its code.
 */
#ifndef SKEP_JIT_AARCH64_EMIT_H
#define SKEP_JIT_AARCH64_EMIT_H

#include <stddef.h>

#include "jit/aarch64/asm.h"

#define A_R0         X7
#define A_RUN        X23
#define A_RUN_ARG    X5
#define a_run(field) A_RUN, (int32_t)offsetof(struct skep_run, field)

struct a_rule {
	void (*emit)(struct jit_unit *u, const struct skep_insn *insn, const struct a_rule *rule);
	int op;         /* enum a_alu, a_shift, a_cond, … as the function wants it */
	enum a_width w; /* of the operation */
	bool imm;       /* the second operand is the immediate */
	bool is_signed;
};

/** The register that holds BPF register @r. */
enum a_reg a_of(int r);

#define A_RULE(name)                                                                               \
	void skep_jit_a64_##name(struct jit_unit *u, const struct skep_insn *insn,                 \
				 const struct a_rule *rule)
A_RULE(add);
A_RULE(alu);
A_RULE(mov);
A_RULE(mov_signed);
A_RULE(mul);
A_RULE(divide);
A_RULE(shift);
A_RULE(neg);
A_RULE(swap);
A_RULE(narrow);
A_RULE(load_constant);
A_RULE(cast);
A_RULE(access);
A_RULE(store_imm);
A_RULE(load_acquire);
A_RULE(store_release);
A_RULE(atomic);
A_RULE(fetch);
A_RULE(compare_exchange);
A_RULE(jump);
A_RULE(branch);
A_RULE(may_goto);
A_RULE(call);
A_RULE(call_local);
A_RULE(packet_load);
A_RULE(exit);

/** The second operand in a register: BPF's, or X9 with the immediate. */
enum a_reg skep_jit_a64_operand(struct jit_unit *u, const struct skep_insn *insn,
				const struct a_rule *rule);
/** Take @price off the run's budget; the run ends if there was none. */
void skep_jit_a64_pay(struct jit_unit *u, uint32_t price);
/** Far jumps to the ends of the function. */
void skep_jit_a64_leave_if(struct jit_unit *u, enum a_cond cc, uint32_t to);
/** Restore what the caller had and return. */
void skep_jit_a64_epilogue(struct jit_unit *u);

#endif
