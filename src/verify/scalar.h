/*
 * What the verifier knows of a number in a register.
 *
 * Three descriptions at once, each of which holds of every number that the register can have:
 *
 *	bits	a tristate number: which bits are known
 *	full	the 64 bits lie in [umin, umax] and, as a signed number, in [smin, smax]
 *	low	so do the lower 32 bits, by themselves
 *
 * No one of them contains the others: "a multiple of 8" is known to bits alone, "at most 100" to
 * the bounds. After each operation skep_scalar_sync() lets them learn from each other.
 *
 * Both widths are one struct, so that every rule is written once. Bounds of 32 bits are kept as 64:
 * umin and umax zero-extended, smin and smax sign-extended.
 *
 * What is known is exactly what Linux 6.18 knows: where ours were sharper, programs would pass that
 * the kernel refuses. tests/verify holds both against each other at every instruction.
 *
 * Read next: scalar.c (sync), scalar_alu.c (operations), scalar_branch.c (conditions).
 */
#ifndef SKEP_VERIFY_SCALAR_H
#define SKEP_VERIFY_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "verify/tnum.h"

struct skep_buf;
struct skep_insn;

struct skep_bounds {
	uint64_t umin, umax;
	int64_t smin, smax;
};

struct skep_scalar {
	struct skep_tnum bits;
	struct skep_bounds full, low;
};

/* --- scalar.c ------------------------------------------------------------------------------ */

extern const struct skep_scalar skep_scalar_any;

struct skep_scalar skep_scalar_const(uint64_t value);
/** Exactly one number. */
bool skep_scalar_is_const(const struct skep_scalar *s);
/** The lower 32 bits are. */
bool skep_scalar_low_is_const(const struct skep_scalar *s);
/** Is each number of @inner one of @outer, as far as each description tells by itself? */
bool skep_scalar_within(const struct skep_scalar *outer, const struct skep_scalar *inner);
/** Can the register have this number? */
bool skep_scalar_has(const struct skep_scalar *s, uint64_t value);
/** Let the descriptions learn from each other; they share a number. */
void skep_scalar_sync(struct skep_scalar *s);
/** Forget the bounds that contradict each other: such a path is never taken, and going on with less
 *  knowledge is right for it as for any. Return whether there were any */
bool skep_scalar_repair(struct skep_scalar *s);

/** The lower @bytes (1, 2, 4) are kept, what is above becomes 0. */
void skep_scalar_zero_extend(struct skep_scalar *s, unsigned bytes);
/** The lower @bytes (1, 2, 4) are kept, their sign is copied up to @width bits, above is 0. */
void skep_scalar_sign_extend(struct skep_scalar *s, unsigned bytes, unsigned width);
/** The upper 32 bits become 0, as with every 32-bit operation. */
void skep_scalar_zero_upper(struct skep_scalar *s);

/* --- scalar_alu.c -------------------------------------------------------------------------- */

/**
 * @dst = @dst <op> @src, with @op of enum skep_alu_op (MOV, END, DIV and MOD among them), of 64 or
 * 32 bits. Where the kernel knows nothing of the result, neither does this: divisions, byte swaps,
 * shifts by what is no constant or too much.
 */
void skep_scalar_alu(struct skep_scalar *dst, const struct skep_scalar *src, uint8_t op,
		     unsigned width);

/**
 * A number that is -1 or 0 in either width, as s>> of a sign leaves it, and-ed or or-ed with a
 * constant (how compilers choose between two values without a jump): the kernel goes on with -1
 * and comes back for 0. Return whether this is such an operation; then @dst is -1 and @ret_zero 0
 */
bool skep_scalar_fork(struct skep_scalar *dst, const struct skep_scalar *src, uint8_t op,
		      struct skep_scalar *ret_zero);

/* --- scalar_branch.c ----------------------------------------------------------------------- */

enum skep_branch { SKEP_BRANCH_NEVER, SKEP_BRANCH_ALWAYS, SKEP_BRANCH_EITHER };

/** Is the jump @op (enum skep_jmp_op) taken, comparing @width bits? */
enum skep_branch skep_scalar_branch(const struct skep_scalar *dst, const struct skep_scalar *src,
				    uint8_t op, unsigned width);
/** What is known on the side where the jump is taken, or is not; both are synced. Return whether
 * that can be: if not, this side is never come to, and both are repaired. */
bool skep_scalar_assume(struct skep_scalar *dst, struct skep_scalar *src, uint8_t op,
			unsigned width, bool taken);

/* --- scalar_print.c ------------------------------------------------------------------------ */

/** As the kernel's log shows it: "-5", "scalar(umin=1,…)". */
void skep_scalar_print(const struct skep_scalar *s, struct skep_buf *out);
/** What is in its brackets, each item after *@separator, which becomes "," with the first. */
void skep_scalar_print_ranges(const struct skep_scalar *s, const char **separator,
			      struct skep_buf *out);
/** The digits of a number, in base 10 or 16. */
void skep_digits_print(uint64_t value, unsigned base, struct skep_buf *out);
/** A number of 64 bits as the log shows it: small ones decimal, others as "0x…". */
void skep_number_print(uint64_t value, bool is_signed, struct skep_buf *out);

#endif
