/*
 * The life of an attachment, which is the same for every type: programs are
 * loaded, one is attached, a real event makes it run, the kernel tells of the
 * link, another program takes its place, and when it is taken off nothing of it
 * is left and no event makes it run any more.
 *
 * A type that this kernel has not got is skipped with the kernel's reason on a
 * line of its own, "not here: TYPE: reason": tests/kernel makes its table of
 * types and kernels from these lines, and fails where one came that the
 * committed table does not have.
 */
#ifndef TESTS_LOAD_TRIAL_H
#define TESTS_LOAD_TRIAL_H

#include "fixture.h"

struct trial {
	const char *name; /* of the type, as in the table: "kprobe.multi" */
	uint32_t prog_type, expected_attach_type, attach_btf_id, flags;
	int attach_fd;         /* as struct skep_object_prog's */
	int32_t returns;       /* what the programs return: XDP_PASS, 1 at a control group */
	struct skep_attach at; /* all but prog and target */
	/** Makes the event happen once or more; asserts that it did. */
	void (*fire)(struct trial *trial);
	void *data;         /* the test's own, for fire() */
	uint64_t fires;     /* how often a fire() makes a program run, exactly; 0: at least once */
	int link_type;      /* enum bpf_link_type that the kernel tells; -1: it has no link */
	bool is_replaced;   /* links of this type can be given another program */
	bool only_this_pid; /* count what this process does alone; helpers must allow to ask */
};

/** The whole life; fails the test, or skips it (see above). What @trial's own event needs is made
 *  before and taken away after by the test, also when the type is not here: see trial_is_here(). */
void trial_run(struct trial *trial);
/** The same, but for a caller with something to take away: false instead of a skipped test, for
 *  which it calls trial_skip() in the end. */
bool trial_is_here(struct trial *trial);
void trial_skip(const struct trial *trial);
/** Say that what @name needs is not here, and skip: no such device, no such kernel function. */
void trial_not_here(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

#endif
