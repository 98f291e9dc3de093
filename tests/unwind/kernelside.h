/*
 * The walk in the running kernel, with maps filled by hand: a program at sched_switch that keeps,
 * for each thread of the processes it is told of, the number of its latest stack. A thread that is
 * stopped by ptrace() switches away with the very registers that the tracer then reads.
 */
#ifndef TESTS_UNWIND_KERNELSIDE_H
#define TESTS_UNWIND_KERNELSIDE_H

#include <skep/btf.h>
#include <skep/ir.h>
#include <skep/load.h>

#include "base/arena.h"
#include "mapped.h"
#include "unwind/program.h"
#include "unwind/store.h"

struct kernelside;

/** A program around the walk, which @build writes. */
struct kernelside_program {
	uint32_t type; /* enum bpf_prog_type */
	const char *section;
	void (*build)(struct skep_ir_func *f, struct kernelside *k); /* may add maps */
	bool with_interpreters;                                      /* takes their frames, too */
};
extern const struct kernelside_program kernelside_at_switch, kernelside_with_interpreters;

struct kernelside {
	struct skep_arena arena;
	struct skep_btf *btf; /* owned */
	struct skep_object object;
	struct skep_session *session;
	struct skep_unwind_walk_maps maps;
	uint32_t losses, targets, latest; /* maps of the program's own */
	struct skep_unwind_maps mapped;
	const struct skep_unwind_arrays *arrays; /* its */
	struct skep_unwind_store store;          /* of tables in them */
	uint32_t n_mappings;                     /* that are in them */
};

enum kernelside_loss { KERNELSIDE_LOST, KERNELSIDE_SCRATCH, KERNELSIDE_LOSSES };

extern const struct skep_unwind_sizes kernelside_sizes;

/** Compile and load; the test ends, with words, where that fails. */
void kernelside_open(struct kernelside *k, const struct kernelside_program *program,
		     const struct skep_unwind_sizes *sizes, uint32_t stacks_cnt);
/** To sched_switch. */
void kernelside_attach(struct kernelside *k);
void kernelside_close(struct kernelside *k);
/** Put a process's mappings and tables in, and watch it. */
void kernelside_fill(struct kernelside *k, struct mapped *process);
void kernelside_watch(struct kernelside *k, pid_t pid);
/** The latest number of a thread's stack; 0: none. */
uint32_t kernelside_number(const struct kernelside *k, pid_t tid);
bool kernelside_stack(const struct kernelside *k, uint32_t number, struct skep_unwind_stack *ret);
uint64_t kernelside_loss(const struct kernelside *k, enum kernelside_loss which);
/** Run the program here, once: it walks our own stack. */
void kernelside_run(struct kernelside *k);

#endif
