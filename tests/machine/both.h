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

/** Disagreements so far; each is printed. */
extern unsigned n_differences;

/** As a test's teardown: it fails where a difference was told since the last. */
static inline int none_differs(void **state)
{
	unsigned n = n_differences;

	n_differences = 0;
	return n ? -1 : 0;
}

#define NEED_KERNEL()                                                                              \
	do {                                                                                       \
		if (!has_kernel)                                                                   \
			skip();                                                                    \
	} while (0)

__attribute__((format(printf, 1, 2))) static inline void differ(const char *fmt, ...)
{
	va_list ap;

	n_differences++;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}

static inline void check_number(uint64_t kernel, uint64_t ours, const char *what, const char *of)
{
	if (kernel != ours)
		differ("%s: %s: kernel %llu, machine %llu\n", what, of, (unsigned long long)kernel,
		       (unsigned long long)ours);
}

static inline void check_bytes(const void *kernel, const void *ours, size_t n, const char *what,
			       const char *of)
{
	const uint8_t *a = kernel, *b = ours;

	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i]) {
			differ("%s: %s: byte %zu: kernel %02x, machine %02x\n", what, of, i, a[i],
			       b[i]);
			return;
		}
}

/** The same errno; and the same result, unless it is a descriptor (@fd). */
static inline void check_same(struct both both, bool fd, const char *what)
{
	if (both.err[0] != both.err[1])
		differ("%s: kernel %s, machine %s\n", what, strerror(both.err[0]),
		       strerror(both.err[1]));
	else if (!fd)
		check_number((uint64_t)both.result[0], (uint64_t)both.result[1], what, "result");
}

static inline void close_both(struct both both)
{
	for (int side = 0; side < 2; side++)
		if (both.result[side] >= 0)
			close((int)both.result[side]);
}

/** The same attributes on both sides; descriptors that come are closed. Return the kernel's errno.
 */
static inline int check_fd(int cmd, const union attr *attr, unsigned size, const char *what)
{
	union attr twice[2] = {*attr, *attr};
	struct both both = call_both(cmd, twice, size);

	check_same(both, true, what);
	close_both(both);
	return both.err[0];
}

#endif
