/*
 * Random programs that know what their registers hold.
 *
 * The programs of generate.c make every pointer a number again at once, so that units can follow
 * one another in any order. These keep pointers, numbers between bounds and references in registers
 * and on the stack for as long as the verifier would let them: what a unit needs, it looks for
 * among what is there. So most are accepted, and those that are lean on all that a verifier knows.
 *
 *	programs_typed.c   the model of what is held, and the frame of a program
 *	units_numbers.c    arithmetic, conditions, and bounds in all the ways they are found
 *	units_memory.c     regions at unknown offsets, packets, the stack
 *	units_calls.c      helpers, references, functions, callbacks, loops
 *
 * One program in some twenty oversteps a bound by one: refusing is tested too, and an unsound
 * verifier would take it.
 *
 * A program ends, or is in a loop that only its budget ends (may_goto). It has 10 to 100
 * instructions. The same seed gives the same program, with or without kernel functions at hand but
 * not alike in both.
 */
#ifndef SKEP_TESTS_ORACLE_PROGRAMS_TYPED_H
#define SKEP_TESTS_ORACLE_PROGRAMS_TYPED_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/isa.h>

#include "base/buf.h"

#define TYPED_MOST_INSNS 256
#define TYPED_MOST_FUNCS 8

/** Loads of maps have the number of their map for a descriptor. */
enum typed_map { TYPED_ARRAY, TYPED_ONE, TYPED_HASH, TYPED_RINGBUF, TYPED_MAPS };

struct typed_map_spec {
	uint32_t type, key_bytes, value_bytes, entries;
};
extern const struct typed_map_spec typed_maps[TYPED_MAPS];

/** BTF ids of kernel functions; 0: programs do not call them. */
struct typed_kfuncs {
	uint32_t iter_new, iter_next, iter_destroy; /* bpf_iter_num_… */
};

struct typed_func {
	uint32_t start, type_id; /* slot; a FUNC of typed_btf */
};

struct typed_program {
	uint64_t seed;
	uint32_t type; /* BPF_PROG_TYPE_SCHED_CLS or XDP */
	struct skep_insn insns[TYPED_MOST_INSNS];
	uint32_t n;
	struct typed_func funcs[TYPED_MOST_FUNCS]; /* [0] is main; ascending */
	uint32_t n_funcs;
};

/** The types of all programs' functions, as BPF_BTF_LOAD takes them. */
extern const void *const typed_btf;
extern const uint32_t typed_btf_bytes;

/** The program that is @seed; @kfuncs may be NULL. */
void typed_generate(uint64_t seed, const struct typed_kfuncs *kfuncs, struct typed_program *ret);
void typed_print(const struct typed_program *program, struct skep_buf *out);

#endif
