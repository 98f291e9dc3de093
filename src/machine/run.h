/* What the files of PROG_TEST_RUN share. */
#ifndef SKEP_MACHINE_RUN_H
#define SKEP_MACHINE_RUN_H

#include "machine/prog.h"

/** A program's start: its context and what else it may touch. */
struct entry {
	void *ctx;
	size_t ctx_bytes;
	unsigned ctx_rights; /* SKEP_MAY_… */
	void *extra;         /* NULL: nothing */
	size_t extra_bytes;
	void *value; /* NULL: nothing more */
	size_t value_bytes;
	struct skep_world *world;
};

/** Run it once. Return r0's low half. Counted, if statistics are on. */
uint32_t machine_run_once(struct prog_object *prog, const struct entry *entry);
/** @repeat times (0: once); the mean time to @ret_duration_ns. Return 0 | -EINTR */
int machine_run_repeated(struct prog_object *prog, const struct entry *entry, uint32_t repeat,
			 uint32_t *ret_retval, uint32_t *ret_duration_ns);

/** The caller's context of at most @size bytes, zeros behind what was given; NULL: none was.
 *  Return 0 | -E2BIG | -EFAULT */
int machine_run_ctx_in(const struct attr_test *attr, void *ret, size_t size, bool *ret_given);
int machine_run_ctx_out(struct request *req, const void *ctx, size_t size);
/** Results to the caller. Return 0 | -ENOSPC data was cut | -EFAULT */
int machine_run_finish(struct request *req, const void *data, uint32_t size, uint32_t retval,
		       uint32_t duration);

typedef int run_function(struct prog_object *prog, struct request *req);
run_function machine_run_skb, machine_run_xdp, machine_run_raw_tp, machine_run_flow_dissector,
	machine_run_tracing, machine_run_sk_lookup, machine_run_syscall, machine_run_netfilter;

/** The world of a run: the host's, with what the machine's owner wants to see of it. */
struct skep_world machine_run_world(const struct skep_machine *machine);

#endif
