/*
 * Running a program on given data (BPF_PROG_TEST_RUN), and what its result is called.
 */
#ifndef SKEP_ENGINE_TEST_H
#define SKEP_ENGINE_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/** What the data is that comes back. */
enum skep_test_out {
	SKEP_OUT_NOTHING,
	SKEP_OUT_PACKET,
	SKEP_OUT_PAYLOAD, /* the program saw what is behind the Ethernet header; that is kept */
	SKEP_OUT_KEYS,    /* struct bpf_flow_keys */
};

/** What a run of one type of program takes: rows of testable.def. */
struct skep_testable {
	uint32_t type;      /* enum bpf_prog_type */
	bool data;          /* a packet */
	bool repeats;       /* the engine runs it many times in one call, and measures */
	uint32_t ctx_bytes; /* of its context if none is given; 0: it may be left out */
	bool ctx_out;       /* the context comes back */
	enum skep_test_out out;
};
/** NULL: neither engine runs programs of this type on given data. */
const struct skep_testable *skep_testable(uint32_t prog_type);

#define SKEP_TEST_LEAST_BYTES 14 /* of a packet: an Ethernet header */

struct skep_test {
	int prog_fd;
	const void *data; /* borrowed */
	uint32_t data_len;
	const void *ctx; /* borrowed; NULL: zeros, or none */
	uint32_t ctx_len;
	uint32_t repeat; /* 0 as 1; more only where testable->repeats */
	/* What came of it: */
	uint32_t retval, duration_ns; /* the mean */
	struct skep_buf data_out, ctx_out;
};

/** Run it. Return 0 | -errno of bpf(2); then @test's results are empty. */
int skep_test_run(const struct skep_testable *kind, struct skep_test *test);
void skep_test_done(struct skep_test *test);

/** A result by name: a row of verdicts.def. */
struct skep_verdict_name {
	uint32_t type, value;
	const char *name;
	bool passes; /* the packet goes on, here or elsewhere */
};
/** Into @ret, for results that are no row too ("keep 96 bytes"); name "" if there is none. */
struct skep_verdict_name skep_test_verdict(uint32_t prog_type, uint32_t retval);

/** "xdp"; "unknown". Never NULL. */
const char *skep_prog_type_name(uint32_t type);
/** "xdp" → BPF_PROG_TYPE_XDP; -1: there is none */
int skep_prog_type_by_name(const char *name);

#endif
