/* Expressions of call frame information, recognised by their form. Private to src/unwind. */
#ifndef SKEP_UNWIND_EXPRESSION_H
#define SKEP_UNWIND_EXPRESSION_H

#include "base/reader.h"
#include "unwind/cfi.h"

/** The CFA by @expression: fills the row's cfa, cfa_reg, cfa_off and cfa_add. */
void skep_expression_cfa(const struct skep_cfi_machine *machine, struct skep_reader expression,
			 struct skep_cfi_row *ret);
/** A register's place by @expression, which gives its address. */
enum skep_cfi_place skep_expression_place(const struct skep_cfi_machine *machine,
					  struct skep_reader expression, int64_t *ret_off);

#endif
