/*
 * The kernel's half: a subprogram, written into a program of ours, that follows the chain of the
 * frames of the interpreter which runs in the current thread, and keeps it as a stack of its own.
 *
 *	the thread's pointer ─► its state in the interpreter ─► innermost frame ─► the one before …
 *
 * A thread's state is the one whose pthread_t is the thread's own pointer: first that of the thread
 * which has the interpreter's lock is looked at, then what the thread keeps as data of its own.
 * Which of all these are where, the runtime of the mapped file says (layout.h), so the program is
 * the same for all versions. Nothing that is read is trusted: the chain ends after 240 frames.
 */
#ifndef SKEP_INTERP_PROGRAM_H
#define SKEP_INTERP_PROGRAM_H

#include <skep/ir.h>

#include "interp/layout.h"

struct skep_btf;

struct skep_interp_maps {
	uint32_t runtimes;           /* of the object, as the next two: an array, */
	uint32_t stacks;             /* a hash, */
	uint32_t fresh;              /* a ring buffer */
	uint32_t runtimes_cnt;       /* a power of two */
	uint32_t thread_pointer_off; /* in the kernel's struct task_struct; 0: no such frames */
	uint32_t lost_map, lost_off; /* a 64-bit counter of stacks that found no place */
};

/** Where the kernel keeps a thread's pointer; 0: @btf (NULL: none) does not tell. */
uint32_t skep_interp_thread_pointer(struct skep_btf *btf);
/** Add `stacks`, of as many as @stacks_cnt, and `fresh` to @object. */
void skep_interp_add_maps(struct skep_object *object, uint32_t stacks_cnt,
			  struct skep_interp_maps *ret);
/**
 * The subprogram of @prog: it is given the index in `runtimes` of the interpreter's file, and what
 * to add to addresses as the file is linked; it returns the number of the current thread's frames
 * in the map `stacks`. 0: there are none, or they could not be kept, which is counted.
 */
struct skep_ir_func *skep_interp_program(struct skep_ir_func *prog,
					 const struct skep_interp_maps *maps);

#endif
