/*
 * The JIT beyond struct skep_exec (image.h): what the code of a program looks
 * like, and which abilities of the processor it may use.
 */
#ifndef SKEP_JIT_H
#define SKEP_JIT_H

#include <stddef.h>
#include <stdint.h>

#include <skep/image.h>

#include <skep/begin.h>

/** Abilities that not every processor of a kind has. */
enum {
	SKEP_JIT_BMI2 = 1 << 0, /* x86-64: shifts by any register */
};

/** Those of this processor. */
unsigned skep_jit_features(void);

/**
 * As skep_exec_jit.compile(), with @features (some of skep_jit_features()) only.
 *
 * @image   borrowed by the code; must outlive it
 * @opts    NULL: all off
 * @ret     freed with skep_exec_jit.free(); untouched on error
 * Return   0 | -ENOTSUP an instruction or a processor it has no code for | -ENOMEM | -errno of
 *          making memory executable
 * Thread   safe.   Cost O(instructions), some 50 ns each
 */
int skep_jit_compile(const struct skep_image *image, const struct skep_exec_opts *opts,
		     unsigned features, struct skep_code **ret);

/** The machine code of @code, *@ret_bytes long; borrowed, lives as long as it. It begins with the
 *  program's first function: uint64_t (*)(r1, r2, r3, r4, r5, struct skep_run *), by the calling
 *  convention of System V or of AAPCS64. */
const void *skep_jit_code(const struct skep_code *code, size_t *ret_bytes);
/** Where the code of slot @slot begins in it; for @slot = number of slots: its end. */
size_t skep_jit_offset(const struct skep_code *code, uint32_t slot);

#include <skep/end.h>

#endif
