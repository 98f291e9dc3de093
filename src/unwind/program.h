/*
 * The kernel's half of unwinding: a subprogram, written into a program of ours,
 * that walks the current task's user stack by the tables of layout.h. walk.c does
 * the same in plain C.
 *
 * The registers it starts from are those with which the task entered the kernel,
 * which lie at the top of its kernel stack however it came in: by a system call, a
 * fault, a breakpoint or an interrupt. So it needs no context, and is right for
 * any kind of program that may call bpf_task_pt_regs().
 *
 * Read next: emit.h.
 */
#ifndef SKEP_UNWIND_PROGRAM_H
#define SKEP_UNWIND_PROGRAM_H

#include <skep/ir.h>
#include <skep/object.h>

#include "interp/program.h"
#include "unwind/bpfmaps.h"
#include "unwind/mm.h"

/** The maps of a walk: how large, and which of the object's they are. */
struct skep_unwind_walk_maps {
	struct skep_unwind_sizes sizes;
	uint32_t
		of[SKEP_UNWIND_MAP_CNT]; /* what skep_unwind_maps_take() wants the descriptors of */
	uint32_t stacks, asked, asks;
	struct skep_interp_maps interp; /* not used, unless interpreters are looked into */
	struct skep_unwind_mm mm; /* the kernel's own mappings, where user space's are behind */
};

/** A 64-bit counter at byte @off of the only value of array map @map. */
struct skep_unwind_counter {
	uint32_t map, off;
};

/** Is this a machine whose stacks are walked: x86-64? */
bool skep_unwind_knows_machine(void);
/** May programs walk here? Such a machine, bpf_loop and bpf_task_pt_regs: Linux 5.17. Cost: that of
 *  skep_has_feature() */
bool skep_unwind_is_possible(void);

/**
 * Add the maps to @object.
 *
 * @sizes       each a power of two, and `rows` and `mappings` of no more than 2^26 bytes
 * @stacks_cnt  stacks that can be kept
 * @btf         the kernel's, borrowed; NULL: stacks of processes that have just begun end early
 */
void skep_unwind_add_maps(struct skep_object *object, const struct skep_unwind_sizes *sizes,
			  uint32_t stacks_cnt, struct skep_btf *btf,
			  struct skep_unwind_walk_maps *ret);

/** Have the walk take interpreters' frames, too. @thread_pointer_off is not 0: interp/program.h */
void skep_unwind_add_interpreters(struct skep_object *object, uint32_t stacks_cnt,
				  uint32_t thread_pointer_off, struct skep_unwind_walk_maps *maps);

/**
 * The subprogram of @prog: it is given how many frames there may be, at most
 * SKEP_UNWIND_FRAMES_MOST, and returns the number of the current task's user stack in the map
 * `stacks`, where it then is. 0: there is none (a thread of the kernel), or it could not be kept,
 * which @lost counts; or no memory to walk in was free, which is counted as
 * skep_ir_set_scratch_loss() says.
 */
struct skep_ir_func *skep_unwind_program(struct skep_ir_func *prog,
					 const struct skep_unwind_walk_maps *maps,
					 struct skep_unwind_counter lost);

#endif
