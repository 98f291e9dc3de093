/*
 * One line of assembly against the texts of isa.def: the inner half of the
 * assembler (asm.c holds lines, labels and the program together).
 */
#ifndef SKEP_ISA_MATCH_H
#define SKEP_ISA_MATCH_H

#include <skep/diag.h>

#include "isa/table.h"

struct skep_match {
	const char *at, *end; /* what is left of the line; borrowed */
	int code;             /* only rows with this code, or -1 */

	unsigned row;             /* the row that fits */
	const char *word;         /* where the word being compared starts */
	struct skep_insn insn[2]; /* filled in, but for the label's distance */
	unsigned seen;            /* fields an operand has filled so far */
	const char *label;        /* NULL: none; borrowed */
	size_t label_len;
	bool label_in_imm; /* where its distance goes: imm or off */

	/* Of all rows that did not fit, the one that came furthest. */
	struct {
		const char *at;
		const char *want;
		enum skep_diag_id id;
	} fail;
};

/** Find the first row that takes all of [at, end). False: see @match->fail. */
bool skep_match_line(struct skep_match *match);

#endif
