/*
 * The process that reads functions from the memory of others (code.h). What is mapped there may be
 * of a file system, or a fault handler, of the process's own, which answers never: who reads it
 * waits for ever, and so it is not us who read.
 */
#ifndef SKEP_INTERP_READING_H
#define SKEP_INTERP_READING_H

#include "base/keeper.h"
#include "interp/code.h"
#include "interp/hotspot_layout.h"

#define SKEP_INTERP_READ_MOST 16 /* functions at once: 1.6 MiB, if they are such */

/** A function as it was seen: where its object is, and what that had. */
struct skep_interp_seen {
	uint64_t addr;
	uint32_t check, version;         /* enum skep_interp_version */
	struct skep_hotspot_names names; /* of HOTSPOT; MACHINE: addr is where libjvm.so begins */
};

/** The process is begun with the first reading. skep_keeper_done() */
void skep_interp_reading_init(struct skep_keeper *ret);
/**
 * Read @n functions (READ_MOST at most) of process @tgid.
 *
 * @ret    @n of them; what could not be read, or is no longer the same, has version NONE; the
 *         others skep_interp_code_done(); untouched on error
 * Return  0 | -EBUSY its memory let us wait too long already | -ETIMEDOUT it does so now |
 *         -errno of starting the process, or its end. Nothing of it is read then
 * Cost    some system calls a function; at most a second
 */
int skep_interp_read(struct skep_keeper *keeper, uint32_t tgid, const struct skep_interp_seen *seen,
		     uint32_t n, struct skep_interp_code *ret);

#endif
