/*
 * Names and lines of interpreters' frames: read from the memory of their processes soon after a
 * frame was first seen, and kept, as the process may have ended when they are asked for.
 *
 * A code object is known by its process, its address and its check (layout.h): where one takes the
 * place of another, both have their own names.
 *
 * The reading is done in a process of its own (reading.h): memory may be such that it never comes.
 *
 * Bounded: of a process 32,768 code objects, 16 MiB; of those that were not met for longest the
 * names leave first. Of all 64 MiB: the process that has most loses its names first, so that nobody
 * takes those of others; and 4,096 processes.
 */
#ifndef SKEP_INTERP_NAMES_H
#define SKEP_INTERP_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "interp/hotspot_layout.h"

struct skep_interp_names;

/** Strings are owned by the names, until the next note. */
struct skep_interp_name {
	const char *function, *file;
	uint32_t line; /* 0: not known */
};

struct skep_interp_names *skep_interp_names_new(void);
/** NULL is fine. */
void skep_interp_names_free(struct skep_interp_names *names);
/**
 * Read what is not known yet of the frames of @stack, of process @tgid, which may be gone.
 *
 * Cost  a few system calls a new code object, and two turns of a process; at most a second where
 *       the memory does not answer, which is given up, and not tried again for that process
 */
void skep_interp_names_note(struct skep_interp_names *names, uint32_t tgid,
			    const struct skep_interp_stack *stack);
/** The name of a frame; reads nothing. False: it was not read, or is no frame (code is 0). */
bool skep_interp_names_find(const struct skep_interp_names *names, uint32_t tgid,
			    const struct skep_interp_frame *frame, struct skep_interp_name *ret);
/** How often reading was given up as the process's memory did not answer, or had not before. */
uint64_t skep_interp_names_given_up(const struct skep_interp_names *names);
/**
 * Read where HotSpot keeps what in process @tgid, whose libjvm.so begins at @base. Nothing is kept.
 *
 * @ret    untouched on error
 * Return  0 | -ENOTSUP it does not say, or something that is needed is missing | -EAGAIN its memory
 *         did not answer
 * Cost    some hundred system calls of another process; at most a second
 */
int skep_interp_names_machine(struct skep_interp_names *names, uint32_t tgid, uint64_t base,
			      struct skep_hotspot *ret);
size_t skep_interp_names_memory(const struct skep_interp_names *names);

#endif
