/*
 * Walking up a stack by unwind tables: the rules of table.h, applied frame by
 * frame. This is what the kernel's half does at a sample, in plain C: its
 * oracle, and the way for stopped processes.
 */
#ifndef SKEP_UNWIND_WALK_H
#define SKEP_UNWIND_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_unwind_table;

struct skep_unwind_regs {
	uint64_t pc, sp, fp;
	uint64_t lr;   /* AArch64 */
	uint64_t base; /* x86-64: rbx of frames that are not the innermost; 0: not known */
	bool is_new;   /* behind clone() or clone3(), which has returned 0: it has not run yet */
	/* x86-64: all of the innermost frame's, by DWARF's numbers; borrowed. NULL: not known */
	const uint64_t *all;
};
#define SKEP_UNWIND_REGS_CNT 16
#define SKEP_UNWIND_REG_BASE 3

/** What a walk asks of the process. */
struct skep_unwind_process {
	/** The table of what is mapped at @pc, and what to take from @pc to look it up there;
	 *  NULL: nothing is known. */
	const struct skep_unwind_table *(*table)(void *ctx, uint64_t pc, uint64_t *ret_bias);
	/** Read memory. Return 0 | -errno */
	int (*read)(void *ctx, uint64_t addr, void *ret, size_t n);
	void *ctx;
};

/** Why a walk ended: rows of ends.def. */
enum skep_unwind_end {
#define UNWIND_END(name, words) SKEP_UNWIND_##name,
#include "unwind/ends.def"
#undef UNWIND_END
	SKEP_UNWIND_END_CNT
};
/** "the outermost frame" */
const char *skep_unwind_end_words(enum skep_unwind_end end);

/**
 * The stack of @regs: program counters, innermost first; those of callers are
 * return addresses.
 *
 * Where a file's table does not describe the code, the frame pointer is followed: what runs there
 * (V8's builtins, other assembly) mostly has one. If that leads to the outermost frame, the stack
 * ends as GUESSED; if not, what was found by it is taken back, and the end is NO_RULE.
 *
 * @ret_pcs  @max of them at most
 * @ret_end  why there are no more
 * Return    how many: at least 1 if @max is
 */
uint32_t skep_unwind_walk(const struct skep_unwind_process *process, struct skep_unwind_regs regs,
			  uint64_t *ret_pcs, uint32_t max, enum skep_unwind_end *ret_end);

#endif
