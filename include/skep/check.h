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
#include <stdint.h>

#include <skep/image.h>

/** Empty: nothing may be touched. Freed with skep_check_free(). */
struct skep_check *skep_check_new(void);
void skep_check_free(struct skep_check *check);
/** Forget all regions and the fault: ready for another run. */
void skep_check_reset(struct skep_check *check);

/** Stop @run at instruction @insn of its program, for a reason in one plain sentence. The first
 *  reason stays. Nothing without run->check but the stop. */
void skep_check_refuse(struct skep_run *run, uint32_t insn, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** What the run was stopped for; false: nothing. @ret_why is the check's until it is reset. */
bool skep_check_fault(const struct skep_check *check, uint32_t *ret_insn, const char **ret_why);

#endif
