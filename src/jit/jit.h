/*
 * The JIT from the inside: what the driver (jit.c), the analyses (flow.c, live.c) and
 * the two processors' code generators share.
 *
 *	image ─► flow: targets, widths, known maps ─► backend: 4 passes over the
 *	instructions ─► memory: written, then made executable, never both
 *
 * A function of a program becomes a function of the processor with the
 * signature of skep_function: r1 to r5 in the argument registers, the run as
 * the sixth, r0 returned. So helpers, callbacks, calls between functions and
 * calls from C are all the same plain call.
 */
#ifndef SKEP_JIT_JIT_H
#define SKEP_JIT_JIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/image.h>
#include <skep/jit.h>
#include <skep/map.h>

#define MOST_BYTES 512 /* one step of the emission writes less */

/* Marks of a slot. */
enum {
	JIT_TARGET = 1 << 0, /* something jumps here */
	JIT_LOOP = 1 << 1,   /* something jumps back here */
	JIT_NEAR = 1 << 2,   /* a jump whose distance fits the short form */
};

/* What a call is to the JIT. */
enum jit_call {
	JIT_CALL_PLAIN,
	JIT_CALL_MAP_LOOKUP,
	JIT_CALL_TAIL,
	JIT_CALL_CPU,
};

/*
 * The same emission runs four times. The first two say how far apart things are at most, with all
 * jumps long, then with the short ones short; the third knows the address and lays out; the last
 * one writes jumps whose targets are known.
 */
enum jit_pass { JIT_BOUND, JIT_BOUND_NEAR, JIT_LAYOUT, JIT_WRITE };

/* A look-up in a map that is known: one of the two, or neither. */
struct jit_lookup {
	const struct skep_map *array;       /* elements can be reached without a call */
	skep_map_lookup_function *function; /* to call with r1 and r2 */
};

struct jit_func {
	uint32_t stack_bytes;  /* of BPF's stack, rounded up to 16 */
	uint16_t writes;       /* BPF registers that it writes */
	bool uses_frame;       /* r10, or memory of the JIT's own */
	bool calls;            /* anything: the stack must be aligned */
	bool uses_run;         /* the run must outlive a call or be reached */
	bool has_may_goto;     /* there is a counter below the stack */
	uint32_t entry;        /* offset in the code */
	uint32_t leave;        /* offset of "return what r0 holds" for early ends */
	uint32_t leave_zero;   /* of "return 0" */
	uint32_t leave_budget; /* of "the budget is spent" */
};

struct jit_unit {
	const struct skep_image *image;
	bool budget, blind;
	unsigned features; /* skep_jit_features() of the processor, or fewer */
	uint64_t seed;     /* of blinding; differs from compilation to compilation */

	uint32_t *at; /* n_insns + 1: where a slot's code begins, in this pass if it was reached */
	uint8_t *marks;   /* of each slot */
	uint16_t *narrow; /* of each slot: registers whose upper half is known to be 0 before it */
	uint16_t *live;   /* of each slot: registers that may be read after it */
	int32_t *map_at;  /* of each call: which of the image's maps r1 is, -1: unknown */
	uint8_t *calls;   /* enum jit_call of image->calls */
	struct jit_func *funcs;

	uint8_t *code; /* heap; what was written in this pass */
	size_t len, cap;
	int error;
	uintptr_t base; /* where the code will lie; 0 in the first two passes */
	enum jit_pass pass;
	struct jit_func *func; /* at hand */
	uint32_t slot;         /* at hand */
};

/* The convention of compiled code: C's, but that of System V on Windows too. */
#ifdef __x86_64__
#define JIT_ABI __attribute__((sysv_abi))
#else
#define JIT_ABI
#endif
typedef JIT_ABI uint64_t jit_function(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
				      uint64_t r5, struct skep_run *run);

struct skep_code {
	uint8_t *memory; /* the mapping, guard pages included */
	size_t memory_bytes;
	const uint8_t *code;
	size_t code_bytes;
	size_t n_insns;
	bool budget;
	uint32_t *at;         /* n_insns + 1 offsets in the code */
	jit_function **entry; /* of each function */
	jit_function *main;   /* the first of them */
};

/* --- flow.c ----------------------------------------------------------------------------------- */

/** Fills marks, narrow, live, map_at, calls and funcs. */
void skep_jit_flow(struct jit_unit *unit);
/** Registers that @insn writes, as bits. */
uint16_t skep_jit_writes(const struct skep_insn *insn);
/** Where the jump at @slot goes, or -1: no jump. */
int64_t skep_jit_target(const struct skep_image *image, uint32_t slot);

/** What calling @func takes of the budget: its length, at most 15 bits of it. */
uint32_t skep_jit_price(const struct skep_image *image, uint32_t func);
/** The shorter way than the helper that the look-up at hand has. */
struct jit_lookup skep_jit_lookup(const struct jit_unit *unit);
/** Can what the program calls end the run? Loops that are paid for, other programs, callbacks. */
bool skep_jit_may_stop(const struct jit_unit *unit);

/* --- live.c ---------------------------------------------------------------------------------- */

/** Fills live for the slots of @func. */
void skep_jit_live(struct jit_unit *unit, const struct skep_image_func *func);

/* --- memory.c --------------------------------------------------------------------------------- */

/** Pages for @bytes of code between two that nobody may touch, near this library's own code if
 *  there is room. Nothing is readable yet. Return 0 | -ENOMEM */
int skep_jit_memory_new(size_t bytes, struct skep_code *code);
/** Copy @bytes in and make them executable. Return 0 | -errno */
int skep_jit_memory_seal(struct skep_code *code, const uint8_t *from, size_t bytes);
void skep_jit_memory_free(struct skep_code *code);

/* --- runtime.c: what code calls beside helpers ----------------------------------------------- */

struct jit_tail_result {
	uint64_t r0, done;
};
JIT_ABI struct jit_tail_result skep_jit_tail_call(uint64_t ctx, uint64_t map, uint64_t index,
						  uint64_t r4, uint64_t r5, struct skep_run *run);
/** @size 1, 2 or 4 bytes at @off of the packet, in host order; negative: there are none. */
JIT_ABI int64_t skep_jit_packet_load(uint64_t off, uint64_t size, uint64_t r3, uint64_t r4,
				     uint64_t r5, struct skep_run *run);

/* --- the processor's part: x86_64/ or aarch64/ ----------------------------------------------- */

/** Emit one function, which unit->func is, for this pass. Errors are left in unit->error. */
void skep_jit_emit(struct jit_unit *unit, const struct skep_image_func *func);
/** Distances up to this much are sure to fit the short form of a jump. */
extern const int64_t skep_jit_near_bytes;
/** Is there a rule for @op? */
bool skep_jit_knows(enum skep_op op);

/* --- for both -------------------------------------------------------------------------------- */

/** Room for one more sequence: @bytes; false, and unit->error set: no memory. */
bool skep_jit_reserve(struct jit_unit *unit, size_t bytes);
/** A 31-bit number that hides the constant of the slot at hand; the same in every pass, and too
 *  large for short immediate forms, so that code keeps its length. */
uint32_t skep_jit_mask(const struct jit_unit *unit);

static inline const struct skep_insn *jit_insn(const struct jit_unit *unit, uint32_t slot)
{
	return &unit->image->insns[slot];
}

#endif
