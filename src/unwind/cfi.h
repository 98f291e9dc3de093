/*
 * Call frame information: how to find the caller's frame from any instruction
 * of a program, as compilers leave it in .eh_frame for C++ exceptions, and so
 * for every function whether it has a frame pointer or not.
 *
 * The section is a list of entries. A CIE holds what many functions have in
 * common, an FDE one function: a range of addresses and a small program whose
 * instructions say how the rules change from address to address. Running it
 * gives rows: from this address on, these rules hold. The CFA ("canonical frame
 * address") is the stack pointer before the call; everything else lies relative
 * to it.
 *
 * Only what leads up the stack is kept: the CFA, the return address, the frame
 * pointer, and on x86-64 rbx, by which the loader finds the frame of its trampoline,
 * whose size depends on the processor. Expressions are not run here; those that real programs have
 * are recognised, each as a kind of its own.
 *
 * Source: DWARF 5 §6.4; Linux Standard Base, .eh_frame; psABI of x86-64 and AArch64.
 */
#ifndef SKEP_UNWIND_CFI_H
#define SKEP_UNWIND_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How the CFA is found. */
enum skep_cfa_kind {
	SKEP_CFA_NONE,      /* nothing is known from here on: no function, or one without rules */
	SKEP_CFA_SP,        /* stack pointer + cfa_off */
	SKEP_CFA_FP,        /* frame pointer + cfa_off */
	SKEP_CFA_REG,       /* register cfa_reg + cfa_off */
	SKEP_CFA_DEREF_SP,  /* what lies at stack pointer + cfa_off, + cfa_add */
	SKEP_CFA_DEREF_FP,  /* what lies at frame pointer + cfa_off, + cfa_add */
	SKEP_CFA_DEREF_REG, /* what lies at register cfa_reg + cfa_off, + cfa_add */
	SKEP_CFA_PLT,       /* stack pointer + cfa_off, + 8 where (pc & 15) >= cfa_add */
	SKEP_CFA_SIGNAL,    /* the kernel's signal frame: all registers lie in the ucontext that
			     * the stack pointer points to */
	SKEP_CFA_OTHER,     /* by an expression that none of these is */
	SKEP_CFA_N_KINDS
};

/** Where a register of the caller is. */
enum skep_cfi_place {
	SKEP_CFI_SAME,      /* where it was: unchanged */
	SKEP_CFI_AT_CFA,    /* at CFA + off */
	SKEP_CFI_AT_FP,     /* at frame pointer + off */
	SKEP_CFI_AT_SP,     /* at stack pointer + off */
	SKEP_CFI_UNDEFINED, /* nowhere: for the return address, this is the outermost frame */
	SKEP_CFI_IN_REG,    /* in register off, which is not changed: while vfork() waits, of whose
			     * stack two processes make use */
	SKEP_CFI_OTHER,     /* by an expression that none of these is */
};

struct skep_cfi_row {
	uint64_t addr; /* holds from here to the next row's */
	uint8_t cfa, cfa_reg;
	uint8_t fp, ra; /* enum skep_cfi_place */
	uint8_t base;   /* rbx lies so many words below the CFA; 0: it is unchanged */
	int32_t cfa_off, cfa_add, fp_off, ra_off;
};
#define SKEP_CFI_BASE_MOST 8  /* words below a CFA, which are read at once */
#define SKEP_CFI_BASE_LOST 15 /* it is anywhere else */

/** A machine's numbers of registers in DWARF. */
struct skep_cfi_machine {
	uint8_t sp, fp, ra, base;
	bool ra_in_register; /* calls leave it in a register, not on the stack */
};
/** By ELF's number of the machine; NULL: none that we read. */
const struct skep_cfi_machine *skep_cfi_machine(uint16_t elf_machine);

/** What is read: the section's bytes, and where they are in memory. All borrowed. */
struct skep_cfi_section {
	const uint8_t *data;
	size_t size;
	uint64_t addr; /* virtual */
	const struct skep_cfi_machine *machine;
};

struct skep_cfi_counts {
	uint64_t n_functions, n_rows;
	uint64_t n_skipped; /* entries that were malformed, or of a kind not read */
};

/**
 * Give @row every row of every function, in the section's order: a function's
 * rows have rising addresses, and its last one is SKEP_CFA_NONE at its end.
 * What is malformed is skipped and counted; a return value != 0 of @row stops
 * and is returned.
 *
 * @ret_counts  filled in any case; may be NULL
 * Return       0 | what @row returned
 * Cost         O(size)
 */
int skep_cfi_read(const struct skep_cfi_section *section,
		  int (*row)(void *ctx, const struct skep_cfi_row *row), void *ctx,
		  struct skep_cfi_counts *ret_counts);
/**
 * The same, but functions come in the order of their addresses, so that addresses never fall; of
 * those that overlap only the first to begin.
 *
 * @n_functions_most  whoever has more of them, those that overlap included, may be anybody
 * Return             0 | what @row returned | -E2BIG more functions, or over 4 GiB
 * Cost               O(size); where linkers left functions in another order, O(functions × log
 *                    functions) more. Memory 16 bytes a function, twice where they are sorted
 */
int skep_cfi_read_sorted(const struct skep_cfi_section *section, uint32_t n_functions_most,
			 int (*row)(void *ctx, const struct skep_cfi_row *row), void *ctx,
			 struct skep_cfi_counts *ret_counts);

#endif
