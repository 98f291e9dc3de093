/*
 * The checked interpreter's state, for its two files: checked.c executes,
 * arguments.c tests what helpers are given.
 */
#ifndef SKEP_VM_CHECKED_H
#define SKEP_VM_CHECKED_H

#include <skep/image.h>

struct skep_checked_frame {
	uint64_t r[SKEP_N_REGS];
	uint16_t set; /* a bit a register: it holds something */
	uint32_t back, rounds;
	uint8_t written[SKEP_STACK_BYTES / 8]; /* a bit a byte of the stack */
	_Alignas(16) uint8_t stack[SKEP_STACK_BYTES];
};

struct skep_checked {
	const struct skep_image *image;
	struct skep_run *run;
	struct skep_checked_frame *frame; /* the one at hand */
	uint32_t pc;
};

/** Stop at the instruction at hand; always false. */
bool skep_checked_refuse(struct skep_checked *vm, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** Is register @reg readable? */
bool skep_checked_reads(struct skep_checked *vm, unsigned reg);
/** May @bytes at @at, an address made from register @reg, be touched? */
bool skep_checked_access(struct skep_checked *vm, unsigned reg, uint64_t at, size_t bytes,
			 unsigned rights);

/** Test r1 to r5 against @row's prototype; without one: nothing to test. */
bool skep_checked_arguments(struct skep_checked *vm, const struct skep_callable *row);
/** What the call changed: memory it wrote, memory that r0 now gives or r1 to r5 gave back. */
void skep_checked_result(struct skep_checked *vm, const struct skep_callable *row,
			 const uint64_t args[6], uint64_t r0);

#endif
