/*
 * A program under way: what all units share.
 *
 *	r6         the context, always; in a function: a number
 *	r0-r5      numbers between units, r7 and r8 too
 *	r9         a number; in a loop its counter, which nothing else writes
 *
 *	r10 - 64 … r10           eight words of numbers, always set
 *	r10 - 72 … r10 - 68      a map's key
 *	r10 - 104 … r10 - 72     a buffer for values and helpers, always set
 */
#ifndef SKEP_TESTS_ORACLE_UNITS_H
#define SKEP_TESTS_ORACLE_UNITS_H

#include "lab.h"

#define STACK_WORDS  8
#define KEY_OFF      (-72)
#define BUFFER_OFF   (-104)
#define BUFFER_BYTES 32
#define MOST_CALLS   32
#define MOST_TAIL    300 /* slots that functions and the end may need */

/** Which function a call goes to: put in when the functions are written, behind the main program.
 */
struct call {
	uint32_t at;   /* slot */
	uint32_t func; /* number */
};
enum { FUNC_A, FUNC_B, FUNC_LOOP, N_FUNCS };

struct gen {
	struct lab_case *lab;
	const struct lab_size *size;
	uint64_t random;
	bool in_function, in_loop;
	struct call calls[MOST_CALLS];
	uint32_t n_calls;
};

uint32_t gen_below(struct gen *g, uint32_t n);
int32_t gen_number(struct gen *g);
/** A register that holds a number, and one that may be written. */
int gen_src(struct gen *g);
int gen_dst(struct gen *g);
void gen_put(struct gen *g, struct skep_insn insn);
void gen_put64(struct gen *g, int dst, int pseudo, uint64_t value);
/** A conditional jump over what comes until gen_land(); return its slot. */
uint32_t gen_jump(struct gen *g, struct skep_insn insn);
void gen_land(struct gen *g, uint32_t slot);
/** r1 to r5, and r0 if @with_r0, are numbers again. */
void gen_reset(struct gen *g, bool with_r0);

/** One unit of any kind that fits where the program is. */
void gen_unit(struct gen *g);
/** All words of the stack and of the buffer are set. */
void gen_stack(struct gen *g);
/** Everything that registers and the stack hold goes into r0, and the function ends. */
void gen_sum(struct gen *g);
/** What the functions that calls go to do. */
void gen_function(struct gen *g, uint32_t func);

#endif
