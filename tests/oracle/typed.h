/*
 * A typed program being made: what the files of programs_typed.h share.
 *
 *	r6       the context (main), or a number
 *	r7-r9    numbers or pointers that outlive calls; r9 counts in loops
 *	r0-r5    whatever a unit puts there; nothing after a call
 *
 *	fp-48 … fp      six words: numbers or pointers, or nothing yet
 *	fp-80 … fp-48   a buffer, set at the beginning if `buffer`
 *	fp-88           a map's key
 *	fp-112 … fp-96  a dynptr
 *	fp-120          an iterator
 */
#ifndef SKEP_TESTS_ORACLE_TYPED_H
#define SKEP_TESTS_ORACLE_TYPED_H

#include "programs_typed.h"

enum holds {
	HOLDS_NOTHING,
	HOLDS_NUMBER,
	HOLDS_CTX,
	HOLDS_MEMORY,   /* `room` bytes that may be read and written */
	HOLDS_NULLABLE, /* or NULL */
	HOLDS_PACKET,   /* `room` bytes that were found to be there */
};

struct holding {
	enum holds kind;
	uint32_t room;
};

#define TYPED_WORDS  6
#define BUFFER_OFF   (-80)
#define BUFFER_BYTES 32
#define KEY_OFF      (-88)
#define DYNPTR_OFF   (-112)
#define ITER_OFF     (-120)

struct model {
	struct holding regs[SKEP_N_REGS], words[TYPED_WORDS];
};

enum typed_callee {
	CALLEE_STATIC,
	CALLEE_NUMBERS,
	CALLEE_MEMORY,
	CALLEE_LOOP,
	CALLEE_EACH,
	CALLEES
};

#define TYPED_MOST_CALLS 8

struct typed_gen {
	struct typed_program *program;
	const struct typed_kfuncs *kfuncs;
	uint64_t random;
	struct model now;
	bool in_function, in_loop, buffer, holds_ref;
	uint16_t pinned; /* bit r: register r must not be written */
	int depth;       /* blocks in blocks */
	struct {
		uint32_t at;
		enum typed_callee callee;
	} calls[TYPED_MOST_CALLS];
	uint32_t n_calls;
};

/** Jumps out of a stretch that a condition protects, to where it ends. */
struct way_out {
	uint32_t jumps[4], n;
	struct model then;
};

/* --- programs_typed.c ------------------------------------------------------------------------ */

uint32_t typed_below(struct typed_gen *g, uint32_t n);
int32_t typed_number(struct typed_gen *g);
void typed_put(struct typed_gen *g, struct skep_insn insn);
void typed_put64(struct typed_gen *g, int dst, int pseudo, uint64_t value);
void typed_map(struct typed_gen *g, int reg, enum typed_map map);
/** r1 to r5 hold nothing, r0 a number. */
void typed_called(struct typed_gen *g);
void typed_hold(struct typed_gen *g, int reg, enum holds kind, uint32_t room);

/** A register that holds such a thing; -1: none does. */
int typed_find(struct typed_gen *g, enum holds kind);
/** A number; one is put into a register if there is none. */
int typed_a_number(struct typed_gen *g);
/** A register to write: for a number, for a pointer. Never @but. */
int typed_target(struct typed_gen *g, bool pointer, int but);

void typed_jump(struct typed_gen *g, struct way_out *out, struct skep_insn insn);
void typed_land(struct typed_gen *g, struct way_out *out);
void typed_merge(struct model *into, const struct model *other);

/** One unit of those that fit. */
void typed_unit(struct typed_gen *g);

/* --- units_numbers.c ------------------------------------------------------------------------- */

void typed_arithmetic(struct typed_gen *g);
void typed_unknown(struct typed_gen *g); /* a number that the verifier does not know */
void typed_condition(struct typed_gen *g, struct way_out *out);
/** @reg, or the register returned in its place, is in [0, @max] up to @out's end. */
int typed_bound(struct typed_gen *g, int reg, uint32_t max, struct way_out *out);

/* --- units_memory.c -------------------------------------------------------------------------- */

void typed_access(struct typed_gen *g); /* of a region, at a constant or unknown offset */
void typed_packet(struct typed_gen *g);
void typed_spill(struct typed_gen *g);
void typed_fill(struct typed_gen *g);
void typed_move_pointer(struct typed_gen *g);
void typed_check_null(struct typed_gen *g);

/* --- units_calls.c --------------------------------------------------------------------------- */

void typed_lookup(struct typed_gen *g);
void typed_update(struct typed_gen *g);
void typed_helper(struct typed_gen *g); /* with memory and a size that is not known */
void typed_ringbuf(struct typed_gen *g);
void typed_dynptr(struct typed_gen *g);
void typed_call(struct typed_gen *g);
void typed_callback(struct typed_gen *g);
void typed_loop(struct typed_gen *g);
/** The function that calls go to. */
void typed_function(struct typed_gen *g, enum typed_callee callee);

#endif
