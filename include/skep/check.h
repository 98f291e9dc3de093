/*
 * What a checked run may touch, and what it was stopped for.
 *
 * A checked run carries regions: memory that the program was given (its
 * context, a map's value, a helper's result) with the right to read or write.
 * Whoever runs the program grants its context first; helpers and the checked
 * interpreter grant the rest (helper.h: skep_run_grant()).
 *
 * Thread    one run at a time.
 */
#ifndef SKEP_CHECK_H
#define SKEP_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/image.h>

#include <skep/begin.h>

/** Empty: nothing may be touched. Freed with skep_check_free(). */
struct skep_check *skep_check_new(void);
void skep_check_free(struct skep_check *check);
/** Forget all regions and the fault: ready for another run. */
void skep_check_reset(struct skep_check *check);

/** A stack: as skep_run_grant(), and each byte must be written before it is read. @set, a bit a
 *  byte, is the caller's, zeroed here. */
void skep_check_grant_stack(struct skep_run *run, void *at, size_t bytes, uint8_t *set);
/** These bytes were written, by whatever way. */
void skep_check_written(struct skep_run *run, const void *at, size_t bytes);
/** Stacks granted after @mark are gone: their frames were left by longjmp(). */
uint64_t skep_check_mark(const struct skep_run *run);
void skep_check_unwind(struct skep_run *run, uint64_t mark);

/** What speaks against an access. */
enum skep_verdict {
	SKEP_MAY,
	SKEP_UNKNOWN,   /* the program was not given this memory */
	SKEP_NO_RIGHT,  /* it was, but not to do this */
	SKEP_UNWRITTEN, /* bytes of the stack that hold nothing yet */
};
enum skep_verdict skep_check_look(const struct skep_run *run, const void *at, size_t bytes,
				  unsigned rights);

/** Stop @run at instruction @insn of its program, for a reason in one plain sentence. The first
 *  reason stays. Nothing without run->check but the stop. */
void skep_check_refuse(struct skep_run *run, uint32_t insn, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** What registers hold where the run is about to be stopped (before skep_check_refuse()): those
 *  whose bit is in @set, told as "r0 = 0, r1 = packet+4 of 60 bytes, r10 = stack-0". */
void skep_check_note_registers(struct skep_run *run, const uint64_t r[SKEP_N_REGS], unsigned set);
/** That text; "": the run was not stopped, or nobody noted them. */
const char *skep_check_registers(const struct skep_check *check);
/** What the run was stopped for; false: nothing. @ret_why is the check's until it is reset. */
bool skep_check_fault(const struct skep_check *check, uint32_t *ret_insn, const char **ret_why);

#include <skep/end.h>

#endif
