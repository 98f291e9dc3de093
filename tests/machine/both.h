/*
 * The same call to the running kernel and to a machine: both must say the same.
 *
 * Descriptors differ, so a call is made twice, with attributes of each side's own.
 */
#ifndef SKEP_TESTS_MACHINE_BOTH_H
#define SKEP_TESTS_MACHINE_BOTH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/isa.h>
#include <skep/machine.h>

#include "machine/wire.h"

enum command {
#define COMMAND(number, NAME, ...) CMD_##NAME = (number),
#include "machine/commands.def"
#undef COMMAND
};

/** [0] the kernel's, [1] the machine's. */
struct both {
	long result[2];
	int err[2];
};

extern struct skep_machine *machine;
/** Whether the kernel can be asked (we may load programs). */
extern bool has_kernel;

static inline uint64_t ptr(const void *at)
{
	return (uintptr_t)at;
}

static inline long call_kernel(int cmd, void *attr, unsigned size)
{
	return syscall(__NR_bpf, cmd, attr, size);
}

static inline long call_side(int side, int cmd, void *attr, unsigned size)
{
	return side ? skep_machine_bpf(machine, cmd, attr, size) : call_kernel(cmd, attr, size);
}

static inline struct both call_both(int cmd, union attr attr[2], unsigned size)
{
	struct both both;

	for (int side = 0; side < 2; side++) {
		errno = 0;
		both.result[side] = call_side(side, cmd, &attr[side], size);
		both.err[side] = both.result[side] < 0 ? errno : 0;
	}
	return both;
}

/** The same errno; and the same result, unless it is a descriptor (@fd). */
static inline void assert_same(struct both both, bool fd, const char *what)
{
	if (both.err[0] != both.err[1])
		fail_msg("%s: kernel %s, machine %s", what, strerror(both.err[0]),
			 strerror(both.err[1]));
	if (!fd && both.result[0] != both.result[1])
		fail_msg("%s: kernel %ld, machine %ld", what, both.result[0], both.result[1]);
}

static inline void close_both(struct both both)
{
	for (int side = 0; side < 2; side++)
		if (both.result[side] >= 0)
			close((int)both.result[side]);
}

/** The same attributes on both sides; descriptors that come are closed. Return the kernel's errno. */
static inline int check_fd(int cmd, const union attr *attr, unsigned size, const char *what)
{
	union attr twice[2] = {*attr, *attr};
	struct both both = call_both(cmd, twice, size);

	assert_same(both, true, what);
	close_both(both);
	return both.err[0];
}

#endif
