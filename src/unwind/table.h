/*
 * The rows of one file's call frame information as a program in the kernel
 * looks them up: four bytes a row.
 *
 *	addresses   cut into pages of 1 KiB, as offsets from where the file is linked to
 *	pages       for each page where its rows begin; one more at the end
 *	rows        where in its page, and the number of a rule; rising within a page, whose
 *	            first row is always at its very beginning
 *	rules       the few hundred that a file has, each once
 *
 * So one look-up is two loads of the page index and a binary search of at most ten
 * steps within a page; there are some twenty rows in one, which makes it four or
 * five in two cache lines. Larger pages would save little memory (a page takes
 * eight bytes), and cost most of the time of a walk.
 */
#ifndef SKEP_UNWIND_TABLE_H
#define SKEP_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "unwind/cfi.h"

#define SKEP_UNWIND_PAGE_BITS  10
#define SKEP_UNWIND_RULES_MOST 65536

struct skep_unwind_row {
	uint16_t low; /* bits of the address */
	uint16_t rule;
};

/** How the caller's frame is found: struct skep_cfi_row without its address, in 16 bytes. */
struct skep_unwind_rule {
	uint8_t cfa, cfa_reg; /* enum skep_cfa_kind */
	uint8_t fp, ra;       /* enum skep_cfi_place */
	int32_t cfa_off;
	int32_t cfa_add; /* where ra is IN_REG: the register */
	int16_t fp_off;  /* the return address always is below the CFA, else ra says OTHER */
	uint8_t base;    /* as in struct skep_cfi_row */
	uint8_t unused;
};
_Static_assert(sizeof(struct skep_unwind_rule) == 16, "the kernel's half reads it");

struct skep_unwind_table {
	struct skep_unwind_row *rows;   /* owned */
	struct skep_unwind_rule *rules; /* owned; [0]: nothing is known */
	uint32_t *pages;                /* owned; n_pages + 1 */
	uint32_t n_rows, n_rules, n_pages;
	uint32_t first_page; /* address >> SKEP_UNWIND_PAGE_BITS of pages[0] */
	uint64_t n_skipped;  /* entries that could not be read */
};

/**
 * Build the table of a section.
 *
 * @ret    skep_unwind_table_done() frees it; untouched on error
 * Return  0 | -ENODATA it describes no function | -EBADMSG none that can be read | -E2BIG over
 *         2^32 rows or 2^24 pages, or more rules than there are numbers, or made to
 *         be searched for long
 * Cost    O(rows); where functions are not in the order of their addresses, O(rows × log rows)
 */
int skep_unwind_table_build(const struct skep_cfi_section *section, struct skep_unwind_table *ret);
/** The same of a section that may be anybody's: -E2BIG where it has more than @n_rows_most rows. */
int skep_unwind_table_build_within(const struct skep_cfi_section *section, uint32_t n_rows_most,
				   struct skep_unwind_table *ret);
void skep_unwind_table_done(struct skep_unwind_table *table);

/** The rule at @addr; rules[0] where nothing is known. Cost O(log rows of its page) */
const struct skep_unwind_rule *skep_unwind_table_find(const struct skep_unwind_table *table,
						      uint64_t addr);

#endif
