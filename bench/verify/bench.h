/*
 * What the benchmark of the verifier measures: subjects, which are programs, and what each side
 * found of one.
 */
#ifndef BENCH_VERIFY_BENCH_H
#define BENCH_VERIFY_BENCH_H

#include <stdint.h>

enum bench_side { BENCH_KERNEL, BENCH_SKEP, BENCH_SIDES };

/* Of one loading; shared with the child that loads. */
struct bench_finding {
	int err;          /* of BPF_PROG_LOAD, as errno; 0: accepted */
	uint32_t n_insns; /* processed */
	double ns;
	uint64_t peak_bytes; /* of skep's verifier */
};

/** A program of an object file: "FILE" (its first) or "FILE:PROGRAM"; with "@2" behind it, with a
 *  log of level 2. */
void bench_load_object(const char *where, enum bench_side side, struct bench_finding *ret);
/** One of the adversaries of tests/verify. */
void bench_load_adversary(unsigned number, enum bench_side side, struct bench_finding *ret);

/* --- machine.c ----------------------------------------------------------------------------- */

/** From here on bpf(2) is a machine's that verifies; @ret is told how much memory it took. */
void bench_to_machine(struct bench_finding *ret);
/**
 * What the log's statistics say of the last loading. The time that they say is that of the clock on
 * the wall; on a busy machine the processor's is less, though it has what comes after the
 * verification in it. The lesser counts.
 */
void bench_read_log(const char *log, struct bench_finding *ret);

#endif
