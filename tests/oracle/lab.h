/*
 * The differential laboratory: a random program, and what comes of it in each
 * engine: the machine's modes and the running kernel.
 *
 *	generate.c   a case out of a seed
 *	units.c      what programs are made of
 *	engines.c    loads a case, runs it once, and says what came out
 *	shrink.c     a smaller case on which two engines still disagree
 *
 * Whatever the seed, the program ends, and touches nothing but its own stack,
 * packet, context and maps, after the checks that the kernel's verifier wants.
 */
#ifndef SKEP_TESTS_ORACLE_LAB_H
#define SKEP_TESTS_ORACLE_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/bpf.h>

#include <skep/isa.h>

#include "base/buf.h"

/* --- A case ---------------------------------------------------------------------------------- */

#define MOST_INSNS    1024
#define PACKET_BYTES  128
#define MOST_OUT      512
#define ARRAY_ENTRIES 4
#define ARRAY_BYTES   32
#define HASH_ENTRIES  6
#define HASH_BYTES    16
#define HASH_KEYS     8 /* that programs use: more than there is room for */

enum lab_map { LAB_ARRAY, LAB_HASH, LAB_MAPS };

struct lab_case {
	uint64_t seed;
	bool is_xdp;
	/* Map loads have the number of their map (enum lab_map) for a descriptor. */
	struct skep_insn insns[MOST_INSNS];
	uint32_t n;
	uint8_t packet[PACKET_BYTES];
	uint32_t packet_bytes;
	struct __sk_buff skb; /* what of the context is given */
};

/** How much a program may hold. */
struct lab_size {
	uint32_t most_units;
	bool straight; /* no branches and loops but those that the verifier wants */
};

/** The case that is @seed. */
void lab_generate(uint64_t seed, const struct lab_size *size, struct lab_case *ret);
void lab_print(const struct lab_case *lab, struct skep_buf *out);

/* --- Engines ---------------------------------------------------------------------------------- */

enum lab_engine {
	LAB_CHECKED,
	LAB_INTERP,
	LAB_JIT,
	LAB_INTERP_BUDGET,
	LAB_JIT_BUDGET,
	LAB_JIT_BLIND,
	LAB_KERNEL,
	LAB_ENGINES
};
extern const char *const lab_engine_names[LAB_ENGINES];

/** All that a program leaves. */
struct lab_outcome {
	int load_err, run_err; /* 0 | -errno */
	char fault[200];       /* the checked interpreter's; empty: none */
	uint32_t retval, out_bytes;
	uint8_t out[MOST_OUT];
	struct __sk_buff skb;
	uint8_t array[ARRAY_ENTRIES][ARRAY_BYTES];
	uint8_t hash[HASH_KEYS][HASH_BYTES];
	bool in_hash[HASH_KEYS];
};

/** Machines and maps of all engines; the kernel's too if @kernel. Return 0 | -errno */
int lab_open(bool kernel);
void lab_close(void);
/** Load and run; maps are set first to what they always begin with. @log may be NULL. */
void lab_run(enum lab_engine engine, const struct lab_case *lab, struct lab_outcome *ret,
	     struct skep_buf *log);
/** NULL: the same; else what differs, in @text. */
const char *lab_differ(const struct lab_outcome *a, const struct lab_outcome *b, char text[200]);

/* --- Shrinking -------------------------------------------------------------------------------- */

/** Make @lab smaller as long as @a and @b still disagree on it (and the checked interpreter, unless
 *  it is one of them, and the kernel, if it is, find nothing wrong with it). */
void lab_shrink(struct lab_case *lab, enum lab_engine a, enum lab_engine b);

#endif
